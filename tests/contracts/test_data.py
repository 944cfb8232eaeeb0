"""Every loader keeps the promise of `dse.data`."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from dse.config.values import DataConfig
from dse.errors import UsageError
from dse.ir import plugins

RNG = np.random.default_rng(11)


def _idx(folder: Path) -> Path:
    for part, n in (("train", 60), ("t10k", 20)):
        for kind, array in (
            ("images-idx3", RNG.integers(0, 256, (n, 8, 8), np.uint8)),
            ("labels-idx1", (np.arange(n) % 10).astype(np.uint8)),
        ):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            packed = gzip.compress(header + array.tobytes())
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(packed)
    return folder


def _npz(folder: Path) -> Path:
    path = folder / "data.npz"
    images = RNG.integers(0, 256, (80, 8, 8), np.uint8)
    labels = np.arange(80) % 10
    np.savez(path, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
    return path


def _splits(folder: Path) -> dict[str, Path]:
    images, labels = RNG.integers(0, 256, (120, 8, 8), np.uint8), np.arange(120) % 10
    files = {}
    for part, kept in (("calibrate", slice(60)), ("validate", slice(60, None))):
        files[part] = folder / f"{part}.npz"
        np.savez(files[part], x=images[kept], y=labels[kept])
    return files


def _cifar10(folder: Path) -> Path:
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        batch = {
            b"data": RNG.integers(0, 256, (20, 3072), np.uint8),
            b"labels": [i % 10 for i in range(20)],
        }
        (folder / name).write_bytes(pickle.dumps(batch))
    return folder


def _imagefolder(folder: Path) -> Path:
    for part, n in (("train", 6), ("val", 2)):
        for label in range(10):
            (folder / part / f"class{label}").mkdir(parents=True)
            for i in range(n):
                image = Image.fromarray(RNG.integers(0, 256, (9 + label, 9 + i, 3), np.uint8))
                image.save(folder / part / f"class{label}" / f"{i}.png")
    return folder


FILES: dict[str, Callable[[Path], Path | dict[str, Path] | None]] = {
    "digits": lambda folder: None,
    "noise": lambda folder: None,
    "idx": _idx,
    "npz": _npz,
    "splits": _splits,
    "cifar10": _cifar10,
    "imagefolder": _imagefolder,
}


@pytest.fixture(params=plugins.names("dse.data"))
def loader(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ModuleType, DataConfig]:
    name = request.param
    assert name in FILES, f"give {name} a small data set in FILES"
    found = FILES[name](tmp_path)
    own = {"files": found} if isinstance(found, dict) else {"path": found}
    return plugins.load("dse.data", name), DataConfig(name, **own)


Loader = tuple[ModuleType, DataConfig]


def test_it_says_what_it_is(loader: Loader) -> None:
    assert len((loader[0].__doc__ or "").splitlines()[0]) > 20


def test_parts_are_integers_of_the_input_type(loader: Loader) -> None:
    module, base = loader
    data = module.load(base, seed=0)
    assert data.classes == 10
    for split in (data.train, data.validation, data.test):
        assert len(split.images) == len(split.labels) > 0
        assert split.images.shape[1:] == data.input_shape
        assert split.images.dtype.kind in "iu"
        assert split.labels.dtype == np.int64
        images = np.asarray(split.images)  # image files are no array until they are read
        assert images.shape == split.images.shape
        assert images.min() >= data.input_type.min
        assert images.max() <= data.input_type.max
        assert 0 <= split.labels.min() <= split.labels.max() < data.classes
        assert images.flags.c_contiguous


def test_same_seed_same_data_and_test_never_moves(loader: Loader) -> None:
    module, base = loader
    share = None if base.files else 0.2  # `validate` is a file of its own
    config = replace(base, pad=1, validation=share, limit={"train": 30, "test": 10})
    one, again, other = (module.load(config, seed=s) for s in (1, 1, 2))
    assert one.digest == again.digest != other.digest
    np.testing.assert_array_equal(one.test.images, other.test.images)
    assert len(one.train) == 30
    assert len(one.test) == 10


def test_parts_share_no_image(loader: Loader) -> None:
    module, base = loader
    data = module.load(base, seed=3)
    parts = [
        set(map(bytes, np.asarray(s.images))) for s in (data.train, data.validation, data.test)
    ]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_illegal_options_are_refused(loader: Loader) -> None:
    module, base = loader
    for config in (
        replace(base, pad=-1),
        replace(base, validation=1.0),
        replace(base, limit={"all": 3}),
    ):
        with pytest.raises(UsageError):
            module.load(config, seed=0)
