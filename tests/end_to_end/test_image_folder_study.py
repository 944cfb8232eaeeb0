"""From a folder of images to a pruned MobileNetV1 in C++: trained under ADMM, scored, emitted, bit-exact."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

STUDY = """\
version: 1
study: folders
model: {name: mobilenet-v1, width: 0.125}
data: {name: imagefolder, path: images, size: 32}
board: U280
clock: 144 MHz
seeds: []
space:
  weight_bits: 4
  activation_bits: 4
  sparsity: [0.5, 0.625]
  block: 8x8
  prune_by: admm
  tie: [sparsity]
objectives: {accuracy: maximize, throughput: maximize}
budget: {trials: 1}
stages:
  - pretrain: {epochs: 4}
  - finetune: {epochs: 2}
  - final: {epochs: 4}
"""
CLASSES = ("cat", "dog", "eel")
Dse = Callable[..., "subprocess.CompletedProcess[str]"]


def images(folder: Path) -> None:
    """Write noise in three tints, as JPEG and PNG."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("val", 6)):
        for channel, name in enumerate(CLASSES):
            (folder / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 120, (36, 40 + i % 5, 3), np.uint8)
                pixels[:, :, channel] += 90
                ending = "jpg" if i % 2 else "png"
                Image.fromarray(pixels).save(folder / part / name / f"{i}.{ending}")


@pytest.mark.slow
def test_a_folder_of_images_becomes_a_pruned_mobilenet(tmp_path: Path, dse: Dse) -> None:
    images(tmp_path / "images")
    (tmp_path / "study.yaml").write_text(STUDY)
    run = dse("run", "study.yaml", "--inline")
    assert run.returncode == 0, run.stderr
    emitted = dse("emit", "folders", "--pick", "0", "-o", "hls")
    assert emitted.returncode == 0, emitted.stderr
    assert '"prune_by": "admm"' in (tmp_path / "hls" / "design.json").read_text()
    verified = dse("verify", "hls", "--json")
    assert verified.returncode == 0, verified.stderr
    result = json.loads(verified.stdout)
    assert (result["images"], result["mismatches"]) == (6 * len(CLASSES), 0)
    (tmp_path / "images" / "train" / "eel" / "7.jpg").write_bytes(b"damaged")
    broken = dse("run", "study.yaml", "--inline", "--set", "study=again")
    assert broken.returncode == 2
    assert "7.jpg: expected an image that can be read" in broken.stderr
