"""What masks of equal density cost on one array, and what their indices cost: part of reproduce_finn_pruning.py.

Cycles of a vector on a PE x SIMD array, blocks of p x q one after the other:

* dense: mh / PE * mw / SIMD;
* balanced (BCR): as `dse.ir.units.MatrixUnit` counts and the emitted units take;
* unbalanced (BCR): rows and columns chosen among those of all blocks of a layer, so blocks differ:
  sum of ceil(R / PE) * ceil(C / SIMD); in lock step, four arrays work on four block rows and wait for the slowest;
* unstructured: a PE x SIMD piece is skipped where all its weights are 0; packed: every PE gathers the kept weights
  of its row from anywhere (a multiplexer over all columns for every lane, which nobody would build), and waits for the longest.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dse.ir.accelerator import Accelerator, Integers
from dse.ir.design import Compression
from dse.ir.units import MatrixUnit, Tiling, legal_folds
from pruning import bcr
from pruning._pack import pack
from pruning._reorder import similar_rows

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
GROUPS = 4  # arrays in lock step


def tiling_of(mh: int, mw: int, density: float, block: tuple[int, int]) -> Tiling:
    """Return the balanced blocks of a matrix at about this density."""
    sparsity, legal = bcr.legalise(mh, mw, 1 - density, block)
    tiling = bcr.structure(mh, mw, Compression(4, 4, "bcr", sparsity, legal)).tiling
    assert tiling is not None
    return tiling


def balanced_cycles(mh: int, mw: int, tiling: Tiling, pe: int, simd: int) -> int | None:
    """Return the cycles of a vector; None where this array cannot be built for these blocks."""
    pes, simds = legal_folds(mh, mw, tiling)
    if not ((pes == pe) & (simds == simd)).any():
        return None
    facts = (4, 4, False, 4, "bram", "lut", tiling)
    return int(MatrixUnit("layer", mh, mw, 1, pe, simd, *facts).cycles)


def unbalanced_mask(energy: Floats, tiling: Tiling) -> tuple[Bools, Bools]:
    """Return kept rows `(u, v, p)` and columns `(u, v, q)` of blocks.

    As many of both as the balanced mask keeps, but the strongest of the whole layer.
    """
    p, q = tiling.block_rows, tiling.block_cols
    mh, mw = energy.shape
    blocks = energy.reshape(mh // p, p, mw // q, q).transpose(0, 2, 1, 3)
    by_row, by_col = blocks.sum(axis=3), blocks.sum(axis=2)
    rows = by_row >= np.quantile(by_row, 1 - tiling.kept_rows / p)
    cols = by_col >= np.quantile(by_col, 1 - tiling.kept_cols / q)
    return rows, cols


def unbalanced_cycles(rows: Bools, cols: Bools, pe: int, simd: int) -> tuple[int, float]:
    """Return the cycles of a vector on one array, and per array where four block rows go in lock step."""
    steps = np.ceil(rows.sum(axis=2) / pe) * np.ceil(cols.sum(axis=2) / simd)
    groups = steps.reshape(-1, min(GROUPS, len(steps)), steps.shape[1])
    return int(steps.sum()), float(groups.max(axis=1).sum() * groups.shape[1])


def unstructured_cycles(kept: Bools, pe: int, simd: int) -> tuple[int, int]:
    """Return the cycles of a vector where empty pieces are skipped, and where rows are packed."""
    mh, mw = kept.shape
    pieces = kept.reshape(mh // pe, pe, mw // simd, simd).any(axis=(1, 3))
    longest = np.ceil(kept.sum(axis=1) / simd).reshape(mh // pe, pe).max(axis=1)
    return int(pieces.sum()), int(longest.sum())


def largest(energy: Floats, density: float) -> Bools:
    """Return the unstructured mask of the largest weights."""
    kept: Bools = energy > np.quantile(energy, 1 - density)
    return kept


def layer_row(weights: Floats, density: float, block: tuple[int, int], pe: int, simd: int) -> str:
    """Return a row of the table of cycles: speed-ups over dense of the masks of trained weights.

    All masks have the density that the balanced one has.
    """
    energy = np.square(weights)
    mh, mw = energy.shape
    t = tiling_of(mh, mw, density, block)
    dense = mh // pe * (mw // simd)
    balanced = balanced_cycles(mh, mw, t, pe, simd)
    rows, cols = unbalanced_mask(energy, t)
    found = (rows[..., None] & cols[:, :, None, :]).mean()
    serial, locked = unbalanced_cycles(rows, cols, pe, simd)
    pieces, packed = unstructured_cycles(largest(energy, t.density), pe, simd)
    own = "-" if balanced is None else f"{dense / balanced:.2f}"
    blocks = f"{t.block_rows}x{t.block_cols} to {t.kept_rows}x{t.kept_cols}"
    cells = [own, *(f"{dense / c:.2f}" for c in (serial, locked, pieces, packed))]
    return f"{mh}x{mw} | {blocks} | {1 / t.density:.2f} | {' | '.join(cells)} | {1 / found:.2f} |"


def index_share(tiling: Tiling, mh: int, mw: int, pe: int, simd: int) -> tuple[float, float, float]:
    """Return the bits of the index memories of the unit, over those of kept weights at 1, 2 and 4 bits."""
    words, depth = tiling.index_memory(mh, mw, pe, simd)
    kept = bcr.project(np.random.default_rng(0).random((mh, mw)), tiling)
    rows = pack(kept.astype(np.int64), kept, tiling, pe, simd).rows
    assert rows is not None
    classes = tiling.block_rows // tiling.kept_rows
    bits = int(words) * int(depth) * tiling.index_bits + rows.size * (classes - 1).bit_length()
    weights = tiling.density * mh * mw
    return bits / weights, bits / (2 * weights), bits / (4 * weights)


def reordered(accelerator: Accelerator, tilings: dict[str, Tiling]) -> Accelerator:
    """Return the network with the rows of every tiled layer, and the columns that read them, in another order.

    The order gathers rows of similar weights in one block row, as `pruning.bcr` does where it keeps more energy.
    """
    parameters = dict(accelerator.parameters)
    names = [m.name for m in accelerator.network.matrix_layers]
    for name, reader in pairwise(names):
        if name not in tilings:
            continue
        p, r = parameters[name], parameters[reader]
        order = similar_rows(np.square(p.weights.astype(np.float64)), tilings[name])
        assert p.thresholds is not None
        parameters[name] = replace(
            p, weights=p.weights[order], kept=p.kept[order], thresholds=p.thresholds[order]
        )
        parameters[reader] = replace(
            r, weights=_columns(r.weights, order), kept=_columns(r.kept, order)
        )
    return replace(accelerator, parameters=parameters)


def _columns(matrix: Integers, order: npt.NDArray[np.int64]) -> Integers:
    by_channel = matrix.reshape(len(matrix), -1, len(order))
    return by_channel[:, :, order].reshape(matrix.shape)
