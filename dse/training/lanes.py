"""Training of fused residual streams: thresholds, and what stands between a sum and the stream.

In FuseBNN's form the biases of ReActNet (before RSign, before and behind PReLU, of the batch
normalisation) are two per channel: an offset of the stream only moves thresholds and the offset of the next
sum (`dse.ir.fusion`). So two are trained: that of the thresholds and that of the batch normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from dse.ir.lanes import LaneParameters
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.thresholding import Thresholding
from dse.training.base_weights import BatchNorm, LayerWeights
from dse.training.torch_ops import EPSILON

SLOPE = 0.25  # of a PReLU before training (ReActNet)
MOST_SHIFT = 20  # of a scaled sum: what is smaller than 2**-20 a step is nothing
RANGE = 0.999  # share of the stream's values that are not cut off


class FloatThresholds(nn.Module):
    """ReLU behind a bias of each channel."""

    def __init__(self, layer: Thresholding) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(layer.mh))

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, C, H, W)` activations."""
        return f.relu(x + self.offset.view(1, -1, 1, 1))

    def trained(self) -> LayerWeights:
        """Return the bias as the offset of a batch normalisation that does nothing else."""
        offset = self.offset.detach().cpu().numpy().copy()
        one, zero = np.ones_like(offset), np.zeros_like(offset)
        return LayerWeights(one[:, None], BatchNorm(one, offset, zero, one))


class FloatLane(nn.Module):
    """Batch normalisation of a product, shortcut and PReLU, in floating point."""

    mean: Tensor
    variance: Tensor

    def __init__(self, layer: FusedAdd) -> None:
        super().__init__()
        channels = layer.input_shape[-1]
        self.slope = nn.Parameter(torch.full((channels,), SLOPE))
        self.gain = nn.Parameter(torch.ones(channels))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.momentum = 1.0  # the last batch counts; `settle_statistics` averages at the end

    def forward(self, shortcut: Tensor, dot: Tensor) -> Tensor:
        """Return the new stream, `(n, C, H, W)`."""
        y = f.batch_norm(
            dot,
            self.mean,
            self.variance,
            self.gain,
            self.offset,
            training=self.training,
            momentum=self.momentum,
            eps=EPSILON,
        )
        return f.prelu(y + shortcut, self.slope)

    def trained(self) -> LayerWeights:
        """Return the slopes as `(C, 1)` weights, and the batch normalisation."""
        slope, *norm = (
            t.detach().cpu().numpy().copy()
            for t in (self.slope, self.gain, self.offset, self.mean, self.variance)
        )
        return LayerWeights(slope[:, None], BatchNorm(*norm))


class QuantisedLane(FloatLane):
    """The same on integers: a sum and a stream in, a stream out, in steps of `step`.

    While training, scale and slope are those of the constants, the rest is exact. In evaluation mode it
    computes what `LaneParameters` say, operation by operation.
    """

    step: Tensor
    shortcut_step: Tensor

    def __init__(self, layer: FusedAdd, base: LayerWeights) -> None:
        super().__init__(layer)
        self.layer = layer
        assert base.norm is not None
        with torch.no_grad():
            self.slope.copy_(torch.tensor(base.weights[:, 0]))
            self.gain.copy_(torch.tensor(base.norm.gain))
            self.offset.copy_(torch.tensor(base.norm.offset))
        self.register_buffer("step", torch.ones(()))
        self.register_buffer("shortcut_step", torch.ones(()))

    def forward(self, shortcut: Tensor, dot: Tensor) -> Tensor:
        """Return the integers of the new stream."""
        return self._train(shortcut, dot) if self.training else self._evaluate(shortcut, dot)

    def _train(self, shortcut: Tensor, dot: Tensor) -> Tensor:
        mean, variance = dot.mean(dim=(0, 2, 3)), dot.var(dim=(0, 2, 3), correction=0)
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.variance.lerp_(variance, self.momentum)
        scale = self.gain / torch.sqrt(variance + EPSILON) / self.step
        integers, shift = self._scales(scale)
        scale = _through(scale, integers * 2.0**-shift)
        slope = _through(self.slope, self._slopes(self.slope) * 2.0**-self._slope_shift)
        y = (dot - _each(mean)) * _each(scale) + _each(self.offset / self.step)
        y = f.prelu(y + shortcut * (self.shortcut_step / self.step), slope)
        low, high = self._ends
        y = y.clamp(low, high)
        return _through(y, y.round())

    def _evaluate(self, shortcut: Tensor, dot: Tensor) -> Tensor:
        p = self.parameters_now()
        scale, offset, slope = (
            _each(torch.tensor(a, dtype=dot.dtype, device=dot.device))
            for a in (p.scale, p.offset, p.slope)
        )
        s = torch.floor((scale * dot + 2.0 ** (p.shift - 1)) * 2.0**-p.shift)
        s = s + shortcut * 2.0**p.shortcut_shift + offset
        negative = torch.floor((slope * s + 2.0 ** (p.slope_shift - 1)) * 2.0**-p.slope_shift)
        low, high = self._ends
        return torch.where(s >= 0, s, negative).clamp(low, high)

    @torch.no_grad()
    def parameters_now(self) -> LaneParameters:
        """Return the integer constants of the parameters and statistics as they are."""
        step = self.step.double()
        real = self.gain.double() / torch.sqrt(self.variance.double() + EPSILON) / step
        scale, shift = self._scales(real)
        # what the rounding of the scale moves at the mean, the offset takes back
        offset = (self.offset.double() / step - scale * 2.0**-shift * self.mean.double()).round()
        low, high = self._ends
        ratio = round(math.log2(float(self.shortcut_step / self.step)))
        return LaneParameters(
            scale=_integers(scale),
            offset=_integers(offset.clamp(low, high)),
            slope=_integers(self._slopes(self.slope.double())),
            shift=shift,
            slope_shift=self._slope_shift,
            shortcut_shift=ratio,
        )

    @property
    def _ends(self) -> tuple[float, float]:
        half = 2.0 ** (self.layer.stream_bits - 1)
        return -half, half - 1

    @property
    def _slope_shift(self) -> int:
        return self.layer.constant_bits - 2  # slopes from -2 to below 2

    def _scales(self, real: Tensor) -> tuple[Tensor, int]:
        """Return the integers nearest to real scales, and by how many bits their products are shifted."""
        largest = float(real.detach().abs().amax().clamp(min=2.0**-60))
        half = 2.0 ** (self.layer.constant_bits - 1)
        shift = min(max(math.floor(math.log2((half - 1) / largest)), 1), MOST_SHIFT)
        return self._constants(real * 2.0**shift), shift

    def _slopes(self, real: Tensor) -> Tensor:
        return self._constants(real * 2.0**self._slope_shift)

    def _constants(self, real: Tensor) -> Tensor:
        bits = self.layer.constant_bits
        if not self.layer.shifts:
            half = 2.0 ** (bits - 1)
            return real.detach().round().clamp(-half, half - 1)
        size = real.detach().abs().clamp(min=1.0)
        power = torch.exp2(torch.log2(size).round().clamp(max=bits - 2))
        return torch.where(real < 0, -power, power)


def stream_steps(largest: Mapping[str, float], bits: int, begin: float) -> tuple[float, float]:
    """Return the step of the residual stream, and that of the codes that begin it, a power of two times it.

    Args:
        largest: magnitude that each lane should hold.
        bits: of the stream.
        begin: step of the codes.
    """
    needed = max(max(largest.values()) / (2 ** (bits - 1) - 1), 1e-6)
    ratio = max(0, math.floor(math.log2(begin / needed)))
    step = max(begin / 2**ratio, needed)
    return step, step * 2**ratio


def largest_of(values: Tensor) -> float:
    """Return the magnitude that all but a thousandth of the values stay below."""
    flat = values.detach().abs().flatten()
    count = max(1, int(len(flat) * RANGE))
    return float(flat.kthvalue(count).values)


def _integers(values: Tensor) -> npt.NDArray[np.int64]:
    return values.cpu().numpy().astype(np.int64)


def _through(x: Tensor, value: Tensor) -> Tensor:
    """Return `value`, with the gradient of `x` (straight-through estimator)."""
    return x + (value - x).detach()


def _each(channels: Tensor) -> Tensor:
    return channels.view(1, -1, 1, 1)
