"""The knobs of static masks: `kernel`, `small_world` with `beta`, and masks that are chosen while training."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from dse.config.problems import StudyFileError
from dse.ir.design import compression_digest
from dse.lowering.pipeline import check
from dse.search.recover import compression_values
from dse.search.space import at

STATIC = """  scheme: [kernel, small_world]
  sparsity: [0.5, 0.75]
  block: [8x4, 4x2]
  beta: [0.0, 0.2]
  prune_by: [magnitude, regrow]
  layers:
    - match: conv*
      scheme: kernel
objectives:"""


@pytest.fixture
def static(study_file: Path, planned: Any) -> Any:
    text = study_file.read_text()
    lines = [
        x for x in text.splitlines() if not x.startswith(("  sparsity:", "  block:", "  scheme:"))
    ]
    study_file.write_text("\n".join(lines) + "\n")
    return planned(replace=("objectives:", STATIC))


def test_values_decode_to_legal_designs_and_are_found_again(static: Any) -> None:
    rng, seen = random.Random(0), set()
    for _ in range(30):
        values = {k.name: at(k, rng.random()) for k in static.space.knobs}
        design = static.space.decode(values)
        check(static.network, design)
        for c in design.compressions.values():
            seen.add((c.scheme, c.beta is None, c.prune_by))
        again = static.space.compressions(compression_values(static.space, design.compressions))
        assert again == design.compressions
    # a graph needs beta, nothing else has one; what is drawn before training does not regrow
    assert seen == {
        ("dense", True, "magnitude"),  # the first layer has one channel, the last none to lose
        ("kernel", True, "magnitude"),
        ("kernel", True, "regrow"),
        ("small_world", False, "magnitude"),
    }


def test_beta_is_searched_where_a_graph_may_be_drawn(static: Any) -> None:
    asked = {k.name for k in static.space.knobs if k.name.endswith(".beta")}
    assert asked
    assert not any(name.startswith("conv") for name in asked)


def test_beta_changes_what_is_trained(static: Any) -> None:
    name = next(k.name for k in static.space.knobs if k.name.endswith(".beta"))
    layer = name.split(".")[0]
    values = static.space.baseline() | {f"{layer}.scheme": "small_world"}
    one, other = (static.space.compressions(values | {name: b}) for b in (0.0, 0.2))
    assert compression_digest(one) != compression_digest(other)


def test_beta_is_a_share(planned: Any) -> None:
    with pytest.raises(StudyFileError, match=r"beta is a fraction from 0 to 1, not 1\.5"):
        planned(replace=("objectives:", "  beta: 1.5\nobjectives:"))
