"""Balanced block column-row pruning: every block keeps a dense tile of the same size.

Reconstructed from the abstract of FINN-pruning (Xie et al., DAC Young Fellow poster) and of GRIM
(arXiv 2108.11033): the `(mh, mw)` matrix is cut into p x q blocks, rows and columns are pruned in
each block by themselves, and every block keeps r rows and c columns, so that parallel lanes never
wait for each other. See `dse.ir.units.Tiling` for the rule on rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.ir.design import Compression
from dse.ir.units import Tiling
from pruning._legal import keep_most, legal_block, nearest_count
from pruning._scheme import Mask, Structure
from pruning._tiles import tiles

NEEDS_BLOCK = True
NEEDS_BETA = False
BY_WEIGHTS = True
ROUNDS = 3  # of alternating column and row choice; the energy hardly grows after the second

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def legalise(
    mh: int,
    mw: int,
    sparsity: float,
    block: tuple[int, int] | None,
    *,
    positions: int = 1,
) -> tuple[float, tuple[int, int] | None]:
    """Return the possible sparsity whose share of kept weights is nearest in ratio, and the block.

    The block shrinks to the largest divisors of (mh, mw) not above it. `_tiles.py` lists the
    possible tiles of a block; the sparsity returned is exactly 1 - r*c / (p*q).

    Raises:
        UsageError: there is no block.
    """
    if sparsity <= 0:
        return 0.0, None
    p, q = legal_block(mh, mw, block, "bcr needs a block: add `block: 8x16` (rows x columns)")
    count = nearest_count(tiles(p, q, mw // q), sparsity, p * q)
    return (0.0, None) if count == p * q else (1 - count / (p * q), (p, q))


def structure(mh: int, mw: int, compression: Compression, *, positions: int = 1) -> Structure:
    """Return the tiled matrix."""
    assert compression.block is not None
    p, q = compression.block
    r, c = tiles(p, q, mw // q)[round((1 - compression.sparsity) * p * q)]
    return Structure(mh, mw, Tiling(p, q, r, c), compression.weight_bits)


def mask(
    weights: Floats,
    compression: Compression,
    *,
    reorder: bool,
    positions: int = 1,
    seed: int = 0,
) -> Mask:
    """Keep in every block the columns and rows with the largest L2 norm.

    `reorder=True` gathers rows of similar patterns in one block row where that keeps more energy
    (sum of squared weights) than the order given.
    """
    tiling = structure(weights.shape[0], weights.shape[1], compression).tiling
    assert tiling is not None
    return Mask(*keep_most(np.square(weights), tiling, project, reorder=reorder))


def project(energy: Floats, tiling: Tiling) -> Bools:
    """Return the `(mh, mw)` mask that keeps one tile of every block, by energy.

    Columns are chosen by their energy in the kept rows (at first all), and in every residue class
    modulo r the row with the most energy in the kept columns, in turns: no turn loses energy. Of
    equals the first is kept. At the end a row that no block kept gets a place back: it would be an
    output that never changes.

    Args:
        energy: `(mh, mw)` squared weights, rows in hardware order.
        tiling: the structure.
    """
    p, q, r, c = tiling.block_rows, tiling.block_cols, tiling.kept_rows, tiling.kept_cols
    u, v = energy.shape[0] // p, energy.shape[1] // q
    blocks = energy.reshape(u, p, v, q).transpose(0, 2, 1, 3)
    columns = _largest(blocks.sum(axis=2), c)
    rows = np.ones((u, v, p), dtype=np.bool_)
    if r < p:
        for _ in range(ROUNDS):
            score = np.einsum("uvpq,uvq->uvp", blocks, columns).reshape(u, v, p // r, r)
            rows = _marked(score.argmax(axis=2), p // r)
            columns = _largest(np.einsum("uvpq,uvp->uvq", blocks, rows), c)
        rows = _marked(_restored(score.argmax(axis=2), score), p // r)
        columns = _largest(np.einsum("uvpq,uvp->uvq", blocks, rows), c)
    kept: Bools = rows[:, :, :, None] & columns[:, :, None, :]
    return kept.transpose(0, 2, 1, 3).reshape(energy.shape)


def _restored(choice: Ints, score: Floats) -> Ints:
    """Give every row that no block column chose a place where that costs least energy.

    Args:
        choice: `(u, v, r)`: which of the p/r rows of its residue class each kept row is.
        score: `(u, v, p/r, r)` energy of every row in the kept columns.

    Returns:
        The choice, without dead rows wherever there are p/r block columns or more.
    """
    choice = choice.copy()
    chosen = np.stack([(choice == t).sum(axis=1) for t in range(score.shape[2])], axis=1)
    for u, t, k in np.argwhere(chosen == 0):
        holder = choice[u, :, k]
        loss = score[u, np.arange(len(holder)), holder, k] - score[u, :, t, k]
        loss[chosen[u, holder, k] < 2] = np.inf
        cheapest = loss.argmin()
        if np.isfinite(loss[cheapest]):
            chosen[u, holder[cheapest], k] -= 1
            chosen[u, t, k] = 1
            choice[u, cheapest, k] = t
    return choice


def _marked(choice: Ints, count: int) -> Bools:
    """Turn the `(u, v, r)` choice among `count` rows per class into `(u, v, p)` booleans."""
    marked: Bools = np.arange(count)[:, None] == choice[:, :, None, :]
    return marked.reshape(*choice.shape[:2], -1)


def _largest(values: Floats, count: int) -> Bools:
    """Mark the `count` largest values along the last axis."""
    best = np.argsort(-values, axis=-1, kind="stable")[..., :count]
    marked = np.zeros(values.shape, dtype=np.bool_)
    np.put_along_axis(marked, best, True, axis=-1)
    return marked
