"""Foldings that may keep weights in UltraRAM, against every design of a small network."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical, effective
from dse.config.values import Knobs
from dse.errors import UsageError
from dse.folding.estimate import price
from dse.folding.fold import Folder, cost_weights
from dse.folding.fold_front import fold_front
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.timing import interval_cycles
from dse.lowering.main_units import layer_folds
from dse.lowering.pipeline import pipeline

BOARD = Board("b", "p", "ultrascale+", Resources(9000, 18000, 60, 9, 2), {}, 200.0, "made up")
WITHOUT = replace(BOARD, name="none", resources=replace(BOARD.resources, uram=0))
MODEL = analytic.load("ultrascale+")
NETWORK = Network(
    "toy",
    (8,),
    IntType(8, signed=False),
    (Dense("fc1", ("input",), (8,), True, 6), Dense("fc2", ("fc1",), (6,), False, 2)),
)
WEIGHTS = canonical(NETWORK, {"fc1": Compression(4, 2), "fc2": Compression(2, None)})
STYLES = ("bram", "lutram", "uram")
PINS = {n: Knobs(memory=STYLES, compute=("lut",)) for n in ("fc1", "fc2")}


def folder(board: Board = BOARD, **pins: Knobs) -> Folder:
    return Folder.build(NETWORK, WEIGHTS, board, MODEL, PINS | pins)


def every_design() -> list[tuple[DesignPoint, int, np.ndarray]]:
    """Return every design with its cycles and resources."""
    _, structures = effective(NETWORK, WEIGHTS)
    choices = []
    for layer in NETWORK.matrix_layers:
        pairs = zip(*layer_folds(layer, structures[layer.name]), strict=True)
        folds = [Folding(int(p), int(s), 0, m) for (p, s), m in product(pairs, STYLES)]
        choices.append([LayerDesign(WEIGHTS[layer.name], f) for f in folds])
    found = []
    for parts in product(*choices):
        design = DesignPoint(tuple(zip(("fc1", "fc2"), parts, strict=True)))
        stages = pipeline(NETWORK, design)
        total = price(stages, MODEL)[:, 0].sum(axis=0)
        found.append((design, interval_cycles(stages), total))
    return found


def test_the_cheapest_design_is_found_among_all_with_three_memories() -> None:
    designs = every_design()
    solver = folder()
    memories = set()
    for target, preference in product((2, 6, 12, 48), (0.0, 0.5, 1.0)):
        weights = cost_weights(BOARD.resources, preference)
        best = min(total @ weights for _, cycles, total in designs if cycles <= target)
        found = solver.solve(target, preference)
        total = price(pipeline(NETWORK, found), MODEL)[:, 0].sum(axis=0)
        assert total @ weights == pytest.approx(best)
        memories |= {d.folding.memory for _, d in found.layers}
    assert "lutram" in memories


def test_a_front_keeps_within_the_ultra_ram_of_the_board() -> None:
    for blocks in (0, 1, 2):
        limits = Resources(9000, 18000, 60, 0, blocks)  # no block RAM: LUTs or UltraRAM
        front = fold_front(folder(), limits)
        traded = [RESOURCES.index(r) for r in ("lut", "bram18", "dsp")]
        fitting = {
            (c, *np.round(t[traded], 6))
            for _, c, t in every_design()
            if all(t <= [getattr(limits, r) for r in RESOURCES])
        }
        best = {a for a in fitting if not any(b != a and all(np.array(b) <= a) for b in fitting)}
        assert (front.resources[:, RESOURCES.index("uram")] <= blocks).all()
        assert front.exact
        shown = zip(front.cycles.tolist(), np.round(front.resources[:, traded], 6), strict=True)
        assert {(c, *r) for c, r in shown} == best


def test_ultra_ram_is_for_who_asks_and_has_some() -> None:
    def memories(f: Folder) -> set[str]:
        return {m for o in f.options for m, _ in o.styles}

    assert memories(folder()) == set(STYLES)
    assert memories(folder(WITHOUT)) == {"bram", "lutram"}
    assert memories(folder(fc1=Knobs(), fc2=Knobs())) == {"bram", "lutram"}
    only = Knobs(memory=("uram",))
    with pytest.raises(UsageError, match="layer fc1: memory must be one of bram, lutram, got only"):
        folder(WITHOUT, fc1=only)
    slow = folder(fc1=replace(only, simd=(1,)), fc2=replace(only, simd=(1,)))
    every = slow.solve(1e9, 0.5)
    assert {d.folding.memory for _, d in every.layers} == {"uram"}
    assert slow.resources(every).uram == 2


def test_layers_that_may_skip_edges_are_not_offered_ultra_ram() -> None:
    network = Network(
        "binary",
        (8,),
        BIPOLAR,
        (Dense("fc1", ("input",), (8,), True, 4), Dense("fc2", ("fc1",), (4,), False, 2)),
    )
    weights = canonical(network, {"fc1": Compression(1, 1), "fc2": Compression(1, None)})
    knobs = Knobs(memory=STYLES, edge_skip=("off", "lockstep"))
    found = Folder.build(network, weights, BOARD, MODEL, {"fc1": knobs, "fc2": knobs})
    # the class scores are needed whole
    assert [{m for m, _ in o.styles} for o in found.options] == [{"bram", "lutram"}, set(STYLES)]
