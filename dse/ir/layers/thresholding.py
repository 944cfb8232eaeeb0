"""Signs or codes of a stream, by thresholds of each channel (FINN: Thresholding)."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d


@dataclass(frozen=True, slots=True)
class Thresholding(DepthwiseConv2d):
    """Compares every value of a stream with thresholds of its channel: the RSign of ReActNet with 1 bit.

    It is a depthwise convolution with kernels of one weight, +1, and built as one. With more bits it
    is a quantised ReLU behind a bias.
    """

    @property
    def constant_weights(self) -> bool:
        """Always: +1."""
        return True
