"""From a study to Verilog and C++ that compute, word by word, what was scored: TFC, and CNV and ResNet-8 with pruned blocks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

IMAGES, TEST = 100, 120  # golden images of the test set
STUDY = """\
version: 1
study: trained
model: {model}
data: {{name: npz, path: images.npz, limit: {{train: 400, validation: 100, test: {test}}}}}
board: Pynq-Z1
clock: 100 MHz
space:
  weight_bits: [1, 2]
  activation_bits: [{bits}]
  sparsity: {sparsity}
  block: 8x8
  scheme: bcr
objectives: {{accuracy: maximize, throughput: maximize}}
budget: {{trials: 1}}
stages:
  - pretrain: {{epochs: {epochs}}}
  - finetune: {{epochs: 1, images: 200}}
  - final: {{epochs: 1}}
"""
Dse = Callable[..., "subprocess.CompletedProcess[str]"]


def noisy_patterns(path: Path, shape: tuple[int, ...]) -> None:
    """Write images of ten classes: a random pattern of blocks each, with noise over it."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 2, (10, *(-(-n // 4) for n in shape[:2]), *shape[2:]))
    patterns = blocks.repeat(4, 1).repeat(4, 2)[:, : shape[0], : shape[1]]
    labels = rng.integers(0, 10, 500 + TEST).astype(np.uint8)
    flipped = rng.random((len(labels), *shape)) < 0.2
    images = ((patterns[labels] ^ flipped) * 255).astype(np.uint8)
    np.savez(
        path,
        x_train=images[TEST:],
        y_train=labels[TEST:],
        x_test=images[:TEST],
        y_test=labels[:TEST],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "shape", "bits", "sparsity", "epochs"),
    [
        ("tfc", (28, 28), 1, 0.0, 3),
        ("{name: cnv, width: 0.125}", (32, 32, 3), 2, 0.5, 1),
        ("{name: resnet8, width: 0.5}", (12, 12, 1), 3, 0.5, 8),
    ],
    ids=["tfc", "cnv", "resnet8"],
)
def test_emitted_projects_compute_what_was_scored(
    model: str,
    shape: tuple[int, ...],
    bits: int,
    sparsity: float,
    epochs: int,
    dse: Dse,
    tmp_path: Path,
) -> None:
    noisy_patterns(tmp_path / "images.npz", shape)
    study = STUDY.format(model=model, test=TEST, bits=bits, sparsity=sparsity, epochs=epochs)
    (tmp_path / "trained.yaml").write_text(study)
    run = dse("run", "trained.yaml", "--inline")
    assert run.returncode == 0, run.stderr
    pick = ("--pick", "best:throughput", "--images", str(IMAGES))
    accuracies = set()
    for flow in ("rtl", "hls"):
        emitted = dse("emit", "trained", "--flow", flow, *pick, "-o", flow, "--json")
        assert emitted.returncode == 0, emitted.stderr
        written = json.loads(emitted.stdout)
        assert (written["images"], written["test_images"]) == (IMAGES, TEST)
        checked = dse("verify", flow, "--json")
        assert checked.returncode == 0, checked.stderr
        result = json.loads(checked.stdout)
        assert (result["images"], result["words"]) == (IMAGES, 10 * IMAGES)
        assert result["mismatches"] == 0
        assert result["passed"]
        accuracies.add(result["accuracy"])
        if flow == "rtl":
            assert result["interval_cycles"] == result["predicted_interval"]
            assert result["latency_cycles"] == pytest.approx(result["predicted_latency"], rel=0.02)
    (accuracy,) = accuracies
    assert accuracy > 0.3  # of ten classes: the network was trained
    units = json.loads((tmp_path / "rtl" / "design.json").read_text())["units"]
    tiled = [u for u in units if u["parameters"].get("tiling")]
    assert bool(tiled) == (sparsity > 0)
