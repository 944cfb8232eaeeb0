"""What many tests share: a study that runs in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL_STUDY = """\
version: 1
study: small
model: {name: digits-cnn, width: 0.5}
data: digits
board: Pynq-Z1
clock: 100 MHz
space:
  weight_bits: [2, 4]
  activation_bits: [2, 4]
  sparsity: [0.0, 0.5]
  block: 4x4
objectives:
  accuracy: maximize
  latency: minimize
  lut: minimize
constraints:
  - lut <= 70 %
budget:
  trials: 24
stages:
  - pretrain: {epochs: 2}
  - estimate: {keep: all}  # every trial is what the sampler asked for, as most tests count them
  - finetune: {epochs: 1, images: 300}
  - final: {epochs: 1}
"""

Dse = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def small_study() -> str:
    """Text of a study file that runs in seconds."""
    return SMALL_STUDY


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL_STUDY)
    return path


@pytest.fixture
def dse(tmp_path: Path) -> Dse:
    """Run the command line in a scratch folder, as a user would."""

    def call(*args: str | Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dse", *map(str, args)],
            cwd=tmp_path,
            env=os.environ | {"NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call
