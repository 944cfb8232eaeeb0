"""The space of a network with sums: one width where activations are added, all filters stay."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from dse.errors import UsageError
from dse.ir.graph import LEAST_BITS, fixed_channels, least_bits, shared_codes
from dse.ir.layers.add import Add
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.lowering.pipeline import check
from dse.search.space import at

SHAPE = (4, 4, 4)
SIDES = Network(
    "sides",
    SHAPE,
    IntType(4, signed=False),
    (
        Conv2d("stem", ("input",), SHAPE, True, 4, 1),
        Conv2d("a", ("stem",), SHAPE, True, 4, 1),
        Conv2d("b", ("stem",), SHAPE, True, 2, 1),
        Concat("ab", ("a", "b"), SHAPE, 2),
        Dense("fc", ("ab",), (4, 4, 6), False, 3),
    ),
)
SUM = (
    Conv2d("c", ("ab",), (4, 4, 6), True, 6, 1, signed=True),
    Add("s", ("ab", "c"), (4, 4, 6), (False, True)),
)
MODEL = ("name: digits-cnn", "name: resnet8")


def test_random_values_decode_to_legal_designs(planned: Any) -> None:
    plan = planned("space.scheme=[bcr, filter]", replace=MODEL)
    groups, rng = shared_codes(plan.network), random.Random(0)
    filtered = set()
    for _ in range(30):
        values = {k.name: at(k, rng.random()) for k in plan.space.knobs}
        design = plan.space.decode(values)
        check(plan.network, design)
        for group in groups:
            assert len({design.compressions[n].activation_bits for n in group}) == 1
        filtered |= {n for n, c in design.compressions.items() if c.scheme == "filter"}
    assert filtered == {"b1_conv1", "b2_conv1", "b3_conv1"}
    assert not filtered & fixed_channels(plan.network)


def test_layers_that_are_added_have_one_knob_without_1_bit(planned: Any) -> None:
    plan = planned("space.activation_bits=[1, 2, 4]", replace=MODEL)
    knobs = {k.name: k for k in plan.space.knobs}
    own = {"b1_conv1", "b2_conv1", "b3_conv1"}
    first = {group[0] for group in shared_codes(plan.network)}
    assert first == {"conv1", "b2_conv2", "b3_conv2"}
    assert {n for n in knobs if n.endswith("activation_bits")} == {
        f"{n}.activation_bits" for n in own | first
    }
    for name in own:
        assert knobs[f"{name}.activation_bits"].values == (1, 2, 4)
    for name in first:
        assert knobs[f"{name}.activation_bits"].values == (2, 4)


def test_layers_that_are_concatenated_have_one_knob() -> None:
    """1 bit is left to them, unless a sum reads them, too."""
    assert least_bits(SIDES, ("a", "b")) == 1
    assert shared_codes(SIDES) == (("a", "b"),)
    assert fixed_channels(SIDES) == {"a", "b"}
    added = replace(
        SIDES, layers=(*SIDES.layers[:4], *SUM, replace(SIDES.layers[4], inputs=("s",)))
    )
    assert shared_codes(added) == (("a", "b", "c"),)
    assert least_bits(added, ("a", "b", "c")) == LEAST_BITS


def test_filters_alone_leave_layers_that_are_added_dense(planned: Any) -> None:
    plan = planned("space.scheme=[filter]", replace=MODEL)
    names = {k.name for k in plan.space.knobs}
    assert "b1_conv1.sparsity" in names
    assert not {f"{n}.sparsity" for n in fixed_channels(plan.network)} & names


@pytest.mark.parametrize(
    "layers",
    ["[{match: conv1, activation_bits: [8]}]", "[{match: '*', activation_bits: [1]}]"],
)
def test_widths_that_cannot_be_added_are_refused(planned: Any, layers: str) -> None:
    with pytest.raises(UsageError, match="are added: their activation_bits must be the same"):
        planned(f"space.layers={layers}", replace=MODEL)
