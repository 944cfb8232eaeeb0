"""Two-dimensional convolution."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers._base import MatrixLayer


@dataclass(frozen=True, slots=True)
class Conv2d(MatrixLayer):
    """A convolution with a square kernel, as sliding window and matrix-vector product.

    Padding writes the code of the smallest activation: 0 for unsigned inputs and -1 for bipolar ones
    (there is no zero in {-1, +1}; the padded edge is counted), in training and hardware alike.
    """

    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(OH, OW, out_channels)."""
        return (*convolved(self.input_shape, self.kernel, self.stride, self.padding), self.mh)

    @property
    def windowed(self) -> bool:
        """True but for a pointwise convolution, which takes the pixels of a map as they come."""
        return self.kernel > 1 or self.stride > 1

    @property
    def mh(self) -> int:
        """Output channels."""
        return self.out_channels

    @property
    def mw(self) -> int:
        """Return kernel * kernel * input channels."""
        return self.kernel * self.kernel * self.input_shape[-1]

    @property
    def positions(self) -> int:
        """Return kernel * kernel."""
        return self.kernel * self.kernel

    @property
    def vectors(self) -> int:
        """OH * OW."""
        h, w, _ = self.output_shape
        return h * w


def convolved(shape: tuple[int, ...], kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """Return (OH, OW) of a convolution over a map of `shape` (H, W, C)."""
    h, w, _ = shape
    grow = 2 * padding - kernel
    return (h + grow) // stride + 1, (w + grow) // stride + 1
