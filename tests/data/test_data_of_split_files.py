"""`data: {train, calibrate, validate, test}`: one .npz file per split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dse.config.values import DataConfig
from dse.data import npz, splits
from dse.errors import UsageError

RNG = np.random.default_rng(5)


def write(path: Path, count: int, classes: int = 4, **changes: object) -> Path:
    arrays = {"x": RNG.integers(0, 256, (count, 6, 6), np.uint8), "y": np.arange(count) % classes}
    np.savez(path, **(arrays | changes))  # type: ignore[arg-type]
    return path


def config(folder: Path, **counts: int) -> DataConfig:
    files = {part: write(folder / f"{part}.npz", count) for part, count in counts.items()}
    return DataConfig("splits", files=files)


def images(path: Path) -> Counter[bytes]:
    return Counter(map(bytes, np.load(path)["x"]))


def test_a_fifth_of_validate_is_held_out_in_equal_shares_whatever_the_seed(tmp_path: Path) -> None:
    c = config(tmp_path, calibrate=24, validate=100)
    one, other = splits.load(c, seed=1), splits.load(c, seed=2)
    assert (len(one.train), len(one.validation), len(one.test)) == (24, 80, 20)
    assert Counter(one.test.labels.tolist()) == dict.fromkeys(range(4), 5)
    assert set(map(bytes, one.test.images)) == set(map(bytes, other.test.images))
    whole = Counter(map(bytes, one.validation.images)) + Counter(map(bytes, one.test.images))
    assert whole == images(c.files["validate"])
    assert Counter(map(bytes, one.train.images)) == images(c.files["calibrate"])
    assert one.ranges is one.train


def test_files_of_their_own_train_calibrate_and_test(tmp_path: Path) -> None:
    c = config(tmp_path, train=40, calibrate=8, validate=20, test=12)
    data = splits.load(c, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 20, 12)
    assert Counter(map(bytes, data.ranges.images)) == images(c.files["calibrate"])
    without = splits.load(
        DataConfig("splits", files={k: v for k, v in c.files.items() if k != "calibrate"}), seed=0
    )
    assert without.ranges is without.train
    assert without.digest != data.digest
    reshaped = data.reshaped((36,))
    assert reshaped.ranges.images.shape == (8, 36)


def test_padding_reaches_every_split(tmp_path: Path) -> None:
    c = config(tmp_path, train=40, calibrate=8, validate=20)
    data = splits.load(DataConfig("splits", files=c.files, pad=1), seed=0)
    for split in (data.train, data.validation, data.test, data.ranges):
        assert split.images.shape[1:] == (8, 8, 1)
        assert not split.images[:, 0].any()


def test_features_are_standardised_as_those_of_one_file(tmp_path: Path) -> None:
    x, z = RNG.normal(3, 2, (50, 5)), RNG.normal(3, 2, (40, 5))
    y, w = np.arange(50) % 2, np.arange(40) % 2
    files = {
        "train": write(tmp_path / "a.npz", 50, x=x, y=y),
        "validate": write(tmp_path / "b.npz", 40, x=z, y=w),
        "test": write(tmp_path / "c.npz", 40, x=z, y=w),
    }
    np.savez(tmp_path / "all.npz", x_train=x, y_train=y, x_val=z, y_val=w, x_test=z, y_test=w)
    one = npz.load(DataConfig("npz", path=tmp_path / "all.npz"), seed=3)
    several = splits.load(DataConfig("splits", files=files), seed=3)
    assert several.digest == one.digest
    assert several.input_type == one.input_type


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"x": RNG.integers(0, 256, (20, 6, 5), np.uint8)},
            r"one kind of input.*\(6, 5\).*\(6, 6\)",
        ),
        ({"x": RNG.normal(size=(20, 6, 6))}, "convert images to uint8"),
        ({"x": RNG.integers(0, 256, (0, 6, 6), np.uint8)}, "x must hold images"),
        ({"y": np.arange(19)}, "one class number per image"),
        ({"y": np.arange(20) - 1}, "whole numbers from 0"),
        ({"y": np.arange(20) % 6}, r"below the 5 of data\.classes, got 5"),
    ],
)
def test_what_does_not_fit_is_named_with_its_file(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    files = {
        "calibrate": write(tmp_path / "good.npz", 20),
        "validate": write(tmp_path / "bad.npz", 20, **changes),
    }
    with pytest.raises(UsageError, match=f"bad.npz: .*{message}"):
        splits.load(DataConfig("splits", files=files, classes=5), seed=0)


def test_classes_that_no_label_shows_can_be_told(tmp_path: Path) -> None:
    c = config(tmp_path, calibrate=8, validate=20)
    assert splits.load(c, seed=0).classes == 4
    assert splits.load(DataConfig("splits", files=c.files, classes=9), seed=0).classes == 9


def test_too_few_images_to_hold_any_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"validate\.npz: a fifth .* got 4"):
        splits.load(config(tmp_path, calibrate=8, validate=4), seed=0)
