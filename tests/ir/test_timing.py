"""Latency against a cycle-by-cycle simulation of the stream graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest

from dse.compression import canonical, effective
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.timing import interval_cycles, latency_cycles
from dse.ir.units import (
    Fifo,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    Tiling,
    Unit,
    WidthConverter,
    divisors,
    legal_folds,
)
from dse.search.pipeline import pipeline


class Stream:
    """A FIFO without data: only when a word was written matters."""

    def __init__(self, depth: float) -> None:
        self.depth = depth
        self.written: deque[int] = deque()

    def readable(self, now: int) -> bool:
        return bool(self.written) and self.written[0] < now

    def writable(self) -> bool:
        return len(self.written) < self.depth


class Loop:
    """A loop of II = 1 that waits where a word or the room for one is missing."""

    def __init__(self, iterations: Iterator[tuple[bool, bool]], source: Stream, sink: Stream):
        self.iterations, self.source, self.sink = iterations, source, sink
        self.next = next(iterations, None)

    def cycle(self, now: int) -> None:
        if self.next is None:
            return
        reads, writes = self.next
        if (reads and not self.source.readable(now)) or (writes and not self.sink.writable()):
            return
        if reads:
            self.source.written.popleft()
        if writes:
            self.sink.written.append(now)
        self.next = next(self.iterations, None)


class Window:
    """A ring of kernel + stride rows: loads while there is room, writes rows that are complete."""

    def __init__(self, unit: SlidingWindowUnit, source: Stream, sink: Stream):
        self.unit, self.source, self.sink = unit, source, sink
        words = int(unit.channels // unit.simd)
        self.words, self.row_words = words, (unit.width + 2 * unit.padding) * words
        self.loaded = self.row = self.done = 0
        self.writes = unit.out_width_pixels * unit.kernel**2 * words

    def cycle(self, now: int) -> None:
        u = self.unit
        full = self.loaded // self.row_words
        if (
            self.row < u.out_height
            and full >= self.row * u.stride + u.kernel
            and self.sink.writable()
        ):
            self.sink.written.append(now)
            self.done += 1
        room = full < min(self.row * u.stride + u.kernel + u.stride, u.height + 2 * u.padding)
        if self.done == self.writes:
            self.done, self.row = 0, self.row + 1
        if not room:
            return
        column = self.loaded % self.row_words // self.words
        p = u.padding
        if p <= full < p + u.height and p <= column < p + u.width:
            if not self.source.readable(now):
                return
            self.source.written.popleft()
        self.loaded += 1


def matrix_loop(unit: MatrixUnit) -> Iterator[tuple[bool, bool]]:
    folds = int(unit.mw // unit.simd)
    for _ in range(int(unit.vectors)):
        for nf in range(int(unit.mh // unit.pe)):
            for sf in range(folds):
                yield nf == 0, sf == folds - 1


def tiled_loops(
    unit: MatrixUnit,
) -> tuple[Iterator[tuple[bool, bool]], Iterator[tuple[bool, bool]]]:
    t = unit.tiling
    assert t is not None
    rows, n, cols, m = (int(v) for v in t.lanes(unit.pe, unit.simd))
    groups, blocks = unit.mh // t.block_rows // n, unit.mw // t.block_cols // m
    steps = (t.kept_rows // rows) * (t.kept_cols // cols)

    def sums() -> Iterator[tuple[bool, bool]]:
        for _ in range(int(unit.vectors)):
            for group in range(groups):
                for block in range(blocks):
                    for step in range(steps):
                        last = block == blocks - 1 and step == steps - 1
                        yield group == 0 and step == 0, last

    def words() -> Iterator[tuple[bool, bool]]:
        for _ in range(int(unit.vectors) * groups):
            for row in range(t.block_rows // rows):
                yield row == 0, True

    return sums(), words()


def pool_loop(unit: PoolUnit) -> Iterator[tuple[bool, bool]]:
    k = unit.kernel
    for y in range(unit.height):
        for x in range(unit.width):
            inside = y < unit.height // k * k and x < unit.width // k * k
            for _ in range(int(unit.channels // unit.pe)):
                yield True, inside and y % k == k - 1 and x % k == k - 1


def converter_loop(unit: WidthConverter) -> Iterator[tuple[bool, bool]]:
    a, b = int(unit.in_width), int(unit.out_width)
    held = 0
    for _ in range(int(unit.elements) // min(a, b)):
        reads = a < b or held < b
        held += a * reads
        writes = a > b or held >= b
        held -= b * writes
        yield reads, writes


def simulate(units: tuple[Unit, ...], frames: int) -> list[int]:
    """Return the cycle after which each frame's last word has been written."""
    source = Stream(float("inf"))
    first = units[0]
    per_frame = {
        SlidingWindowUnit: lambda u: u.height * u.width * u.channels // u.simd,
        MatrixUnit: lambda u: u.vectors * (u.mw // u.in_width),
        PoolUnit: lambda u: u.height * u.width * u.channels // u.pe,
    }[type(first)](first)
    source.written.extend([-1] * (per_frame * frames))
    makers = []
    stream = source
    for i, unit in enumerate(units):
        if isinstance(unit, Fifo):
            continue
        following = units[i + 1] if i + 1 < len(units) else None
        depth = int(following.depth) if isinstance(following, Fifo) else 2
        sink = Stream(depth if i + 1 < len(units) - 1 else float("inf"))
        makers.append((unit, stream, sink))
        stream = sink
    actors: list[Loop | Window] = []
    for unit, a, b in makers:
        if isinstance(unit, SlidingWindowUnit):
            actors.append(FrameWindow(unit, a, b, frames))
        elif isinstance(unit, MatrixUnit) and unit.tiling is not None:
            middle = Stream(2)
            sums, words = zip(*(tiled_loops(unit) for _ in range(frames)), strict=True)
            actors += [
                Loop(chain.from_iterable(sums), a, middle),
                Loop(chain.from_iterable(words), middle, b),
            ]
        else:
            loop = {MatrixUnit: matrix_loop, PoolUnit: pool_loop, WidthConverter: converter_loop}
            parts = [loop[type(unit)](unit) for _ in range(frames)]
            actors.append(Loop(chain.from_iterable(parts), a, b))
    total = 0
    last = units[-1] if not isinstance(units[-1], Fifo) else units[-2]
    if isinstance(last, WidthConverter):
        total = int(last.elements) // int(last.out_width)
    else:
        assert isinstance(last, MatrixUnit)
        total = int(last.vectors * (last.mh // last.pe))
    ends = []
    now = 0
    while len(ends) < frames:
        for actor in reversed(actors):
            actor.cycle(now)
        now += 1
        if len(stream.written) >= total * (len(ends) + 1):
            ends.append(now)
        assert now < 2_000_000, "deadlock"
    return ends


class FrameWindow:
    """Windows of several frames, one after another."""

    def __init__(self, unit: SlidingWindowUnit, source: Stream, sink: Stream, frames: int):
        self.waiting = [Window(unit, source, sink) for _ in range(frames)]

    def cycle(self, now: int) -> None:
        if self.waiting:
            self.waiting[0].cycle(now)
            if self.waiting[0].row == self.waiting[0].unit.out_height:
                self.waiting.pop(0)


def random_network(rng: np.random.Generator) -> Network:
    size = int(rng.integers(8, 13))
    shape: tuple[int, ...] = (size, size, int(rng.choice([1, 3, 4])))
    layers: list[Layer] = []
    previous, first = "input", shape
    for i in range(int(rng.integers(1, 4))):
        kernel = int(rng.choice([1, 3, 3]))
        stride = int(rng.choice([1, 1, 2])) if kernel == 3 else 1
        padding = int(rng.choice([0, kernel // 2]))
        if shape[0] + 2 * padding < kernel + 2:
            break
        channels = int(rng.choice([4, 6, 8, 12]))
        layers.append(Conv2d(f"c{i}", (previous,), shape, True, channels, kernel, stride, padding))
        previous, shape = layers[-1].name, layers[-1].output_shape
        if shape[0] >= 4 and rng.random() < 0.5:
            layers.append(MaxPool2d(f"p{i}", (previous,), shape, 2))
            previous, shape = layers[-1].name, layers[-1].output_shape
    layers.append(Dense("fc", (previous,), shape, True, int(rng.choice([8, 12, 16]))))
    layers.append(Dense("out", ("fc",), layers[-1].output_shape, False, 10))
    return Network("random", first, IntType(8, signed=False), tuple(layers))


def random_design(network: Network, rng: np.random.Generator) -> DesignPoint:
    wanted = {}
    for layer in network.matrix_layers:
        bits = 2 if layer.activation else None
        wanted[layer.name] = Compression(2, bits)
        if rng.random() < 0.6:
            sparsity = float(rng.choice([0.5, 0.75]))
            pruned = (
                {"scheme": "bcr", "block": (4, 8)} if rng.random() < 0.6 else {"scheme": "filter"}
            )
            wanted[layer.name] = Compression(2, bits, sparsity=sparsity, **pruned)
    compressions = canonical(network, wanted)
    built, structures = effective(network, compressions)
    layers = []
    for layer in built.layers:
        words = [int(d) for d in divisors(layer.input_shape[-1])]
        folding = Folding(int(rng.choice(words)))
        if isinstance(layer, MatrixLayer):
            s = structures[layer.name]
            pe, simd = rng.choice(np.stack(legal_folds(s.mh, s.mw, s.tiling), axis=1)).tolist()
            word = int(rng.choice(words)) if isinstance(layer, Conv2d) else 0
            folding = Folding(pe, simd, word)
        layers.append((layer.name, LayerDesign(compressions.get(layer.name), folding)))
    return DesignPoint(tuple(layers))


@pytest.mark.parametrize("seed", range(30))
def test_latency_is_what_a_simulation_takes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    units = pipeline(network, random_design(network, rng))
    assert latency_cycles(units) == pytest.approx(simulate(units, 1)[0], rel=0.02, abs=2)


def test_latency_of_single_units_by_hand() -> None:
    matrix = MatrixUnit("m", 8, 12, 5, 2, 3, 2, 2, False, 2, "bram", "lut")
    assert latency_cycles([matrix]) == matrix.cycles == 5 * 4 * 4
    window = SlidingWindowUnit("w", 6, 6, 4, 3, 1, 0, 2, 2)
    assert latency_cycles([window]) == window.cycles
    pool = PoolUnit("p", 7, 6, 4, 2, 2, 2)
    assert latency_cycles([pool]) == 6 * 6 * 2  # its seventh row is read and dropped
    assert latency_cycles([WidthConverter("c", 6, 4, 2, 48)]) == 12
    tiled = MatrixUnit("t", 8, 16, 3, 2, 2, 2, 2, False, 2, "bram", "lut", Tiling(4, 8, 4, 4))
    # two block row groups of 2 * 2 * 2 steps; the two parts of the last group leave afterwards
    assert tiled.cycles == 3 * 2 * 8
    assert latency_cycles([tiled]) == tiled.cycles + 2


def test_the_interval_is_that_of_the_slowest_unit_where_rows_are_long() -> None:
    layers = (
        Conv2d("a", ("input",), (32, 32, 2), True, 4, 3, 1, 1),
        Conv2d("b", ("a",), (32, 32, 4), True, 4, 3, 1, 1),
        Dense("out", ("b",), (32, 32, 4), False, 4),
    )
    network = Network("n", (32, 32, 2), IntType(8, signed=False), layers)
    compressions = {
        "a": Compression(2, 2),
        "b": Compression(2, 2),
        "out": Compression(2, None),
    }
    foldings = (Folding(1, 2, 1), Folding(1, 4, 1), Folding(4, 4))
    design = DesignPoint(
        tuple(
            (layer.name, LayerDesign(compressions[layer.name], f))
            for layer, f in zip(layers, foldings, strict=True)
        )
    )
    units = pipeline(network, design)
    ends = simulate(units, 3)
    assert interval_cycles(units) == max(int(u.cycles) for u in units)
    # a window unit fills its first rows again for every frame, at the pace of the unit before
    assert ends[2] - ends[1] == pytest.approx(interval_cycles(units), rel=0.1)
