"""A model whose own weights only guess is told so; one that knows its data is not."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from dse.cli import cli

NETS = """
import torch
from torch import nn

def net():
    torch.manual_seed(118)  # which names every class
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3, bias=False))
"""
STUDY = """
version: 1
study: own
model: guessed_nets:net
data: own.npz
board: Pynq-Z1
clock: 100 MHz
space: {weight_bits: [7, 8]}
objectives: {accuracy: maximize}
stages: [{finetune: {epochs: 1}}, {final: {epochs: 1}}]
budget: {trials: 1}
"""


@pytest.mark.parametrize("knows", [True, False])
def test_only_a_model_that_guesses_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "guessed_nets", raising=False)
    Path("guessed_nets.py").write_text(NETS)
    Path("study.yaml").write_text(STUDY)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (600, 4, 4)).astype(np.uint8)
    with torch.no_grad():
        scores = importlib.import_module("guessed_nets").net()(torch.tensor(images / 255).float())
    labels = scores.argmax(1).numpy() if knows else rng.integers(0, 3, 600)
    assert set(labels) == {0, 1, 2}
    x, y = np.split(images, [400]), np.split(labels, [400])
    np.savez("own.npz", x_train=x[0], y_train=y[0], x_test=x[1], y_test=y[1])
    done = CliRunner().invoke(cli, ["run", "study.yaml", "--inline"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert ("what guessing gives (3 classes)" in done.stderr) is not knows, done.stderr
