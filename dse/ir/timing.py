"""Cycles of a chain of units: between frames, and from first input to last output word."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dse.ir.units import Fifo, MatrixUnit, PoolUnit, SlidingWindowUnit, Unit, WidthConverter

Array: TypeAlias = npt.NDArray[np.int64]

SAMPLES = 1024  # words of a stream whose times are followed
PIXELS = 8  # windows of an output row whose times are followed


def interval_cycles(units: Sequence[Unit]) -> int:
    """Return the cycles between two frames: those of the slowest unit."""
    return max(int(unit.cycles) for unit in units)


def latency_cycles(units: Sequence[Unit]) -> int:
    """Return the cycles from the first input word to the last output word of one frame.

    Every unit is a loop of one iteration a cycle that waits where an input word is missing. Word j
    is read in iteration r(j), not before its time A(j), the cycle from which it can be read; so
    iteration i runs in cycle

        T(i) = i + max(0, max over words j with r(j) <= i of A(j) - r(j)),

    and the word written there can be read from T(i) + 1 on. The recursion carries A along the
    chain, from the input, which is always ready (A = 0), to the last word of the last unit. A
    window unit is two such loops: one loads, the other writes a word from the cycle after its load
    on. A matrix unit needs a whole vector for its first output word, a pooling unit a window, a
    converter a word of the wider side.

    Of long streams `SAMPLES` words are followed and times between them interpolated. Not counted:
    the pipeline registers of a unit, and waiting for room, which delays a frame only where the
    units behind are slower anyway. Units are idle before the frame and read whenever they have
    room.
    """
    stream = None
    for unit in units:
        if isinstance(unit, Fifo):
            continue
        if stream is None:
            stream = Stream(np.zeros(1, dtype=np.int64), np.zeros(1))
        stream = _through(unit, stream)
    assert stream is not None
    return math.ceil(float(stream.times[-1]))


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
        """Return the times of words."""
        return np.interp(words, self.words, self.times)


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop of one iteration a cycle, as functions of word indices.

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

    def run(self, source: Stream) -> Stream:
        """Return the stream that the loop writes when it reads `source` (see `latency_cycles`)."""
        read, written = _followed(self.inputs), _followed(self.outputs)
        last = self.needs(written)
        delay = np.maximum.accumulate(np.maximum(source.at(read) - self.read(read), 0.0))
        before = delay[np.searchsorted(read, last, side="right") - 1]
        delay = np.maximum(before, source.at(last) - self.read(last))
        return Stream(written, np.add(self.write(written), delay + 1.0, dtype=np.float64))


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
    ).run(source)
    if t is None:
        return sums
    parts = t.block_rows // rows  # a second loop writes the sums of a pass, part by part
    return Loop(
        inputs=vectors * passes,
        outputs=vectors * passes * parts,
        read=lambda j: j * parts,
        write=lambda k: k,
        needs=lambda k: k // parts,
    ).run(sums)


@_through.register
def _(unit: SlidingWindowUnit, source: Stream) -> Stream:
    words, k, p = int(unit.channels // unit.simd), unit.kernel, unit.padding
    read = _followed(int(unit.words_loaded))
    waited = np.maximum.accumulate(np.maximum(source.at(read) - read, 0.0))
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
    before = waited[np.searchsorted(read, load, side="right") - 1]
    loaded = load + np.maximum(before, source.at(load) - load)
    delay = np.maximum.accumulate(np.maximum(loaded + 1.0 - write, 0.0))
    # the word before each of them is as late as the one before that: between words that wait for
    # their load there may be padding, which does not
    earlier = np.concatenate([[0.0], delay[:-1]])
    last = int(unit.words_written) - 1
    written = np.concatenate([[-1], np.stack([write - 1, write], axis=1).ravel(), [last]])
    delays = np.stack([earlier, delay], axis=1).ravel()
    return Stream(written, written + np.concatenate([[0.0], delays, delay[-1:]]) + 1.0)


@_through.register
def _(unit: PoolUnit, source: Stream) -> Stream:
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
    ).run(source)


@_through.register
def _(unit: WidthConverter, source: Stream) -> Stream:
    a, b, elements = int(unit.in_width), int(unit.out_width), int(unit.elements)
    grows = a < b
    return Loop(
        inputs=elements // a,
        outputs=elements // b,
        read=lambda j: j if grows else j * a // b,
        write=lambda k: -(-(k + 1) * b // a) - 1 if grows else k,
        needs=lambda k: ((k + 1) * b - 1) // a,
    ).run(source)
