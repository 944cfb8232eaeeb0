"""One synthesis beside the search: real project, real calibration; only yosys is a stand-in of known counts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cost_models import learned
from dse.calibration.project import built_unit
from dse.emit import feedback_job
from dse.emit.feedback_process import JobProcess
from dse.errors import ExternalToolError
from dse.ir.record import TrialRecord
from dse.search.study import CORRECTS, Plan, cost_model

Trials = list[TrialRecord]

SLEEPER = """#!{python} -SE
import os, sys, time
if sys.argv[1:] in (["-V"], ["-p", "help alumacc"]):
    print("Yosys 0.70 -macc-only")
    sys.exit()
open({mark!r}, "w").write(str(os.getpid()))
time.sleep(600)
"""
SEARCH = """
import json, sys, time
from dse.emit.feedback_process import JobProcess
job = JobProcess(json.load(open(sys.argv[1])), 600.0)
time.sleep(600)
"""


def request(tmp_path: Path, record: TrialRecord | None) -> dict[str, Any]:
    return {
        "folder": str(tmp_path / "runs" / "loop"),
        "tool": "yosys",
        "timeout": 60.0,
        "record": None if record is None else record.to_json(),
    }


def test_a_design_is_emitted_synthesised_and_learned_from(
    planned: Plan,
    trials: Trials,
    built: Callable[[], list[dict[str, Any]]],
    yosys: Path,
    tmp_path: Path,
) -> None:
    record = trials[0]
    shutil.rmtree(tmp_path / "runs" / "loop" / "synthesised")
    answer = feedback_job.run(request(tmp_path, record))
    assert answer["refused"] == ""
    units = {u["name"]: u for u in answer["synthesis"]["units"]}
    assert answer["synthesis"]["tool"] == "yosys 0.70"
    assert units["accelerator"]["kind"] == ""
    table = json.loads((tmp_path / "table.json").read_text())
    assert units["accelerator"]["reported"]["lut"] == table["accelerator"][0]

    # the model of the file, corrected: what halved is predicted to be half
    model = learned.from_json(json.loads(answer["model"]), "7series")
    assert model.facts[CORRECTS] == cost_model(planned.config).source
    assert (model.facts["tool"], model.facts["designs"]) == ("yosys", 1)
    for name, _, unit in map(built_unit, built()):
        if units[name]["kind"] == "MatrixUnit":
            predicted = float(model.predict(unit).expected.lut)
            assert predicted == pytest.approx(units[name]["reported"]["lut"], rel=0.15)

    # the study takes it up, as long as its file names the model that it corrects
    path = tmp_path / "runs" / "loop" / "cost_model.json"
    path.write_text(answer["model"])
    assert cost_model(planned.config, path.parent).source == model.source
    other = replace(planned.config, cost_model=replace(planned.config.cost_model, file=None))
    assert cost_model(other, path.parent).source == "analytic"

    # again: nothing runs, and the model is the same
    yosys.write_text(yosys.read_text().replace("lut, ff = json", "lut, ff = None"))
    again = feedback_job.run(request(tmp_path, record))
    assert [u["reused"] for u in again["synthesis"]["units"]] == [True] * len(units)
    assert json.loads(feedback_job.run(request(tmp_path, None))["model"]) == json.loads(
        answer["model"]
    )


def test_units_that_were_finished_count_where_the_design_was_not(
    trials: Trials, yosys: Path, tmp_path: Path
) -> None:
    table = json.loads((tmp_path / "table.json").read_text())
    del table["accelerator"]
    (tmp_path / "table.json").write_text(json.dumps(table))
    with pytest.raises(ExternalToolError, match="must synthesise accelerator"):
        feedback_job.run(request(tmp_path, trials[0]))
    answer = feedback_job.run(request(tmp_path, None))
    assert answer["synthesis"] is None
    assert json.loads(answer["model"])["records"] > 5


def test_the_process_answers_and_says_why_it_failed(
    trials: Trials, yosys: Path, tmp_path: Path
) -> None:
    broken = SLEEPER.format(python=sys.executable, mark=str(tmp_path / "mark"))
    yosys.write_text(broken.replace("time.sleep(600)", "sys.exit('out of memory')"))
    job = JobProcess(request(tmp_path, trials[0]), 60.0)
    while not job.ended:
        time.sleep(0.05)
    assert re.search(r"synthesise \w+, .* status 1:\nout of memory", job.answer()["error"])


def test_a_process_past_its_deadline_is_ended_with_its_tools(
    trials: Trials, yosys: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "tool.pid"
    yosys.write_text(SLEEPER.format(python=sys.executable, mark=str(mark)))
    job = JobProcess(request(tmp_path, trials[0]), 600.0)
    pid = awaited(mark)
    job._timeout_s = 0.0
    assert job.ended
    assert job.answer() == {"error": "not synthesised within 0 s"}
    assert gone(pid)


def test_a_search_that_is_killed_takes_its_synthesis_with_it(
    trials: Trials, yosys: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "tool.pid"
    yosys.write_text(SLEEPER.format(python=sys.executable, mark=str(mark)))
    (tmp_path / "request.json").write_text(json.dumps(request(tmp_path, trials[0])))
    search = subprocess.Popen([sys.executable, "-c", SEARCH, str(tmp_path / "request.json")])
    pid = awaited(mark)
    search.kill()
    search.wait()
    assert gone(pid)


def awaited(mark: Path) -> int:
    """Return the process id that a stand-in wrote."""
    for _ in range(600):
        if mark.exists() and mark.read_text():
            return int(mark.read_text())
        time.sleep(0.05)
    pytest.fail("the tool was never started")


def gone(pid: int) -> bool:
    """Whether a process ends within seconds; one that nobody has waited for yet is a zombie."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
