"""From a masked matrix to the memories of the matrix unit, and back.

Hardware row x of a tiled matrix lies in block row x // p, there in residue class k = x % r, as
number t = x % p // r of its class. PE lane (i, l) of n x L computes, in row step a, class
k = a * L + l of block row g * n + i, and sums it in its accumulator t * r/L + a. SIMD lane (j, s)
of m x S takes, in column step b, kept column b * S + s of block column h * m + j. Step
((g * H + h) * r/L + a) * c/S + b is one word of weights. After the last h the n * p sums of a group
leave in row order, n * L per word: row x of a block is in lane x % L, accumulator x // L.

Column indices are stored once for all positions and once per run: lane (j, s) of step b takes column
index * run + (b * S + s) % run of block column h * m + j, where index is that of run (b * S + s) // run
among the kept ones of its block (`Tiling.index_memory` counts the words).
`tests/pruning/test_tiled_unit.py` runs this.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.ir.units import Tiling
from pruning._scheme import PackedWeights

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def pack(weights: Ints, kept: Bools, tiling: Tiling | None, pe: int, simd: int) -> PackedWeights:
    """Arrange a matrix in the order in which a matrix unit executes it.

    Args:
        weights: `(mh, mw)` integers, rows in hardware order, 0 where pruned.
        kept: `(mh, mw)` booleans.
        tiling: the structure of the unit; None: dense.
        pe: rows in parallel; (pe, simd) is one of `dse.ir.units.legal_folds`.
        simd: executed columns in parallel.

    Raises:
        ValueError: `kept` is not balanced as `tiling` says.
    """
    mh, mw = weights.shape
    if tiling is None:
        steps = weights.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3)
        return PackedWeights(steps.reshape(-1, pe, simd).astype(np.int64))
    lanes, n, width, m = (int(v) for v in tiling.lanes(pe, simd))
    r, c = tiling.kept_rows, tiling.kept_cols
    rows, columns = tile_indices(kept, tiling)
    grid = (len(rows) // n, n, rows.shape[1] // m, m)
    tiles = _gather(weights, rows, columns, tiling)
    tiles = tiles.reshape(*grid, r // lanes, lanes, c // width, width)
    return PackedWeights(
        weights=tiles.transpose(0, 2, 4, 6, 1, 5, 3, 7).reshape(-1, pe, simd).astype(np.int64),
        columns=_indices(columns, tiling, pe, simd),
        # with m > 1 no row is pruned: the entries of all m block columns are 0
        rows=rows.reshape(*grid, r)[:, :, :, 0].transpose(0, 2, 1, 3).reshape(-1, n * r),
    )


def unpack(
    packed: PackedWeights, mh: int, mw: int, tiling: Tiling | None, pe: int, simd: int
) -> tuple[Ints, Bools]:
    """Return the `(mh, mw)` weights and mask that were packed, rows in hardware order.

    A dense unit stores no mask: there a weight counts as kept where it is not 0.
    """
    if tiling is None:
        steps = packed.weights.reshape(mh // pe, mw // simd, pe, simd)
        weights = steps.transpose(0, 2, 1, 3).reshape(mh, mw)
        return weights, weights != 0
    assert packed.rows is not None
    assert packed.columns is not None
    p, q, r, c = tiling.block_rows, tiling.block_cols, tiling.kept_rows, tiling.kept_cols
    lanes, n, width, m = (int(v) for v in tiling.lanes(pe, simd))
    u, v = mh // p, mw // q
    tiles = packed.weights.reshape(u // n, v // m, r // lanes, c // width, n, lanes, m, width)
    tiles = tiles.transpose(0, 4, 1, 6, 2, 5, 3, 7).reshape(u, v, r, c)
    columns = _columns(packed.columns, tiling, mh, mw, pe, simd)
    rows = packed.rows.reshape(u // n, v // m, n, 1, r).transpose(0, 2, 1, 3, 4)
    rows = np.broadcast_to(rows, (u // n, n, v // m, m, r)).reshape(u, v, r)
    weights, kept = np.zeros((mh, mw), dtype=np.int64), np.zeros((mh, mw), dtype=np.bool_)
    at = _positions(rows, columns, tiling)
    weights[at], kept[at] = tiles, True
    return weights, kept


def _indices(columns: Ints, tiling: Tiling, pe: int, simd: int) -> Ints:
    """Return the memory of column indices of `(mh/p, mw/q, c)` kept columns."""
    _, n, width, m = (int(v) for v in tiling.lanes(pe, simd))
    u, v, c = columns.shape
    period = int(tiling.period(v * tiling.block_cols, simd))
    runs = columns[:, : period * m, :: tiling.run] // tiling.run
    at_once = max(1, width // tiling.run)
    grid = runs.reshape(u // n, n, period, m, c // tiling.run // at_once, at_once)
    return grid.transpose(0, 2, 4, 1, 3, 5).reshape(-1, n * m * at_once)


def _columns(stored: Ints, tiling: Tiling, mh: int, mw: int, pe: int, simd: int) -> Ints:
    """Return the `(mh/p, mw/q, c)` kept columns of a memory of column indices."""
    _, n, width, m = (int(v) for v in tiling.lanes(pe, simd))
    u, v, c = mh // tiling.block_rows, mw // tiling.block_cols, tiling.kept_cols
    period = int(tiling.period(mw, simd))
    at_once = max(1, width // tiling.run)
    grid = stored.reshape(u // n, period, c // tiling.run // at_once, n, m, at_once)
    runs = grid.transpose(0, 3, 1, 4, 2, 5).reshape(u, period * m, c // tiling.run, 1)
    columns = (runs * tiling.run + np.arange(tiling.run)).reshape(u, period * m, c)
    return np.tile(columns, (1, v // (period * m), 1))


def tile_indices(kept: Bools, tiling: Tiling) -> tuple[Ints, Ints]:
    """Read the balanced tiles off a mask.

    Args:
        kept: `(mh, mw)` booleans, rows in hardware order.
        tiling: what the mask must be.

    Returns:
        `(mh/p, mw/q, r)`: which of the p/r rows of its residue class each kept row is, and
        `(mh/p, mw/q, c)`: the kept columns within each block, ascending.

    Raises:
        ValueError: the mask has another structure.
    """
    p, q, r, c = tiling.block_rows, tiling.block_cols, tiling.kept_rows, tiling.kept_cols
    mh, mw = kept.shape
    blocks = kept.reshape(mh // p, p, mw // q, q).transpose(0, 2, 1, 3)
    row_kept = blocks.any(axis=3).reshape(*blocks.shape[:2], p // r, r)
    rows = row_kept.argmax(axis=2).astype(np.int64)
    # a stable sort puts the kept columns first and leaves them ascending
    columns = np.argsort(~blocks.any(axis=2), axis=2, kind="stable")[:, :, :c].astype(np.int64)
    rebuilt = np.zeros_like(kept)
    rebuilt[_positions(rows, columns, tiling)] = True
    if not np.array_equal(rebuilt, kept):
        msg = f"the mask must keep a {r} x {c} tile of every {p} x {q} block, and does not"
        raise ValueError(msg)
    parts = columns.reshape(mh // p, tiling.positions, -1)
    runs = columns.reshape(-1, tiling.run)
    if (parts != parts[:, :1]).any() or (
        runs != runs[:, :1] // tiling.run * tiling.run + np.arange(tiling.run)
    ).any():
        msg = (
            f"the mask must keep the same columns at all {tiling.positions} positions, in aligned runs of"
            f" {tiling.run}, and does not"
        )
        raise ValueError(msg)
    return rows, columns


def _gather(weights: Ints, rows: Ints, columns: Ints, tiling: Tiling) -> Ints:
    return weights[_positions(rows, columns, tiling)]


def _positions(rows: Ints, columns: Ints, tiling: Tiling) -> tuple[Ints, Ints]:
    """Return row and column in the matrix of every entry of the `(mh/p, mw/q, r, c)` tiles."""
    u, v, r = rows.shape
    block_row = np.arange(u)[:, None, None] * tiling.block_rows
    block_col = np.arange(v)[None, :, None] * tiling.block_cols
    row = block_row + rows * r + np.arange(r)
    return row[:, :, :, None], (block_col + columns)[:, :, None, :]
