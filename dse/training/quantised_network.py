"""The network that is trained for a candidate: integers in, integers between layers."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network
from dse.ir.numbers import IntType, activation_type
from dse.training.pruned import PrunedLayer
from dse.training.quantisers import Quantiser, activation_quantiser, weight_quantiser
from dse.training.torch_ops import EPSILON, pooled, product

LOGIT_DEVIATION = 3.0  # of the class scores before training: neither flat nor saturated


class QuantisedLayer(nn.Module):
    """Integer product, then batch normalisation and quantised activation, or one scale for the class scores.

    In evaluation mode the batch normalisation is one multiplication and one addition a value, the same operations for
    a single sum as for a whole map: what `dse.training.thresholds` searches is what is computed here.
    """

    kept: Tensor | None
    mean: Tensor
    variance: Tensor
    logit_scale: Tensor

    def __init__(self, pruned: PrunedLayer, source: IntType) -> None:
        super().__init__()
        self.layer = pruned.layer
        self.compression = pruned.compression
        self.source = source
        weights, kept = torch.tensor(pruned.weights), torch.tensor(pruned.kept)
        self.weights = nn.Parameter(weights)
        self.register_buffer("kept", None if bool(kept.all()) else kept.to(torch.float32))
        self.weight_quantiser = weight_quantiser(
            weights, kept, self.compression.weight_bits, per_row=pruned.norm is not None
        )
        self.activation: Quantiser | None = None  # set by `calibrate`
        self.normalised = pruned.norm is not None
        if pruned.norm is None:
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
        return integers if self.kept is None else integers * self.kept

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
        return cast(Tensor, self.activation(self.normalise(dot)))

    def forward(self, x: Tensor) -> Tensor:
        """Return integer activations, or class scores."""
        dot = self.dot(x)
        return self.activate(dot) if self.normalised else dot * self.logit_scale

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> Tensor:
        """Set the step of the activation, or the scale of the class scores, on some images."""
        dot = self.dot(x)
        if not self.normalised:
            deviation = dot.std().clamp(min=1e-6)
            self.logit_scale.copy_(LOGIT_DEVIATION / deviation)
            return dot * self.logit_scale
        bits = self.compression.activation_bits
        assert bits is not None
        values = self.normalise(dot)
        self.activation = activation_quantiser(values, bits).to(x.device)
        return cast(Tensor, self.activation(values))


class QuantisedNetwork(nn.Module):
    """All layers in order."""

    def __init__(self, network: Network, layers: tuple[PrunedLayer, ...]) -> None:
        super().__init__()
        self.network = network
        by_name = {pruned.layer.name: pruned for pruned in layers}
        self.matrices = nn.ModuleDict()
        source = network.input_type
        for layer in network.layers:
            if layer.name not in by_name:
                source = layer.output_type(source)
                continue
            pruned = by_name[layer.name]
            self.matrices[layer.name] = QuantisedLayer(pruned, source)
            bits = pruned.compression.activation_bits
            source = source if bits is None else activation_type(bits)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, classes)` scores of integer images."""
        for layer in self.network.layers:
            is_matrix = isinstance(layer, MatrixLayer)
            x = self.matrices[layer.name](x) if is_matrix else pooled(layer, x)
        return x

    def calibrate(self, x: Tensor) -> None:
        """Set steps and scales, layer by layer, on some integer images; the network is in training mode."""
        for layer in self.network.layers:
            if isinstance(layer, MatrixLayer):
                x = self.matrix(layer.name).calibrate(x)
            else:
                x = pooled(layer, x)

    def matrix(self, name: str) -> QuantisedLayer:
        """Return the matrix layer `name`."""
        return cast(QuantisedLayer, self.matrices[name])
