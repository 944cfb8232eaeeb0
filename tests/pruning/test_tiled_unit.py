"""What a tiled matrix unit does, step by step: the reference of the hardware kernels.

`emulate` reads nothing but `PackedWeights`, one input word after the other, and keeps p/L
accumulators per PE lane; any difference between it and a plain product of the masked matrix is a
bug in the packing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from dse.emit.sweep_integers import random_mask
from dse.ir.design import Compression
from dse.ir.units import MatrixUnit, Tiling, legal_folds
from pruning import bcr
from pruning._pack import pack
from pruning._scheme import PackedWeights

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    outputs: list[int]  # in stream order
    steps: int  # executed steps, one weight word each
    cycles: int  # the sums of a group leave while the next group is computed


def emulate(packed: PackedWeights, x: Ints, mh: int, tiling: Tiling, pe: int, simd: int) -> Run:
    """Multiply one vector as the tiled unit does."""
    assert packed.rows is not None
    assert packed.columns is not None
    p, q, r, c = tiling.block_rows, tiling.block_cols, tiling.kept_rows, tiling.kept_cols
    lanes, n, width, m = (int(v) for v in tiling.lanes(pe, simd))
    groups, words = mh // p // n, len(x) // (m * q)
    row_steps, column_steps = r // lanes, c // width
    run, period = tiling.run, int(tiling.period(len(x), simd))
    sharing, at_once = max(1, run // width), max(1, width // run)
    stream = iter(x.reshape(words, m, q))
    buffer: list[Ints] = []  # the vector is read in the first group and used again by the others
    outputs: list[int] = []
    step = cycles = 0
    for group in range(groups):
        accumulators = np.zeros((n, lanes, p // lanes), dtype=np.int64)
        first = step
        for word in range(words):
            if group == 0:
                buffer.append(next(stream))
            tile = group * words + word
            for a in range(row_steps):
                for b in range(column_steps):
                    phase = group * period + word % period
                    row = packed.columns[(phase * column_steps + b) // sharing]
                    runs = row.reshape(n, m, at_once)
                    for i in range(n):
                        gathered = [
                            buffer[word][j, runs[i, j, s // run] * run + (b * width + s) % run]
                            for j in range(m)
                            for s in range(width)
                        ]
                        for lane in range(lanes):
                            which = packed.rows[tile, i * r + a * lanes + lane]
                            slot = which * row_steps + a
                            products = packed.weights[step, i * lanes + lane] * gathered
                            accumulators[i, lane, slot] += products.sum()
                    step += 1
        # row x of a block belongs to lane x % L, slot x // L: words leave in row order
        sums = accumulators.transpose(0, 2, 1).reshape(-1, pe)
        outputs += sums.ravel().tolist()
        cycles += max(step - first, len(sums))
    return Run(outputs, step, cycles)


CASES = [
    (Tiling(4, 6, 4, 3), 8, 12),  # columns only
    (Tiling(4, 6, 4, 6), 12, 12),  # everything kept
    (Tiling(4, 6, 2, 3), 8, 12),  # one of two rows of each residue class
    (Tiling(8, 4, 2, 2), 16, 16),  # one of four
    (Tiling(6, 5, 3, 4), 12, 10),  # no power of two
    (Tiling(6, 1, 2, 1), 12, 3),  # rows only
    (Tiling(1, 8, 1, 2), 6, 16),  # a block is a piece of one row
    (Tiling(8, 8, 1, 1), 8, 8),  # one weight; output words set the pace
    (Tiling(2, 4, 2, 2, positions=4), 4, 48),  # kernels: the same columns at every position
    (Tiling(1, 3, 1, 1, positions=9), 6, 81),  # of every row by itself
    (Tiling(4, 12, 4, 6, positions=3, run=3), 8, 36),  # runs of channels
    (Tiling(2, 16, 2, 8, positions=2, run=4), 4, 64),
]


def random_case(tiling: Tiling, mh: int, mw: int) -> tuple[Ints, npt.NDArray[np.bool_], Ints]:
    rng = np.random.default_rng(mh * mw + tiling.kept_rows)
    kept = random_mask(mh, mw, tiling, rng)
    return rng.integers(-7, 8, (mh, mw)) * kept, kept, rng.integers(0, 16, mw)


@pytest.mark.parametrize(("tiling", "mh", "mw"), CASES)
def test_every_legal_fold_computes_the_masked_product(tiling: Tiling, mh: int, mw: int) -> None:
    weights, kept, x = random_case(tiling, mh, mw)
    shapes = set()
    for pe, simd in zip(*(f.tolist() for f in legal_folds(mh, mw, tiling)), strict=True):
        packed = pack(weights, kept, tiling, pe, simd)
        run = emulate(packed, x, mh, tiling, pe, simd)
        assert run.outputs == (weights @ x).tolist()
        unit = MatrixUnit(
            "fc", mh, mw, 1, pe, simd, 4, 4, False, 4, memory="bram", compute="lut", tiling=tiling
        )
        assert run.steps == unit.depth == len(packed.weights)
        assert run.cycles == unit.cycles
        _, n, _, m = tiling.lanes(pe, simd)
        shapes.add((n > 1, m > 1))
    assert (True, False) in shapes or mh == tiling.block_rows
    assert ((True, True) in shapes) == (
        tiling.kept_rows == tiling.block_rows and mh > tiling.block_rows
    )


def test_the_index_memories_hold_each_kept_column_and_row_once() -> None:
    tiling, mh, mw = CASES[2]
    weights, kept, _ = random_case(tiling, mh, mw)
    blocks = mh * mw // 24
    for pe, simd in zip(*(f.tolist() for f in legal_folds(mh, mw, tiling)), strict=True):
        packed = pack(weights, kept, tiling, pe, simd)
        assert packed.columns is not None
        assert packed.rows is not None
        assert packed.columns.size == blocks * tiling.kept_cols
        assert packed.rows.size == blocks * tiling.kept_rows
        assert packed.columns.max() < tiling.block_cols
        assert packed.rows.max() < tiling.block_rows // tiling.kept_rows


def test_a_dense_unit_reads_rows_and_columns_in_stream_order() -> None:
    weights = np.arange(24).reshape(4, 6)
    packed = pack(weights, np.ones_like(weights, dtype=bool), None, 2, 3)
    assert packed.columns is None
    assert packed.weights.tolist() == [
        [[0, 1, 2], [6, 7, 8]],
        [[3, 4, 5], [9, 10, 11]],
        [[12, 13, 14], [18, 19, 20]],
        [[15, 16, 17], [21, 22, 23]],
    ]


@pytest.mark.parametrize("flip", [(0, 0), (3, 5)])
def test_pack_refuses_a_mask_that_is_not_balanced(flip: tuple[int, int]) -> None:
    tiling = Tiling(4, 6, 2, 3)
    kept = bcr.project(np.random.default_rng(0).random((4, 6)), tiling)
    kept[flip] = not kept[flip]
    with pytest.raises(ValueError, match="must keep a 2 x 3 tile of every 4 x 6 block"):
        pack(kept.astype(np.int64), kept, tiling, 1, 1)


def test_columns_of_a_real_mask_reach_the_unit() -> None:
    rng = np.random.default_rng(5)
    sparsity, block = bcr.legalise(20, 30, 0.5, (10, 15))
    c = Compression(4, 4, "bcr", sparsity, block)
    tiling = bcr.structure(20, 30, c).tiling
    assert tiling is not None
    mask = bcr.mask(rng.normal(size=(20, 30)), c, reorder=True)
    kept = mask.kept[mask.row_order]
    weights, x = rng.integers(-7, 8, kept.shape) * kept, rng.integers(0, 4, 30)
    run = emulate(pack(weights, kept, tiling, 10, 4), x, 20, tiling, 10, 4)
    assert run.outputs == (weights @ x).tolist()
