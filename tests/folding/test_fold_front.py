"""The front of foldings against brute force over every legal design of small networks."""

from __future__ import annotations

from dataclasses import astuple
from functools import cache
from itertools import product

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical, effective
from dse.config.values import Knobs
from dse.errors import NoFeasibleDesignError
from dse.folding import closing, walk
from dse.folding.dominance import minima
from dse.folding.estimate import price
from dse.folding.fold import Folder, cost_weights
from dse.folding.fold_fit import bottleneck, cheapest, fastest
from dse.folding.fold_front import Front, candidates, fold_front, usable
from dse.folding.upper import at_upper_ends
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.timing import interval_cycles
from dse.ir.units import Unit, divisors, legal_folds
from dse.lowering.main_units import element_types
from dse.lowering.pipeline import pipeline
from dse.search.pareto import non_dominated

BOARD = Board("toy", "toy", "7series", Resources(9000, 20000, 60, 40, 0), {}, 200.0, "made up")
MODEL = analytic.load("7series")
SEEDS = (0, 1, 2, 3, 5, 6, 9, 11)  # networks with 500 to 2600 designs
TRADED = [RESOURCES.index(r) for r in ("lut", "bram18", "dsp")]


def random_network(seed: int) -> tuple[Network, dict[str, Compression], dict[str, Knobs]]:
    """Return a network of two to four layers whose designs can all be listed, and pins."""
    rng = np.random.default_rng(seed)
    shape: tuple[int, ...] = (4, 4, int(rng.choice([1, 2, 3]))) if seed % 2 else (12,)
    first, layers, source = shape, [], "input"
    kinds = ["conv", "pool", "dense"] if seed % 2 else ["dense"] * int(rng.integers(2, 4))
    if seed % 4 == 3:
        kinds = ["conv", "conv"]
    for i, kind in enumerate(kinds):
        name, last = f"l{i}", i == len(kinds) - 1
        layer: Layer
        if kind == "conv":
            layer = Conv2d(name, (source,), shape, not last, int(rng.choice([2, 3, 4])), 2)
        elif kind == "pool":
            layer = MaxPool2d(name, (source,), shape, 3)
        else:
            layer = Dense(name, (source,), shape, not last, int(rng.choice([2, 4, 6])))
        layers.append(layer)
        source, shape = name, layer.output_shape
    network = Network("toy", first, IntType(int(rng.choice([2, 8])), signed=False), tuple(layers))
    wanted = {
        x.name: Compression(int(rng.integers(1, 5)), 3 if x.activation else None)
        for x in network.matrix_layers
    }
    styles = [("bram", "lutram"), ("bram",), ("lutram",)]
    pins = {
        x.name: Knobs(memory=styles[int(rng.integers(3))], compute=("lut", "dsp"))
        for x in network.layers
    }
    return network, canonical(network, wanted), pins


def all_designs(
    network: Network, compressions: dict[str, Compression], pins: dict[str, Knobs]
) -> list[DesignPoint]:
    """Return the full product of all legal foldings."""
    built, structures = effective(network, compressions)
    types = element_types(network, compressions)
    choices = []
    for layer in built.layers:
        words = divisors(layer.input_shape[-1]).tolist()
        if isinstance(layer, MatrixLayer):
            s = structures[layer.name]
            binary = min(s.stored_weight_bits, types[layer.name].bits) == 1
            pairs = np.stack(legal_folds(s.mh, s.mw, s.tiling), axis=1).tolist()
            computes = ("lut",) if binary else pins[layer.name].compute
            parts = product(
                pairs,
                words if isinstance(layer, Conv2d) else [0],
                pins[layer.name].memory or (),
                computes or (),
            )
            folds = [Folding(*pair, word, *style) for pair, word, *style in parts]
        else:
            folds = [Folding(pe) for pe in words]
        choices.append([LayerDesign(compressions.get(layer.name), f) for f in folds])
    names = [layer.name for layer in built.layers]
    return [DesignPoint(tuple(zip(names, c, strict=True))) for c in product(*choices)]


@cache
def unit_price(unit: Unit) -> np.ndarray:
    return price([unit], MODEL)[0]


def priced(network: Network, design: DesignPoint) -> np.ndarray:
    """Return `(3, 6)`: cycles between frames and resources, expected and at both ends."""
    units = pipeline(network, design)
    resources = sum(unit_price(u) for u in units)
    return np.column_stack([np.full(3, interval_cycles(units)), resources])


@cache
def enumerated(seed: int) -> np.ndarray:
    """Return `(designs, 3, 6)` of every design of a network."""
    network, compressions, pins = random_network(seed)
    return np.stack([priced(network, d) for d in all_designs(network, compressions, pins)])


def rows(front: Front) -> np.ndarray:
    return np.column_stack([front.cycles, front.resources[:, TRADED]])


def true_front(seed: int, limits: Resources, end: int) -> np.ndarray:
    table = enumerated(seed)[:, end]
    fits = (table[:, 1:] <= [getattr(limits, r) for r in RESOURCES]).all(axis=1)
    points = table[fits][:, [0, *(1 + c for c in TRADED)]].round(6)
    return np.unique(points[non_dominated(points)], axis=0)


@pytest.mark.parametrize("end", [0, 2], ids=["expected", "upper"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_front_is_that_of_all_designs(seed: int, end: int) -> None:
    network, compressions, pins = random_network(seed)
    model = at_upper_ends(MODEL) if end else MODEL
    folder = Folder.build(network, compressions, BOARD, model, pins)
    whole = true_front(seed, BOARD.resources, end)
    # the whole board, and one on which only some of the front fits
    part = Resources(
        float(np.quantile(whole[:, 1], 0.6)) + 0.5, 1e9, float(np.median(whole[:, 3])), 40, 0
    )
    for limits in (BOARD.resources, part):
        truth = true_front(seed, limits, end)
        front = fold_front(folder, limits)
        assert front.exact
        found = rows(front)
        assert (np.diff(found[:, 0]) >= 0).all()
        np.testing.assert_allclose(np.unique(found.round(6), axis=0), truth, rtol=1e-9, atol=1e-5)
        for i in range(0, len(front), 7):
            cycles, *resources = priced(network, front.design(i))[end].tolist()
            assert cycles == front.cycles[i]
            np.testing.assert_allclose(resources, front.resources[i], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_thinned_front_misses_nothing_by_more_than_its_slack(seed: int) -> None:
    network, compressions, pins = random_network(seed)
    folder = Folder.build(network, compressions, BOARD, MODEL, pins)
    truth = true_front(seed, BOARD.resources, 0)
    front = fold_front(folder, BOARD.resources, most=1)
    slack = np.array([0.0, front.slack.lut, front.slack.bram18, front.slack.dsp])
    assert slack[1] == 0
    assert front.exact == (len(front) == len(truth))
    found = rows(front)
    limits = [np.inf, BOARD.resources.lut, BOARD.resources.bram18, BOARD.resources.dsp]
    for point in truth[(truth + slack <= limits).all(axis=1)]:
        point = point * [1, 1 + front.lut_share, 1, 1]
        assert (found <= point + slack + 1e-5).all(axis=1).any()


def test_thinning_is_asked_for_by_the_number_of_labels() -> None:
    network, compressions, pins = random_network(5)
    folder = Folder.build(network, compressions, BOARD, MODEL, pins)
    sizes = [len(fold_front(folder, BOARD.resources, most=most)) for most in (2, 10**6)]
    assert sizes[0] < sizes[1]
    assert not fold_front(folder, BOARD.resources, most=2).exact


@pytest.mark.parametrize("seed", SEEDS)
def test_flip_flops_have_to_fit_but_are_not_traded(seed: int) -> None:
    network, compressions, pins = random_network(seed)
    folder = Folder.build(network, compressions, BOARD, MODEL, pins)
    every = enumerated(seed)[:, 0, 1 + RESOURCES.index("ff")]
    for share in (0.1, 0.4):
        tight = Resources(9000, float(np.quantile(every, share)) + 0.5, 60, 40, 0)
        front = fold_front(folder, tight)
        assert front.exact
        truth = true_front(seed, tight, 0)
        np.testing.assert_allclose(np.unique(rows(front).round(6), axis=0), truth, atol=1e-5)


def test_one_target_gives_the_part_of_the_front_that_meets_it() -> None:
    network, compressions, pins = random_network(5)
    folder = Folder.build(network, compressions, BOARD, MODEL, pins)
    cycles = candidates(folder)
    target = int(cycles[len(cycles) // 2])
    own = rows(fold_front(folder, BOARD.resources, [target]))[:, 1:]
    within = rows(fold_front(folder, BOARD.resources, cycles[cycles <= target]))[:, 1:]
    expected = np.unique(within[non_dominated(within.round(6))].round(6), axis=0)
    np.testing.assert_allclose(np.unique(own.round(6), axis=0), expected, atol=1e-5)


def test_nothing_fits_is_an_empty_front() -> None:
    network, compressions, pins = random_network(0)
    front = fold_front(Folder.build(network, compressions, BOARD, MODEL, pins), Resources(lut=10))
    assert len(front) == 0
    assert front.exact


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_minima_are_those_that_nothing_dominates(columns: int) -> None:
    rng = np.random.default_rng(columns)
    for size in (1, 7, 60, 900):
        points = np.zeros((size, 4), dtype=np.int64)
        points[:, :columns] = rng.integers(-3, 6 + size // 50, (size, columns))
        groups = rng.integers(0, 3, size)
        kept = minima(groups, points)
        for group in np.unique(groups):
            own = points[groups == group]
            expected = np.unique(own[non_dominated(own.astype(float))], axis=0)
            found = points[kept[groups[kept] == group]]
            np.testing.assert_array_equal(found[np.lexsort(found.T[::-1])], expected)
        firsts = {
            (g, *p): i for i, (g, *p) in reversed(list(enumerate(np.c_[groups, points].tolist())))
        }
        assert all(firsts[(int(groups[i]), *points[i].tolist())] == i for i in kept)


def test_usable_share_counts_what_is_left_of_the_reserve() -> None:
    board = Board("b", "b", "7series", Resources(1000, 100, 10, 8, 0), {"lut": 0.7}, 200.0, "x")
    assert usable(board, Resources(lut=100)) == Resources(630.0, 100.0, 10.0, 8.0, 0.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cheapest_and_the_fastest_that_fit(seed: int) -> None:
    network, compressions, pins = random_network(seed)
    folder = Folder.build(network, compressions, BOARD, MODEL, pins)
    table = enumerated(seed)[:, 0]
    rng = np.random.default_rng(seed)
    weights = cost_weights(BOARD.resources, 0.5)
    lowest = max(cycles for _, cycles in [bottleneck(folder)])
    for _ in range(6):
        limits = Resources(*np.quantile(table[:, 1:], rng.uniform(0.02, 0.4, 5), axis=0).diagonal())
        fits = table[(table[:, 1:] <= np.array(astuple(limits)) + 1e-9).all(axis=1)]
        quick = fastest(folder, limits)
        if not len(fits):
            assert quick is None
            continue
        assert quick is not None
        assert quick.proven
        assert quick.cycles == fits[:, 0].min()
        for target in np.quantile(fits[:, 0], [0.0, 0.3, 0.8]):
            within = fits[fits[:, 0] <= max(target, lowest)]
            best = cheapest(folder, limits, int(max(target, lowest)))
            assert best is not None
            cycles, *needs = priced(network, best.design)[0]
            assert (np.array(needs) <= np.array(astuple(limits)) + 1e-6).all()
            assert cycles == best.cycles <= max(target, lowest)
            assert best.proven
            cost = (within[:, 1:] @ weights).min()
            assert weights @ needs == pytest.approx(cost, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_not_proven_is_no_further_from_the_best_than_it_says(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "MOST", 1)
    monkeypatch.setattr(walk, "STAIRCASE", 1)
    network, compressions, pins = random_network(seed)
    folder = Folder.build(network, compressions, BOARD, MODEL, pins)
    table = enumerated(seed)[:, 0]
    rng = np.random.default_rng(seed)
    weights = cost_weights(BOARD.resources, 0.5)
    target = int(np.quantile(table[:, 0], 0.5))
    for _ in range(20):
        limits = Resources(*np.quantile(table[:, 1:], rng.uniform(0.02, 0.4, 5), axis=0).diagonal())
        fits = (table[:, 1:] <= np.array(astuple(limits)) + 1e-9).all(axis=1)
        fits &= table[:, 0] <= max(target, bottleneck(folder)[1])
        best = cheapest(folder, limits, max(target, bottleneck(folder)[1]))
        if best is not None:
            cost = weights @ np.array(astuple(folder.resources(best.design)))
            least = (table[fits][:, 1:] @ weights).min()
            assert cost * (1 - best.gap) <= least * (1 + 1e-9)
            assert cost >= least * (1 - 1e-9)
            assert best.proven == (best.gap == 0)


def test_a_target_no_layer_can_meet_names_the_layer() -> None:
    network, compressions, pins = random_network(5)
    folder = Folder.build(network, compressions, BOARD, MODEL, pins)
    with pytest.raises(NoFeasibleDesignError, match=r"but l0 needs 36 at least, however"):
        cheapest(folder, BOARD.resources, 2)
