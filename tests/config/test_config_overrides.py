"""`--set KEY=VALUE`."""

from __future__ import annotations

import pytest

from dse.config.values import Knobs, ModelConfig


def test_values_are_yaml(quick_start, load) -> None:
    config = load(
        quick_start,
        "budget.trials=50",
        "space.weight_bits=[1, 2]",
        "space.sparsity={min: 0, max: 0.4, step: 0.2}",
        "model={name: tfc, width: 0.5}",
        "constraints[1]=lut <= 50 %",
        "parallel.workers=1",
        "study = other",
    )
    assert config.budget.trials == 50
    assert config.budget.time_s == 900.0
    assert config.space.defaults.weight_bits == (1, 2)
    assert config.space.defaults.sparsity == (0.0, 0.2, 0.4)
    assert config.model == ModelConfig("tfc", {"width": 0.5})
    assert config.constraints[1].share == 0.5
    assert config.constraints[1].line == 0
    assert config.parallel.workers == 1
    assert config.study == "other"
    assert config.marks["budget.trials"] == (0, 15)
    assert config.overrides[0] == "budget.trials=50"


def test_the_last_one_wins(quick_start, load) -> None:
    assert load(quick_start, "seed=1", "seed=2").seed == 2


def test_an_override_mends_the_file(quick_start, load) -> None:
    broken = quick_start.replace("weight_bits: [2, 4, 8]", "weight_bits: [32]")
    assert load(broken, "space.weight_bits=4").space.defaults == Knobs(
        weight_bits=(4,),
        activation_bits=(4, 8),
        sparsity=tuple(i / 10 for i in range(10)),
        block=((1, 1), (1, 4), (4, 4)),
        fold="balanced",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "budget.trials=many",
            """\
--set budget.trials=...:1:15: error[bad-value]: trials takes whole numbers from 1 on, not 'many'
   1 | budget.trials=many
     |               ^^^^""",
        ),
        (
            "budget.trails=3",
            """\
--set budget.trails=...:1:8: error[unknown-key]: unknown key 'trails' in budget
   1 | budget.trails=3
     |        ^^^^^^ did you mean 'trials'?
     = budget takes: trials, time, patience, failures""",
        ),
        (
            "space.pe=[1, 2",
            """\
--set space.pe=...:1:10: error[yaml]: the '[' opened here is not closed
   1 | space.pe=[1, 2
     |          ^""",
        ),
        (
            "model.width=2",
            """\
--set model.width=...:1:7: error[bad-override]: model.width cannot be set: model is one value
   1 | model.width=2
     |       ^^^^^""",
        ),
        (
            "constraints[9]=lut <= 3",
            """\
--set constraints[9]=...:1:12: error[bad-override]: constraints[9] cannot be set: constraints is \
a list of 4, counted from [0]
   1 | constraints[9]=lut <= 3
     |            ^^^""",
        ),
        (
            "seed=",
            """\
--set seed=...:1:1: error[missing-value]: seed is given no value
   1 | seed=
     | ^^^^""",
        ),
        (
            "seed",
            """\
--set seed=...:1:1: error[bad-override]: an override is KEY=VALUE, with a key such as \
budget.trials or constraints[0]
   1 | seed
     | ^^^^ write for example --set budget.trials=50""",
        ),
        (
            "storage=redis://:geheim@db/0",
            """\
--set storage=...:1:18: error[secret-in-file]: the storage URL holds a password
   1 | storage=redis://:******@db/0
     |                  ^^^^^^ put it in DSE_STORAGE_PASSWORD, and leave it out here""",
        ),
    ],
)
def test_wrong_override(text, expected, quick_start, errors) -> None:
    assert errors(quick_start, text) == expected


def test_file_and_override_are_reported_together(quick_start, errors) -> None:
    found = errors(quick_start.replace("Pynq-Z1", "x"), "seed=-1")
    assert found.index("study.yaml:7:8") < found.index("--set seed=...:1:6")
