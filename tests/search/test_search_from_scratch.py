"""Studies without pretraining: initial weights are no float network that one would compare with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Dse = Callable[..., "subprocess.CompletedProcess[str]"]
STUDY = """\
version: 1
study: scratch
model: digits_cnn
data: digits
board: Pynq-Z1
clock: 100 MHz
space: {weight_bits: [2, 4], activation_bits: 2}
objectives: {accuracy: maximize, lut: minimize}
budget: {trials: 2}
stages: [{pretrain: {epochs: 0}}, {finetune: {epochs: 1}}, {final: {epochs: 1}}]
"""


def test_initial_weights_are_trained_and_not_called_a_float_network(
    tmp_path: Path, dse: Dse
) -> None:
    (tmp_path / "scratch.yaml").write_text(STUDY)
    run = dse("run", "scratch.yaml", "--inline")
    assert run.returncode == 0, run.stderr
    assert "float network" not in run.stderr
    folder = tmp_path / "runs" / "scratch"
    assert json.loads((folder / "study.json").read_text())["base_accuracy"] is None
    assert "The float network reaches" not in (folder / "report.html").read_text()
