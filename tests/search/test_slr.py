"""Layers in dies: the placement is the best of all contiguous ones, and its limits are what they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

import numpy as np
import pytest

from dse.config.load import load_config
from dse.config.values import StudyConfig
from dse.folding.slr import borders, per_slr
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.report.designs import dies
from dse.search.score import compared, constraints_of, metrics_of, violations
from dse.search.study import plan
from hw_templates._boards import load_board

BOARD = Board("b", "p", "ultrascale+", Resources(300, 600, 30, 60, 9), {}, 300.0, "made up", 3)


def fullest(layers: np.ndarray, placed: tuple[int, ...]) -> float:
    """Return the largest share of any resource of any die."""
    die = np.array([getattr(BOARD.resources, r) for r in RESOURCES]) / BOARD.slrs
    spans = pairwise(placed)
    return max(float((layers[a:b].sum(axis=0) / die).max()) for a, b in spans)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_no_contiguous_placement_is_better(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(20):
        layers = rng.integers(0, 40, (count, len(RESOURCES))) * (rng.random((count, 5)) < 0.6)
        placed = borders(layers.astype(float), BOARD)
        assert placed[0] == 0
        assert placed[-1] == count
        assert (np.diff(placed) >= 0).all()
        inner = combinations_with_replacement(range(count + 1), BOARD.slrs - 1)
        best = min(fullest(layers, (0, *cuts, count)) for cuts in inner)
        assert fullest(layers, tuple(placed)) == pytest.approx(best)


def test_many_designs_are_placed_at_once() -> None:
    layers = np.random.default_rng(3).random((7, 6, len(RESOURCES)))
    placed = borders(layers, BOARD)
    for one, alone in zip(layers, placed, strict=True):
        np.testing.assert_array_equal(borders(one, BOARD), alone)
        np.testing.assert_allclose(per_slr(one, alone).sum(axis=0), one.sum(axis=0))


def test_a_resource_that_the_board_lacks_moves_no_border() -> None:
    layers = np.random.default_rng(4).random((6, len(RESOURCES)))
    board = replace(BOARD, resources=replace(BOARD.resources, uram=0))
    without = layers.copy()
    without[:, RESOURCES.index("uram")] = 0
    np.testing.assert_array_equal(borders(layers, board), borders(without, board))


@pytest.fixture
def config(tmp_path: Path) -> StudyConfig:
    path = tmp_path / "study.yaml"
    path.write_text(
        "version: 1\nstudy: s\nmodel: cnv\ndata: {name: noise}\nboard: U280\nclock: 200 MHz\n"
        "reserve: {lut: 103680}\nspace: {weight_bits: [1, 2], activation_bits: 2}\n"
        "objectives: {throughput: maximize}\n"
        "constraints: [lut per slr <= 50 %, bram per slr <= 700]\n"
    )
    return load_config(path)


def test_limits_are_of_one_die_after_reserve(config: StudyConfig) -> None:
    lut, bram, *_ = constraints_of(config)
    assert (lut.metric, lut.limit) == ("lut per slr", pytest.approx(0.5 * 400_000))
    assert (bram.metric, bram.limit) == ("bram18 per slr", 700)


def test_one_die_has_the_plain_limit(config: StudyConfig) -> None:
    single = replace(config, board=replace(config.board, slrs=1))
    lut, bram, *rest = constraints_of(single)
    assert (lut.metric, bram.metric) == ("lut", "bram18")
    assert not {"lut", "bram18"} & {c.metric for c in rest}  # bounded, so by no rule of the board


def test_the_fullest_die_is_judged_at_upper_ends(config: StudyConfig) -> None:
    p = plan(config)
    hardware = p.hardware(p.space.decode(p.space.baseline()))
    metrics = metrics_of(hardware, config.board)
    shown = dies(hardware, config.board)
    assert len(shown) == 3
    assert sum(d.expected.lut for d in shown) == pytest.approx(hardware.total.expected.lut)
    assert max(d.high.lut for d in shown) == metrics["lut_per_slr_high"]
    assert max(d.expected.lut for d in shown) == metrics["lut_per_slr"]
    assert metrics["lut_per_slr_high"] >= hardware.total.high.lut / 3
    (lut, *_) = constraints_of(config)
    assert compared(lut, metrics, hardware) == metrics["lut_per_slr_high"]
    tight = replace(lut, limit=metrics["lut_per_slr_high"] * 0.99)
    assert violations((tight,), metrics, hardware)[lut.text] == pytest.approx(1 / 0.99 - 1)
    assert dies(hardware, replace(config.board, slrs=1)) == ()


def test_shipped_boards_say_their_dies() -> None:
    assert [load_board(n).slrs for n in ("U250", "U280", "U55C", "Pynq-Z1")] == [4, 3, 3, 1]
