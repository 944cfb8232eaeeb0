"""`edge_skip` as a choice of the folding: who may, who is refused, what it costs; the losses beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical, effective
from dse.config.values import Knobs
from dse.errors import UsageError
from dse.folding.estimate import estimate
from dse.folding.fold import Folder
from dse.folding.score_batch import totals
from dse.ir.design import EDGE_SKIPS, Compression, DesignPoint
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.hardware import Board, Resources
from dse.ir.numbers import IntType
from dse.lowering.pipeline import pipeline
from dse.networks import vgg_bnn

BOARD = Board("b", "p", "ultrascale+", Resources(9e5, 2e6, 9e3, 4e3, 960), {}, 300.0, "made up")
MODEL = analytic.load("ultrascale+")
NETWORK = vgg_bnn.build((16, 16, 1), IntType(8, signed=False), 10, width=0.0625)
BITS = canonical(NETWORK, {x.name: Compression(1, 1) for x in NETWORK.matrix_layers})
CAN = ("conv2", "conv3", "conv4", "conv5", "conv6", "fc1", "fc2")


def solved(modes: tuple[str, ...], target: int = 4000) -> DesignPoint:
    pins = {x.name: Knobs(edge_skip=(*modes, "off")) for x in NETWORK.matrix_layers}
    folder = Folder.build(NETWORK, BITS, BOARD, MODEL, pins)
    found = folder.solve(target, 0.5)
    assert found is not None
    return found


def with_skip(design: DesignPoint, name: str, mode: str) -> DesignPoint:
    return DesignPoint(
        tuple(
            (n, replace(d, folding=replace(d.folding, edge_skip=mode)) if n == name else d)
            for n, d in design.layers
        )
    )


def test_only_layers_of_one_bit_skip() -> None:
    design = solved(("off",))
    for name in BITS:
        changed = with_skip(design, name, "ooo")
        if name in CAN:
            units = [u for u in pipeline(NETWORK, changed) if isinstance(u, EdgeSkipUnit)]
            assert [u.layer for u in units] == [name]
            assert (units[0].pooling is not None) == (name in ("conv2", "conv4", "conv6"))
        else:
            with pytest.raises(UsageError, match=f"layer {name}: edge_skip needs 1-bit inputs"):
                pipeline(NETWORK, changed)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (Compression(2, 1), "its weights have 2 bits"),
        (Compression(1, 2), "its outputs have 2 bits"),
        (Compression(1, 1, "bcr", 0.5, (2, 2)), "are pruned"),
        (Compression(1, 1, spatial_keep=0.5), "it skips positions"),
    ],
)
def test_the_reason_is_named(changed: Compression, reason: str) -> None:
    compressions = canonical(NETWORK, {**BITS, "conv3": changed})
    pins = {"conv3": Knobs(edge_skip=("ooo",))}
    with pytest.raises(UsageError, match=f"layer conv3: .*{reason}.*use off"):
        Folder.build(NETWORK, compressions, BOARD, MODEL, pins)


def test_the_solver_gains_by_skipping_and_prices_as_the_estimate() -> None:
    """A target that costs more without: skipping designs need fewer lanes."""
    best = {modes: solved(modes) for modes in ((), ("lockstep", "ooo"))}
    costs = {m: estimate(NETWORK, d, BOARD, 100.0, MODEL) for m, d in best.items()}
    used = [d.folding.edge_skip for _, d in best["lockstep", "ooo"].layers]
    assert set(used) - {"off"}
    assert all(h.interval_cycles <= 4000 for h in costs.values())
    assert costs["lockstep", "ooo"].total.expected.lut <= costs[()].total.expected.lut


def test_the_batch_prices_as_the_estimate() -> None:
    rng = np.random.default_rng(0)
    designs = []
    for _ in range(12):
        design = solved(("off",), int(rng.integers(2000, 20000)))
        for name in CAN:
            design = with_skip(design, name, str(rng.choice(EDGE_SKIPS)))
        designs.append(design)
    found = totals(NETWORK, designs, BOARD, MODEL)
    for i, design in enumerate(designs):
        single = estimate(NETWORK, design, BOARD, 100.0, MODEL)
        assert found.interval_cycles[i] == single.interval_cycles
        np.testing.assert_allclose(found.resources[i, 0, 0], single.total.expected.lut)


def test_off_leaves_digests_as_they_were() -> None:
    design = solved(("off",))
    text = str(design.to_json())
    assert "edge_skip" not in text
    assert "lambda" not in text
    assert (
        DesignPoint.from_json(with_skip(design, "conv2", "ooo").to_json())[
            "conv2"
        ].folding.edge_skip
        == "ooo"
    )


def test_losses_are_kept_where_they_mean_something() -> None:
    wanted = Compression(1, 1, lambda_threshold=0.3, lambda_pooling=0.1)
    found = canonical(NETWORK, {x.name: wanted for x in NETWORK.matrix_layers})
    assert effective(NETWORK, found)[0] == NETWORK
    kept = {n: (c.lambda_threshold, c.lambda_pooling) for n, c in found.items()}
    assert kept["conv1"] == (0.0, 0.0)  # its inputs are pixels
    assert kept["conv2"] == (0.3, 0.1)
    assert kept["conv3"] == (0.3, 0.0)  # no pool behind it
    assert kept["fc3"] == (0.0, 0.0)
    many = canonical(NETWORK, {**found, "conv2": replace(wanted, weight_bits=2)})
    assert many["conv2"].lambda_threshold == 0.0
