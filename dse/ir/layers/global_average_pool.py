"""Global average-pooling, as the sum over all pixels."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers._base import Layer
from dse.ir.numbers import IntType


@dataclass(frozen=True, slots=True)
class GlobalAveragePool(Layer):
    """The mean of every channel over the map, times the number of pixels: an exact integer.

    The sum goes on with as many bits as it needs; the division by the number of pixels is a scale,
    which the thresholds of the next layer absorb and which class scores do not need.
    """

    @property
    def pixels(self) -> int:
        """H * W."""
        h, w, _ = self.input_shape
        return h * w

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(C,)."""
        return (self.input_shape[-1],)

    def output_type(self, element: IntType) -> IntType:
        """Return the smallest type that holds every sum; of a single pixel, its own type."""
        if self.pixels == 1:
            return element
        low, high = self.pixels * element.min, self.pixels * element.max
        if low == 0:
            return IntType(high.bit_length(), signed=False)
        return IntType(max(high.bit_length(), (-low - 1).bit_length()) + 1, signed=True)
