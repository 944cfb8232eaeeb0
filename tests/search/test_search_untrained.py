"""Studies of hardware alone: their images are noise, nothing is trained, nothing is said about accuracy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Dse = Callable[..., "subprocess.CompletedProcess[str]"]
STUDY = """\
version: 1
study: bare
model: {name: resnet8, width: 0.5}
data: {name: noise, size: 32, classes: 7}
board: Pynq-Z1
clock: 100 MHz
space:
  weight_bits: 2
  activation_bits: 2
  scheme: bcr
  sparsity: [0.0, 0.5, 0.75]
  block: 8x8
objectives: {throughput: maximize, lut: minimize}
constraints:
  - lut <= 50 %
budget: {trials: 12}
"""


def test_hardware_is_searched_and_nothing_is_trained(tmp_path: Path, dse: Dse) -> None:
    (tmp_path / "bare.yaml").write_text(STUDY)
    run = dse("run", "bare.yaml", "--inline")
    assert run.returncode == 0, run.stderr
    assert "training" not in run.stderr
    status = json.loads(dse("status", "bare", "--json").stdout)["studies"][0]
    assert status["state"] == "complete"
    shown = json.loads(dse("inspect", "bare", "--json").stdout)
    assert len(shown["front"]) > 1
    for design in shown["front"]:
        assert "accuracy" not in design["metrics"]
        assert design["metrics"]["test_accuracy"] is None
    again = dse("run", "bare.yaml", "--inline", "--trials", "14")
    assert again.returncode == 0, again.stderr
    refused = dse("emit", "bare", "-o", "hls")
    assert refused.returncode == 2
    assert "bare has no trained network: data 'noise' has nothing to learn" in refused.stderr


def test_what_needs_training_is_refused(tmp_path: Path, dse: Dse) -> None:
    (tmp_path / "bare.yaml").write_text(STUDY)
    asked = dse("run", "bare.yaml", "--inline", "--set", "constraints=[accuracy >= 50 %]")
    assert asked.returncode == 2
    assert "leave accuracy out of objectives and constraints" in asked.stderr
