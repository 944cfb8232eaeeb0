"""`fold: balanced(+-N)`: one pace for all, and every layer up to N legal foldings off it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from dse.config.load import load_config
from dse.config.values import StudyConfig, fold_steps
from dse.folding.fold import cost_weights
from dse.search.offers import offers
from dse.search.score import metrics_of
from dse.search.space import CYCLES, PREFERENCE, STEP, Choice, SearchSpace
from dse.search.study import plan


@pytest.fixture
def config(tmp_path: Path) -> StudyConfig:
    path = tmp_path / "study.yaml"
    path.write_text(
        "version: 1\nstudy: s\nmodel: digits-cnn\ndata: digits\nboard: Pynq-Z1\nclock: 100 MHz\n"
        "space:\n  weight_bits: 2\n  activation_bits: 2\n  fold: balanced(+-1)\n"
        "  layers: [{match: fc*, fold: balanced}, {match: conv1, fold: balanced(±2)}]\n"
        "objectives: {latency: minimize, lut: minimize}\n"
    )
    return load_config(path)


@pytest.fixture
def space(config: StudyConfig) -> SearchSpace:
    return plan(config).space


def test_steps_of_a_fold() -> None:
    asked = ("balanced", "free", None, "balanced(+-1)", "balanced(±3)", "balanced(+-4)")
    assert [fold_steps(f) for f in asked] == [0, 0, 0, 1, 3, 0]


def test_each_layer_has_its_own_knob(space: SearchSpace) -> None:
    found = {k.name: k.values for k in space.knobs if isinstance(k, Choice) and STEP in k.name}
    one = (-1, 0, 1)
    assert found == {
        "conv1.fold_step": (-2, -1, 0, 1, 2),
        "conv2.fold_step": one,
        "conv3.fold_step": one,
    }
    assert [space.baseline()[name] for name in found] == [0, 0, 0]


def test_a_step_is_the_next_pace_of_the_main_unit(space: SearchSpace) -> None:
    folder = space.solver(space.baseline())
    for o in folder.options:
        paces = np.unique(o.main_cycles)
        for slower, pace in pairwise(reversed(paces)):
            target = (pace + slower) / 2  # between two: the exact one is the faster
            assert o.limit(target) == max(target, o.cycles.min())
            assert o.limit(target, -1) == max(slower, o.cycles.min())
            faster = paces[max(np.searchsorted(paces, pace) - 1, 0)]
            assert o.limit(target, 1) == max(faster, o.cycles.min())
        assert o.limit(paces[-1] * 2, -1) == paces[-1]  # there is no slower one


def test_without_steps_it_is_balanced(space: SearchSpace) -> None:
    values = space.baseline()
    folder = space.solver(values)
    for cycles in np.geomspace(*folder.targets(), 7):
        chosen = values | {CYCLES: float(cycles)}
        assert space.decode(chosen) == folder.solve(float(cycles), values[PREFERENCE])


def test_the_cheapest_of_the_layers_limits_is_found(space: SearchSpace) -> None:
    """Against a dictionary of every folding of the first two layers, the others being fixed."""
    values = space.baseline() | {"conv1.fold_step": 2, "conv2.fold_step": -1}
    folder, target = space.solver(values), 600.0
    solved = folder.solve(target, 0.0, space.steps(values))
    weights = cost_weights(folder.board, 0.0)

    def cost(design: object) -> float:
        found = folder.resources(design)  # type: ignore[arg-type]
        return float(np.dot([found.lut, found.ff, found.dsp, found.bram18, found.uram], weights))

    choices = []
    for name, o in list(zip(folder.names, folder.options, strict=True))[:2]:
        limit = o.limit(target, space.steps(values)[name])
        entries = np.flatnonzero(o.cycles <= limit)
        styles = range(len(o.styles))
        choices.append([(name, o.folding(int(e), s)) for e in entries for s in styles])
    best = min(
        cost(
            type(solved)(
                tuple(
                    (n, replace(d, folding=dict(pair).get(n, d.folding))) for n, d in solved.layers
                )
            )
        )
        for pair in product(*choices)
    )
    assert cost(solved) == pytest.approx(best)


def test_offers_hold_the_level_pace_and_the_steps(config: StudyConfig) -> None:
    p = plan(config)
    knobs = p.space.baseline() | {"conv2.fold_step": 1, "conv3.fold_step": -1}
    level = {o.design for o in offers(p, p.space.baseline(), 12)}
    stepped = offers(p, knobs, 12)
    places = np.array([o.point for o in stepped])
    for design in level:  # none of them is lost: it is there, or something no worse is
        metrics = metrics_of(p.hardware(design), p.config.board)
        point = np.array([np.log(metrics["latency_us"]), metrics["lut"]])
        assert (places <= point + 1e-9).all(axis=1).any()
    assert all(p.space.decode(o.knobs) == o.design for o in stepped)
