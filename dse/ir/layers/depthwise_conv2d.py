"""Depthwise two-dimensional convolution: every channel has a kernel of its own."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.conv2d import convolved


@dataclass(frozen=True, slots=True)
class DepthwiseConv2d(MatrixLayer):
    """A convolution of each channel with its own square kernel (groups = channels).

    Its weights are a `(channels, kernel * kernel)` matrix; every row meets the windows of its own
    channel only. Padding is that of `Conv2d`. It is never pruned by itself: with 9 weights a channel
    there is nothing for blocks to share, and a channel without weights is one that the layer before
    need not compute. Channels that filter pruning takes from that layer are gone here, too.
    """

    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(OH, OW, channels)."""
        return (*convolved(self.input_shape, self.kernel, self.stride, self.padding), self.mh)

    @property
    def windowed(self) -> bool:
        """True but for kernels of one weight."""
        return self.kernel > 1 or self.stride > 1

    @property
    def prunable(self) -> bool:
        """Never."""
        return False

    @property
    def mh(self) -> int:
        """Channels."""
        return self.input_shape[-1]

    @property
    def mw(self) -> int:
        """Return kernel * kernel."""
        return self.kernel * self.kernel

    @property
    def vectors(self) -> int:
        """OH * OW."""
        h, w, _ = self.output_shape
        return h * w
