"""Cycles of the units of a layer that skips positions, for the masks of real images.

They are the iterations of the loops in hw_templates/kernels, where input is always at hand and output always taken.
"""

from __future__ import annotations

import numpy as np

from dse.ir.data_dependent import Array, FrameCycles
from dse.ir.spatial import Bits
from dse.ir.window_units import SkippingWindowUnit


def vector_cycles(masks: Bits, cycles: int) -> FrameCycles:
    """Return the cycles of a unit that computes the vectors of the kept positions.

    Args:
        masks: `(images, OH, OW)`.
        cycles: of a vector.
    """
    # the end of a frame takes a cycle
    return FrameCycles((masks.sum(axis=(1, 2), dtype=np.int64) * cycles + 1,))


def window_cycles(unit: SkippingWindowUnit, masks: Bits, batch: int) -> FrameCycles:
    """Return the cycles of a window unit: of deciding, and of writing windows.

    Args:
        unit: with plain numbers.
        masks: `(images, OH, OW)`.
        batch: images that come one behind the other; before the next ones the unit is empty.
    """
    deciding = np.full(len(masks), int(unit.mask_cycles), dtype=np.int64)
    parts = [_ends(unit, masks[i : i + batch]) for i in range(0, len(masks), batch)]
    return FrameCycles((deciding, np.concatenate([np.diff(p, prepend=0) for p in parts])))


def _ends(unit: SkippingWindowUnit, masks: Bits) -> Array:
    """Return `(images,)`: cycles until all of an image is loaded, and its last position is done."""
    ring = _Ring(unit)
    words, k, s, p = ring.words, unit.kernel, unit.stride, unit.padding
    now, ends = 0, np.zeros(len(masks), dtype=np.int64)
    for frame, mask in enumerate(masks):
        for oy, row in enumerate(mask.tolist()):
            top = oy * s - p
            loaded = [
                ring.loaded(frame, y) if 0 <= y < unit.height else None for y in range(top, top + k)
            ]
            for ox, kept in enumerate(row):
                if not kept:
                    now += 1
                    continue
                left = ox * s - p
                skipped = max(0, -left)  # columns of padding in front
                for begin in loaded:
                    if begin is not None and skipped < k and left + skipped < unit.width:
                        # the first word of the map in this row is there a cycle after it is loaded
                        there = begin + (left + skipped) * words + 1
                        now = max(now, there - skipped * words)
                    now += k * words
            last = oy == len(mask) - 1
            end = top + (k if last else min(s, k))
            ring.free(min(max(end, 0), unit.height) - max(top, 0), now - 1)
        ends[frame] = max(now, ring.frame_end(frame))
    return ends


class _Ring:
    """When rows are loaded: word by word, where the ring has room."""

    def __init__(self, unit: SkippingWindowUnit) -> None:
        k, s, p, h = unit.kernel, unit.stride, unit.padding, unit.height
        self.words = int(unit.channels // unit.simd)
        self.row_words = unit.width * self.words
        self.ring_rows = int(unit.ring_rows)
        needed = min((unit.out_height - 1) * s - p + k, h)
        # rows that are not dropped at once
        self.stored = [y < needed and (s <= k or (y + p) % s < k) for y in range(h)]
        self.begins: list[list[int]] = []  # of all rows of every frame
        self.end = 0  # of the last row that was loaded
        self.count = 0  # stored rows so far
        self.freed: list[int] = []  # cycle in which each stored row was freed

    def loaded(self, frame: int, row: int) -> int:
        """Return the cycle in which the first word of a row is loaded."""
        while len(self.begins) <= frame or len(self.begins[frame]) <= row:
            self._load()
        return self.begins[frame][row]

    def frame_end(self, frame: int) -> int:
        """Return the cycles until a frame is loaded."""
        return self.loaded(frame, len(self.stored) - 1) + self.row_words

    def free(self, rows: int, cycle: int) -> None:
        """Free so many rows."""
        self.freed += [cycle] * rows

    def _load(self) -> None:
        if not self.begins or len(self.begins[-1]) == len(self.stored):
            self.begins.append([])
        rows, begin = self.begins[-1], self.end
        if self.stored[len(rows)]:
            if self.count >= self.ring_rows:
                begin = max(begin, self.freed[self.count - self.ring_rows] + 1)
            self.count += 1
        rows.append(begin)
        self.end = begin + self.row_words
