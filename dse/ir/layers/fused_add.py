"""The fused end of a residual binary block: scale, batch normalisation, shortcut and PReLU in fixed point."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers.add import Add
from dse.ir.numbers import IntType


@dataclass(frozen=True, slots=True)
class FusedAdd(Add):
    """Everything between the integer sums of a block and its new residual stream (FuseBNN).

    Of a sum `dot` and the shortcut `u` it makes, per channel, with two multiplications, two additions
    and a comparison, `s = round(scale * dot) + u + offset`, then `s` or `slope * s`, saturated. That is
    weight scaling, batch normalisation, shortcut, the biases around a PReLU and the PReLU itself, fused
    (`dse.ir.lanes`; `dse.ir.fusion` derives it). The stream is signed; the signs that the next
    product takes come from `Thresholding`.

    Inputs are the shortcut, then the sums of a matrix layer without activation.

    Attributes:
        stream_bits: of the new residual stream.
        constant_bits: of scale and slope.
        shifts: scale and slope are powers of two: no multiplier is needed.
    """

    stream_bits: int
    constant_bits: int
    shifts: bool

    def output_type(self, element: IntType) -> IntType:
        """Return the type of the residual stream."""
        return IntType(self.stream_bits, signed=True)
