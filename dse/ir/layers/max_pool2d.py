"""Max-pooling."""

from __future__ import annotations

from dataclasses import dataclass

from dse.errors import UsageError
from dse.ir.layers._base import Layer
from dse.ir.layers.conv2d import convolved
from dse.ir.numbers import IntType


@dataclass(frozen=True, slots=True)
class MaxPool2d(Layer):
    """Max-pooling over windows of `kernel` x `kernel`.

    Rows and columns that do not fill a window are dropped. Padding never wins: it is the smallest code, 0.

    Attributes:
        stride: pixels between windows; None: `kernel`, they do not overlap.
        padding: pixels around the map, less than `kernel`.
    """

    kernel: int
    stride: int | None = None
    padding: int = 0

    @property
    def step(self) -> int:
        """Pixels between windows."""
        return self.kernel if self.stride is None else self.stride

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(OH, OW, C)."""
        pixels = convolved(self.input_shape, self.kernel, self.step, self.padding)
        return (*pixels, self.input_shape[-1])

    @property
    def windowed(self) -> bool:
        """True where windows overlap, leave gaps, or reach over the edge: those need a window unit."""
        return self.step != self.kernel or self.padding > 0

    def output_type(self, element: IntType) -> IntType:
        """Return the type of the input.

        Raises:
            UsageError: the map is padded, and 0 is not the smallest code.
        """
        if self.padding and element.signed and not element.bipolar:
            msg = f"layer {self.name} pads, which needs activations with ReLU, got signed ones"
            raise UsageError(msg)
        return element
