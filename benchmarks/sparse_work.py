"""What sparsity really buys in a matrix unit: cycles and index memory.

Run: python benchmarks/sparse_work.py

First table: one block after the other on a PE x SIMD array. Unbalanced blocks keep each row and
column with the probability that gives the density on average (random masks); "lock step" is four
such arrays that wait for the slowest. Second table: a whole layer as `dse.ir.units` counts it, with
the same number of lanes for all; "layer" includes the window unit in front, whose interval does not
depend on the mask.
"""

from __future__ import annotations

import numpy as np

from dse.ir.design import Compression
from dse.ir.units import MatrixUnit, SlidingWindowUnit, Tiling, legal_folds
from pruning import bcr, dense, filter, unstructured
from pruning._pack import pack

BLOCKS = 100_000


def blocks(p: int, q: int, pe: int, simd: int, density: float) -> None:
    rng = np.random.default_rng(0)
    share = density**0.5
    rows, columns = rng.binomial(p, share, (BLOCKS, 4)), rng.binomial(q, share, (BLOCKS, 4))
    steps = np.ceil(rows / pe) * np.ceil(columns / simd)
    full = (p // pe) * (q // simd)
    sparsity, block = bcr.legalise(p, q, 1 - density, (p, q))
    tiling = bcr.structure(p, q, Compression(4, 4, "bcr", sparsity, block)).tiling
    assert tiling is not None
    balanced = (tiling.kept_rows // pe) * (tiling.kept_cols // simd)
    # an unstructured mask of this density leaves no row piece of a block empty
    empty = (1 - density) ** (pe * simd)
    print(
        f"{p:3}x{q:<4} {pe:2}x{simd:<3} {density:<7} {1 / (1 - empty):10.2f}x"
        f" {full / steps.max(axis=1).mean():10.2f}x {full / steps.mean():8.2f}x"
        f" {full / balanced:8.2f}x {1 / density:7.2f}x"
    )


def layer() -> None:
    mh, mw, pe, simd = 128, 1152, 8, 16
    window = SlidingWindowUnit("conv", 12, 12, 128, 3, 1, 0, 4, 2)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(mh, mw))
    print(f"\nlayer of {mh} x {mw} weights, 100 vectors, {pe * simd} lanes at most; window 4 wide")
    print("scheme         block sparsity    tile    fold  cycles  matrix layer  index at W=1, 2, 4")
    base = None
    cases = [(dense, 0.0, None), (unstructured, 0.75, None), (filter, 0.75, None)]
    cases += [(bcr, s, b) for b in ((8, 16), (16, 64), (32, 128)) for s in (0.5, 0.75, 0.9)]
    for scheme, wanted, wish in cases:
        sparsity, block = scheme.legalise(mh, mw, wanted, wish)
        name = scheme.__name__.split(".")[-1]
        c = Compression(4, 2, name, sparsity, block)
        s = scheme.structure(mh, mw, c)
        pes, simds = legal_folds(s.mh, s.mw, s.tiling)
        fits = pes * simds <= pe * simd
        many = MatrixUnit(
            "conv", s.mh, s.mw, 100, pes[fits], simds[fits], 4, 2, False, 2, "bram", "lut", s.tiling
        )
        fastest = np.argmin(np.asarray(many.cycles))
        rows, lanes = int(pes[fits][fastest]), int(simds[fits][fastest])
        unit = MatrixUnit(
            "conv", s.mh, s.mw, 100, rows, lanes, 4, 2, False, 2, "bram", "lut", s.tiling
        )
        cycles = int(unit.cycles)
        base = base or cycles
        slowest = max(cycles, int(window.cycles))
        index = "-"
        if s.tiling is not None:
            mask = scheme.mask(weights, c, reorder=False)
            bits = index_bits(mask.kept, s.tiling, rows, lanes)
            index = "  ".join(f"{bits / (mask.kept.sum() * w):5.0%}" for w in (1, 2, 4))
        tile = f"{s.tiling.kept_rows}x{s.tiling.kept_cols}" if s.tiling else "-"
        size = "x".join(map(str, block)) if block else "-"
        print(
            f"{name:13} {size:>6} {sparsity:8.3f} {tile:>7} {f'{rows}x{lanes}':>7} {cycles:7}"
            f" {base / cycles:6.2f}x {base / slowest:5.2f}x  {index}"
        )


def index_bits(kept: np.ndarray, tiling: Tiling, pe: int, simd: int) -> int:
    """Return the bits of the index memories of a mask."""
    packed = pack(kept.astype(np.int64), kept, tiling, pe, simd)
    assert packed.columns is not None
    assert packed.rows is not None
    column = int(np.ceil(np.log2(tiling.block_cols)))
    row = int(np.ceil(np.log2(tiling.block_rows // tiling.kept_rows)))
    return packed.columns.size * column + packed.rows.size * row


def bitmaps() -> None:
    print("\nindex as bitmap of p + q bits per block (seeds 3.2), share of the weight bits")
    for p, q, r, c in ((16, 64, 8, 32), (32, 64, 24, 48)):
        shares = "  ".join(f"W={w}: {(p + q) / (r * c * w):4.0%}" for w in (1, 4))
        print(f"{p}x{q} keeping {r}x{c}: {shares}")


if __name__ == "__main__":
    print("block  array  density  unstructured  lock step   serial balanced 1/density")
    blocks(16, 64, 4, 16, 0.25)
    blocks(16, 32, 8, 8, 0.5)
    layer()
    bitmaps()
