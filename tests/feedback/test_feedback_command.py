"""`dse run` with synthesis in the loop, end to end; only yosys is a stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dse.cli.look import inspect_json
from dse.report.view import build_view
from dse.search.study import snapshot

YOSYS = """#!{python} -SE
import json, re, sys
if sys.argv[1:] in (["-V"], ["-p", "help alumacc"]):
    print("Yosys 0.70 (stand-in) -macc-only")
    sys.exit()
script = sys.argv[3]
name, file = re.search(r"rename -top (\\w+); tee -q -o (\\S+) stat", script).groups()
folds = [int(v) for v in re.findall(r"-set (?:PE|SIMD|DEPTH|WIDTH) (\\d+)", script)]
cells = {{"LUT6": 20 + 9 * sum(folds), "FDRE": 12 + 4 * sum(folds)}}
module = {{"num_cells": sum(cells.values()), "num_cells_by_type": cells}}
text = json.dumps({{"creator": "Yosys 0.70 (stand-in)", "invocation": "stat", "modules": {{"\\\\" + name: module}}}})
open(file, "w").write(text)
"""
STUDY = """\
version: 1
study: loop
model: {name: tfc, width: 0.125}
data: digits
board: Pynq-Z1
clock: 100 MHz
space: {weight_bits: [1, 2, 4], activation_bits: [2, 4]}
objectives: {accuracy: maximize, lut: minimize}
budget: {trials: 8}
stages: [{pretrain: {epochs: 2}}, {finetune: {epochs: 1, images: 100}}, {final: {epochs: 1}}]
cost_model:
  name: yosys-rtl
  synthesise: {top: 1, every: 4, timeout: 5 min}
"""


@pytest.mark.slow
def test_a_study_synthesises_designs_of_its_front(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "yosys"
    program.parent.mkdir()
    program.write_text(YOSYS.format(python=sys.executable))
    program.chmod(0o755)
    (tmp_path / "study.yaml").write_text(STUDY)

    def dse(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dse", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    run = dse("run", "study.yaml", "--inline", "--log", "json")
    assert run.returncode == 0, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    named = [e["event"] for e in events]
    lines = (tmp_path / "runs/loop/synthesised.jsonl").read_text().splitlines()
    known = [json.loads(line) for line in lines]
    assert len(known) == named.count("synthesised") >= 1
    assert all(d["error"] is None and d["reported"]["lut"] > 0 for d in known)

    shown = inspect_json(build_view(snapshot(tmp_path / "runs/loop")))
    assert shown["trust"]["designs"] == len(known)
    assert "front design" in shown["hardware_is"]
    assert "Can the numbers be trusted" in (tmp_path / "runs/loop/report.html").read_text()
    if "model-corrected" in named:
        last = next(e for e in reversed(events) if e["event"] == "model-corrected")
        assert {d["hardware_is"] for d in shown["front"]} == {f"predicted by {last['source']}"}
    # the study is complete
    assert "nothing to do" in dse("run", "study.yaml", "--inline").stderr
