"""The large study of the file format's reference (large.yaml): it is read, and a small one runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dse.config.load import load_config
from dse.config.values import Measured, ReportConfig, Stages
from dse.search.outlook import outlook
from dse.search.study import snapshot

LARGE = (Path(__file__).parent / "large.yaml").read_text()

# what would need its files, and a tool, and what stands in its place below
INSTEAD = {
    "  onnx: models/mobilenet_v1_w4a4.onnx     # QONNX or plain ONNX, static shapes\n"
    "  input: 1x224x224x3\n": "  name: mobilenet-v1\n  width: 0.25\n",
    "pe: [8, 16, 32]": "pe: [2, 4, 8]",  # of 8 channels
    "  - designs/u280_hand.json                # a FINN folding config also works\n": "",
    "  file: models/u280-hls.json              # from `dse calibrate`\n": "  name: yosys-rtl\n",
    "tool: vitis_hls": "tool: yosys",
}
# names of the layers of the network that dse brings
NAMES = {"match: conv0 ": "match: conv1 ", "match: dw*": "match: dw*", "match: pw*": "match: pw*"}


def adapted() -> str:
    text = LARGE
    for old, new in (INSTEAD | NAMES).items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_every_line_of_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text(LARGE)
    config = load_config(tmp_path / "large.yaml", check_files=False)
    folder = tmp_path.resolve()
    assert config.data.files == {
        "calibrate": folder / "data/imagenet-calib.npz",
        "validate": folder / "data/imagenet-val-5k.npz",
    }
    assert config.stages == Stages(
        post_training=Measured(500, 0.4),
        finetune_epochs=2,
        finetune_keep=0.1,
        accuracy=Measured(5000),
    )
    assert config.artifacts == folder / "shared/dse/mobilenet-u280"
    assert config.report == ReportConfig(folder / "report.html", 1800.0)


def images(path: Path, size: int, classes: int) -> None:
    """Write images whose class is their colour, to calibrate and to validate."""
    rng = np.random.default_rng(0)
    path.mkdir()
    for name, count in (("imagenet-calib", 60), ("imagenet-val-5k", 40)):
        labels = np.arange(count) % classes
        pixels = rng.integers(0, 60, (count, size, size, 3))
        pixels[np.arange(count), :, :, labels % 3] += 150
        np.savez_compressed(path / f"{name}.npz", x=pixels.astype(np.uint8), y=labels)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    images(tmp_path / "data", 32, 3)
    path = tmp_path / "large.yaml"
    path.write_text(adapted())
    return path


def test_the_rest_is_valid_and_plans(study: Path) -> None:
    config = load_config(study)
    assert config.parallel.gpus == 0.25
    found = outlook(config).plan
    layers = found.space.layers
    assert layers["conv1"].weight_bits == (8,)
    assert layers["conv1"].fold == "free"
    searched = {k.name for k in found.space.knobs}
    assert {"dw*.weight_bits", "pw*.block", "fc.weight_bits", "fold.cycles"} <= searched
    assert [r.text for r in config.space.require] == [
        "pe * simd <= 1024",
        "cycles(max) / cycles(min) <= 8",
    ]


@pytest.mark.slow
def test_scaled_to_small_images_it_runs(study: Path) -> None:
    """Without its cluster, its database and its accuracy; two trials."""
    overrides = (
        "storage=file",
        "constraints=[lut <= 70 %]",
        "budget.trials=2",
        # small maps leave the last layers little to do
        "space.require=[pe * simd <= 1024, cycles(max) / cycles(min) <= 200]",
        "cost_model={name: yosys-rtl}",
        # its own stages, behind a float network that is not there yet
        (
            "stages=[{pretrain: {epochs: 1}}, {estimate: {}}, {accuracy: {images: 500, keep: 40 %}},"
            " {finetune: {epochs: 2, keep: 10 %}}, {accuracy: {images: 5000, keep: all}}]"
        ),
    )
    sets = [word for text in overrides for word in ("--set", text)]
    done = subprocess.run(
        [sys.executable, "-m", "dse", "run", study.name, "--inline", *sets],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    records = snapshot(study.parent / "runs" / "mobilenet-u280").records
    assert len(records) == 2
    for record in records:
        tied = {c.weight_bits for n, c in record.design.compressions.items() if n.startswith("dw")}
        assert len(tied) == 1
    measured = [r for r in records if r.accuracies]
    assert {r.accuracies[0].stage for r in measured} == {"post-training"}
    assert {a.images for r in measured for a in r.accuracies} == {32}  # a fifth of 40 is held out
    assert (study.parent / "report.html").is_file()
    assert (study.parent / "shared/dse/mobilenet-u280/base.npz").is_file()
