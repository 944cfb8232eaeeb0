"""A study that calibrates, measures and trains nothing, run as a user would; the front keeps what was scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

STAGES = """\
stages:
  - pretrain: {epochs: 4}
  - accuracy: {images: 100, keep: 50 %}
  - accuracy: {images: 5000}
"""


def test_post_training_quantisation_from_two_files(
    tmp_path: Path, study_file: Path, dse: Any
) -> None:
    digits = load_digits()
    x, y = (15 * digits.images).astype(np.uint8), digits.target
    np.savez(tmp_path / "calib.npz", x=x[:400], y=y[:400])
    np.savez(tmp_path / "val.npz", x=x[400:900], y=y[400:900])
    text = study_file.read_text().partition("stages:")[0] + STAGES
    text = text.replace("data: digits", "data: {calibrate: calib.npz, validate: val.npz}")
    study_file.write_text(text.replace("trials: 24", "trials: 10"))
    done = dse("run", study_file.name, "--inline", "--json", "--no-report")
    assert done.returncode == 0, done.stderr
    front = json.loads(done.stdout)["front"]
    assert front
    for design in front:
        # the network that the last stage measured is the one that is tested and kept
        last = design["accuracies"][-1]
        assert (last["stage"], last["images"]) == ("accuracy", 400)
        assert design["metrics"]["accuracy"] == last["accuracy"]
        assert design["metrics"]["test_images"] == 100
        assert design["accuracy_is"].endswith("after no training, on 400 of the validation images")
    assert any(d["metrics"]["test_accuracy"] > 0.5 for d in front)
