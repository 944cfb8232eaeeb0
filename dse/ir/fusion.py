"""FuseBNN: what stands between two binary products of a residual block, fused without changing a sign.

Reconstructed from the abstract of Yang et al. (TRETS 2023), which lists no steps. A half block of ReActNet takes
a residual stream x and gives the next one:

    b  = sign(x + sign_bias)                          RSign, sign(0) = +1
    y  = gain * (alpha * dot(b) - mean) / deviation + offset + x
    x' = prelu(y + bias_in) + bias_out                RPReLU

Three multiplications, five additions and a comparison per value. Written as x = u + h with a constant h per channel
(0 at first, then `bias_out` of the half before), it is

    b  = +1 where u >= threshold,                     threshold = -(h + sign_bias)
    u' = prelu(scale * dot(b) + u + add),             scale = gain * alpha / deviation
                                                      add = offset - scale * mean / alpha + h + bias_in

Two multiplications, two additions and a comparison: every bias has gone into a threshold or an addend. Pooling by
means and copies of channels leave it so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Product = Callable[[Reals], Reals]  # signs -> dots, `(..., C)` each


@dataclass(frozen=True, slots=True)
class FloatHalf:
    """The floating-point operators of one half block, `(C,)` each.

    Attributes:
        sign_bias: of RSign.
        alpha: of the weights, above 0.
        gain: of the batch normalisation, of either sign.
        offset: of the batch normalisation.
        mean: of the scaled sums.
        deviation: of the scaled sums, above 0.
        bias_in: in front of the PReLU.
        slope: of the PReLU.
        bias_out: behind it.
    """

    sign_bias: Reals
    alpha: Reals
    gain: Reals
    offset: Reals
    mean: Reals
    deviation: Reals
    bias_in: Reals
    slope: Reals
    bias_out: Reals

    def signs(self, x: Reals) -> Reals:
        """Return -1 or +1 for `(..., C)` values of the stream."""
        return _signs(x + self.sign_bias >= 0)

    def stream(self, x: Reals, dot: Reals) -> Reals:
        """Return the next stream."""
        y = self.gain * (self.alpha * dot - self.mean) / self.deviation + self.offset + x
        return _prelu(y + self.bias_in, self.slope) + self.bias_out


@dataclass(frozen=True, slots=True)
class FusedHalf:
    """The same half on the shifted stream, `(C,)` each."""

    threshold: Reals
    scale: Reals
    add: Reals
    slope: Reals

    def signs(self, u: Reals) -> Reals:
        """Return -1 or +1 for `(..., C)` values of the stream."""
        return _signs(u >= self.threshold)

    def stream(self, u: Reals, dot: Reals) -> Reals:
        """Return the next stream."""
        return _prelu(self.scale * dot + u + self.add, self.slope)


def fuse(halves: Sequence[FloatHalf]) -> tuple[tuple[FusedHalf, ...], Reals]:
    """Return the fused halves, and what the last stream lacks: a constant per channel.

    Args:
        halves: one behind the other, of equal channels.
    """
    lacking = np.zeros_like(halves[0].sign_bias)
    fused = []
    for half in halves:
        scale = half.gain * half.alpha / half.deviation
        add = half.offset - half.gain * half.mean / half.deviation + lacking + half.bias_in
        fused.append(FusedHalf(-(lacking + half.sign_bias), scale, add, half.slope))
        lacking = half.bias_out
    return tuple(fused), lacking


def activations(
    halves: Sequence[FloatHalf | FusedHalf], products: Sequence[Product], x: Reals
) -> tuple[list[Reals], Reals]:
    """Return the signs in front of every product, and the stream behind the last half.

    Args:
        halves: in floating point, or fused.
        products: of every half.
        x: `(..., C)` values that begin the stream.
    """
    signs = []
    for half, product in zip(halves, products, strict=True):
        signs.append(half.signs(x))
        x = half.stream(x, product(signs[-1]))
    return signs, x


def _signs(positive: npt.NDArray[np.bool_]) -> Reals:
    return np.where(positive, 1.0, -1.0)


def _prelu(x: Reals, slope: Reals) -> Reals:
    return np.where(x >= 0, x, slope * x)
