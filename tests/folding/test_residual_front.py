"""The front of foldings of residual networks against every combination of what their layers can be."""

from __future__ import annotations

from dataclasses import astuple
from functools import cache

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical
from dse.config.values import Knobs
from dse.folding.dominance import minima
from dse.folding.estimate import price
from dse.folding.fold import Folder, cost_weights
from dse.folding.fold_fit import cheapest, fastest
from dse.folding.fold_front import Front, fold_front, resources_of
from dse.folding.labels import Cuts
from dse.folding.route import route, whole
from dse.folding.steps import UNIT, Step
from dse.folding.walk import within
from dse.ir.design import Compression
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.layers._base import Layer
from dse.ir.layers.add import Add
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import flat
from dse.ir.timing import interval_cycles
from dse.lowering.pipeline import pipeline

BOARD = Board("toy", "toy", "7series", Resources(9000, 20000, 60, 40, 0), {}, 200.0, "made up")
MODEL = analytic.load("7series")
TRADED = [RESOURCES.index(r) for r in ("lut", "bram18", "dsp")]
# layers in stream order: a name, what it reads, and filters, kernel, stride; p: a pool, a: a sum.
# How the last layer hands out its scores is part of what is priced
NETWORKS = {
    "identity": "c=input:4,3,1 b=c:4,3,1 a=b,c d=a:4,1,1",
    "identity first": "c=input:4,3,1 b=c:4,3,1 a=c,b d=a:4,1,1",
    "projection": "c=input:4,1,1 b=c:4,1,2 s=c:4,1,2 a=b,s d=a:2,1,1",
    "pool in front": "c=input:4,3,1 p=c b=p:4,3,1 a=b,p d=a:4,1,1",
    "long branch": "c=input:2,1,1 b=c:4,1,1 e=b:2,3,1 a=c,e d=a:4,1,1",
    "two in a row": "c=input:4,1,1 b=c:4,1,1 a=b,c f=a:4,1,1 a2=a,f d=a2:2,1,1",
    "one in another": "c=input:4,1,1 f=c:4,1,1 b=f:4,1,1 a=b,f a2=a,c d=a2:2,1,1",
    "one in the second": "c=input:2,1,1 s=c:4,1,1 f=c:4,1,1 b=f:4,1,1 a=f,b a2=s,a d=a2:2,1,1",
}


def built(text: str) -> Network:
    """Return a network of unsigned and, where they are added to others, signed activations."""
    layers: dict[str, Layer] = {}
    first = (5, 5, 2)
    parts = text.split()
    for part in parts:
        name, _, rest = part.partition("=")
        read, _, sizes = rest.partition(":")
        inputs = tuple(read.split(","))
        shape = first if inputs[0] == "input" else layers[inputs[0]].output_shape
        if name.startswith("a"):
            layers[name] = Add(name, inputs, shape, (False, False))
        elif name == "p":
            layers[name] = MaxPool2d(name, inputs, shape, 2)
        else:
            filters, kernel, stride = (int(x) for x in sizes.split(","))
            last = part == parts[-1]
            pad = kernel // 2
            layers[name] = Conv2d(name, inputs, shape, not last, filters, kernel, stride, pad)
    return Network("toy", first, IntType(4, signed=False), tuple(layers.values()))


@cache
def folder(name: str) -> Folder:
    """Return the options of a network at random bits, pinned so that all combinations can be listed."""
    network = built(NETWORKS[name])
    rng = np.random.default_rng(len(NETWORKS[name]))
    wanted, pins = {}, {}
    for layer in network.matrix_layers:
        wanted[layer.name] = Compression(int(rng.integers(2, 5)), 3 if layer.activation else None)
        styles = [("bram", "lutram"), ("lutram",)][int(rng.integers(2))], ("lut", "dsp")
        pins[layer.name] = Knobs(simd=(2, 6, 36), memory=styles[0], compute=styles[1])
    return Folder.build(network, canonical(network, wanted), BOARD, MODEL, pins)


@cache
def everything(name: str) -> np.ndarray:
    """Return cycles and resources of all combinations, `(n, 6)`."""
    f = folder(name)
    sizes = [len(o.fold) * len(o.styles) for o in f.options]
    picked = np.indices(sizes).reshape(len(sizes), -1)
    widths = [len(o.fold) for o in f.options]
    entry = np.stack([p % w for p, w in zip(picked, widths, strict=True)], axis=1)
    style = np.stack([p // w for p, w in zip(picked, widths, strict=True)], axis=1)
    cycles = np.max([o.cycles[e] for o, e in zip(f.options, entry.T, strict=True)], axis=0)
    needs = resources_of(f, entry, style)
    return np.column_stack([np.maximum(cycles, f.classes), needs])


def true_front(name: str, limits: Resources) -> np.ndarray:
    table = everything(name)
    fits = (table[:, 1:] <= [getattr(limits, r) for r in RESOURCES]).all(axis=1)
    points = np.rint(table[fits][:, [0, *(1 + c for c in TRADED)]] * 1e6).astype(np.int64)
    # of every speed first, then of all that is left
    best = minima(points[:, 0], points[:, 1:])
    kept = minima(np.zeros(len(best), dtype=np.int64), points[best])
    return np.unique(points[best][kept], axis=0) / 1e6


def rows(front: Front) -> np.ndarray:
    return np.column_stack([front.cycles, front.resources[:, TRADED]])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_front_is_that_of_all_combinations(name: str) -> None:
    whole = true_front(name, BOARD.resources)
    middle = np.quantile(whole, 0.5, axis=0)
    part = Resources(middle[1] + 0.5, 1e9, middle[3], max(middle[2], 1.0), 0)
    network, f = built(NETWORKS[name]), folder(name)
    for limits in (BOARD.resources, part):
        front = fold_front(f, limits, most=10**6)
        assert front.exact
        assert (np.diff(front.cycles) >= 0).all()
        found = np.unique(rows(front).round(6), axis=0)
        np.testing.assert_allclose(found, true_front(name, limits), rtol=1e-9, atol=1e-5)
    for i in range(0, len(front), 5):
        design = front.design(i)
        units = flat(pipeline(network, design))
        assert interval_cycles(units) == front.cycles[i]
        np.testing.assert_allclose(
            price(units, MODEL)[:, 0].sum(axis=0), front.resources[i], rtol=1e-9
        )
        np.testing.assert_allclose(astuple(f.resources(design)), front.resources[i], rtol=1e-9)


@pytest.mark.parametrize("most", [1, 8])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_thinned_front_misses_nothing_by_more_than_its_slack(name: str, most: int) -> None:
    truth = true_front(name, BOARD.resources)
    front = fold_front(folder(name), BOARD.resources, most=most)
    slack = np.array([0.0, front.slack.lut, front.slack.bram18, front.slack.dsp])
    assert front.exact == (len(front) == len(truth))
    limits = [np.inf, BOARD.resources.lut, BOARD.resources.bram18, BOARD.resources.dsp]
    for point in truth[(truth + slack <= limits).all(axis=1)]:
        point = point * [1, 1 + front.lut_share, 1, 1]
        assert (rows(front) <= point + slack + 1e-5).all(axis=1).any()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_cheapest_and_the_fastest_that_fit(name: str) -> None:
    f, table = folder(name), everything(name)
    rng = np.random.default_rng(len(name))
    weights = cost_weights(BOARD.resources, 0.5)
    for _ in range(4):
        limits = Resources(*np.quantile(table[:, 1:], rng.uniform(0.02, 0.3, 5), axis=0).diagonal())
        fits = table[(table[:, 1:] <= np.array(astuple(limits)) + 1e-9).all(axis=1)]
        quick = fastest(f, limits)
        if not len(fits):
            assert quick is None
            continue
        assert quick is not None
        assert (quick.cycles, quick.proven) == (fits[:, 0].min(), True)
        for target in np.quantile(fits[:, 0], [0.0, 0.5]):
            best = cheapest(f, limits, int(target))
            assert best is not None
            needs = np.array(astuple(f.resources(best.design)))
            assert (needs <= np.array(astuple(limits)) + 1e-6).all()
            assert best.proven
            cost = (fits[fits[:, 0] <= target][:, 1:] @ weights).min()
            assert weights @ needs == pytest.approx(cost, rel=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_options_are_within_cuts_where_some_combination_is(name: str) -> None:
    f, table = folder(name), everything(name)[:, 1:]
    sums = np.eye(len(RESOURCES))
    moves, exit_needs = route(f, sums), whole(f.exit, sums)
    none = np.zeros(0, dtype=np.int64)
    rows = [np.arange(len(m.cycles)) if isinstance(m, Step) else none for m in moves]
    sizes = [len(r) for m, r in zip(moves, rows, strict=True) if isinstance(m, Step)]
    picked = np.indices(sizes).reshape(len(sizes), -1)
    rng = np.random.default_rng(len(name))
    for share in (0.0, 0.002, 0.05):
        weights = rng.uniform(0, 1, (2, 5)) / np.maximum(table.max(axis=0), 1)
        of_all = table @ weights.T
        bounds = np.quantile(of_all, share, axis=0) + 1e-7
        for cuts in (1, 2):
            limits = Cuts(weights[:cuts] * UNIT, bounds[:cuts])
            found = within(moves, rows, exit_needs, limits)
            kept = [r for m, r in zip(moves, found, strict=True) if isinstance(m, Step)]
            inside = picked[:, (of_all[:, :cuts] <= bounds[:cuts]).all(axis=1)]
            for held, options in zip(inside, kept, strict=True):
                assert np.isin(held, options).all()  # nothing is lost
                if (
                    cuts == 1
                ):  # and nothing else is kept; several limits are looked at one at a time
                    np.testing.assert_array_equal(options, np.unique(held))
