"""Seeds: knob values are found again from designs, the nearest ones, or refused with the reason."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dse.config.problems import StudyFileError
from dse.errors import UsageError
from dse.ir.finn import folding_config
from dse.lowering.pipeline import pipeline
from dse.search.driver import Driver
from dse.search.finals import less_trained
from dse.search.outlook import outlook
from dse.search.recover import recovered
from dse.search.run import run
from dse.search.seed_files import of_file, seed_designs
from dse.search.study import open_study


class Never:
    requested = False


@pytest.mark.parametrize("fold", ["balanced", "free"])
def test_compressions_and_nearly_the_folding_come_back(planned: Any, fold: str) -> None:
    plan = planned(f"space.fold={fold}", "space.scheme=[bcr, filter]")
    same = 0
    for knobs in plan.space.spread(12, 0):
        design = plan.space.decode(knobs)
        again = plan.space.decode(recovered(plan, design))
        assert again.compressions == design.compressions
        if fold == "free":
            folds = [(n, d.folding.pe, d.folding.simd) for n, d in design.layers if d.compression]
            assert folds == [
                (n, d.folding.pe, d.folding.simd) for n, d in again.layers if d.compression
            ]
        else:
            ratio = plan.hardware(again).interval_cycles / plan.hardware(design).interval_cycles
            assert ratio <= 1.0, "as fast as the seed, or a little faster"
        same += again == design
    assert same >= 2


def test_tied_and_fixed_knobs_come_back(planned: Any) -> None:
    plan = planned("space.layers=[{match: 'conv*', tie: [weight_bits]}]", "space.sparsity=0.5")
    design = plan.space.decode(plan.space.spread(1, 3)[0])
    assert plan.space.decode(recovered(plan, design)).compressions == design.compressions


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            ["space.weight_bits=[2, 8]"],
            "^layer conv1 has weight_bits 4, the space has 2, 8 for it$",
        ),
        (
            ["space.activation_bits=2"],
            "^layer conv1 has activation_bits 4, the space has 2 for it$",
        ),
        (
            ["space.sparsity=[0.5, 0.75]"],
            "^layer conv1 is dense, and the nearest .* is pruned by bcr",
        ),
        (
            [
                "space.layers=[{match: 'conv1', weight_bits: [2]}, {match: 'conv*', tie: [weight_bits]}]"
            ],
            "weight_bits",
        ),
    ],
)
def test_what_is_outside_of_the_space_is_refused_by_layer(
    planned: Any, overrides: list[str], reason: str
) -> None:
    plan = planned()
    dense = plan.space.decode(plan.space.baseline())
    with pytest.raises(UsageError, match=reason):
        recovered(planned(*overrides), dense)


def write(folder: Path, name: str, value: Any) -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_design_json_and_a_finn_folding_are_tried_first(
    planned: Any, tmp_path: Path, fake_workers: Any, silent: Any
) -> None:
    plan = planned()
    rng = random.Random(0)
    knobs = plan.space.mutate(plan.space.spread(1, 5)[0], rng)
    design = plan.space.decode(knobs)
    write(tmp_path, "mine.json", {"schema": "x", "design": design.to_json()})
    base = plan.space.decode(plan.space.baseline())
    write(tmp_path, "folding.json", folding_config(pipeline(plan.network, base)))
    seeded = planned("seeds=[baseline, mine.json, folding.json]", "budget.trials=3")
    store = open_study(seeded, tmp_path / "s", ())
    driver = Driver(seeded, store, fake_workers(), silent, Never())
    driver.run()
    store.release()
    origins = [r.origin for r in driver.records]
    assert origins[:2] == ["baseline", "mine.json"]
    assert driver.records[1].design.compressions == design.compressions
    finn = seeded.space.decode(of_file(seeded, tmp_path / "folding.json"))
    assert finn.compressions == base.compressions
    cycles = [seeded.hardware(d).interval_cycles for d in (finn, base)]
    assert cycles[0] == pytest.approx(cycles[1], rel=0.3)


def test_the_front_of_another_study_is_tried_first(
    planned: Any, tmp_path: Path, fake_workers: Any, silent: Any
) -> None:
    plan = planned("budget.trials=20")
    store = open_study(plan, tmp_path / "first", ())
    first = Driver(plan, store, fake_workers(), silent, Never())
    first.run()
    store.release()
    front = first.ledger.front()
    other = planned("study=second", "seeds=['study:first']", "constraints=['lut <= 60 %']")
    found = seed_designs(other, tmp_path)
    assert [origin for origin, _ in found] == [f"first/{r.id}" for r in front]
    for (_, knobs), record in zip(found, front, strict=True):
        assert other.space.decode(knobs).compressions == record.design.compressions
    narrow = planned("study=third", "seeds=['study:first']", "space.weight_bits=8")
    with pytest.raises(
        UsageError, match=r"none of its \d+ designs is in the space; trial \d+: layer"
    ):
        seed_designs(narrow, tmp_path)
    with pytest.raises(UsageError, match="no study in"):
        seed_designs(planned("seeds=['study:absent']"), tmp_path)


def test_a_wrong_seed_is_told_at_its_place_before_anything_is_trained(
    tmp_path: Path, planned: Any, silent: Any
) -> None:
    (tmp_path / "wrong.json").write_text("{}")
    config = planned(replace=("budget:", "seeds: [baseline, wrong.json]\nbudget:")).config
    folder = tmp_path / "runs" / "small"
    with pytest.raises(StudyFileError) as caught:
        run(config, folder, (), inline=True, progress=silent, stop=Never())
    assert "small.yaml:18:19" in str(caught.value)
    assert "error[bad-seed]: seed " in str(caught.value)
    assert "wrong.json is neither a design.json of dse" in str(caught.value)
    assert not folder.exists()
    with pytest.raises(StudyFileError, match="bad-seed"):
        outlook(config, studies=tmp_path / "runs")


def test_a_last_training_that_is_shorter_than_the_search_is_told(planned: Any) -> None:
    stages = "stages=[{{finetune: {{epochs: 3}}}}, {{final: {{epochs: {}}}}}]"
    (told,) = less_trained(planned(stages.format(2)))
    assert "less than the search did (3 epochs)" in told
    assert told in outlook(planned(stages.format(2)).config).warnings
    assert not less_trained(planned(stages.format(3)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "is neither a design.json of dse nor a folding"),
        ('{"design": {"conv1": 3}}', "is damaged"),
        ('{"design": {}}', "it is a design of another network"),
        ('{"MVAU_hls_0": {"PE": 1}}', "it has 1 MVAU nodes, and digits_cnn has 5 such layers"),
    ],
)
def test_a_file_that_is_no_design_is_named(
    planned: Any, tmp_path: Path, text: str, reason: str
) -> None:
    path = write(tmp_path, "x.json", text)
    with pytest.raises(UsageError, match=rf"^seed .*x\.json.*{reason}"):
        of_file(planned(), path)
