"""Unstructured and filter pruning against plain definitions."""

import numpy as np
import pytest

from dse.ir.design import Compression
from pruning import dense, filter, unstructured


def test_unstructured_removes_the_smallest_magnitudes() -> None:
    weights = np.array([[0.1, -3.0, 0.5], [-0.2, 2.0, -0.4]])
    assert unstructured.legalise(2, 3, 0.52, (8, 8)) == (0.5, None)
    mask = unstructured.mask(weights, Compression(4, 4, "unstructured", 0.5), reorder=True)
    assert mask.kept.tolist() == [[False, True, True], [False, True, False]]
    assert mask.row_order.tolist() == [0, 1]


def test_unstructured_counts_exactly_where_magnitudes_are_equal() -> None:
    mask = unstructured.mask(
        np.ones((4, 4)), Compression(1, 1, "unstructured", 5 / 16), reorder=False
    )
    assert mask.kept.ravel().tolist() == [False] * 5 + [True] * 11


def test_unstructured_leaves_a_weight() -> None:
    assert unstructured.legalise(4, 4, 0.999, None) == (15 / 16, None)


@pytest.mark.parametrize(
    ("mh", "wanted", "kept"),
    [
        (64, 0.5, 32),
        (64, 0.4, 40),  # 38.4 to a multiple of 8
        (16, 0.4, 8),  # 9.6 to a multiple of 4
        (8, 0.4, 4),  # 4.8 to a multiple of 2
        (10, 0.3, 8),  # 7 to an even number, the nearest of equals being the even multiple
        (7, 0.5, 4),  # 3.5 to a whole number
        (64, 0.99, 8),  # at least one multiple
        (64, 0.02, 64),
        (1, 0.9, 1),
    ],
)
def test_filter_keeps_a_number_of_rows_that_folds(mh: int, wanted: float, kept: int) -> None:
    sparsity, block = filter.legalise(mh, 9, wanted, None)
    assert (sparsity, block) == ((mh - kept) / mh, None)
    s = filter.structure(mh, 9, Compression(4, 4, "filter", sparsity))
    assert (s.mh, s.mw, s.tiling) == (kept, 9, None)


def test_filter_removes_the_weakest_rows_and_orders_the_rest() -> None:
    weights = np.array([[3.0, 0.0], [1.0, 1.0], [0.0, -4.0], [2.0, 2.0]])
    mask = filter.mask(weights, Compression(4, 4, "filter", 0.5), reorder=False)
    assert mask.kept.tolist() == [[True, True], [False, False], [True, True], [False, False]]
    assert mask.row_order.tolist() == [0, 2, 1, 3]


def test_dense_keeps_all() -> None:
    assert dense.legalise(4, 4, 0.9, (2, 2)) == (0.0, None)
    assert dense.mask(np.zeros((2, 3)), Compression(4, 4), reorder=True).kept.all()
