"""Quantisers of weights and activations: Brevitas, straight to integers.

The forward pass gives integers and the backward pass the straight-through estimator. Scales are constants: the
batch normalisation behind each product and in front of each activation learns what a scale would.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from brevitas.core.function_wrapper import Identity, TensorClamp, TensorClampSte
from brevitas.core.quant import ClampedBinaryQuant, IntQuant
from brevitas.core.scaling import ConstScaling
from torch import Tensor, nn

SHRINKS = torch.linspace(0.25, 1.0, 16)  # candidates for the largest value that is not clipped
CALIBRATION_VALUES = 20_000  # values that set the step of an activation


class IntegerQuantiser(nn.Module):
    """Integers of 2 to 8 bits: signed and without -2^(bits-1) for weights, signed or unsigned for activations.

    Gradients of weights pass where they are clipped, so that they can come back; those of activations stop.
    """

    step: Tensor
    bits: Tensor
    zero_point: Tensor

    def __init__(self, bits: int, step: Tensor, *, signed: bool, weights: bool = False) -> None:
        super().__init__()
        self.quantiser = IntQuant(
            narrow_range=weights,
            signed=signed,
            input_view_impl=Identity(),
            tensor_clamp_impl=TensorClampSte() if weights else TensorClamp(),
        )
        self.register_buffer("step", step)
        self.register_buffer("bits", torch.tensor(float(bits)))
        self.register_buffer("zero_point", torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Return the integer nearest to x / step, clipped; halves go to the even one."""
        integers: Tensor = self.quantiser.to_int(self.step, self.zero_point, self.bits, x)
        return integers


class BipolarQuantiser(nn.Module):
    """-1 below 0, else +1; gradients pass for |x| <= step."""

    step: Tensor

    def __init__(self, step: Tensor) -> None:
        super().__init__()
        self.quantiser = ClampedBinaryQuant(ConstScaling(1.0))
        self.register_buffer("step", step)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sign of x."""
        signs: Tensor = self.quantiser(x / self.step)[0]
        return signs


Quantiser = IntegerQuantiser | BipolarQuantiser


def weight_quantiser(weights: Tensor, kept: Tensor, bits: int, *, per_row: bool) -> Quantiser:
    """Return a quantiser for a weight matrix.

    Args:
        weights: `(mh, mw)` weights it starts from.
        kept: `(mh, mw)` booleans; pruned weights do not count.
        bits: 1 for {-1, +1}, up to 8.
        per_row: a step for each row (a batch normalisation follows); else one for the matrix.
    """
    rows = (weights * kept) if per_row else (weights * kept).reshape(1, -1)
    largest = rows.abs().amax(dim=1, keepdim=True)
    largest = torch.where(largest > 0, largest, torch.ones_like(largest))
    if bits == 1:
        return BipolarQuantiser(largest)
    step = nearest_step(rows, largest, 2 ** (bits - 1) - 1)
    return IntegerQuantiser(bits, step, signed=True, weights=True)


def activation_quantiser(values: Tensor, bits: int) -> Quantiser:
    """Return a quantiser for activations.

    Args:
        values: normalised sums of some images, any shape.
        bits: 1 for a sign, up to 8 for a quantised ReLU.
    """
    if bits == 1:
        return BipolarQuantiser(torch.ones(()))
    return IntegerQuantiser(bits, shared_step([values.clamp(min=0)], bits), signed=False)


def shared_step(values: Sequence[Tensor], bits: int) -> Tensor:
    """Return the step of activations that are added.

    Of signed values, half as many codes are on either side of 0: what lies below 0 is no worse to cut off
    than what lies above, and a sum has its ReLU behind it. So the step goes by magnitudes and all codes.

    Args:
        values: of some images, at every place where they are quantised: of layers with ReLU and of sums what
            is left of them.
        bits: of the codes.
    """
    samples = []
    for each in values:
        flat = each.flatten()
        samples.append(flat[:: 1 + len(flat) * len(values) // CALIBRATION_VALUES])
    sample = torch.cat(samples).abs().unsqueeze(0)
    largest = sample.amax().clamp(min=1e-3).view(1, 1)
    return nearest_step(sample, largest, 2**bits - 1).view(())


def nearest_step(rows: Tensor, largest: Tensor, levels: int) -> Tensor:
    """Return for each row the step with the smallest squared error.

    Args:
        rows: `(n, m)` values.
        largest: `(n, 1)` largest magnitude of each row.
        levels: largest integer.

    Returns:
        `(n, 1)` steps.
    """
    best = largest / levels
    best_error = torch.full_like(largest, torch.inf)
    for shrink in SHRINKS.tolist():
        step = largest * (shrink / levels)
        rounded = (rows / step).round().clamp(-levels, levels) * step
        error = (rounded - rows).square().sum(dim=1, keepdim=True)
        best = torch.where(error < best_error, step, best)
        best_error = torch.minimum(error, best_error)
    return best
