from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dse.config.load import load_config
from dse.config.problems import StudyFileError
from dse.config.values import StudyConfig

# the quick start of the study file reference, verbatim
QUICK_START = """\
# study.yaml: the quick start. Runs in minutes on a laptop, needs no FPGA tools.
version: 1
study: digits-pynq

model: digits-cnn            # built in; or a path to an .onnx file
data: digits                 # built in: 1,797 images of 8x8 pixels, offline
board: Pynq-Z1
clock: 100 MHz

space:
  weight_bits: [2, 4, 8]
  activation_bits: [4, 8]
  sparsity: {min: 0.0, max: 0.9, step: 0.1}
  block: [1x1, 1x4, 4x4]
  fold: balanced             # one rate for all layers; `free`: each its own

objectives:
  accuracy: maximize
  latency: minimize
  lut: minimize

constraints:
  - accuracy >= 90 %
  - lut <= 70 %
  - bram <= 80 %
  - dsp <= 80 %

budget:
  trials: 200
  time: 15 min
"""

Load = Callable[..., StudyConfig]
Errors = Callable[..., str]


@pytest.fixture
def quick_start() -> str:
    return QUICK_START


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a study file of the given text; `study.yaml` is its name in messages."""
    monkeypatch.chdir(tmp_path)

    def run(text: str | bytes, *overrides: str) -> StudyConfig:
        data = text if isinstance(text, bytes) else text.encode()
        Path("study.yaml").write_bytes(data)
        return load_config(Path("study.yaml"), overrides)

    return run


@pytest.fixture
def errors(load: Load) -> Errors:
    """Return the text of the error that a study file gives."""

    def run(text: str | bytes, *overrides: str) -> str:
        with pytest.raises(StudyFileError) as caught:
            load(text, *overrides)
        return str(caught.value)

    return run
