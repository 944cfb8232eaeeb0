"""Thinning by cells against comparing all rows two by two."""

from __future__ import annotations

import numpy as np
import pytest

from dse.folding import cells
from dse.folding.cells import LEVELS, cell_size, rounded, thinned
from dse.folding.dominance import minima, surely_beaten


def random_rows(seed: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 900))
    limits = rng.integers(5_000, 60_000, columns)
    points = (rng.uniform(0, 1, (n, columns)) ** 2 * limits).astype(np.int64)
    points[rng.random(n) < 0.2] = points[0]  # equal rows, and others equal in the first column
    points[rng.random(n) < 0.2, 0] = points[0, 0]
    return rng.choice([0, 2, 7], n), points, limits


@pytest.mark.parametrize("columns", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_a_kept_row_stands_for_every_row(seed: int, columns: int) -> None:
    groups, points, limits = random_rows(seed, columns)
    for level in (0, 9, 14, 19, LEVELS - 1):
        rows, lost = rounded(groups, points, limits, level)
        assert lost[0] == 0
        assert (lost < cell_size(limits, level)).all()
        same = groups[rows] == groups[:, None]
        near = (points[rows] <= (points + lost)[:, None]).all(axis=2)
        assert (same & near).any(axis=1).all()
        # of the rows in cells, those that nothing beats, each once
        inside = points // cell_size(limits, level)
        truth = np.unique(np.c_[groups, inside][minima(groups, inside)], axis=0)
        found = np.c_[groups, inside][rows]
        np.testing.assert_array_equal(found[np.lexsort(found.T[::-1])], truth)


@pytest.mark.parametrize("seed", range(8))
def test_cells_are_the_smallest_that_will_do(seed: int) -> None:
    groups, points, limits = random_rows(seed, 3)
    sizes = [len(rounded(groups, points, limits, level)[0]) for level in range(LEVELS)]
    for most in (3, 20, 100):
        for start in (0, 10, LEVELS - 1):
            rows, _, level = thinned(groups, points, limits, most, start)
            assert len(rows) == sizes[level]
            assert len(rows) <= most or level == LEVELS - 1
            # from where it starts: the next finer ones keep more than wanted
            assert level == 0 or level == start or sizes[level - 1] > most


def test_a_table_that_would_be_too_large_is_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, points, limits = random_rows(1, 3)
    rows, _ = rounded(groups, points, limits, 12)
    monkeypatch.setattr(cells, "TABLE", 1)
    others, _ = rounded(groups, points, limits, 12)
    assert sorted(rows.tolist()) == sorted(others.tolist())


@pytest.mark.parametrize("seed", range(8))
def test_what_is_surely_beaten_is_beaten(seed: int) -> None:
    groups, points, _ = random_rows(seed, 3)
    by_groups, by, _ = random_rows(seed + 50, 3)
    by_groups = np.where(by_groups == 7, 5, by_groups)
    found = surely_beaten(groups, points, by_groups, by)
    same = groups[:, None] == by_groups
    no_more = (by <= points[:, None]).all(axis=2) & (by[:, 0] < points[:, :1])
    truth = (same & no_more).any(axis=1)
    assert truth[found].all()
    assert found.sum() >= truth.sum() * 0.9
    assert not surely_beaten(groups, points, by_groups[:0], by[:0]).any()
