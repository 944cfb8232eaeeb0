"""Loaders read the published formats and explain what is wrong with other files."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dse.config.values import DataConfig
from dse.data import cifar10, digits, idx, npz
from dse.errors import UsageError
from dse.ir.numbers import IntType

RNG = np.random.default_rng(3)
DATASETS = Path(
    os.environ.get("DSE_DATA") or Path(__file__).parents[2].parent / "shared/data/datasets"
)


# digits -------------------------------------------------------------------------------------


def test_digits_are_the_published_ones() -> None:
    data = digits.load(DataConfig("digits"), seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (1078, 359, 360)
    assert data.input_shape == (8, 8, 1)
    assert data.input_type == IntType(5, signed=False)
    parts = [data.train, data.validation, data.test]
    images = np.concatenate([p.images for p in parts]).reshape(-1, 64)
    labels = np.concatenate([p.labels for p in parts])
    together = sorted(map(tuple, np.column_stack([images, labels]).tolist()))
    bunch = load_digits()
    truth = np.column_stack([bunch.data.astype(int), bunch.target])
    assert together == sorted(map(tuple, truth.tolist()))
    assert np.ptp(np.bincount(data.test.labels)) <= 2


def test_digits_need_no_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="built in and reads no file"):
        digits.load(DataConfig("digits", path=tmp_path), seed=0)


# idx ----------------------------------------------------------------------------------------


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_idx(folder: Path, *, compress: bool) -> dict[str, np.ndarray]:
    arrays = {
        "train-images-idx3-ubyte": RNG.integers(0, 256, (40, 6, 5), np.uint8),
        "train-labels-idx1-ubyte": np.arange(40, dtype=np.uint8) % 4,
        "t10k-images-idx3-ubyte": RNG.integers(0, 256, (8, 6, 5), np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(8, dtype=np.uint8) % 4,
    }
    for name, array in arrays.items():
        raw = idx_bytes(array)
        file = folder / (f"{name}.gz" if compress else name)
        file.write_bytes(gzip.compress(raw) if compress else raw)
    return arrays


@pytest.mark.parametrize("compress", [False, True])
def test_idx_files_are_read(tmp_path: Path, compress: bool) -> None:
    arrays = write_idx(tmp_path, compress=compress)
    data = idx.load(DataConfig("idx", path=tmp_path), seed=0)
    assert data.input_shape == (6, 5, 1)
    assert data.input_type == IntType(8, signed=False)
    assert (len(data.train), len(data.validation), len(data.test)) == (36, 4, 8)
    images = np.concatenate([data.train.images, data.validation.images])[..., 0]
    assert sorted(map(bytes, images)) == sorted(map(bytes, arrays["train-images-idx3-ubyte"]))
    for image, label in zip(data.test.images, data.test.labels, strict=True):
        found = np.flatnonzero((arrays["t10k-images-idx3-ubyte"] == image[..., 0]).all((1, 2)))
        assert arrays["t10k-labels-idx1-ubyte"][found].tolist() == [label]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", b"", "it begins with nothing"),
        ("train-images-idx3-ubyte", b"<html>Not found</html>", "begins with 3c 68 74 6d"),
        (
            "train-images-idx3-ubyte",
            idx_bytes(np.zeros((40, 6, 5), np.uint8))[:-1],
            "got 1199 bytes",
        ),
        ("train-labels-idx1-ubyte", idx_bytes(np.zeros(39, np.uint8)), "for 40 images"),
        ("t10k-labels-idx1-ubyte.gz", b"\x1f\x8b broken", "gzip data"),
        ("t10k-labels-idx1-ubyte.gz", gzip.compress(b"x" * 99)[:-9], "gzip data"),
    ],
)
def test_foreign_idx_files_are_explained(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    write_idx(tmp_path, compress=False)
    (tmp_path / name.removesuffix(".gz")).unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        idx.load(DataConfig("idx", path=tmp_path), seed=0)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_idx_file_is_named(tmp_path: Path) -> None:
    write_idx(tmp_path, compress=False)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(UsageError, match=r"needs the file t10k-images-idx3-ubyte"):
        idx.load(DataConfig("idx", path=tmp_path), seed=0)


@pytest.mark.parametrize("loader", [idx, npz, cifar10])
def test_a_missing_path_is_asked_for(loader: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="add `path:` to the data section"):
        loader.load(DataConfig("x"), seed=0)
    with pytest.raises(UsageError, match="there is no such file or folder"):
        loader.load(DataConfig("x", path=tmp_path / "nowhere"), seed=0)


# npz ----------------------------------------------------------------------------------------


def write_npz(path: Path, **changes: Any) -> DataConfig:
    arrays: dict[str, Any] = {
        "x_train": RNG.integers(0, 256, (40, 4, 4), np.uint8),
        "y_train": np.arange(40) % 4,
        "x_test": RNG.integers(0, 256, (8, 4, 4), np.uint8),
        "y_test": np.arange(8) % 4,
    } | changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return DataConfig("npz", path=path)


@pytest.mark.parametrize(
    ("shape", "expected"), [((4, 4), (4, 4, 1)), ((4, 4, 3), (4, 4, 3)), ((7,), (7,))]
)
def test_npz_bytes_are_taken_as_they_are(
    tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    x = RNG.integers(0, 256, (8, *shape), np.uint8)
    train = RNG.integers(0, 256, (40, *shape), np.uint8)
    data = npz.load(write_npz(tmp_path / "a.npz", x_train=train, x_test=x), seed=0)
    assert data.input_shape == expected
    assert data.input_type == IntType(8, signed=False)
    assert sorted(map(bytes, data.test.images)) == sorted(map(bytes, x))


def test_npz_features_are_standardised_on_the_training_part(tmp_path: Path) -> None:
    train = RNG.normal(5, 3, (400, 6))
    train[:, 2] = 7.0  # a constant
    test = RNG.normal(5, 3, (50, 6))
    test[0, 0] = 1e9
    config = write_npz(
        tmp_path / "f.npz",
        x_train=train,
        y_train=np.arange(400) % 4,
        x_test=test,
        y_test=np.arange(50) % 4,
    )
    data = npz.load(config, seed=0)
    assert data.input_type == IntType(8, signed=True)
    expected = np.clip(
        np.round(32 * (test - train.mean(0)) / np.maximum(train.std(0), 1e-30)), -128, 127
    )
    expected[:, 2] = 0
    assert sorted(map(tuple, data.test.images.tolist())) == sorted(map(tuple, expected.tolist()))
    assert data.test.images.max() == 127


def test_npz_validation_arrays_are_used(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (12, 4, 4), np.uint8)
    data = npz.load(write_npz(tmp_path / "v.npz", x_val=x, y_val=np.arange(12) % 4), seed=0)
    assert (len(data.train), len(data.validation)) == (40, 12)
    assert sorted(map(bytes, data.validation.images)) == sorted(map(bytes, x))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "it lacks y_test"),
        ({"x_val": np.zeros((2, 4, 4), np.uint8)}, "it lacks y_val"),
        ({"x_train": np.zeros((40, 4, 4))}, r"x_train must be uint8 images .* got float64"),
        ({"x_test": np.zeros((8, 5, 4), np.uint8)}, "one kind of input"),
        ({"y_train": np.zeros(40)}, "whole numbers from 0, got float64"),
        ({"y_train": np.arange(40) % 4 - 1}, "whole numbers from 0, the lowest is -1; store"),
        (
            {"x_train": np.zeros((40, 3, 8, 9), np.uint8)},
            r"\(n, height, width, channels\), but its shape \(40, 3, 8, 9\) looks like \(n, chan",
        ),
        ({"x_train": np.zeros((40, 1, 28, 28), np.uint8)}, r"x_train\.transpose\(0, 2, 3, 1\)"),
        ({"x_test": np.zeros((8, 4, 4))}, r"convert images to uint8 .* or flatten .* \(8, 16\) fe"),
        ({"y_train": np.zeros((40, 4), int)}, r"one class number per image.* \(40, 4\).*argmax"),
        ({"x_train": np.full((40, 3), np.nan), "x_test": np.zeros((8, 3))}, "finite numbers"),
        ({"x_train": np.zeros((0, 4, 4), np.uint8), "y_train": np.zeros(0, int)}, "no train"),
    ],
)
def test_foreign_npz_arrays_are_explained(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        npz.load(write_npz(tmp_path / "a.npz", **changes), seed=0)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_a_damaged_npz_is_explained(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(
        UsageError, match=r"bad\.npz: expected an \.npz file with the arrays"
    ) as caught:
        npz.load(DataConfig("npz", path=path), seed=0)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 64, 9), (3, 3, 16), (8, 8, 3), (1, 1, 600)])
def test_channels_last_is_believed(tmp_path: Path, shape: tuple[int, ...]) -> None:
    train, test = (np.zeros((n, *shape), np.uint8) for n in (40, 8))
    data = npz.load(write_npz(tmp_path / "a.npz", x_train=train, x_test=test), seed=0)
    assert data.input_shape == shape


def test_objects_in_an_npz_are_not_unpickled(tmp_path: Path) -> None:
    config = write_npz(tmp_path / "o.npz", x_train=np.array([print, len], dtype=object))
    with pytest.raises(UsageError, match=r"o\.npz.* holds Python objects") as caught:
        npz.load(config, seed=0)
    assert "allow_pickle" not in str(caught.value)


def test_fashion_mnist_loads() -> None:
    path = DATASETS / "fashion_mnist.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the project (set DSE_DATA)")
    config = DataConfig("npz", path=path, pad=2, limit={"train": 600, "validation": 100})
    data = npz.load(config, seed=0)
    assert data.input_shape == (32, 32, 1)
    assert np.bincount(data.train.labels).tolist() == [60] * 10  # the file is grouped by class
    assert len(data.test) == 10_000


# cifar10 ------------------------------------------------------------------------------------


def write_cifar10(folder: Path, protocol: int = 2) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    images = RNG.integers(0, 256, (24, 3, 32, 32), np.uint8)
    for i, name in enumerate([*cifar10.TRAIN, "test_batch"]):
        batch = {
            b"data": images[4 * i : 4 * i + 4].reshape(4, 3072),
            b"labels": [0, 1, 2, 3],
            b"filenames": [b"a.png"] * 4,
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=protocol))
    return images


@pytest.mark.parametrize("protocol", [2, 4])
def test_cifar10_batches_are_read(tmp_path: Path, protocol: int) -> None:
    images = write_cifar10(tmp_path / cifar10.SUBFOLDER, protocol)
    data = cifar10.load(DataConfig("cifar10", path=tmp_path, validation=0.2), seed=0)
    assert data.input_shape == (32, 32, 3)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 4)
    for image, label in zip(data.test.images, data.test.labels, strict=True):
        np.testing.assert_array_equal(image, images[20 + label].transpose(1, 2, 0))


class Command:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch stolen",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Command()), "reference to (posix|nt).system"),
        (pickle.dumps({b"data": Command(), b"labels": [1]}), "reference to (posix|nt).system"),
        (pickle.dumps(b"text"), "got a bytes without them"),
        (pickle.dumps({b"data": [1, 2], b"labels": [1]}), "is not .n, 3072. unsigned bytes"),
        (b"", "Ran out of input"),
        (b"<html>", "test_batch: expected a CIFAR-10 batch"),
    ],
)
def test_foreign_pickles_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_cifar10(tmp_path)
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        cifar10.load(DataConfig("cifar10", path=tmp_path), seed=0)
    assert not (tmp_path / "stolen").exists()


def test_a_missing_cifar10_batch_is_named(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_3").unlink()
    with pytest.raises(UsageError, match="data_batch_3: expected a CIFAR-10 batch"):
        cifar10.load(DataConfig("cifar10", path=tmp_path), seed=0)
