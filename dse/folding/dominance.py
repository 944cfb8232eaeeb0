"""Sets of partial designs ("labels"): which of them nothing beats.

A label is what a beginning of the chain needs of each resource, in whole numbers; smaller is better
everywhere. Labels of one group end in the same state of the chain, so that they can be compared.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

SMALL = 100  # rows that are compared two by two at once
TABLE = 1 << 22  # entries of a table that finds out quickly what is beaten, at most
GRID = 256  # values that a column is rounded to, to find out quickly what is beaten
SAMPLE = 1000  # rows that they are taken from
BLOCK = 256  # rows compared at once, and
FIRST = 8  # so many to begin with: a few good ones beat most of the others


def minima(groups: Array, points: Array) -> Array:
    """Return the rows that no other row of their group dominates; of equal rows the first.

    A row dominates another when it is nowhere larger and somewhere smaller.

    Args:
        groups: `(n,)`.
        points: `(n, k)`.
    """
    if not len(points):
        return np.zeros(0, dtype=np.int64)
    vary = [0, *(c for c in range(1, points.shape[1]) if np.ptp(points[:, c]))]
    points = points[:, vary]
    if len(vary) <= 2:
        return _plane_minima(groups, points[:, 0], points[:, -1])
    rows = np.arange(len(points))
    if len(vary) == 3 and len(points) > SMALL:
        rows = rows[~surely_beaten(groups, points, groups, points)]
    of_group = _space_minima if len(vary) == 3 else _hyper_minima
    order = rows[np.argsort(groups[rows], kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return np.concatenate([rows[of_group(points[rows])] for rows in parts])


def _plane_minima(groups: Array, first: Array, second: Array) -> Array:
    """`minima` of two columns: the steps of one staircase per group."""
    order = np.lexsort((first, second, groups))
    # a group lies wholly below the one before: the running minimum begins anew with it
    _, rank = np.unique(groups[order], return_inverse=True)
    height = first[order] - rank * (np.ptp(first) + 1)
    keep = np.ones(len(order), dtype=np.bool_)
    keep[1:] = height[1:] < np.minimum.accumulate(height)[:-1]
    kept: Array = order[keep]
    return kept


def surely_beaten(groups: Array, points: Array, by_groups: Array, by: Array) -> Bools:
    """Return rows for which another set has one of their group that is smaller, and nowhere larger; not all of them.

    Three columns. The last two are rounded to a grid: up of what beats, down of what is beaten.

    Args:
        groups: `(n,)`.
        points: `(n, 3)`.
        by_groups: `(m,)`.
        by: `(m, 3)`.
    """
    if not len(by):
        return np.zeros(len(points), dtype=np.bool_)
    known, group = np.unique(by_groups, return_inverse=True)
    asked = np.minimum(np.searchsorted(known, groups), len(known) - 1)
    may = known[asked] == groups
    grid = max(min(GRID, int((TABLE / len(known)) ** 0.5)), 2)
    above, below, shape = [], [], [len(known)]
    for column in (1, 2):
        values = by[:, column]
        some = np.sort(values[:: len(values) // SAMPLE + 1])
        inner = some[np.linspace(0, len(some) - 1, grid).astype(np.int64)]
        edges = np.unique([values.min(), *inner, values.max()])
        above.append(np.searchsorted(edges, values, side="left"))
        place = np.searchsorted(edges, points[:, column], side="right") - 1
        may &= place >= 0
        below.append(place)
        shape.append(len(edges))
    table = np.full(shape, np.iinfo(np.int64).max)
    np.minimum.at(table, (group, *above), by[:, 0])
    beaten: Bools = may & (_least_up_to(table)[(asked, *below)] < points[:, 0])
    return beaten


def lowest(table: Array, absent: int) -> Bools:
    """Return the entries that are smaller than all others up to their place along the last two axes.

    Args:
        table: `(..., a, b)`.
        absent: what stands where there is nothing, larger than all else.
    """
    best = _least_up_to(table)
    keep: Bools = table < absent
    keep[..., 1:, :] &= table[..., 1:, :] < best[..., :-1, :]
    keep[..., 1:] &= table[..., 1:] < best[..., :-1]
    return keep


def _least_up_to(table: Array) -> Array:
    return np.minimum.accumulate(np.minimum.accumulate(table, axis=-2), axis=-1)


def _space_minima(points: Array) -> Array:
    """`minima` of one group, three columns: a table of the last two, with the best first one."""
    if len(points) <= SMALL:
        return _hyper_minima(points)
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
    _, row = np.unique(points[order, 1], return_inverse=True)
    _, column = np.unique(points[order, 2], return_inverse=True)
    absent = len(points)
    table = np.full((row.max() + 1, column.max() + 1), absent, dtype=np.int32)
    np.minimum.at(table, (row, column), np.arange(absent, dtype=np.int32))
    kept: Array = order[table[lowest(table, absent)]]
    return kept


def _hyper_minima(points: Array) -> Array:
    """`minima` of one group, more columns: block by block against what was kept so far.

    Rows with small sums come first: they dominate most, and nothing that follows dominates them.
    """
    spread = np.maximum(np.ptp(points, axis=0), 1)
    rest = np.argsort((points / spread).sum(axis=1), kind="stable")
    kept: list[Array] = []
    size = FIRST
    while len(rest):
        rows, rest = rest[:size], rest[size:]
        own = np.triu(_covered(points[rows], points[rows]), k=1)
        rows = rows[~own.any(axis=0)]
        kept.append(rows)
        rest = rest[~_covered(points[rows], points[rest]).any(axis=0)]
        size = min(2 * size, BLOCK)
    return np.concatenate(kept)


def _covered(by: Array, points: Array) -> npt.NDArray[np.bool_]:
    """Return `(a, b)`: whether a row of `by` is nowhere larger than a point."""
    result = by[:, None, 0] <= points[:, 0]
    for column in range(1, points.shape[1]):
        result &= by[:, None, column] <= points[:, column]
    return result
