"""What the loops of every kind of unit do in which iteration."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, singledispatch

from dse.ir.loops import Array, Link, Loop, Port, UnitLoops, followed, single
from dse.ir.units import (
    AddUnit,
    ConcatUnit,
    DepthwiseUnit,
    FillUnit,
    ForkUnit,
    MatrixUnit,
    PoolUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
)
from dse.ir.window_loops import whole, window_loops

KEPT = 1024  # units whose loops are kept: some 50 KB each
BETWEEN = 2  # words between the loops of a tiled unit (the default of hls::stream)


@lru_cache(maxsize=KEPT)
def unit_loops(unit: Unit, group: int, most: int) -> UnitLoops:
    """Return the loops of a unit.

    A matrix unit needs a whole vector for its first output word, a depthwise unit and a pool a
    window, a global pool all but the last pixel, a converter a word of the wider side.

    Args:
        unit: of plain numbers.
        group: input words that belong together: a pixel, a window, a vector.
        most: words of a stream that are followed.
    """
    return _loops(unit, group, most)


@singledispatch
def _loops(unit: Unit, group: int, most: int) -> UnitLoops:
    msg = f"no timing for {type(unit).__name__}"
    raise TypeError(msg)


@_loops.register
def _(unit: MatrixUnit, group: int, most: int) -> UnitLoops:
    words, vectors = int(unit.mw // unit.in_width), int(unit.vectors)
    t = unit.tiling
    if t is None:
        passes, pace = int(unit.mh // unit.pe), 1
    else:
        rows, n, cols, _ = (int(v) for v in t.lanes(unit.pe, unit.simd))
        passes = int(unit.mh) // t.block_rows // n
        pace = (t.kept_rows // rows) * (t.kept_cols // cols)  # steps per word
    one = words * pace
    read = followed(vectors * words, group, most)
    write = followed(vectors * passes, passes, most)
    sums = single(
        (read, lambda j: j // words * (passes * one) + j % words * pace),
        (write, lambda k: (k + 1) * one - 1),
        passes,
    )
    if t is None:
        return sums
    parts = t.block_rows // rows  # a second loop writes the sums of a pass, part by part
    out = followed(vectors * passes * parts, passes * parts, most)
    second = single((write, lambda j: j * parts), (out, lambda k: k), passes * parts)
    link = Link((0, 1), (1, 0), BETWEEN)
    return UnitLoops((*sums.loops, *second.loops), (link,), second.group)


@_loops.register
def _(unit: SlidingWindowUnit, group: int, most: int) -> UnitLoops:
    return window_loops(unit, followed(int(unit.words_loaded), group, most), most)


@_loops.register
def _(unit: SkippingWindowUnit, group: int, most: int) -> UnitLoops:
    parts = _loops(whole(unit), group, most)
    loaded, room = parts.links
    return replace(parts, links=(replace(loaded, late=unit.decided_after), room))


@_loops.register
def _(unit: PoolUnit, group: int, most: int) -> UnitLoops:
    words, k = int(unit.channels // unit.pe), unit.kernel
    out_row = unit.width // k * words

    def corner(word: Array) -> Array:
        """Return the last input word of the window of an output word."""
        y, x = word // out_row, word % out_row // words
        return ((y * k + k - 1) * unit.width + x * k + k - 1) * words + word % words

    read = followed(unit.height * unit.width * words, group, most)
    return single(
        (read, lambda j: j), (followed(unit.height // k * out_row, words, most), corner), words
    )


@_loops.register
def _(unit: DepthwiseUnit, group: int, most: int) -> UnitLoops:
    return _summed(int(unit.vectors), int(unit.mw), int(unit.mh // unit.pe), group, most)


@_loops.register
def _(unit: SumUnit, group: int, most: int) -> UnitLoops:
    return _summed(1, unit.pixels, int(unit.channels // unit.pe), group, most)


def _summed(sums: int, pixels: int, words: int, group: int, most: int) -> UnitLoops:
    """Return the loop of so many sums over pixels of some words each, which leave as the last pixel comes."""

    def last(word: Array) -> Array:
        """Return the last input word that an output word adds up."""
        return (word // words * pixels + pixels - 1) * words + word % words

    read = followed(sums * pixels * words, group, most)
    return single((read, lambda j: j), (followed(sums * words, words, most), last), words)


@_loops.register
def _(unit: ForkUnit | AddUnit | FillUnit, group: int, most: int) -> UnitLoops:
    words = followed(int(unit.cycles), group, most)
    copies = Port(words, words)
    return UnitLoops((Loop((copies, copies, copies)),), (), group)


@_loops.register
def _(unit: ConcatUnit, group: int, most: int) -> UnitLoops:
    one, other = int(unit.first_channels // unit.pe), int(unit.second_channels // unit.pe)
    both = one + other
    first, second = (followed(unit.pixels * n, n, most) for n in (one, other))
    out = followed(int(unit.cycles), both, most)
    ports = (
        Port(first, first // one * both + first % one),
        Port(second, second // other * both + one + second % other),
        Port(out, out),
    )
    return UnitLoops((Loop(ports),), (), both)


@_loops.register
def _(unit: WidthConverter, group: int, most: int) -> UnitLoops:
    a, b, elements = int(unit.in_width), int(unit.out_width), int(unit.elements)
    grows, whole = a < b, group * a % b == 0
    out = group * a // b if whole else 1
    return single(
        (followed(elements // a, group, most), lambda j: j if grows else j * a // b),
        (
            followed(elements // b, out, most),
            lambda k: -(-(k + 1) * b // a) - 1 if grows else k,
        ),
        out,
    )
