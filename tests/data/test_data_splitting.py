"""Splits are stratified, seeded and disjoint; options are honoured or refused."""

from __future__ import annotations

import numpy as np
import pytest

from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._splitting import dataset, stratified_order
from dse.errors import UsageError
from dse.ir.numbers import IntType

BYTE = IntType(8, signed=False)


def numbered(start: int, counts: tuple[int, ...]) -> Split:
    """Return images grouped by class whose two pixels are their number."""
    labels = np.repeat(np.arange(len(counts)), counts)
    numbers = start + np.arange(len(labels))
    pixels = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8)
    return Split(pixels.reshape(-1, 1, 2, 1), labels)


def numbers_of(split: Split) -> list[int]:
    pixels = split.images.reshape(len(split), 2).astype(int)
    return (256 * pixels[:, 0] + pixels[:, 1]).tolist()


def built(config: DataConfig, seed: int = 0, **more: Split) -> Dataset:
    train, test = numbered(0, (60, 30, 10)), numbered(1000, (12, 6, 2))
    return dataset("toy", config, seed, input_type=BYTE, train=train, test=test, **more)


def test_every_prefix_has_the_shares_of_the_classes() -> None:
    labels = np.repeat(np.arange(3), (600, 300, 100))
    order = stratified_order(labels, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(1000))
    for n in (1, 10, 37, 100, 500, 999):
        counts = np.bincount(labels[order[:n]], minlength=3)
        np.testing.assert_array_less(np.abs(counts - n * np.array([0.6, 0.3, 0.1])), 1.0 + 1e-9)


def test_parts_share_nothing_and_lose_nothing() -> None:
    data = built(DataConfig("toy", validation=0.2))
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 20, 20)
    assert np.bincount(data.validation.labels).tolist() == [12, 6, 2]
    assert sorted(numbers_of(data.train) + numbers_of(data.validation)) == list(range(100))
    assert sorted(numbers_of(data.test)) == list(range(1000, 1020))
    assert data.classes == 3
    assert data.input_shape == (1, 2, 1)


def test_the_seed_moves_validation_and_never_test() -> None:
    config = DataConfig("toy")
    assert built(config, 1).digest == built(config, 1).digest
    assert set(numbers_of(built(config, 1).validation)) != set(
        numbers_of(built(config, 2).validation)
    )
    assert numbers_of(built(config, 1).test) == numbers_of(built(config, 2).test)


def test_limits_keep_stratified_samples() -> None:
    limited = built(DataConfig("toy", limit={"train": 20, "test": 10}, validation=0.1))
    full = built(DataConfig("toy", validation=0.1))
    assert np.bincount(limited.train.labels).tolist() == [12, 6, 2]
    assert np.bincount(limited.test.labels).tolist() == [6, 3, 1]
    assert numbers_of(limited.train) == numbers_of(full.train)[:20]
    assert len(limited.validation) == 10


def test_padding_puts_zeros_on_all_sides() -> None:
    data = built(DataConfig("toy", pad=2))
    plain = built(DataConfig("toy"))
    assert data.input_shape == (5, 6, 1)
    np.testing.assert_array_equal(data.test.images[:, 2:3, 2:4], plain.test.images)
    assert data.test.images.sum() == plain.test.images.sum()


def test_published_validation_images_are_used_and_not_resplit() -> None:
    data = built(DataConfig("toy"), validation=numbered(500, (5, 5, 5)))
    assert sorted(numbers_of(data.train)) == list(range(100))
    assert sorted(numbers_of(data.validation)) == list(range(500, 515))
    with pytest.raises(UsageError, match="brings its own validation images"):
        built(DataConfig("toy", validation=0.1), validation=numbered(500, (5, 5, 5)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig("toy", validation=1.5), r"between 0 and 1, got 1\.5"),
        (DataConfig("toy", validation=0.001), "no validation images"),
        (DataConfig("toy", limit={"train": 0}), "positive number of images .* got train: 0"),
        (DataConfig("toy", limit={"tset": 5}), "for train, validation, test, got tset: 5"),
        (DataConfig("toy", pad=-1), "0 or more pixels .* got -1"),
    ],
)
def test_illegal_options_are_refused(config: DataConfig, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        built(config)


def test_features_cannot_be_padded() -> None:
    features = Split(np.zeros((10, 4), np.int8), np.arange(10) % 2)
    with pytest.raises(UsageError, match=r"inputs of shape \(4,\)"):
        dataset("toy", DataConfig("toy", pad=1), 0, input_type=BYTE, train=features, test=features)
