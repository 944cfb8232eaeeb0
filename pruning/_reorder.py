"""Which rows to put into one block row, so that shared columns keep most of the weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.ir.units import Tiling

ROUNDS = 8  # of refinement; the kept energy settles after a few

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def similar_rows(energy: Floats, tiling: Tiling) -> Ints:
    """Return an order of the rows that gathers similar ones in each block row of p rows.

    Balanced clustering: every block row keeps the columns with the most energy, every row moves to
    a block row that keeps much of its energy, in turns. Starts from block rows grown around the
    strongest rows; deterministic.

    Args:
        energy: `(mh, mw)` squared weights.
        tiling: the blocks and the number of kept columns.

    Returns:
        `(mh,)` permutation: row i of the new order is row `order[i]` of the old; the rows of one
        block row are ascending.
    """
    size = tiling.block_rows
    groups = _grown(energy, tiling)
    best, best_energy = groups, -1.0
    for _ in range(ROUNDS):
        columns = _columns(energy[groups].sum(axis=1), tiling)
        score = energy @ columns.T.astype(np.float64)
        kept_energy = float(score[groups, np.arange(len(groups))[:, None]].sum())
        if kept_energy <= best_energy:
            break
        best, best_energy = groups, kept_energy
        groups = _assigned(score, size)
    return np.sort(best, axis=1).ravel()


def _grown(energy: Floats, tiling: Tiling) -> Ints:
    """Return `(mh/p, p)` rows: the strongest row left and those that lose least in its columns."""
    size = tiling.block_rows
    left = np.argsort(-energy.sum(axis=1), kind="stable")
    groups = []
    while len(left):
        columns = _columns(energy[left[:1]], tiling)[0]
        score = energy[left] @ columns.astype(np.float64)
        score[0] = np.inf  # the row the group grows around
        chosen = np.argsort(-score, kind="stable")[:size]
        groups.append(left[chosen])
        left = np.delete(left, chosen)
    return np.stack(groups)


def _columns(energy: Floats, tiling: Tiling) -> npt.NDArray[np.bool_]:
    """Mark per row of `(n, mw)` the c columns with the most energy in each block of q."""
    blocks = energy.reshape(len(energy), -1, tiling.block_cols)
    best = np.argsort(-blocks, axis=2, kind="stable")[:, :, : tiling.kept_cols]
    marked = np.zeros(blocks.shape, dtype=np.bool_)
    np.put_along_axis(marked, best, True, axis=2)
    return marked.reshape(energy.shape)


def _assigned(score: Floats, size: int) -> Ints:
    """Return `(groups, size)` rows, each in a group with a high score in `(mh, groups)`.

    Rows with the most to lose choose first.
    """
    count = score.shape[1]
    if count == 1:
        return np.arange(len(score))[None, :]
    top = np.partition(score, count - 2, axis=1)
    groups: list[list[int]] = [[] for _ in range(count)]
    open_score = score.copy()
    for row in np.argsort(top[:, -2] - top[:, -1], kind="stable").tolist():
        group = int(open_score[row].argmax())
        groups[group].append(row)
        if len(groups[group]) == size:
            open_score[:, group] = -np.inf
    return np.array(groups, dtype=np.int64)
