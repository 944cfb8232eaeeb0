"""The units of the sweep: shapes, bits, styles and foldings, spread evenly and drawn once and for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from cost_models._sweep import Split
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

T = TypeVar("T")
SEED = 20
# matrices of layers: dense, and k * k * C of convolutions
ROWS = (8, 10, 12, 16, 24, 32, 48, 64, 128)
COLUMNS = (9, 16, 27, 36, 49, 64, 72, 144, 196, 256, 288, 400, 576, 784)
HELD_ROWS, HELD_COLUMNS = (14, 20, 40, 96), (25, 54, 100, 120, 216, 320)
BLOCKS = ((4, 4), (4, 8), (8, 8), (8, 16), (16, 16))
LARGEST = 7000  # product bits and threshold bits of a unit: a minute of yosys
STREAM_BITS = 512  # widest word of a unit of the sweep


@dataclass(frozen=True, slots=True)
class Planned:
    """A unit to synthesise: the `number`-th of a group."""

    group: str
    number: int
    split: Split
    unit: Unit

    @property
    def name(self) -> str:
        """As in the table of records."""
        return f"{self.group}-{self.number:03}"


class _Draws:
    """Columns of a Latin hypercube: every draw of a name splits its range into equal parts."""

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.rng = np.random.default_rng(seed)

    def column(self) -> list[float]:
        """Return `count` numbers in 0..1, one in each of `count` equal parts."""
        spread = self.rng.permutation(self.count) + self.rng.random(self.count)
        return [float(v) for v in spread / self.count]

    def of(self, values: Sequence[T]) -> list[T]:
        """Return `count` of the values, each as often as the others."""
        return [values[int(u * len(values))] for u in self.column()]

    def whole(self, low: int, high: int) -> list[int]:
        """Return `count` integers from low to high, evenly on a logarithmic scale."""
        return [round(low * (high / low) ** u) for u in self.column()]


def planned() -> tuple[Planned, ...]:
    """Return all units of the sweep, the same ones at every call, kinds mixed.

    Any number of them from the start is spread over all kinds alike.
    """
    rows: list[tuple[float, Planned]] = []
    groups: tuple[tuple[str, Split, int, Callable[[_Draws], Iterator[Unit]]], ...] = (
        ("matrix", "sweep", 80, dense),
        ("xnor", "sweep", 26, xnor),
        ("dsp", "sweep", 18, on_dsp),
        ("tiled", "sweep", 44, tiled),
        ("window", "sweep", 28, windows),
        ("pool", "sweep", 18, pools),
        ("converter", "sweep", 30, converters),
        ("fifo", "sweep", 26, fifos),
        ("held-matrix", "shapes", 20, lambda d: dense(d, HELD_ROWS, HELD_COLUMNS)),
        ("held-xnor", "shapes", 5, lambda d: xnor(d, HELD_ROWS, HELD_COLUMNS)),
        ("held-tiled", "shapes", 8, lambda d: tiled(d, HELD_ROWS, HELD_COLUMNS)),
        ("held-window", "shapes", 6, lambda d: windows(d, (9, 13, 20), (5, 10, 20))),
    )
    for number, (name, split, count, make) in enumerate(groups):
        made = make(_Draws(count, SEED + number))
        for i, unit in enumerate(made):
            rows.append(((i + 0.5) / count, Planned(name, i, split, unit)))
    return tuple(p for _, p in sorted(rows, key=lambda row: row[0]))


def dense(
    draws: _Draws, rows: Sequence[int] = ROWS, columns: Sequence[int] = COLUMNS
) -> Iterator[MatrixUnit]:
    """Yield dense units with products in LUTs: 1 to 8 bits, thresholds, or sums as output."""
    for mh, mw, wb, ib, ob, signed, memory, work, aspect in zip(
        draws.of(rows),
        draws.of(columns),
        draws.of((1, 2, 2, 3, 4, 4, 5, 6, 8)),
        draws.of((1, 2, 2, 3, 4, 4, 6, 8, 8)),
        draws.of((0, 0, 1, 2, 2, 3, 4, 4, 6, 8)),
        draws.of((True, False, False, False)),
        draws.of(("bram", "lutram")),
        draws.column(),
        draws.column(),
        strict=True,
    ):
        bits = ib if (wb, ib) != (1, 1) else 2  # both 1 bit is XNOR
        unit = MatrixUnit("", mh, mw, 1, 1, 1, wb, bits, signed or bits == 1, ob, memory, "lut")
        yield _folded(unit, work, aspect)


def xnor(
    draws: _Draws, rows: Sequence[int] = ROWS, columns: Sequence[int] = COLUMNS
) -> Iterator[MatrixUnit]:
    """Yield units that count matches."""
    for mh, mw, ob, memory, work, aspect in zip(
        draws.of(rows),
        draws.of(columns),
        draws.of((1, 1, 1, 0, 2)),
        draws.of(("bram", "lutram")),
        draws.column(),
        draws.column(),
        strict=True,
    ):
        unit = MatrixUnit("", mh, mw, 1, 1, 1, 1, 1, True, ob, memory, "lut")
        yield _folded(unit, work, aspect)


def on_dsp(draws: _Draws) -> Iterator[MatrixUnit]:
    """Yield units with products in DSP blocks."""
    for mh, mw, wb, ib, ob, memory, work, aspect in zip(
        draws.of(ROWS),
        draws.of(COLUMNS),
        draws.of((2, 3, 4, 6, 8)),
        draws.of((2, 3, 4, 6, 8, 8)),
        draws.of((0, 1, 2, 4, 8)),
        draws.of(("bram", "lutram")),
        draws.column(),
        draws.column(),
        strict=True,
    ):
        unit = MatrixUnit("", mh, mw, 1, 1, 1, wb, ib, False, ob, memory, "dsp")
        yield _folded(unit, work, aspect, most=24)


def tiled(
    draws: _Draws,
    rows: Sequence[int] = (8, 16, 32, 64),
    columns: Sequence[int] = (64, 144, 256, 576),
) -> Iterator[MatrixUnit]:
    """Yield units of balanced blocks, with pruned columns, rows or both, of up to a quarter each."""
    for mh, mw, block, keep, wb, ib, ob, compute, memory, work, aspect in zip(
        draws.of(rows),
        draws.of(columns),
        draws.of(BLOCKS),
        draws.of(((1, 2), (1, 2), (1, 4), (2, 1), (2, 2), (4, 2))),
        draws.of((1, 2, 2, 3, 4, 4, 8)),
        draws.of((1, 2, 2, 4, 4, 8)),
        draws.of((0, 1, 2, 2, 3, 4)),
        draws.of(("lut", "lut", "lut", "dsp")),
        draws.of(("bram", "lutram")),
        draws.column(),
        draws.column(),
        strict=True,
    ):
        p = int(divisors(mh)[divisors(mh) <= block[0]][-1])
        q = int(divisors(mw)[divisors(mw) <= block[1]][-1])
        rows_kept = int(divisors(p)[divisors(p) <= max(1, p // keep[0])][-1])
        structure = Tiling(p, q, rows_kept, max(1, q // keep[1]))
        style = compute if min(wb, ib) > 1 else "lut"
        unit = MatrixUnit("", mh, mw, 1, 1, 1, wb, ib, ib == 1, ob, memory, style, structure)
        yield _folded(unit, work, aspect, most=48)


def windows(
    draws: _Draws,
    sizes: Sequence[int] = (6, 8, 10, 12, 14, 16, 18, 24, 28, 32),
    channels: Sequence[int] = (1, 3, 4, 8, 12, 16, 24, 32, 64),
) -> Iterator[SlidingWindowUnit]:
    """Yield window units."""
    for size, c, kernel, stride, pad, bits, fold in zip(
        draws.of(sizes),
        draws.of(channels),
        draws.of((2, 3, 3, 3, 5)),
        draws.of((1, 1, 1, 2)),
        draws.of((0, 0, 1, 1)),
        draws.of((1, 2, 2, 4, 4, 8)),
        draws.column(),
        strict=True,
    ):
        words = divisors(c)
        words = words[words * bits <= STREAM_BITS]
        simd = int(words[int(fold * len(words))])
        yield SlidingWindowUnit("", size, size, c, kernel, stride, min(pad, kernel - 1), simd, bits)


def pools(draws: _Draws) -> Iterator[PoolUnit]:
    """Yield pooling units."""
    for size, c, kernel, bits, fold in zip(
        draws.of((4, 6, 8, 10, 12, 14, 20, 24, 28, 32)),
        draws.of((4, 8, 12, 16, 32, 64)),
        draws.of((2, 2, 2, 3)),
        draws.of((1, 2, 3, 4, 6, 8)),
        draws.column(),
        strict=True,
    ):
        words = divisors(c)
        words = words[words * bits <= STREAM_BITS // 2]
        yield PoolUnit("", size, size, c, kernel, int(words[int(fold * len(words))]), bits)


def converters(draws: _Draws) -> Iterator[WidthConverter]:
    """Yield converters: to wider words, to narrower ones, and between widths that do not divide."""
    for kind, narrow, ratio, other, bits in zip(
        draws.of(("wider", "narrower", "neither")),
        draws.whole(1, 24),
        draws.of((2, 3, 4, 5, 8, 9, 16)),
        draws.of(((2, 3), (3, 2), (3, 4), (4, 3), (3, 5), (8, 9), (9, 4))),
        draws.of((1, 2, 4, 8, 12)),
        strict=True,
    ):
        a, b = (
            (narrow, narrow * ratio)
            if kind != "neither"
            else (max(1, narrow // 4) * n for n in other)
        )
        if kind == "narrower":
            a, b = b, a
        width = min(bits, max(1, STREAM_BITS // max(a, b)))
        if max(a, b) * width <= STREAM_BITS:
            yield WidthConverter("", a, b, width, a * b)


def fifos(draws: _Draws) -> Iterator[Fifo]:
    """Yield FIFOs: most of two words, some of a vector, some in block RAM."""
    for depth, width in zip(draws.whole(2, 1200), draws.whole(1, 256), strict=True):
        yield Fifo("", 2 if depth < 6 else depth, width)


def _folded(unit: MatrixUnit, work: float, aspect: float, most: int = 512) -> MatrixUnit:
    """Return the unit with a legal folding: `work` of its range of parallel products, of some shape."""
    pe, simd = legal_folds(int(unit.mh), int(unit.mw), unit.tiling)
    fits = [
        _size(replace(unit, pe=int(p), simd=int(s))) <= LARGEST
        for p, s in zip(pe, simd, strict=True)
    ]
    fits_word = np.array(fits) & (pe * simd <= most) & (simd <= 64)
    if not fits_word.any():  # at any folding: too many thresholds, or weights in LUTs
        smaller = replace(unit, memory="bram", output_bits=min(int(unit.output_bits), 4))
        return _folded(smaller, work, aspect, most)
    pe, simd = pe[fits_word], simd[fits_word]
    products = np.log2(pe * simd)
    near = np.flatnonzero(np.abs(products - work * products.max()) < 0.8)
    order = near[np.argsort(pe[near] / simd[near], kind="stable")]
    at = int(order[int(aspect * len(order))]) if len(order) else int(np.argmin(products))
    return replace(unit, pe=int(pe[at]), simd=int(simd[at]))


def _size(unit: MatrixUnit) -> Any:
    """Return about how many bits a unit computes and compares at once."""
    steps = 2 ** int(unit.output_bits) - 1
    weights = int(unit.depth) / 64 if unit.memory == "lutram" else 0
    rows = 1 + int(unit.mh) / int(unit.pe) / 64
    sums = 0 if unit.tiling is None else 4 * int(unit.acc_bits) * unit.tiling.block_rows
    lanes = 1 if unit.tiling is None else int(unit.tiling.lanes(unit.pe, unit.simd)[1])
    buffer = int(unit.mw) * int(unit.input_bits) / 8
    return (
        unit.pe * unit.simd * (unit.weight_bits * unit.input_bits + weights * unit.weight_bits)
        + unit.pe * steps * int(unit.acc_bits) * rows
        + lanes * sums
        + buffer
    )
