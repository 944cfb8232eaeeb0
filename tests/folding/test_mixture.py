"""The best mixture against all of its corners: every choice of as many columns as there are rows."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from dse.folding.mixture import best_mixture

PENALTY = 7.0


def best_corner(costs: np.ndarray, needs: np.ndarray, limits: np.ndarray) -> float:
    n, m = needs.shape
    table = np.zeros((m + 1, n + 2 * m))
    table[:m] = np.hstack([needs.T, np.eye(m), -np.eye(m)])
    table[m, :n] = 1
    cost = np.concatenate([costs, np.zeros(m), np.full(m, PENALTY)])
    right = np.append(limits, 1.0)
    best = np.inf
    for basis in combinations(range(n + 2 * m), m + 1):
        corner = table[:, basis]
        if abs(np.linalg.det(corner)) > 1e-9:
            shares = np.linalg.solve(corner, right)
            if (shares >= -1e-9).all():
                best = min(best, float(cost[list(basis)] @ shares))
    return best


@pytest.mark.parametrize("limited", [1, 2, 3])
def test_the_best_mixture_is_the_best_corner(limited: int) -> None:
    rng = np.random.default_rng(limited)
    for points in (1, 2, 5, 7):
        for limits in (np.ones(limited), np.append(np.ones(limited - 1), 0.0)):
            costs = rng.uniform(0, 2, points)
            needs = rng.integers(0, 9, (points, limited)) / 5
            found = best_mixture(costs, needs, limits, PENALTY)
            assert found.cost == pytest.approx(best_corner(costs, needs, limits), abs=1e-9)
            # the prices prove it: at them no point is cheaper
            assert (found.prices >= 0).all()
            assert (found.prices <= PENALTY + 1e-9).all()
            least = (costs + needs @ found.prices).min() - found.prices @ limits
            assert least == pytest.approx(found.cost, abs=1e-9)


def test_many_equal_points_end() -> None:
    costs, needs = np.tile([1.0, 2.0], 40), np.tile([[3.0, 0.0], [1.0, 1.0]], (40, 1))
    found = best_mixture(costs, needs, np.array([2.0, 1.0]), PENALTY)
    assert found.cost == pytest.approx(1.5)
