"""Cycles of a chain of units: between frames, and from the first input word to the last output word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from dse.ir.units import Fifo, MatrixUnit, PoolUnit, SlidingWindowUnit, Unit, WidthConverter


def interval_cycles(units: Sequence[Unit]) -> int:
    """Return the cycles between two frames: those of the slowest unit."""
    return max(int(unit.cycles) for unit in units)


def latency_cycles(units: Sequence[Unit]) -> int:
    """Return the cycles from the first input word to the last output word of one frame.

    Every unit is a loop of one iteration a cycle that waits where an input word is missing. The recursion carries
    along the chain when the first and the last word of a stream can be read; words between them come at
    an even pace. Each unit states which input words its first and its last output word wait for, and how many
    cycles of its own work follow (`Needs`); the latest of these decides:

    * a window unit needs its first kernel rows, and for each later output row the row below;
    * a matrix unit needs one vector, passes over the columns once before its first output word, and once more
      for each further group of rows;
    * a pooling unit needs a window; a converter a word of the wider side.

    So the last output comes neither earlier than the first plus the remaining work, nor earlier than the last input
    plus what is still to be done with it. A word written in one cycle can be read in the next. The input is always
    ready; units are idle before the frame; pipeline registers within a unit are not counted.
    """
    first, last = 0.0, 0.0
    for unit in units:
        if isinstance(unit, Fifo):
            continue
        needs = _needs(unit)
        step = (last - first) / max(needs.words - 1, 1)
        first, last = (
            max(first + step * word + work for word, work in output)
            for output in (needs.first, needs.last)
        )
    return math.ceil(last)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the first and the last output word of a unit wait for.

    Attributes:
        words: input words per frame.
        first: (index of an input word, cycles from there until the first output word can be read).
        last: the same for the last output word.
    """

    words: int
    first: Sequence[tuple[int, int]]
    last: Sequence[tuple[int, int]]


@singledispatch
def _needs(unit: Unit) -> Needs:
    msg = f"no timing for {type(unit).__name__}"
    raise TypeError(msg)


@_needs.register
def _(unit: MatrixUnit) -> Needs:
    """A vector is `words` words, read `pace` cycles apart in the first of `passes` passes."""
    words = int(unit.mw // unit.in_width)
    vectors = int(unit.vectors)
    t = unit.tiling
    if t is None:
        passes, pace, row_words, hop = int(unit.mh // unit.pe), 1, 1, 0
    else:
        rows, n, cols, _ = (int(v) for v in t.lanes(unit.pe, unit.simd))
        passes = int(unit.mh) // t.block_rows // n
        pace = (t.kept_rows // rows) * (t.kept_cols // cols)
        row_words, hop = t.block_rows // rows, 1  # sums go to a second loop that writes the words
    one = words * pace
    each = max(one, row_words)  # a pass, and the words that leave of it
    vector = passes * each

    def left(after: int) -> int:
        """Cycles until the last output word when the first pass of a vector ends in `after`."""
        return after + (passes - 1) * each + row_words + hop - 1

    rest = (vectors - 1) * vector
    final = (vectors - 1) * words  # first word of the last vector
    return Needs(
        words=vectors * words,
        first=((0, one + hop), (words - 1, pace + hop)),
        last=(
            (0, rest + left(one)),
            (words - 1, rest + left(pace)),
            (final, left(one)),
            (final + words - 1, left(pace)),
        ),
    )


@_needs.register
def _(unit: SlidingWindowUnit) -> Needs:
    """Rows are read whenever the ring has room; padding before the first word is written by then."""
    words = int(unit.channels // unit.simd)
    row, padded = unit.width * words, (unit.width + 2 * unit.padding) * words
    fill = unit.kernel * padded - unit.padding * (padded + words)
    write = unit.out_width_pixels * unit.kernel**2 * words
    each = int(unit.row_cycles)
    rows = range(unit.out_height)
    below = [min(r * unit.stride + unit.kernel - unit.padding, unit.height) for r in rows]
    edge = unit.padding * words + 1  # the padding behind the last word of a row, then a window
    return Needs(
        words=unit.height * row,
        first=((0, fill + 1), (below[0] * row - 1, edge + 1)),
        last=(
            (0, fill + (unit.out_height - 1) * each + write),
            *((below[r] * row - 1, edge + (rows[-1] - r) * each + write) for r in rows),
        ),
    )


@_needs.register
def _(unit: PoolUnit) -> Needs:
    words, k = int(unit.channels // unit.pe), unit.kernel
    first = ((k - 1) * unit.width + k - 1) * words
    last = ((unit.height // k * k - 1) * unit.width + unit.width // k * k) * words - 1
    return Needs(
        words=unit.height * unit.width * words,
        first=((0, first + 1), (first, 1)),
        last=((0, last + 1), (last, 1)),
    )


@_needs.register
def _(unit: WidthConverter) -> Needs:
    source, target = int(unit.in_width), int(unit.out_width)
    words = int(unit.elements) // source
    first = -(-target // source) - 1
    return Needs(
        words=words,
        first=((0, first + 1), (first, 1)),
        last=((0, int(unit.cycles)), (words - 1, -(-source // target))),
    )
