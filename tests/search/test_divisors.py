"""PE and SIMD that no folding can have are refused at their place, and only these."""

from __future__ import annotations

from typing import Any

import pytest

from dse.config.problems import StudyFileError

SPACE = "  sparsity: [0.0, 0.5]\n  block: 4x4\n"


@pytest.fixture
def refused(planned: Any) -> Any:
    """Return the problem of the small study with other lines in its space."""

    def make(lines: str) -> str:
        with pytest.raises(StudyFileError) as caught:
            planned(replace=(SPACE, lines))
        text = str(caught.value)
        return text[text.index("small.yaml") :]

    return make


def test_a_value_that_divides_no_layer(refused: Any) -> None:
    assert (
        refused("  pe: [1, 3, 4]\n")
        == """\
small.yaml:10:11: error[no-divisor]: pe 3 does not divide the 8 output channels of layer 'conv1' (and 4 more)
  10 |   pe: [1, 3, 4]
     |           ^
     = allowed for it: 1, 2, 4, 8
     = `fold: balanced` or `pe: divisors` picks legal values per layer"""
    )


def test_a_layer_that_is_left_without_any(refused: Any) -> None:
    text = refused("  layers:\n    - {match: conv*, simd: [12, 8]}\n")
    assert (
        "small.yaml:11:33: error[no-divisor]: simd 8 does not divide the 9 inputs of a window"
        in text
    )
    assert "layer 'conv1'\n" in text
    assert "allowed for it: 1, 3, 9" in text


def test_of_pruned_layers_only_what_is_too_many(refused: Any, planned: Any) -> None:
    planned(replace=(SPACE, SPACE + "  pe: [1, 3]\n"))
    text = refused("  defaults: {sparsity: [0.0, 0.5], simd: [1, 5000]}\n")
    assert "error[no-divisor]: simd 5000 is more than the 9 inputs of a window" in text


def test_what_is_legal_for_one_layer_is_dropped_for_others(planned: Any) -> None:
    # 5 divides the 10 classes and nothing else
    plan = planned(replace=(SPACE, "  pe: [1, 5]\n"))
    folder = plan.space.folder(plan.space.compressions(plan.space.baseline()))
    found = {
        n: sorted(set(o.pe.tolist())) for n, o in zip(folder.names, folder.options, strict=True)
    }
    assert found["fc2"] == [1, 5]
    assert found["conv2"] == [1]


def test_ranges_may_have_values_that_divide_nothing(planned: Any) -> None:
    planned(replace=(SPACE, "  pe: {min: 1, max: 16, step: 1}\n"))


def test_a_range_without_any_legal_value(refused: Any) -> None:
    assert "error[no-divisor]: pe 20 does not" in refused("  pe: {min: 20, max: 30, step: 3}\n")
