"""The integer network that is scored and emitted: what the hardware computes, in numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dse.ir.graph import last_readers
from dse.ir.lanes import LaneParameters
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.duplicate import Duplicate
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType, activation_type
from dse.ir.spatial import SpatialMask

Integers = npt.NDArray[np.integer]

MOST_ELEMENTS = 2**25  # float64 numbers held at once, 256 MiB
MANY_THRESHOLDS = 63  # from here on a binary search per row is quicker than a pass per threshold


@dataclass(frozen=True, slots=True)
class MatrixParameters:
    """The integers of one matrix layer.

    Attributes:
        weight_bits: 1 for {-1, +1}, else signed narrow range.
        weights: `(mh, mw)` integers, columns in stream order (ky, kx, channel), of a depthwise layer
            (ky, kx); 0 where pruned.
        kept: `(mh, mw)` booleans; False where pruned. In a 1-bit layer a pruned weight is neither -1 nor
            +1: it leaves the popcount.
        output_bits: bits of the activation; None where the sums are the output.
        thresholds: `(mh, 2**output_bits - 1)` ascending integers in the domain of the plain dot product:
            the code is the number of thresholds <= dot. 1 bit: code 0 is -1, code 1 is +1. The value of a
            signed layer (`MatrixLayer.signed`) is the code less 2**(output_bits - 1). None where output_bits is
            None.
        spatial: which positions are computed; None: all of them.
        bias: `(mh,)` integers that are added to the sums where these are the output; None: nothing is.
    """

    weight_bits: int
    weights: Integers
    kept: npt.NDArray[np.bool_]
    output_bits: int | None
    thresholds: Integers | None
    spatial: SpatialMask | None = None
    bias: Integers | None = None


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An integer network.

    `network` is the network that is built: after filter pruning it has fewer channels than the one of
    the study. Parameters are keyed by matrix layer name, `lanes` by the name of the `FusedAdd`.
    """

    network: Network
    parameters: Mapping[str, MatrixParameters]
    lanes: Mapping[str, LaneParameters] = field(default_factory=dict)

    def input_type(self, name: str) -> IntType:
        """Type of the elements that enter layer `name`."""
        element = self.output_type(self.network[name].inputs[0])
        assert element is not None  # only the second input of a fused sum has no activation
        return element

    def output_type(self, name: str) -> IntType | None:
        """Type of the elements that leave layer `name` or "input"; None: sums, as wide as they get."""
        if name == "input":
            return self.network.input_type
        if name in self.parameters:
            return self._activation(name) if self.parameters[name].output_bits else None
        return self.network[name].output_type(self.input_type(name))

    def _activation(self, name: str) -> IntType:
        bits, layer = self.parameters[name].output_bits, self.network[name]
        assert bits is not None  # only the last layer has no activation
        assert isinstance(layer, MatrixLayer)
        return activation_type(bits, signed=layer.signed)

    def scores(self, images: Integers, batch: int = 256) -> Integers:
        """Return the class scores of `images`.

        Args:
            images: `(n, *input_shape)` integers of the network's input type.
            batch: images computed at once; fewer where their windows would take too much memory.

        Returns:
            `(n, classes)` int64 sums of the last layer.
        """
        batch = max(1, min(batch, MOST_ELEMENTS // self._window_elements()))
        parts = [self._scores(images[i : i + batch]) for i in range(0, len(images), batch)]
        return np.concatenate(parts)

    def accuracy(self, images: Integers, labels: Integers) -> float:
        """Return the fraction of images whose largest score (the first of equals) is the label."""
        return float(np.mean(self.scores(images).argmax(axis=1) == labels))

    def _window_elements(self) -> int:
        """Return the elements of the windows of one image in the layer that has most."""
        layers = (x for x in self.network.layers if isinstance(x, Conv2d | DepthwiseConv2d))
        sizes = (x.kernel**2 * x.vectors * x.input_shape[-1] for x in layers)
        return max(sizes, default=1)

    def _scores(
        self,
        images: Integers,
        masks: dict[str, list[npt.NDArray[np.bool_]]] | None = None,
        outputs: dict[str, Integers] | None = None,
    ) -> Integers:
        values = {"input": np.asarray(images, dtype=np.float64)}
        read = last_readers(self.network)
        for layer in self.network.layers:
            x, *others = (values[name] for name in layer.inputs)
            for name in read.get(layer.name, ()):
                del values[name]
            if isinstance(layer, MatrixLayer):
                kept = self._kept(layer, x)
                x = self._matrix(layer, x)
                if kept is not None:
                    x = np.where(kept[..., None], x, self._filling(layer.name))
                    if masks is not None:
                        masks.setdefault(layer.name, []).append(kept)
            elif isinstance(layer, AveragePool2d):
                x = average_pool(x, layer.kernel)
            elif isinstance(layer, MaxPool2d):
                x = max_pool(x, layer, pad=float(self.input_type(layer.name).min_code_value))
            elif isinstance(layer, GlobalAveragePool):
                x = x.sum(axis=(1, 2))
            elif isinstance(layer, Duplicate):
                x = np.repeat(x, 2, axis=-1)
            elif isinstance(layer, Concat):
                x = np.concatenate([x, others[0]], axis=-1)
            elif isinstance(layer, FusedAdd):
                x = self.lanes[layer.name].apply(x, others[0], layer.stream_bits)
            elif isinstance(layer, Add):
                sums = layer.output_type(self.input_type(layer.name))
                x = np.clip(x + others[0], sums.min, sums.max)
            else:
                msg = f"no integer reference for layer {layer.name!r}"
                raise TypeError(msg)
            values[layer.name] = x
            if outputs is not None:
                outputs[layer.name] = x.astype(np.int64)
        return x.astype(np.int64)

    def outputs(self, images: Integers) -> dict[str, Integers]:
        """Return the `(n, *output_shape)` int64 values of every layer, for images that fit memory at once."""
        found: dict[str, Integers] = {}
        self._scores(images, outputs=found)
        return found

    def masks(self, images: Integers) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which positions are computed, `(n, OH, OW)`, of every layer that skips some."""
        found: dict[str, list[npt.NDArray[np.bool_]]] = {}
        batch = max(1, MOST_ELEMENTS // self._window_elements())
        for i in range(0, len(images), batch):
            self._scores(images[i : i + batch], found)
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _matrix(self, layer: MatrixLayer, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if isinstance(layer, Conv2d | DepthwiseConv2d):
            x = windows(x, layer, pad=float(self.input_type(layer.name).min_code_value))
        else:
            x = x.reshape(len(x), -1)
        p = self.parameters[layer.name]
        # float64 sums of integers below 2**53 are exact, and BLAS has no integer product
        weights = p.weights.T.astype(np.float64)
        if isinstance(layer, DepthwiseConv2d):
            dot: npt.NDArray[np.float64] = np.multiply(
                x.reshape(*x.shape[:3], *weights.shape), weights
            ).sum(axis=3)
        else:
            dot = x @ weights
        if p.thresholds is None or p.output_bits is None:
            return dot if p.bias is None else dot + p.bias
        code = count_thresholds(dot, p.thresholds)
        if p.output_bits == 1:
            return 2.0 * code - 1.0
        return code + self._activation(layer.name).min

    def _kept(self, layer: MatrixLayer, x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_] | None:
        """Return the positions that are computed; None: all of them."""
        spatial = self.parameters[layer.name].spatial
        if spatial is None:
            return None
        assert isinstance(layer, Conv2d)
        return spatial.keeps(x, layer, self.input_type(layer.name))

    def _filling(self, name: str) -> npt.NDArray[np.float64]:
        """Return the `(mh,)` values of a skipped position."""
        spatial, element = self.parameters[name].spatial, self._activation(name)
        assert spatial is not None
        codes = spatial.constants.astype(np.float64)
        return 2.0 * codes - 1.0 if element.bipolar else codes + element.min

    def arrays(self) -> dict[str, Integers]:
        """Return all parameters as named arrays, for an .npz file; `from_arrays` is the inverse."""
        result: dict[str, Integers] = {}
        for name, p in self.parameters.items():
            result[f"{name}.weights"] = p.weights.astype(np.int8)
            result[f"{name}.kept"] = p.kept.astype(np.uint8)
            result[f"{name}.bits"] = np.array([p.weight_bits, p.output_bits or 0])
            if p.thresholds is not None:
                result[f"{name}.thresholds"] = p.thresholds.astype(np.int64)
            if p.spatial is not None:
                result |= {f"{name}.{k}": a for k, a in p.spatial.arrays().items()}
            if p.bias is not None:
                result[f"{name}.bias"] = p.bias.astype(np.int64)
        for name, lane in self.lanes.items():
            result.update({f"{name}.lane.{k}": v for k, v in lane.arrays().items()})
        return result

    @staticmethod
    def from_arrays(network: Network, arrays: Mapping[str, Integers]) -> Accelerator:
        """Rebuild an accelerator of `network` (the built one) from `arrays`."""
        parameters = {}
        for layer in network.matrix_layers:
            weight_bits, output_bits = (int(v) for v in arrays[f"{layer.name}.bits"])
            parameters[layer.name] = MatrixParameters(
                weight_bits=weight_bits,
                weights=arrays[f"{layer.name}.weights"].astype(np.int64),
                kept=arrays[f"{layer.name}.kept"].astype(np.bool_),
                output_bits=output_bits or None,
                thresholds=arrays[f"{layer.name}.thresholds"].astype(np.int64)
                if output_bits
                else None,
                spatial=SpatialMask.from_arrays(arrays, layer.name),
                bias=arrays.get(f"{layer.name}.bias"),
            )
        lanes: dict[str, LaneParameters] = {}
        for name in (x.name for x in network.layers if isinstance(x, FusedAdd)):
            begin = f"{name}.lane."
            own = {k.removeprefix(begin): v for k, v in arrays.items() if k.startswith(begin)}
            lanes[name] = LaneParameters.from_arrays(own)
        return Accelerator(network, parameters, lanes)

    @property
    def digest(self) -> str:
        """Hash of structure, weights, masks and thresholds."""
        h = hashlib.blake2b(self.network.digest.encode(), digest_size=8)
        for name, p in sorted(self.parameters.items()):
            h.update(f"{name}{p.weight_bits}{p.output_bits}".encode())
            spatial = () if p.spatial is None else p.spatial.arrays().values()
            for array in (p.weights, p.kept, p.thresholds, p.bias, *spatial):
                if array is not None:
                    h.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
        for name, lane in sorted(self.lanes.items()):
            h.update(name.encode())
            for array in lane.arrays().values():
                h.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
        return h.hexdigest()


def windows(
    x: npt.NDArray[np.float64], layer: Conv2d | DepthwiseConv2d, pad: float
) -> npt.NDArray[np.float64]:
    """Return the sliding windows of `(n, H, W, C)` as `(n, OH, OW, k*k*C)` in order (ky, kx, channel)."""
    view = _views(x, layer.kernel, layer.stride, layer.padding, pad)
    n, oh, ow = view.shape[:3]
    return view.transpose(0, 1, 2, 4, 5, 3).reshape(n, oh, ow, -1)


def _views(
    x: npt.NDArray[np.float64], kernel: int, stride: int, padding: int, pad: float
) -> npt.NDArray[np.float64]:
    """Return the windows of `(n, H, W, C)` as `(n, OH, OW, C, k, k)`."""
    if padding:
        around = (padding, padding)
        x = np.pad(x, ((0, 0), around, around, (0, 0)), constant_values=pad)
    view = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(1, 2))
    return view[:, ::stride, ::stride]


def max_pool(x: npt.NDArray[np.float64], layer: MaxPool2d, pad: float) -> npt.NDArray[np.float64]:
    """Max-pool `(n, H, W, C)`."""
    pooled: npt.NDArray[np.float64] = _views(x, layer.kernel, layer.step, layer.padding, pad).max(
        axis=(4, 5)
    )
    return pooled


def average_pool(x: npt.NDArray[np.float64], kernel: int) -> npt.NDArray[np.float64]:
    """Return the rounded means of `(n, H, W, C)` over windows that do not overlap; halves go up."""
    views = _views(x, kernel, kernel, 0, 0.0)
    means: npt.NDArray[np.float64] = np.floor(views.sum(axis=(4, 5)) / kernel**2 + 0.5)
    return means


def count_thresholds(dot: npt.NDArray[np.float64], thresholds: Integers) -> npt.NDArray[np.float64]:
    """Return per element of `(..., mh)` how many of its row's thresholds it reaches."""
    code = np.zeros_like(dot)
    if thresholds.shape[1] >= MANY_THRESHOLDS:
        for row, ascending in enumerate(thresholds):
            code[..., row] = np.searchsorted(ascending, dot[..., row], side="right")
        return code
    for i in range(thresholds.shape[1]):
        code += dot >= thresholds[:, i]
    return code
