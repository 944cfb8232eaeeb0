"""Cycles that depend on what is in an image.

A unit that skips work has, as `cycles`, what a design asks for or what is expected before training. What a
trained one takes is counted on real images, and is a `FrameCycles`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]

HIGH = 95.0  # percentile that stands for a demanding image


@dataclass(frozen=True, slots=True)
class FrameCycles:
    """What a unit takes for some images, one after the other.

    Attributes:
        processes: `(images,)` cycles of each of its processes, which run side by side.
    """

    processes: tuple[Array, ...]

    @property
    def each(self) -> Array:
        """`(images,)` cycles of the slowest process."""
        slowest: Array = np.stack(self.processes).max(axis=0)
        return slowest

    @property
    def mean(self) -> float:
        """Cycles per image where images are many: those of the process that is slowest over all of them."""
        return float(max(p.mean() for p in self.processes))

    @property
    def high(self) -> float:
        """The 95th percentile."""
        return float(np.percentile(self.each, HIGH))

    def total(self, images: int) -> int:
        """Return the cycles of the first so many images."""
        return max(int(p[:images].sum()) for p in self.processes)


def interval(units: Sequence[FrameCycles], others: int) -> tuple[float, float]:
    """Return the cycles between frames of a whole design: their mean, and the 95th percentile.

    FIFOs even out what differs from image to image: over many images the unit with the largest mean sets the pace.

    Args:
        units: the units whose cycles depend on the image.
        others: cycles of the slowest of all other units.
    """
    slowest = np.stack([u.each for u in units]).max(axis=0)
    mean = max(others, *(u.mean for u in units))
    return float(mean), float(np.percentile(np.maximum(slowest, others), HIGH))
