"""Balanced column-row blocks: which tile, which weights, in which order of rows."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest

from dse.errors import UsageError
from dse.ir.design import Compression
from dse.ir.units import Tiling
from pruning import bcr
from pruning._pack import tile_indices
from pruning._tiles import tiles

Floats = npt.NDArray[np.float64]


def compression(
    mh: int, mw: int, sparsity: float, block: tuple[int, int]
) -> tuple[Compression, Tiling]:
    done, legal = bcr.legalise(mh, mw, sparsity, block)
    c = Compression(4, 4, "bcr", done, legal)
    tiling = bcr.structure(mh, mw, c).tiling
    assert tiling is not None
    return c, tiling


@pytest.mark.parametrize(
    ("block", "sparsity", "tile"),
    [
        ((16, 64), 0.1, (16, 56)),
        ((16, 64), 0.5, (16, 32)),
        ((16, 64), 0.75, (16, 16)),  # columns only, down to a quarter
        ((16, 64), 0.9, (4, 24)),  # below, rows too
        ((8, 16), 0.5, (8, 8)),
        ((8, 16), 0.9, (4, 3)),
        ((4, 16), 0.9375, (4, 1)),  # four rows or more share their columns
        ((4, 16), 0.98, (1, 1)),  # where a column is left to share
        ((16, 1), 0.5, (8, 1)),  # no columns to prune
        ((1, 16), 0.9, (1, 2)),  # no rows to prune
    ],
)
def test_tiles_of_usual_blocks(
    block: tuple[int, int], sparsity: float, tile: tuple[int, int]
) -> None:
    _, tiling = compression(block[0] * 2, block[1] * 8, sparsity, block)
    assert (tiling.kept_rows, tiling.kept_cols) == tile


def test_rows_are_pruned_only_so_far_that_each_keeps_a_place() -> None:
    for columns, rows in ((1, 16), (2, 8), (3, 8), (4, 4), (5, 4), (64, 4)):
        _, tiling = compression(32, 64 * columns, 0.93, (16, 64))
        assert tiling.kept_rows == rows
    assert tiles(8, 8, 8)[1] == (1, 1)


def test_no_output_is_dead() -> None:
    for seed, sparsity in enumerate((0.8, 0.9, 0.95, 0.98)):
        weights = np.random.default_rng(seed).normal(size=(64, 128)) ** 3
        c, _ = compression(64, 128, sparsity, (16, 16))
        for reorder in (False, True):
            assert bcr.mask(weights, c, reorder=reorder).kept.any(axis=1).all()


def test_the_block_shrinks_to_divisors() -> None:
    assert bcr.legalise(10, 784, 0.5, (16, 64)) == (0.5, (10, 56))
    assert bcr.legalise(64, 27, 0.5, (16, 16)) == (4 / 9, (16, 9))


@pytest.mark.parametrize("block", [(16, 64), (8, 16), (4, 4), (12, 36), (7, 9), (6, 25)])
def test_the_nearest_tile_is_taken_and_told_by_the_sparsity(block: tuple[int, int]) -> None:
    p, q = block
    possible = tiles(p, q, 2)
    assert possible[p * q] == (p, q)
    for count, (r, c) in possible.items():
        assert 2 * r >= p  # in two block columns every row finds a place
        assert r * c == count
        assert p % r == 0
        assert 1 <= c <= q
        assert r == p or count < p * q / 4  # rows are pruned only below a quarter
    for wanted in np.linspace(0.005, 0.995, 199).tolist():
        sparsity, _ = bcr.legalise(p * 2, q * 2, wanted, block)
        far = min(abs(math.log(n / ((1 - wanted) * p * q))) for n in possible)
        assert abs(math.log((1 - sparsity) / (1 - wanted))) == pytest.approx(far, abs=1e-9)
        if sparsity > 0:
            _, tiling = compression(p * 2, q * 2, sparsity, block)
            assert 1 - tiling.density == sparsity


def test_usual_blocks_come_close_to_any_sparsity() -> None:
    for wanted in np.linspace(0.05, 0.95, 91).tolist():
        sparsity, _ = bcr.legalise(64, 576, wanted, (16, 64))
        assert (1 - sparsity) / (1 - wanted) == pytest.approx(1, rel=0.1)


def test_bcr_needs_a_block() -> None:
    with pytest.raises(UsageError, match=r"^pruning scheme bcr needs a block"):
        bcr.legalise(8, 8, 0.5, None)


def test_a_block_of_one_weight_cannot_be_pruned() -> None:
    assert bcr.legalise(7, 5, 0.9, (1, 1)) == (0.0, None)
    assert bcr.legalise(7, 5, 0.9, (3, 4)) == (0.0, None)  # 3 and 4 divide neither 7 nor 5


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.75, 0.9, 0.97])
@pytest.mark.parametrize("reorder", [False, True])
def test_every_block_keeps_the_same_tile(sparsity: float, reorder: bool) -> None:
    mh, mw = 48, 96
    c, t = compression(mh, mw, sparsity, (8, 16))
    mask = bcr.mask(np.random.default_rng(0).normal(size=(mh, mw)), c, reorder=reorder)
    kept = mask.kept[mask.row_order]
    blocks = kept.reshape(mh // 8, 8, mw // 16, 16).transpose(0, 2, 1, 3)
    assert np.all(blocks.any(axis=3).sum(axis=2) == t.kept_rows)
    assert np.all(blocks.any(axis=2).sum(axis=2) == t.kept_cols)
    assert np.all(blocks.sum(axis=(2, 3)) == t.kept_rows * t.kept_cols)
    # one row of every residue class: no PE lane waits for another
    lanes = blocks.any(axis=3).reshape(mh // 8, mw // 16, 8 // t.kept_rows, t.kept_rows)
    assert np.all(lanes.sum(axis=2) == 1)
    tile_indices(kept, t)  # raises where the mask is not balanced


def test_the_columns_kept_are_the_best_there_are() -> None:
    energy = np.random.default_rng(1).random((8, 12))
    t = Tiling(4, 6, 4, 2)
    kept = bcr.project(energy, t)
    for u, v in itertools.product(range(2), range(2)):
        block = energy[4 * u : 4 * u + 4, 6 * v : 6 * v + 6]
        best = max(block[:, list(cs)].sum() for cs in itertools.combinations(range(6), 2))
        assert (energy * kept)[4 * u : 4 * u + 4, 6 * v : 6 * v + 6].sum() == pytest.approx(best)


def test_rows_and_columns_together_come_near_the_best() -> None:
    rng = np.random.default_rng(2)
    t = Tiling(4, 6, 2, 3)
    found = possible = 0.0
    for _ in range(40):
        energy = rng.chisquare(1, (4, 6))
        found += float(energy[bcr.project(energy, t)].sum())
        possible += max(
            energy[np.ix_([2 * a, 2 * b + 1], cs)].sum()
            for a, b in itertools.product(range(2), range(2))
            for cs in itertools.combinations(range(6), 3)
        )
    assert found > 0.95 * possible


def test_a_weak_row_keeps_a_place() -> None:
    energy = np.ones((4, 12))
    energy[3] = 1e-6
    kept = bcr.project(energy, Tiling(4, 3, 2, 2))  # rows 1 and 3 compete in four block columns
    assert kept.any(axis=1).all()
    assert kept[3].sum() == 2
    assert kept[1].sum() == 6
    # with fewer block columns than competitors some row must go
    assert not bcr.project(energy[:, :3], Tiling(4, 3, 2, 2)).any(axis=1).all()


def kept_energy(weights: Floats, c: Compression, reorder: bool) -> float:
    return float((weights[bcr.mask(weights, c, reorder=reorder).kept] ** 2).sum())


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_reordering_never_keeps_less(sparsity: float, seed: int) -> None:
    weights = np.random.default_rng(seed).standard_t(3, size=(32, 64))
    c, _ = compression(32, 64, sparsity, (8, 16))
    assert kept_energy(weights, c, True) >= kept_energy(weights, c, False)


def test_without_reordering_rows_stay() -> None:
    c, _ = compression(32, 64, 0.5, (8, 16))
    mask = bcr.mask(np.random.default_rng(0).normal(size=(32, 64)), c, reorder=False)
    assert mask.row_order.tolist() == list(range(32))


@pytest.mark.parametrize("sparsity", [0.5, 0.75])
def test_reordering_finds_hidden_groups_of_rows(sparsity: float) -> None:
    rng = np.random.default_rng(7)
    c, t = compression(64, 128, sparsity, (8, 16))
    planted = bcr.project(rng.random((64, 128)), t)
    weights = rng.normal(size=(64, 128)) * np.where(planted, 1.0, 0.05)
    shuffled = weights[rng.permutation(64)]
    hidden = float((weights[planted] ** 2).sum())
    assert kept_energy(shuffled, c, True) > 0.999 * hidden
    assert kept_energy(shuffled, c, False) < 0.85 * hidden
