"""ResNet-50 folded for the U280, and what its options say against the units that are built."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical
from dse.folding.estimate import estimate
from dse.folding.fold import Folder, cost_weights
from dse.folding.fold_fit import cheapest, fastest
from dse.folding.fold_front import usable
from dse.folding.upper import at_upper_ends
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import flat
from dse.ir.units import AddUnit, ForkUnit
from dse.lowering.pipeline import pipeline
from dse.networks import resnet8, resnet50
from hw_templates._boards import load_board

BYTE = IntType(8, signed=False)
U280 = load_board("U280")


def folder(network: Network, bits: int, *, upper: bool = False) -> Folder:
    wanted = canonical(network, {x.name: Compression(bits, bits) for x in network.matrix_layers})
    model = analytic.load(U280.family)
    return Folder.build(network, wanted, U280, at_upper_ends(model) if upper else model, {})


@pytest.fixture(scope="module")
def resnet() -> Network:
    return resnet50.build((224, 224, 3), BYTE, 1000)


def test_options_say_what_is_built(resnet: Network) -> None:
    solver = folder(resnet, 2)
    fastest_, _ = solver.targets()
    assert fastest_ == 112 * 112 * 49  # the window unit of 7x7 pixels hands out one a cycle
    for target in (fastest_, 4_000_000):
        design = solver.solve(target, 0.5)
        found = estimate(resnet, design, U280, 200.0, analytic.load(U280.family))
        np.testing.assert_allclose(
            astuple(found.total.expected), astuple(solver.resources(design)), rtol=1e-9
        )
        assert found.interval_cycles == solver.cycles(design) <= target
    units = flat(pipeline(resnet, design))
    assert sum(isinstance(u, ForkUnit) for u in units) == 16
    assert sum(isinstance(u, AddUnit) for u in units) == 16


def test_resnet50_fits_the_u280(resnet: Network) -> None:
    solver, limits = folder(resnet, 2, upper=True), usable(U280)
    quick = fastest(solver, limits)
    assert quick is not None
    assert (quick.cycles, quick.proven) == (112 * 112 * 49, True)  # no folding is faster
    slow = cheapest(solver, limits, 8_000_000)
    assert slow is not None
    assert (slow.proven, slow.gap) == (True, 0.0)
    for fit in (quick, slow):
        needs = astuple(solver.resources(fit.design))
        assert all(a <= b for a, b in zip(needs, astuple(limits), strict=True))


def test_what_cannot_fit_is_none(resnet: Network) -> None:
    assert fastest(folder(resnet, 8, upper=True), usable(load_board("Pynq-Z1"))) is None


def test_a_slower_target_never_costs_more() -> None:
    solver = folder(resnet8.build((32, 32, 3), BYTE, 10), 4)
    costs = []
    for target in np.geomspace(*solver.targets(), 9):
        needs = astuple(solver.resources(solver.solve(float(target), 0.3)))
        costs.append(cost_weights(U280.resources, 0.3) @ needs)
    assert np.diff(costs).max() < 1e-9
