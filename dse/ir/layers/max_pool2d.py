"""Max-pooling."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers._base import Layer


@dataclass(frozen=True, slots=True)
class MaxPool2d(Layer):
    """Max-pooling over windows of `kernel` x `kernel` that do not overlap (stride = kernel).

    Rows and columns that do not fill a window are dropped.
    """

    kernel: int

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(H // kernel, W // kernel, C)."""
        h, w, c = self.input_shape
        return (h // self.kernel, w // self.kernel, c)
