"""Cycles of a pipeline: between frames, and from first input to last output word."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, singledispatch
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dse.ir.stages import Parallel, Stage, flat
from dse.ir.units import (
    AddUnit,
    ConcatUnit,
    DepthwiseUnit,
    Fifo,
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

Array: TypeAlias = npt.NDArray[np.int64]

SAMPLES = 1024  # words of a stream whose times are followed
KEPT = 1024  # units of a kind whose loops are kept: some 50 KB each
PIXELS = 8  # windows of an output row whose times are followed


def interval_cycles(stages: Sequence[Stage]) -> int:
    """Return the cycles between two frames: those of the slowest unit."""
    return max(int(unit.cycles) for unit in flat(stages))


def latency_cycles(stages: Sequence[Stage]) -> int:
    """Return the cycles from the first input word to the last output word of one frame.

    Every unit is a loop of one iteration a cycle that waits where an input word is missing. Word j
    is read in iteration r(j), not before its time A(j), the cycle from which it can be read; so
    iteration i runs in cycle

        T(i) = i + max(0, max over words j with r(j) <= i of A(j) - r(j)),

    and the word written there can be read from T(i) + 1 on. The recursion carries A along the
    chain, from the input, which is always ready (A = 0), to the last word of the last unit. A
    window unit is two such loops: one loads, the other writes a word from the cycle after its load
    on. A matrix unit needs a whole vector for its first output word, a depthwise unit and a pooling
    unit a window, a global pool all but the last pixel, a converter a word of the wider side. A fork
    hands on every word, a sum waits for the later of its two, a concatenation for each in turn.

    Of long streams `SAMPLES` words are followed and times between them interpolated. Not counted:
    the pipeline registers of a unit, and waiting for room, which delays a frame only where the
    units behind are slower anyway. Where positions are skipped the frame is one that keeps them all, and
    windows wait for the last pixel that decides on them: an upper bound. Units are idle before the frame and read whenever they have
    room.
    """
    ready = Stream(np.zeros(1, dtype=np.int64), np.zeros(1))
    return math.ceil(float(_last(stages, ready).times[-1]))


def _last(stages: Sequence[Stage], stream: Stream) -> Stream:
    """Return the stream behind stages that read `stream`."""
    for stage in stages:
        if isinstance(stage, Parallel) and isinstance(stage.fork, SkippingWindowUnit):
            late = stage.fork.decided_after
            stream = _last(_unskipped(stage), Stream(stream.words, stream.times + late))
        elif isinstance(stage, Parallel):
            forked = _through(stage.fork, stream)
            first, second = (_last(branch, forked) for branch in stage.branches)
            if isinstance(stage.join, ConcatUnit):
                met = _alternating(stage.join, first, second)
            else:
                met = first.later(second)
            stream = _through(stage.join, met)
        elif not isinstance(stage, Fifo):
            stream = _through(stage, stream)
    return stream


def _unskipped(stage: Parallel) -> list[Stage]:
    """Return the units of a layer that skips positions as they are for a frame that keeps all of them."""
    fork = stage.fork
    assert isinstance(fork, SkippingWindowUnit)
    fields = SlidingWindowUnit.__dataclass_fields__
    window = SlidingWindowUnit(**{name: getattr(fork, name) for name in fields})
    stages: list[Stage] = [window]
    for unit in stage.branches[0]:
        if isinstance(unit, WidthConverter):
            stages.append(replace(unit, elements=window.words_written * window.simd))
        elif isinstance(unit, MatrixUnit):
            stages.append(replace(unit, vectors=fork.positions))
    return [*stages, stage.join]


@dataclass(frozen=True, slots=True)
class Stream:
    """When the words of a stream can be read.

    Attributes:
        words: ascending indices of the followed words, the last one included; -1 may stand before
            the first.
        times: their cycles.
    """

    words: Array
    times: npt.NDArray[np.float64]

    def at(self, words: Array) -> npt.NDArray[np.float64]:
        """Return the times of words; the words followed are often those asked for."""
        return self.times if words is self.words else np.interp(words, self.words, self.times)

    def later(self, other: Stream) -> Stream:
        """Return the later times of two streams of equal words."""
        words = np.union1d(self.words, other.words)
        return Stream(words, np.maximum(self.at(words), other.at(words)))


@dataclass(frozen=True)
class Loop:
    """A loop of one iteration a cycle, as functions of word indices.

    The loops of a unit are kept (`lru_cache`), and each keeps what it asks of its functions: a
    search meets the same units in many designs.

    Attributes:
        inputs: words that it reads.
        outputs: words that it writes.
        read: word -> iteration that reads it.
        write: word -> iteration that writes it.
        needs: written word -> last word that was read by then.
    """

    inputs: int
    outputs: int
    read: Callable[[Array], Array]
    write: Callable[[Array], Array]
    needs: Callable[[Array], Array]

    @cached_property
    def followed(self) -> tuple[Array, ...]:
        """Words read and the iterations that read them; words written, when, and what they need.

        The last of these are the last words read by then, the iterations that read those, and the
        places of those among the words read.
        """
        read, written = _followed(self.inputs), _followed(self.outputs)
        last = self.needs(written)
        before = np.searchsorted(read, last, side="right") - 1
        return read, self.read(read), written, self.write(written), last, self.read(last), before

    def run(self, source: Stream) -> Stream:
        """Return the stream that the loop writes when it reads `source` (see `latency_cycles`)."""
        read, reading, written, writing, last, reading_last, before = self.followed
        delay = np.maximum.accumulate(np.maximum(source.at(read) - reading, 0.0))
        delay = np.maximum(delay[before], source.at(last) - reading_last)
        return Stream(written, np.add(writing, delay + 1.0, dtype=np.float64))


@lru_cache(maxsize=KEPT)
def _followed(words: int, limit: int = SAMPLES) -> Array:
    """Return the indices of at most `limit` of so many words, the first and the last included."""
    return np.linspace(0, words - 1, min(words, limit)).astype(np.int64)


@singledispatch
def _through(unit: Unit, source: Stream) -> Stream:
    """Return the stream that a unit makes of its input."""
    msg = f"no timing for {type(unit).__name__}"
    raise TypeError(msg)


@_through.register
def _(unit: MatrixUnit, source: Stream) -> Stream:
    for loop in _matrix_loops(unit):
        source = loop.run(source)
    return source


@lru_cache(maxsize=KEPT)
def _matrix_loops(unit: MatrixUnit) -> tuple[Loop, ...]:
    words, vectors = int(unit.mw // unit.in_width), int(unit.vectors)
    t = unit.tiling
    if t is None:
        passes, pace = int(unit.mh // unit.pe), 1
    else:
        rows, n, cols, _ = (int(v) for v in t.lanes(unit.pe, unit.simd))
        passes = int(unit.mh) // t.block_rows // n
        pace = (t.kept_rows // rows) * (t.kept_cols // cols)  # steps per word
    one = words * pace
    sums = Loop(
        inputs=vectors * words,
        outputs=vectors * passes,
        read=lambda j: j // words * (passes * one) + j % words * pace,
        write=lambda k: (k + 1) * one - 1,
        needs=lambda k: (k // passes + 1) * words - 1,
    )
    if t is None:
        return (sums,)
    parts = t.block_rows // rows  # a second loop writes the sums of a pass, part by part
    out = Loop(
        inputs=vectors * passes,
        outputs=vectors * passes * parts,
        read=lambda j: j * parts,
        write=lambda k: k,
        needs=lambda k: k // parts,
    )
    return sums, out


@_through.register
def _(unit: SlidingWindowUnit, source: Stream) -> Stream:
    read, load, write, before, written = _window_words(unit)
    waited = np.maximum.accumulate(np.maximum(source.at(read) - read, 0.0))
    loaded = load + np.maximum(waited[before], source.at(load) - load)
    delay = np.maximum.accumulate(np.maximum(loaded + 1.0 - write, 0.0))
    # the word before each of them is as late as the one before that: between words that wait for
    # their load there may be padding, which does not
    earlier = np.concatenate([[0.0], delay[:-1]])
    delays = np.stack([earlier, delay], axis=1).ravel()
    return Stream(written, written + np.concatenate([[0.0], delays, delay[-1:]]) + 1.0)


@lru_cache(maxsize=KEPT)
def _window_words(unit: SlidingWindowUnit) -> tuple[Array, Array, Array, Array, Array]:
    """Return the words loaded; of some windows, when words are loaded and written; those written.

    The fourth says after which of the first each of the second comes.
    """
    words, k, p = int(unit.channels // unit.simd), unit.kernel, unit.padding
    read = _followed(int(unit.words_loaded))
    # first and last word of the map in every row of some windows: between them both loops run on
    oy, ky = np.arange(unit.out_height)[:, None, None, None], np.arange(k)[:, None]
    ox = _followed(unit.out_width_pixels, PIXELS)[:, None, None]
    row, left = oy * unit.stride - p + ky, ox * unit.stride - p
    column = np.clip(left + np.array([0, k - 1]), 0, unit.width - 1)
    end = np.array([0, words - 1])
    load = (row * unit.width + column) * words + end
    write = ((oy * unit.out_width_pixels + ox) * k**2 + ky * k + column - left) * words + end
    real = np.broadcast_to((row >= 0) & (row < unit.height), load.shape)
    load, write = load[real], write[real]
    before = np.searchsorted(read, load, side="right") - 1
    last = int(unit.words_written) - 1
    written = np.concatenate([[-1], np.stack([write - 1, write], axis=1).ravel(), [last]])
    return read, load, write, before, written


@_through.register
def _(unit: PoolUnit, source: Stream) -> Stream:
    return _pool_loop(unit).run(source)


@lru_cache(maxsize=KEPT)
def _pool_loop(unit: PoolUnit) -> Loop:
    words, k = int(unit.channels // unit.pe), unit.kernel
    out_row = unit.width // k * words

    def corner(word: Array) -> Array:
        """Return the last input word of the window of an output word."""
        y, x = word // out_row, word % out_row // words
        return ((y * k + k - 1) * unit.width + x * k + k - 1) * words + word % words

    return Loop(
        inputs=unit.height * unit.width * words,
        outputs=unit.height // k * out_row,
        read=lambda j: j,
        write=corner,
        needs=corner,
    )


@_through.register
def _(unit: DepthwiseUnit, source: Stream) -> Stream:
    return _summed(source, int(unit.vectors), int(unit.mw), int(unit.mh // unit.pe))


@_through.register
def _(unit: SumUnit, source: Stream) -> Stream:
    return _summed(source, 1, unit.pixels, int(unit.channels // unit.pe))


def _summed(source: Stream, sums: int, pixels: int, words: int) -> Stream:
    """Return so many sums over pixels of some words each, which leave as the last pixel comes."""

    def last(word: Array) -> Array:
        """Return the last input word that an output word adds up."""
        return (word // words * pixels + pixels - 1) * words + word % words

    return Loop(
        inputs=sums * pixels * words,
        outputs=sums * words,
        read=lambda j: j,
        write=last,
        needs=last,
    ).run(source)


@_through.register
def _(unit: ForkUnit, source: Stream) -> Stream:
    return _copied(int(unit.cycles)).run(source)


def _alternating(unit: ConcatUnit, first: Stream, second: Stream) -> Stream:
    """Return when the words can be read that a concatenation takes, pixel by pixel of either stream."""
    one, other = int(unit.first_channels // unit.pe), int(unit.second_channels // unit.pe)
    words = _followed(int(unit.cycles))
    pixel, at = np.divmod(words, one + other)
    times = np.where(
        at < one,
        first.at(pixel * one + np.minimum(at, one - 1)),
        second.at(pixel * other + np.maximum(at - one, 0)),
    )
    return Stream(words, times)


@_through.register
def _(unit: ConcatUnit, source: Stream) -> Stream:
    return _copied(int(unit.cycles)).run(source)


@_through.register
def _(unit: AddUnit, source: Stream) -> Stream:
    return _copied(int(unit.cycles)).run(source)


@lru_cache(maxsize=KEPT)
def _copied(words: int) -> Loop:
    """Return the loop that hands on one word a cycle."""
    return Loop(words, words, read=lambda j: j, write=lambda k: k, needs=lambda k: k)


@_through.register
def _(unit: FillUnit, source: Stream) -> Stream:
    return _copied(int(unit.cycles)).run(source)


@_through.register
def _(unit: WidthConverter, source: Stream) -> Stream:
    return _converter_loop(unit).run(source)


@lru_cache(maxsize=KEPT)
def _converter_loop(unit: WidthConverter) -> Loop:
    a, b, elements = int(unit.in_width), int(unit.out_width), int(unit.elements)
    grows = a < b
    return Loop(
        inputs=elements // a,
        outputs=elements // b,
        read=lambda j: j if grows else j * a // b,
        write=lambda k: -(-(k + 1) * b // a) - 1 if grows else k,
        needs=lambda k: ((k + 1) * b - 1) // a,
    )
