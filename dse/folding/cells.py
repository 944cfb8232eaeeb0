"""Thinning: a smaller set of labels that stands for all, found in cells.

All columns but the first are rounded down to cells. The label with the least in the first column stands for its cell and
those above, so no label is lost by more than one cell of each resource. Tables of all cells make that quick: with what is
needed of the first column in them, running minima along both axes say what is beaten.
"""

from __future__ import annotations

import numpy as np

from dse.folding.dominance import Array, lowest, minima

FINEST = 12  # cells begin at 2 ** -12 of the limits
STEPS = 2  # cell sizes for every factor of two
LEVELS = FINEST * STEPS  # sizes of cells; the largest hold everything in one
TABLE = 1 << 19  # cells that a table may have
MOST = np.iinfo(np.int64).max


def cell_size(limits: Array, level: int) -> Array:
    """Return the size of cells, `(k,)`, a share of the limits; 1 is exact, as is the first column."""
    size: Array = np.maximum((limits * 2.0 ** (level / STEPS - FINEST)).astype(np.int64), 1)
    size[0] = 1
    return size


def rounded(groups: Array, points: Array, limits: Array, level: int) -> tuple[Array, Array]:
    """Return the rows that stand for all where cells have one size, and how much worse they may be.

    Args:
        groups: `(n,)`, none negative.
        points: `(n, k)`, none negative.
        limits: `(k,)`; cells are a share of them.
        level: which size, below `LEVELS`.

    Returns:
        Rows, and `(k,)`: for every row of `points` a kept one of its group needs at most so much
        more.
    """
    size = cell_size(limits, level)
    return _minima(groups, points // size), (size - 1) * (np.ptp(points, axis=0) > 0)


def thinned(
    groups: Array, points: Array, limits: Array, most: int, level: int
) -> tuple[Array, Array, int]:
    """Return at most `most` rows, as `rounded` does, where there are cells so large.

    Args:
        groups: `(n,)`, none negative.
        points: `(n, k)`, none negative.
        limits: `(k,)`.
        most: rows to keep.
        level: where the search for the smallest cells that will do begins.

    Returns:
        What `rounded` does, and the level found.
    """
    found = rounded(groups, points, limits, level)
    if len(found[0]) <= most:
        while level > 0:
            finer = rounded(groups, points, limits, level - 1)
            if len(finer[0]) > most:
                break
            found, level = finer, level - 1
    else:
        while len(found[0]) > most and level + 1 < LEVELS:
            level += 1
            found = rounded(groups, points, limits, level)
    return *found, level


def _minima(groups: Array, points: Array) -> Array:
    """`minima` by a table of the cells of all groups, where there are three columns and not too many cells."""
    if points.shape[1] != 3:
        return minima(groups, points)
    first = points[:, 0]
    ranks, shape = zip(*(_ranks(x) for x in (groups, points[:, 1], points[:, 2])), strict=True)
    if np.prod(shape) > TABLE:
        return minima(groups, points)
    place = np.ravel_multi_index(ranks, shape)
    least = np.full(np.prod(shape), MOST)
    np.minimum.at(least, place, first)
    keep = lowest(least.reshape(shape), MOST)
    rows = np.flatnonzero(keep.ravel()[place] & (first == least[place]))
    _, firsts = np.unique(place[rows], return_index=True)
    kept: Array = rows[firsts]
    return kept


def _ranks(values: Array) -> tuple[Array, int]:
    """Return which of the distinct values each is, and how many there are; values are small and not negative."""
    there = np.bincount(values) > 0
    return (np.cumsum(there) - 1)[values], int(there.sum())
