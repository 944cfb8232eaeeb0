"""A cycle-by-cycle simulation of the stream graph, to hold intervals and latencies against.

It follows the schedules of hw_templates/kernels: a cycle sees the streams as they were before it, so
that the order of units does not matter and flags are registers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from dse.ir.stages import Parallel, Stage, flat
from dse.ir.units import (
    ConcatUnit,
    DepthwiseUnit,
    Fifo,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
)
from dse.lowering.joints import PLAIN_DEPTH

FOREVER = 10**9
Step = tuple[bool, bool]  # one iteration of a loop: reads a word, writes a word


class Stream:
    """A FIFO without data: how many words it holds."""

    def __init__(self, depth: int, held: int = 0) -> None:
        self.depth, self.held = depth, held
        self.taken = self.given = 0

    def settle(self) -> None:
        self.held += self.given - self.taken
        self.taken = self.given = 0


class Loop:
    """A loop of II = 1 that waits where an input word or room for an output word is missing."""

    def __init__(self, frame: list[Step], source: Stream, sink: Stream) -> None:
        self.frame, self.source, self.sink = frame, source, sink
        self.at = 0

    def cycle(self) -> None:
        reads, writes = self.frame[self.at]
        if (reads and not self.source.held) or (writes and self.sink.held >= self.sink.depth):
            return
        self.source.taken += reads
        self.sink.given += writes
        self.at = self.at + 1 if self.at + 1 < len(self.frame) else 0


class Window:
    """A ring of rows: loads a word and writes a word, whichever of the two can be done."""

    def __init__(self, unit: SlidingWindowUnit, source: Stream, sink: Stream, ring: int) -> None:
        u = self.unit = unit
        self.source, self.sink, self.ring = source, sink, ring
        self.words = int(u.channels // u.simd)
        rows = range(u.out_height)
        needed = {y * u.stride - u.padding + ky for y in rows for ky in range(u.kernel)}
        self.kept = [row in needed for row in range(u.height)]
        # per output row: rows of the map that are needed no more when it is done
        live = [
            {r for r in range(u.height) for later in rows[y:] if r in self._window(later)}
            for y in [*rows, u.out_height]
        ]
        self.frees = [len(live[y]) - len(live[y + 1]) for y in rows]
        self.frame = [list(self._row(y)) for y in rows]
        self.stored = self.load_row = self.load_at = self.out_row = self.out_at = 0

    def _window(self, y: int) -> range:
        top = y * self.unit.stride - self.unit.padding
        return range(max(top, 0), min(top + self.unit.kernel, self.unit.height))

    def _row(self, y: int) -> Iterator[tuple[int, int]]:
        """Yield per word of an output row its row among those in the ring, and its place in it."""
        u = self.unit
        first = self._window(y).start
        for x, ky, kx in product(range(u.out_width_pixels), range(u.kernel), range(u.kernel)):
            row, column = y * u.stride - u.padding + ky, x * u.stride - u.padding + kx
            inside = 0 <= row < u.height and 0 <= column < u.width
            for word in range(self.words):
                yield (row - first, column * self.words + word) if inside else (-1, 0)

    def cycle(self) -> None:
        row, place = self.frame[self.out_row][self.out_at]
        kept = self.kept[self.load_row]
        present = row < self.stored or (row == self.stored and kept and place < self.load_at)
        writes = present and self.sink.held < self.sink.depth
        loads = self.source.held and (not kept or self.stored < self.ring)
        if writes:
            self.sink.given = 1
            self.out_at += 1
            if self.out_at == len(self.frame[self.out_row]):
                self.stored -= self.frees[self.out_row]
                self.out_at, self.out_row = 0, (self.out_row + 1) % self.unit.out_height
        if loads:
            self.source.taken = 1
            self.load_at += 1
            if self.load_at == self.unit.width * self.words:
                self.stored += kept
                self.load_at, self.load_row = 0, (self.load_row + 1) % self.unit.height


def frame_of(unit: Unit) -> list[Step]:
    """Return the iterations of one frame of a unit that is one loop."""
    if isinstance(unit, MatrixUnit):
        folds = int(unit.mw // unit.simd)
        order = product(range(unit.vectors), range(unit.mh // unit.pe), range(folds))
        return [(nf == 0, sf == folds - 1) for _, nf, sf in order]
    if isinstance(unit, PoolUnit):
        k = unit.kernel
        ends = [
            y < unit.height // k * k and x < unit.width // k * k and y % k == x % k == k - 1
            for y, x in product(range(unit.height), range(unit.width))
        ]
        return [(True, end) for end in ends for _ in range(unit.channels // unit.pe)]
    if isinstance(unit, DepthwiseUnit | SumUnit):
        depthwise = isinstance(unit, DepthwiseUnit)
        sums, pixels = (unit.vectors, unit.mw) if depthwise else (1, unit.pixels)
        words = (unit.mh if depthwise else unit.channels) // unit.pe
        order = product(range(sums), range(pixels), range(words))
        return [(True, pixel == pixels - 1) for _, pixel, _ in order]
    assert isinstance(unit, WidthConverter)
    a, b = int(unit.in_width), int(unit.out_width)
    steps, held = [], 0
    for _ in range(int(unit.elements) // min(a, b)):
        reads = a < b or held < b
        held += a * reads
        writes = a > b or held >= b
        held -= b * writes
        steps.append((reads, writes))
    return steps


def tiled_frames(unit: MatrixUnit) -> tuple[list[Step], list[Step]]:
    t = unit.tiling
    assert t is not None
    rows, n, cols, m = (int(v) for v in t.lanes(unit.pe, unit.simd))
    groups, blocks = unit.mh // t.block_rows // n, unit.mw // t.block_cols // m
    steps = (t.kept_rows // rows) * (t.kept_cols // cols)
    order = product(range(unit.vectors), range(groups), range(blocks), range(steps))
    sums = [(g == 0 and s == 0, b == blocks - 1 and s == steps - 1) for _, g, b, s in order]
    parts = t.block_rows // rows
    return sums, [(part == 0, True) for part in range(parts)] * (unit.vectors * groups)


def steady(ends: list[int]) -> int:
    """Return the cycles between frames when all units are at work: three times the same."""
    steps = set(np.diff(ends[-4:]).tolist())
    assert len(steps) == 1, steps
    return int(steps.pop())


class Copy:
    """A fork or a join: takes a word of every source and gives one to every sink, all at once."""

    def __init__(self, sources: Sequence[Stream], sinks: Sequence[Stream]) -> None:
        self.sources, self.sinks = sources, sinks

    def cycle(self) -> None:
        if all(s.held for s in self.sources) and all(s.held < s.depth for s in self.sinks):
            for source in self.sources:
                source.taken = 1
            for sink in self.sinks:
                sink.given = 1


class Turns:
    """A concatenation: so many words of one source, then of the other, one a cycle."""

    def __init__(self, sources: Sequence[Stream], words: Sequence[int], sink: Stream) -> None:
        self.sources, self.sink = sources, sink
        self.order = [port for port, count in enumerate(words) for _ in range(count)]
        self.at = 0

    def cycle(self) -> None:
        source = self.sources[self.order[self.at]]
        if source.held and self.sink.held < self.sink.depth:
            source.taken = self.sink.given = 1
            self.at = (self.at + 1) % len(self.order)


class Graph:
    """The actors and streams of a pipeline."""

    def __init__(self) -> None:
        self.actors: list[Loop | Window | Copy | Turns] = []
        self.streams: list[Stream] = []
        self.outputs = 0  # words per frame of what was added last

    def stream(self, depth: int) -> Stream:
        self.streams.append(Stream(depth))
        return self.streams[-1]

    def add(self, stages: Sequence[Stage], source: Stream, *, ends: bool) -> Stream:
        """Add stages that read `source`; where the pipeline ends, all words are taken."""
        for i, stage in enumerate(stages):
            if isinstance(stage, Fifo):
                continue
            last = ends and all(isinstance(u, Fifo) for u in stages[i + 1 :])
            sink = Stream(FOREVER if last else depth_of(stages[i + 1 :]))
            if isinstance(stage, Parallel):
                forked = [self.stream(depth_of(branch)) for branch in stage.branches]
                self.actors.append(Copy([source], forked))
                pairs = zip(stage.branches, forked, strict=True)
                joined = [self.add(branch, stream, ends=False) for branch, stream in pairs]
                self.actors.append(joining(stage.join, joined, sink))
                self.outputs = int(stage.join.cycles)
            else:
                self._unit(stage, source, sink)
            self.streams.append(sink)
            source = sink
        return source

    def _unit(self, unit: Unit, source: Stream, sink: Stream) -> None:
        if isinstance(unit, SlidingWindowUnit):
            self.actors.append(Window(unit, source, sink, unit.ring_rows))
            self.outputs = int(unit.words_written)
            return
        if isinstance(unit, MatrixUnit) and unit.tiling is not None:
            sums, frame = tiled_frames(unit)
            middle = self.stream(PLAIN_DEPTH)
            self.actors.append(Loop(sums, source, middle))
            source = middle
        else:
            frame = frame_of(unit)
        self.actors.append(Loop(frame, source, sink))
        self.outputs = sum(writes for _, writes in frame)


def joining(unit: Unit, sources: Sequence[Stream], sink: Stream) -> Copy | Turns:
    """Return what joins two branches."""
    if isinstance(unit, ConcatUnit):
        pe = int(unit.pe)
        words = (int(unit.first_channels) // pe, int(unit.second_channels) // pe)
        return Turns(sources, words, sink)
    return Copy(sources, [sink])


def depth_of(stages: Sequence[Stage]) -> int:
    """Return the words of the stream that leads to these stages."""
    return int(stages[0].depth) if stages and isinstance(stages[0], Fifo) else PLAIN_DEPTH


def simulate(stages: Sequence[Stage], frames: int) -> list[int]:
    """Return the cycles until the last output word of every frame.

    Frames come back to back; the input is always ready, the output is always taken.
    """
    graph = Graph()
    graph.add(stages, Stream(FOREVER, FOREVER), ends=True)
    limit = (frames + 5) * sum(int(u.cycles) for u in flat(stages)) + 1000
    return run(graph.actors, graph.streams, graph.outputs, frames, limit)


def run(
    actors: Sequence[Loop | Window | Copy | Turns],
    streams: list[Stream],
    outputs: int,
    frames: int,
    limit: int,
) -> list[int]:
    """Run actors until so many frames of output words are in the last stream."""
    ends: list[int] = []
    now = 0
    while len(ends) < frames:
        for actor in actors:
            actor.cycle()
        for stream in streams:
            stream.settle()
        now += 1
        if streams[-1].held >= outputs * (len(ends) + 1):
            ends.append(now)
        assert now < limit, "deadlock"
    return ends


@pytest.fixture(scope="session")
def sim() -> SimpleNamespace:
    """The simulation, and the parts that it is made of."""
    return SimpleNamespace(
        simulate=simulate, steady=steady, run=run, Stream=Stream, Loop=Loop, Window=Window
    )
