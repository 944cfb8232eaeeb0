"""The network that is trained for a candidate: integers in, integers between layers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from dse.ir.graph import beginning, coded, shared_codes
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.thresholding import Thresholding
from dse.ir.network import Network
from dse.ir.numbers import IntType, activation_type
from dse.training.base_weights import LayerWeights
from dse.training.lanes import FloatLane, QuantisedLane, largest_of, stream_steps
from dse.training.pruned import PrunedLayer
from dse.training.quantisers import (
    IntegerQuantiser,
    Quantiser,
    activation_quantiser,
    shared_step,
    weight_quantiser,
)
from dse.training.spatial import SpatialGate
from dse.training.torch_ops import EPSILON, pooled, product, run

LOGIT_DEVIATION = 3.0  # of the class scores before training: neither flat nor saturated


class QuantisedLayer(nn.Module):
    """Integer product, then batch normalisation and quantised activation, or one scale for the class scores.

    `raw`: the sums go on as they are, to a `FusedAdd`.

    In evaluation mode the batch normalisation is one multiplication and one addition a value, the same operations for
    a single sum as for a whole map: what `dse.training.thresholds` searches is what is computed here.
    """

    kept: Tensor | None
    mean: Tensor
    variance: Tensor
    logit_scale: Tensor

    def __init__(self, pruned: PrunedLayer, source: IntType, *, raw: bool = False) -> None:
        super().__init__()
        self.layer = pruned.layer
        self.compression = pruned.compression
        self.source = source
        weights, kept = torch.tensor(pruned.weights), torch.tensor(pruned.kept)
        self.weights = nn.Parameter(weights)
        self.register_buffer("kept", None if bool(kept.all()) else kept.to(torch.float32))
        self.regrows = False  # whether pruned weights get gradients, so that they may come back
        self.weight_quantiser = weight_quantiser(
            weights, kept, self.compression.weight_bits, per_row=raw or pruned.norm is not None
        )
        self.activation: Quantiser | None = None  # set by `calibrate`
        self.keeps_sums = False  # set by `dse.training.edge_losses`
        self.sums: tuple[Tensor, Tensor] | None = (
            None  # of the last forward pass, before and after normalising
        )
        self.gate: SpatialGate | None = None
        c = self.compression
        if c.spatial_keep < 1:
            assert isinstance(self.layer, Conv2d)
            self.gate = SpatialGate(self.layer, source, c.spatial_keep, c.spatial_tile)
        self.normalised = pruned.norm is not None
        self.raw = raw
        if raw:
            self.register_buffer("logit_scale", torch.ones(()))
        elif pruned.norm is None:
            self.logit_scale = nn.Parameter(torch.ones(()))
        else:
            self.gain = nn.Parameter(torch.tensor(pruned.norm.gain))
            self.offset = nn.Parameter(torch.tensor(pruned.norm.offset))
            self.register_buffer("mean", torch.zeros(self.layer.mh))
            self.register_buffer("variance", torch.ones(self.layer.mh))
            self.momentum = 1.0  # the last batch counts; `settle_statistics` averages at the end

    def integer_weights(self) -> Tensor:
        """Return the `(mh, mw)` quantised weights, 0 where pruned."""
        integers: Tensor = self.weight_quantiser(self.weights)
        if self.kept is None:
            return integers
        masked = integers * self.kept
        return integers + (masked - integers).detach() if self.regrows else masked

    def dot(self, x: Tensor) -> Tensor:
        """Return the integer products of `(n, C, H, W)` or `(n, C)` integers."""
        return product(self.layer, x, self.integer_weights(), float(self.source.min_code_value))

    def normalise(self, dot: Tensor) -> Tensor:
        """Return normalised sums; dimension 1 of `dot` is the row."""
        if self.training:
            return f.batch_norm(
                dot,
                self.mean,
                self.variance,
                self.gain,
                self.offset,
                training=True,
                momentum=self.momentum,
                eps=EPSILON,
            )
        shape = (-1,) + (1,) * (dot.ndim - 2)
        gain = self.gain / torch.sqrt(self.variance + EPSILON)
        return dot * gain.view(shape) + (self.offset - self.mean * gain).view(shape)

    def activate(self, dot: Tensor) -> Tensor:
        """Return the integer activations of integer sums."""
        assert self.activation is not None
        values = self.normalise(dot)
        self.sums = (dot, values) if self.training and self.keeps_sums else None
        return cast(Tensor, self.activation(values))

    def forward(self, x: Tensor) -> Tensor:
        """Return integer activations, or class scores."""
        dot = self.dot(x)
        if not self.normalised:
            return dot * self.logit_scale
        y = self.activate(dot)
        return y if self.gate is None else self.gate.mix(x, y, self.filling())

    def filling(self) -> Tensor:
        """Return the `(mh,)` activations of a position that is skipped."""
        assert self.activation is not None
        assert self.gate is not None
        return cast(Tensor, self.activation(self.gate.constant))

    @torch.no_grad()
    def calibrate(self, x: Tensor, step: Tensor | None = None) -> Tensor:
        """Set the step of the activation, or the scale of the class scores, on some images.

        Args:
            x: their inputs.
            step: of activations that are added.
        """
        dot = self.dot(x)
        if self.raw:
            return dot
        if not self.normalised:
            deviation = dot.std().clamp(min=1e-6)
            self.logit_scale.copy_(LOGIT_DEVIATION / deviation)
            return dot * self.logit_scale
        bits = self.compression.activation_bits
        assert bits is not None
        values = self.normalise(dot)
        if step is None:
            self.activation = activation_quantiser(values, bits).to(x.device)
        else:
            own = IntegerQuantiser(bits, step.clone(), signed=self.layer.signed)
            self.activation = own.to(x.device)
        y = cast(Tensor, self.activation(values))
        if self.gate is None:
            return y
        self.gate.calibrate(x, values)
        return self.gate.mix(x, y, self.filling())


class QuantisedThresholds(QuantisedLayer):
    """Thresholds of a residual stream: a bias of each channel, and a quantised activation."""

    input_step: Tensor

    def __init__(self, pruned: PrunedLayer, source: IntType) -> None:
        super().__init__(pruned, source)
        self.register_buffer("input_step", torch.ones(()))

    def integer_weights(self) -> Tensor:
        """Return ones."""
        return torch.ones_like(self.weights)

    def dot(self, x: Tensor) -> Tensor:
        """Return the stream itself."""
        return x

    def normalise(self, dot: Tensor) -> Tensor:
        """Return the values that the integers of the stream stand for, with the bias."""
        shape = (-1,) + (1,) * (dot.ndim - 2)
        return dot * self.input_step + self.offset.view(shape)


class QuantisedNetwork(nn.Module):
    """All layers in order; layers whose activations are added share one step.

    Args:
        network: the network that is built.
        layers: its matrix layers.
        base: by layer, the base weights of every `FusedAdd`.
    """

    def __init__(
        self,
        network: Network,
        layers: tuple[PrunedLayer, ...],
        base: Mapping[str, LayerWeights] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.network = network
        by_name = {pruned.layer.name: pruned for pruned in layers}
        self.matrices = nn.ModuleDict()
        self.lanes = nn.ModuleDict()
        self.largest: dict[str, float] = {}  # code of every sum
        types = {"input": network.input_type}
        for layer in network.layers:
            source = types[layer.inputs[0]]
            if layer.name not in by_name:
                types[layer.name] = layer.output_type(source)
                if isinstance(layer, FusedAdd):
                    self.lanes[layer.name] = QuantisedLane(layer, base[layer.name])
                elif isinstance(layer, Add):
                    self.largest[layer.name] = float(types[layer.name].max)
                continue
            pruned = by_name[layer.name]
            if isinstance(layer, Thresholding):
                self.matrices[layer.name] = QuantisedThresholds(pruned, source)
            else:
                raw = pruned.norm is None and layer is not network.layers[-1]
                self.matrices[layer.name] = QuantisedLayer(pruned, source, raw=raw)
            bits = pruned.compression.activation_bits
            if bits is not None:
                types[layer.name] = activation_type(bits, signed=pruned.layer.signed)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, classes)` scores of integer images."""
        return run(self.network, x, self._output)

    def _output(self, layer: Layer, inputs: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer, MatrixLayer):
            return cast(Tensor, self.matrices[layer.name](*inputs))
        if isinstance(layer, FusedAdd):
            return cast(Tensor, self.lanes[layer.name](*inputs))
        y = pooled(layer, *inputs, largest=self.largest.get(layer.name))
        if isinstance(layer, AveragePool2d):
            return y + (torch.floor(y + 0.5) - y).detach()
        return y

    def calibrate(self, x: Tensor) -> None:
        """Set steps and scales, layer by layer, on some integer images; the network is in training mode."""
        steps = self._shared_steps(x)

        def output(layer: Layer, inputs: tuple[Tensor, ...]) -> Tensor:
            if isinstance(layer, MatrixLayer):
                return self.matrix(layer.name).calibrate(inputs[0], steps.get(layer.name))
            return self._output(layer, inputs)

        run(self.network, x, output)

    @property
    def gates(self) -> tuple[SpatialGate, ...]:
        """The gates of layers that skip positions."""
        found = (self.matrix(name).gate for name in self.matrices)
        return tuple(gate for gate in found if gate is not None)

    @torch.no_grad()
    def settle_gates(self, x: Tensor) -> None:
        """Round the thresholds of all gates, layer by layer, on some integer images, in evaluation mode."""

        def output(layer: Layer, inputs: tuple[Tensor, ...]) -> Tensor:
            gate = self.matrix(layer.name).gate if isinstance(layer, MatrixLayer) else None
            if gate is not None:
                gate.settle(inputs[0])
            return self._output(layer, inputs)

        run(self.network, x, output)

    @torch.no_grad()
    def _shared_steps(self, x: Tensor) -> dict[str, Tensor]:
        """Return the step of every layer whose activations are joined, one for all that meet.

        Those of 1 bit, which are only concatenated, have no step.

        It is set on what they are before they are quantised: a batch normalisation behind the next product
        does not see the difference in scale.
        """
        groups = tuple(
            group
            for group in shared_codes(self.network)
            if self.matrix(group[0]).compression.activation_bits != 1
        )
        if not groups:
            return {}
        group_of = {name: group for group in groups for name in group}
        values: dict[tuple[str, ...], list[Tensor]] = {group: [] for group in groups}

        largest: dict[str, float] = {}

        def output(layer: Layer, inputs: tuple[Tensor, ...]) -> Tensor:
            if isinstance(layer, FusedAdd):
                y = FloatLane.forward(self.lane(layer.name), *inputs)
                largest[layer.name] = largest_of(y)
                return y
            if isinstance(layer, Add):
                y = pooled(layer, *inputs)
                met = _group(self.network, layer, group_of)
            elif isinstance(layer, MatrixLayer) and layer.name in group_of:
                matrix = self.matrix(layer.name)
                y = matrix.normalise(matrix.dot(*inputs))
                y, met = y if layer.signed else f.relu(y), group_of[layer.name]
            elif isinstance(layer, MatrixLayer):
                return self.matrix(layer.name).calibrate(*inputs)
            else:
                return pooled(layer, *inputs)
            values[met].append(y)
            return y

        run(self.network, x, output)
        steps = {}
        for group, found in values.items():
            bits = self.matrix(group[0]).compression.activation_bits
            assert bits is not None
            steps.update(dict.fromkeys(group, shared_step(found, bits)))
        if largest:
            self._set_stream(steps, largest)
        return steps

    def _set_stream(self, steps: dict[str, Tensor], largest: Mapping[str, float]) -> None:
        """Set the step of the residual stream, and make that of the codes that begin it a multiple of it."""
        lanes = [self.lane(name) for name in largest]
        begin = beginning(self.network)
        bits = min(lane.layer.stream_bits for lane in lanes)
        step, first = stream_steps(largest, bits, float(steps[begin]))
        steps[begin] = torch.full_like(steps[begin], first)
        for layer in self.network.layers:
            if not isinstance(layer, FusedAdd | Thresholding):
                continue
            read = first if coded(self.network, layer.inputs[0]).name == begin else step
            if isinstance(layer, FusedAdd):
                self.lane(layer.name).step.fill_(step)
                self.lane(layer.name).shortcut_step.fill_(read)
            else:
                cast(QuantisedThresholds, self.matrices[layer.name]).input_step.fill_(read)

    def lane(self, name: str) -> QuantisedLane:
        """Return the fused sum `name`."""
        return cast(QuantisedLane, self.lanes[name])

    def matrix(self, name: str) -> QuantisedLayer:
        """Return the matrix layer `name`."""
        return cast(QuantisedLayer, self.matrices[name])


def _group(
    network: Network, layer: Layer, group_of: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the group of the layers whose activations a sum adds."""
    while layer.name not in group_of:
        layer = network[layer.inputs[0]]
    return group_of[layer.name]
