"""Sets of partial designs ("labels"): which of them nothing beats, and a smaller set near them.

A label is what a beginning of the chain needs of each resource, in whole numbers; smaller is better
everywhere. Labels of one group end in the same state of the chain, so that they can be compared.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.int64]

FINEST = 12  # cells of thinning begin at 2 ** -12 of the limits
STEPS = 2  # cell sizes for every factor of two


def minima(groups: Array, points: Array) -> Array:
    """Return the rows that no other row of their group dominates; of equal rows the first.

    A row dominates another when it is nowhere larger and somewhere smaller.

    Args:
        groups: `(n,)`.
        points: `(n, 3)`.
    """
    if not len(points):
        return np.zeros(0, dtype=np.int64)
    if not np.ptp(points[:, 2]):
        return _plane_minima(groups, points)
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return np.concatenate([rows[_space_minima(points[rows])] for rows in parts])


def _plane_minima(groups: Array, points: Array) -> Array:
    """`minima` of points with equal third columns: the steps of one staircase per group."""
    order = np.lexsort((points[:, 0], points[:, 1], groups))
    # a group lies wholly below the one before: the running minimum begins anew with it
    _, rank = np.unique(groups[order], return_inverse=True)
    height = points[order, 0] - rank * (np.ptp(points[:, 0]) + 1)
    keep = np.ones(len(order), dtype=np.bool_)
    keep[1:] = height[1:] < np.minimum.accumulate(height)[:-1]
    kept: Array = order[keep]
    return kept


def _space_minima(points: Array) -> Array:
    """`minima` of one group: a table of the last two columns, each cell with its best first one."""
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
    _, row = np.unique(points[order, 1], return_inverse=True)
    _, column = np.unique(points[order, 2], return_inverse=True)
    absent = len(points)
    table = np.full((row.max() + 1, column.max() + 1), absent, dtype=np.int32)
    np.minimum.at(table, (row, column), np.arange(absent, dtype=np.int32))
    best = np.minimum.accumulate(np.minimum.accumulate(table, axis=0), axis=1)
    keep = table < absent
    keep[1:] &= table[1:] < best[:-1]
    keep[:, 1:] &= table[:, 1:] < best[:, :-1]
    kept: Array = order[table[keep]]
    return kept


def thinned(groups: Array, points: Array, limits: Array, most: int) -> tuple[Array, Array]:
    """Return about `most` rows that stand for all, and how much worse they may be.

    The last two columns are put into cells, the smallest that are large enough; the row with the
    least in the first column stands for its cell and those above.

    Args:
        groups: `(n,)`.
        points: `(n, 3)`.
        limits: `(3,)`; cells are a share of them.
        most: rows to keep.

    Returns:
        Rows, and `(3,)`: for every row of `points` a kept one of its group needs at most so much
        more.
    """
    for step in range(FINEST * STEPS):
        size = np.maximum((limits * 2.0 ** (step / STEPS - FINEST)).astype(np.int64), 1)
        cells = points.copy()
        cells[:, 1:] //= size[1:]
        kept = minima(groups, cells)
        if len(kept) <= most:
            break
    return kept, (size - 1) * (np.ptp(points, axis=0) > 0) * np.array([0, 1, 1])
