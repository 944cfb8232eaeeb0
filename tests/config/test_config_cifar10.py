"""The larger studies of the five systems, on CIFAR-10: valid, and their networks can be folded."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from dse.config.load import load_config
from dse.search.ladder import ladder
from dse.search.study import plan

STUDIES = sorted((Path(__file__).parents[2] / "studies" / "cifar10").glob("*.yaml"))
IMAGES = 20  # a batch


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in the format of CIFAR-10: pickled dictionaries."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        data = rng.integers(0, 256, (IMAGES, 3072), dtype=np.uint8)
        batch = {b"data": data, b"labels": [i % 10 for i in range(IMAGES)]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return root


def test_every_system_has_one() -> None:
    assert len(STUDIES) == 6  # kernel pruning with and without spatial pruning, and four more


@pytest.mark.parametrize("study", STUDIES, ids=lambda p: p.stem)
def test_its_first_design_has_hardware(
    study: Path, batches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSE_DATA", str(batches))
    planned = plan(load_config(study))
    assert planned.config.study == f"{study.stem.replace('_', '-')}-cifar10"
    assert planned.dataset.input_shape == (32, 32, 3)
    vector = ladder(planned.space)[-1]  # pruned
    hardware = planned.hardware(planned.space.decode(vector))
    assert hardware.interval_cycles >= 32 * 32
