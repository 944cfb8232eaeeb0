"""The order of designs at a stage: by rank of non-domination, then by crowding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.search.pareto import non_dominated

Floats = npt.NDArray[np.float64]


def place_of(points: Floats, index: int) -> int:
    """Return how many of the points come before one of them; equals come in the order they have.

    Points of a lower rank come first, of one rank those in the emptier neighbourhood, as NSGA-II selects (Deb et
    al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC 6(2), 2002).

    Args:
        points: `(n, m)`, to be minimised.
        index: the row that is asked for.
    """
    left, before = np.arange(len(points)), 0
    while True:
        best = non_dominated(points[left])
        if best[np.flatnonzero(left == index)[0]]:
            break
        before += int(best.sum())
        left = left[~best]
    rank = left[best]
    distances = crowding(points[rank])
    own = int(np.flatnonzero(rank == index)[0])
    ahead = (distances > distances[own]) | ((distances == distances[own]) & (rank < index))
    return before + int(ahead.sum())


def crowding(points: Floats) -> Floats:
    """Return `(n,)`: the side lengths, as shares of the range, between the neighbours of each point; ends are infinite."""
    total = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        span = float(column[order[-1]] - column[order[0]])
        total[order[[0, -1]]] = np.inf
        if span > 0:
            total[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return total
