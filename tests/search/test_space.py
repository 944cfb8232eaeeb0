"""Every choice of knob values decodes to a legal, canonical design."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dse.config.problems import StudyFileError
from dse.lowering.pipeline import check
from dse.search.space import Choice, Range, at

MIXED = """  scheme: [bcr, filter, unstructured]
  layers:
    - match: conv*
      tie: [weight_bits]
    - match: conv2
      fold: free
objectives:"""


def test_random_values_decode_to_legal_designs(planned: Any) -> None:
    plan = planned(replace=("objectives:", MIXED))
    rng = random.Random(0)
    schemes = set()
    for _ in range(60):
        values = {k.name: at(k, rng.random()) for k in plan.space.knobs}
        design = plan.space.decode(values)
        check(plan.network, design)
        schemes |= {c.scheme for c in design.compressions.values()}
        assert len({c.weight_bits for n, c in design.compressions.items() if "conv" in n}) == 1
    assert schemes == {"dense", "bcr", "filter", "unstructured"}


def test_tied_layers_share_a_knob_and_free_layers_have_their_own(planned: Any) -> None:
    names = {k.name for k in planned(replace=("objectives:", MIXED)).space.knobs}
    assert {
        "conv*.weight_bits",
        "fc1.weight_bits",
        "conv2.pe",
        "conv2.simd",
        "fold.cycles",
    } <= names
    assert not names & {"conv1.weight_bits", "conv1.pe", "fc2.activation_bits"}


def test_a_block_of_1x1_means_unstructured(planned: Any) -> None:
    space = planned("space.block=[1x1, 4x4]").space
    values = {k.name: at(k, 0.99) for k in space.knobs}
    for block, scheme in (("1x1", "unstructured"), ("4x4", "bcr")):
        chosen = values | {n: block for n in values if n.endswith(".block")}
        assert space.compressions(chosen)["conv2"].scheme == scheme


def test_a_slower_target_never_costs_more(planned: Any) -> None:
    plan = planned()
    values = plan.space.baseline()
    knob = next(k for k in plan.space.knobs if k.name == "fold.cycles")
    assert isinstance(knob, Range)
    before = None
    for u in (0.0, 0.25, 0.5, 0.75, 1.0):
        design = plan.space.decode(values | {knob.name: at(knob, u), "fold.preference": 0.0})
        lut = plan.hardware(design).total.expected.lut
        assert before is None or lut <= before * 1.001
        before = lut


def test_the_spread_covers_every_value(planned: Any) -> None:
    space = planned().space
    vectors = space.spread(16, 0)
    for knob in space.knobs:
        if isinstance(knob, Choice):
            assert {v[knob.name] for v in vectors} == set(knob.values)


def test_a_pattern_without_a_layer_is_an_error_at_its_place(planned: Any) -> None:
    wrong = ("objectives:", "  layers:\n    - match: con1\n      sparsity: 0.0\nobjectives:")
    with pytest.raises(StudyFileError, match="'con1' matches none of the") as error:
        planned(replace=wrong)
    assert error.value.problems[0].slug == "no-match"
