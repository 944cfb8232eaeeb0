"""A sliding window: a loop that loads a map into a ring of rows, and one that writes windows from it."""

from __future__ import annotations

import numpy as np

from dse.ir.loops import Array, Link, Loop, Port, UnitLoops, even, followed
from dse.ir.window_units import SkippingWindowUnit, SlidingWindowUnit


def window_loops(unit: SlidingWindowUnit, read: Array, most: int) -> UnitLoops:
    """Return the loops of a sliding window.

    A word is written in the cycle after its load at the earliest. The ring is a stream of rows.

    Args:
        unit: of plain numbers.
        read: input words that are followed.
        most: words of a stream that are followed. Of longer streams of windows some windows are, and
            the first and the last word of each of their rows: between these both loops run on.
    """
    words = int(unit.channels // unit.simd)
    group = unit.kernel**2 * words
    written = followed(int(unit.words_written), group, most)
    load, write = _loads(unit, words, written.size < int(unit.words_written), most)
    if read.size < int(unit.words_loaded):
        read = np.union1d(read, load)
    loaded = np.unique(load)
    begin, end = _rows(unit, words)
    rows = np.arange(begin.size)
    loads = Loop((Port(read, read), Port(rows, begin), Port(loaded, loaded)))
    writes = Loop((Port(load, write), Port(rows, end), Port(written, written)))
    links = (Link((0, 2), (1, 0), None), Link((0, 1), (1, 1), unit.ring_rows))
    return UnitLoops((loads, writes), links, group)


def _loads(unit: SlidingWindowUnit, words: int, some: bool, most: int) -> tuple[Array, Array]:
    """Return words of windows that are no padding: when they are loaded and when they are written."""
    k, p = unit.kernel, unit.padding
    positions = unit.out_height * unit.out_width_pixels
    at = (even(positions, most // 2) if some else np.arange(positions))[:, None, None, None]
    ky = np.arange(k)[:, None, None]
    row = at // unit.out_width_pixels * unit.stride - p + ky
    left = at % unit.out_width_pixels * unit.stride - p
    if some:
        column = np.clip(left + np.array([[0], [k - 1]]), 0, unit.width - 1)
        word = np.array([[0], [words - 1]])
    else:
        column, word = left + np.arange(k)[:, None], np.arange(words)
    load = (row * unit.width + column) * words + word
    write = ((at * k + ky) * k + column - left) * words + word
    real = (row >= 0) & (row < unit.height) & (column >= 0) & (column < unit.width)
    real = np.broadcast_to(real, load.shape)
    return load[real], write[real]


def _rows(unit: SlidingWindowUnit, words: int) -> tuple[Array, Array]:
    """Return when every row that windows need begins to be loaded, and when the last word from it is written.

    A row leaves the ring with the last word of an output row: that before the first window without it.
    """
    top = np.arange(unit.out_height) * unit.stride - unit.padding
    rows = top[:, None] + np.arange(unit.kernel)
    kept = np.unique(rows[(rows >= 0) & (rows < unit.height)])
    out_row = unit.out_width_pixels * unit.kernel**2 * words
    return kept * unit.width * words, np.searchsorted(top, kept, side="right") * out_row - 1


def whole(unit: SkippingWindowUnit) -> SlidingWindowUnit:
    """Return the window unit that skips nothing."""
    fields = SlidingWindowUnit.__dataclass_fields__
    return SlidingWindowUnit(**{name: getattr(unit, name) for name in fields})
