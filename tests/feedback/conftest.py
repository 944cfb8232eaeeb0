"""A small study whose cost model is of yosys, and a stand-in for yosys of known counts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cost_models import learned
from dse.calibration.project import built_unit
from dse.config.load import load_config
from dse.emit import feedback_job
from dse.ir.record import TrialRecord
from dse.search.run import base_weights
from dse.search.score import metrics_of
from dse.search.study import Plan, open_study, plan

RATIO = 0.5  # of what the stand-in counts to what the analytic model expects
STUDY = """\
version: 1
study: loop
model: {name: tfc, width: 0.125}
data: digits
board: Pynq-Z1
clock: 100 MHz
space: {weight_bits: [2, 4], activation_bits: [2, 4]}
objectives: {accuracy: maximize, lut: minimize}
budget: {trials: 8}
stages: [{pretrain: {epochs: 1}}, {finetune: {epochs: 1, images: 100}}, {final: {epochs: 1}}]
cost_model:
  file: base.json
  synthesise: {top: 1, every: 2}
"""
YOSYS = """#!{python} -SE
import json, re, sys
if sys.argv[1:] in (["-V"], ["-p", "help alumacc"]):
    print("Yosys 0.70 (stand-in) -macc-only")
    sys.exit()
name, file = re.search(r"rename -top (\\w+); tee -q -o (\\S+) stat", sys.argv[3]).groups()
lut, ff = json.load(open({table!r}))[name]
cells = {{"LUT6": lut, "FDRE": ff}}
module = {{"num_cells": lut + ff, "num_cells_by_type": cells}}
text = json.dumps({{"creator": "Yosys 0.70 (stand-in)", "invocation": "stat", "modules": {{"\\\\" + name: module}}}})
open(file, "w").write(text)
"""


class Silent:
    def event(self, name: str, **data: Any) -> None:
        pass


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    """A study whose cost model is of yosys, in the folder `runs/loop`, its base weights trained."""
    facts = {"tool": "yosys", "part": "xc7z020clg400-1"}
    base = replace(learned.named("analytic", "7series"), name="base", facts=facts)
    (tmp_path / "base.json").write_text(learned.dumps(base))
    (tmp_path / "study.yaml").write_text(STUDY)
    found = plan(load_config(tmp_path / "study.yaml", []))
    store = open_study(found, tmp_path / "runs" / "loop", ())
    base_weights(found, store, Silent())  # type: ignore[arg-type]
    store.release()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "loop"


@pytest.fixture
def trials(planned: Plan) -> list[TrialRecord]:
    """Five feasible trials, all on the front: the more LUTs, the more accurate."""
    records: dict[str, TrialRecord] = {}
    for i, knobs in enumerate(planned.space.spread(8, 0)):
        design = planned.space.decode(knobs)
        hardware = planned.hardware(design)
        metrics = metrics_of(hardware, planned.config.board)
        records[design.digest] = TrialRecord(
            id=i,
            knobs=knobs,
            design=design,
            state="feasible",
            stage="finetune",
            metrics=metrics | {"accuracy": metrics["lut"] / 1e5},
            hardware=hardware,
            constraints={},
            error=None,
            origin="spread",
            cached_accuracy=False,
            seconds=0.0,
            finished="",
        )
    found = list(records.values())[:5]
    assert len({r.metrics["lut"] for r in found}) == 5
    return [replace(r, id=i) for i, r in enumerate(found)]


@pytest.fixture
def built(folder: Path, trials: list[TrialRecord]) -> Callable[[], list[dict[str, Any]]]:
    """The units of the project of the first trial, as its design.json lists them."""
    project = folder / "synthesised" / trials[0].design.digest
    return lambda: list(json.loads((project / "design.json").read_text())["units"])


@pytest.fixture
def yosys(
    planned: Plan,
    trials: list[TrialRecord],
    built: Callable[[], list[dict[str, Any]]],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A program on PATH; it counts RATIO times what the analytic model expects of units of the first trial.

    The project of that trial is there already.
    """
    project = feedback_job.project(planned, folder, trials[0], "yosys")
    project.write(folder / "synthesised" / trials[0].design.digest)
    table: dict[str, tuple[int, ...]] = {}
    for _, (label,), unit in map(built_unit, built()):
        expected = learned.named("analytic", "7series").predict(unit).expected
        table[label] = tuple(max(1, round(RATIO * float(v))) for v in (expected.lut, expected.ff))
    table["accelerator"] = tuple(map(sum, zip(*table.values(), strict=True)))
    (tmp_path / "table.json").write_text(json.dumps(table))
    program = tmp_path / "bin" / "yosys"
    program.parent.mkdir()
    program.write_text(YOSYS.format(python=sys.executable, table=str(tmp_path / "table.json")))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program
