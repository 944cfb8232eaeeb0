"""The large study of the file format's reference (large.yaml): what of it is read, and that the rest is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dse.config.load import load_config
from dse.config.problems import StudyFileError
from dse.search.outlook import outlook
from dse.search.study import snapshot

LARGE = (Path(__file__).parent / "large.yaml").read_text()

# what this version does not build, and what stands in its place below
LATER = {
    "  onnx: models/mobilenet_v1_w4a4.onnx     # QONNX or plain ONNX, static shapes\n"
    "  input: 1x224x224x3\n": "  name: mobilenet-v1\n  width: 0.25\n",
    "artifacts: shared/dse/mobilenet-u280\n": "",
    "report: {file: report.html, every: 30 min}\n": "report: auto\n",
    # these would need their files, and a tool
    "  - designs/u280_hand.json                # a FINN folding config also works\n": "",
    "  file: models/u280-hls.json              # from `dse calibrate`\n": "  name: yosys-rtl\n",
    "tool: vitis_hls": "tool: yosys",
}
# names of the layers of the network that dse brings
NAMES = {"match: conv0 ": "match: conv1 ", "match: dw*": "match: dw*", "match: pw*": "match: pw*"}


def adapted() -> str:
    text = LARGE
    for old, new in (LATER | NAMES).items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_what_is_not_built_is_named_and_nothing_else_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text(LARGE)
    with pytest.raises(StudyFileError) as caught:
        load_config(tmp_path / "large.yaml", check_files=False)
    assert {p.slug for p in caught.value.problems} == {"not-supported"}
    shown = [p.span.text.partition("#")[0].strip() for p in caught.value.problems]
    assert shown == [
        "artifacts: shared/dse/mobilenet-u280",
        "report: {file: report.html, every: 30 min}",
    ]


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
        "stages=[{pretrain: {epochs: 1}}, {estimate: {keep: all}}, {finetune: {epochs: 1}}, {final: {epochs: 1}}]",
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
