"""Average-pooling of a residual stream."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers.max_pool2d import MaxPool2d


@dataclass(frozen=True, slots=True)
class AveragePool2d(MaxPool2d):
    """The rounded mean of windows that do not overlap: floor(sum / kernel**2 + 1/2).

    The kernel is a power of two, so that it is a shift. The type stays that of the input.
    """
