"""The networks that a guided study trains first."""

from __future__ import annotations

from typing import Any

from dse.search.ladder import ladder
from dse.search.space import Choice

SCHEMES = "  scheme: [bcr, filter, unstructured, kernel]\nobjectives:"
SKIPPING = "  layers: [{match: conv2, spatial_keep: [0.5, 0.75]}]\nobjectives:"


def test_all_layers_are_compressed_evenly_and_every_bit_width_is_met(planned: Any) -> None:
    space = planned().space
    vectors = ladder(space)
    assert 3 <= len(vectors) <= 6
    for vector in vectors:
        assert set(vector) == {k.name for k in space.knobs}
        for kind in ("weight_bits", "activation_bits", "sparsity"):
            assert len({v for n, v in vector.items() if n.endswith(kind)}) == 1
    for knob in space.knobs:
        if knob.name.endswith("bits"):
            assert {v[knob.name] for v in vectors} == set(knob.values)


def test_every_scheme_is_met_once_and_pruned_hard_or_moderately(planned: Any) -> None:
    space = planned(replace=("objectives:", SCHEMES)).space
    compressed = [space.compressions(v)["conv2"] for v in ladder(space)]
    pruned = [c for c in compressed if c.sparsity]
    assert sorted(c.scheme for c in pruned) == ["bcr", "filter", "kernel", "unstructured"]
    (knob,) = (k for k in space.knobs if k.name.endswith("conv2.sparsity") or k.name == "sparsity")
    assert isinstance(knob, Choice)
    assert max(knob.values) in {c.sparsity for c in pruned}
    assert len({c.sparsity for c in pruned}) == min(2, len(set(knob.values) - {0.0}))


def test_no_compression_is_trained_twice(planned: Any) -> None:
    space = planned(replace=("objectives:", SCHEMES)).space
    compressed = [tuple(space.compressions(v).items()) for v in ladder(space)]
    assert all(compressed.count(c) == 1 for c in compressed)


def test_the_fewest_positions_are_skipped(planned: Any) -> None:
    for vector in ladder(planned(replace=("objectives:", SKIPPING)).space):
        assert {v for n, v in vector.items() if n.endswith("spatial_keep")} == {0.75}
