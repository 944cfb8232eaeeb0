"""The order of designs at a stage, against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from dse.search.ranking import crowding, place_of


def ranks(points: np.ndarray) -> list[int]:
    """Return the length of the longest chain of points that dominate each other and end at each point."""

    def dominates(a: np.ndarray, b: np.ndarray) -> bool:
        return bool((a <= b).all() and (a < b).any())

    found: dict[int, int] = {}

    def rank(i: int) -> int:
        if i not in found:
            above = [j for j in range(len(points)) if dominates(points[j], points[i])]
            found[i] = 1 + max((rank(j) for j in above), default=-1)
        return found[i]

    return [rank(i) for i in range(len(points))]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_places_are_a_permutation_by_rank_then_crowding(axes: int) -> None:
    points = np.random.default_rng(axes).integers(0, 6, (25, axes)).astype(float)
    rank = ranks(points)
    places = [place_of(points, i) for i in range(25)]
    assert sorted(places) == list(range(25))
    order = np.argsort(places)
    assert [rank[i] for i in order] == sorted(rank)
    for level in set(rank):
        members = [i for i in range(25) if rank[i] == level]
        distance = dict(zip(members, crowding(points[members]), strict=True))
        shown = [distance[i] for i in order if rank[i] == level]
        assert shown == sorted(shown, reverse=True)


def test_crowding_of_a_line() -> None:
    points = np.array([[0.0, 4.0], [1.0, 3.0], [4.0, 0.0], [2.0, 2.0]])
    np.testing.assert_allclose(crowding(points), [np.inf, 2 / 4 + 2 / 4, np.inf, 3 / 4 + 3 / 4])
