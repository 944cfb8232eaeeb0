"""Hostile names, all the way: a study file, its data, its model and folders, to the report and the emitted project."""

from __future__ import annotations

import json
import re
import subprocess
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from dse.cli import cli

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")

# quotes and brackets of HTML, shell, Tcl, Make, C++, Verilog and Markdown; a control character of terminals, a new line
HOSTILE = (
    "a\"'><img src=x onerror=alert(1)>$(touch pwned)`touch pwned`;[exec touch pwned]{}#%\\\n"
    "*_ &|=../$(shell touch pwned)\x1b[31m\u202e*)endmodule"
)
FILE = HOSTILE.replace("/", "")  # what may be the name of a file
MARKUP = HOSTILE + "</script><script>alert(2)</script><!--"
STUDY = """
version: 1
study: hostile
description: {description}
model: {model}
data: {data}
board: {{part: xc7z020clg400-1, lut: 53200, ff: 106400, dsp: 220, bram18: 280, uram: 0}}
clock: 100 MHz
space: {{weight_bits: [1, 2], activation_bits: 2}}
objectives: {{accuracy: maximize, lut: minimize}}
stages: [{{finetune: {{epochs: 1}}}}, {{final: {{epochs: 1}}}}]
budget: {{trials: 2}}
"""


class Tags(HTMLParser):
    """Collects the elements of a page and what may make them do something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.active: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.active += [(k, v) for k, v in attrs if k.startswith("on") or k == "src"]


def hostile_model(path: Path) -> None:
    """Write an ONNX network whose nodes, constants, input and output have hostile names."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(1, 1, 4, 4),), path.with_name("m.onnx"), dynamo=False
        )
    model = onnx.load(path.with_name("m.onnx"))
    graph = model.graph
    renamed: dict[str, str] = {}

    def name(old: str) -> str:
        return renamed.setdefault(old, f"{HOSTILE}{len(renamed)}")

    for node in graph.node:
        node.name = name(node.name)
        node.input[:] = [name(i) for i in node.input]
        node.output[:] = [name(o) for o in node.output]
    for value in (*graph.initializer, *graph.input, *graph.output):
        value.name = name(value.name)
    graph.name = HOSTILE
    path.write_bytes(model.SerializeToString())


def test_hostile_names_reach_nothing_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / FILE
    folder.mkdir()
    monkeypatch.chdir(folder)
    hostile_model(folder / f"{FILE}.onnx")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (120, 4, 4)).astype(np.uint8), rng.integers(0, 3, 120)
    np.savez(folder / f"{FILE}.npz", x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    values = {"description": MARKUP, "model": f"{FILE}.onnx", "data": f"{FILE}.npz"}
    quoted = {key: json.dumps(value) for key, value in values.items()}
    Path("study.yaml").write_text(STUDY.format(**quoted))
    project = Path(f"{FILE} hls")

    def dse(*arguments: str) -> str:
        done: Any = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.output)

    said = dse("check", "study.yaml") + dse("run", "study.yaml", "--inline")
    said += dse("inspect", "hostile") + dse("inspect", "hostile", "0")
    assert "\x1b" not in said
    assert "\u202e" not in said
    for flow in ("hls", "rtl"):
        dse("emit", "hostile", "-o", str(project), "--images", "2", "--flow", flow, "--force")
        for path in (p for p in project.rglob("*") if p.is_file()):
            assert re.fullmatch(r"[\w./-]+", path.relative_to(project).as_posix())
            text = path.read_text(errors="replace")
            if path.suffix == ".json":  # data, in quotes of its own
                json.loads(text)
                continue
            assert "pwned" not in text, path
            assert "onerror" not in text, path
    dse("emit", "hostile", "-o", str(project), "--images", "2", "--force")
    made = subprocess.run(
        ["make", "csim"], cwd=project, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr

    page = Path("runs/hostile/report.html").read_text()
    found = Tags()
    found.feed(page)
    assert set(found.active) <= {("onsubmit", "return false")}  # of the template itself
    assert "img" not in found.tags
    assert "alert(2)" in page  # the description is there, as text
    assert "<script>alert" not in page

    below = {p.name for p in tmp_path.rglob("*")}
    assert "pwned" not in below
    assert {p.name for p in tmp_path.iterdir()} == {FILE}  # nothing was written outside
    stray = {"study.yaml", "m.onnx", "runs", f"{FILE}.onnx", f"{FILE}.npz", project.name}
    assert {p.name for p in folder.iterdir()} == stray


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/b", "..", "", "a b", "a\nb", "A", "-x", "$(touch x)", "<b>"]
)
def test_a_study_has_no_name_that_leaves_its_folder(
    small_study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(small_study)
    for arguments in (["--set", f"study={name}"], ["--fork", name]):
        done = CliRunner().invoke(cli, ["run", "small.yaml", "--inline", *arguments])
        assert done.exit_code != 0
        assert {p.name for p in tmp_path.iterdir()} == {"small.yaml"}
