"""From the arrays of a data set to its three parts: seeded, stratified, padded, limited."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dse.config.source import printable
from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._image_files import ImageFiles
from dse.errors import UsageError
from dse.ir.numbers import IntType

SPLITS = ("train", "validation", "test")
TEST_SEED = 0  # the order of the test images (which ones a limit keeps) is the same in every study


def dataset(
    name: str,
    config: DataConfig,
    seed: int,
    *,
    input_type: IntType,
    train: Split,
    test: Split,
    validation: Split | None = None,
    share: float = 0.1,
) -> Dataset:
    """Return a data set of arrays in any order.

    Args:
        name: name of the data set.
        config: `pad`, `validation` and `limit` are honoured here.
        seed: of the validation split and of the order of the training images.
        input_type: integer type of the images.
        train: the published training part; the validation images come out of it where `validation` is None.
        test: the published test part.
        validation: a published validation part.
        share: fraction of the training images that validates where `config.validation` is None.

    Raises:
        UsageError: options do not fit the data, or a part is left without images.
    """
    check_limits(config.limit)
    order = stratified_order(train.labels, np.random.default_rng(seed))
    if validation is None:
        share = share if config.validation is None else config.validation
        if not 0 < share < 1:
            msg = f"data.validation must be between 0 and 1, got {share:g}; try 0.1"
            raise UsageError(msg)
        held_out = round(share * len(order))
        validation = _picked(train, order[:held_out])
        train = _picked(train, order[held_out:])
    elif config.validation is not None:
        msg = f"{name} brings its own validation images: leave out data.validation"
        raise UsageError(msg)
    else:
        train = _picked(train, order)
        order = stratified_order(validation.labels, np.random.default_rng(seed))
        validation = _picked(validation, order)
    test = _picked(test, stratified_order(test.labels, np.random.default_rng(TEST_SEED)))
    parts = dict(zip(SPLITS, (train, validation, test), strict=True))
    for part, split in parts.items():
        if len(split) == 0:
            msg = f"{name} has no {part} images; give more images or change data.validation"
            raise UsageError(msg)
    classes = 1 + max(int(split.labels.max()) for split in parts.values())
    done = {n: padded(s.first(config.limit.get(n)), config.pad) for n, s in parts.items()}
    return Dataset(
        printable(name), done["train"], done["validation"], done["test"], input_type, classes
    )


def stratified_order(
    labels: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return a random order in which every prefix has the classes in their shares, to within one image.

    The i-th image (in random order) of a class of k is due at (i + 1/2) / k of the way.

    Args:
        labels: `(n,)` classes.
        rng: source of the order.

    Returns:
        `(n,)` permutation.
    """
    shuffled = rng.permutation(len(labels))
    due = np.empty(len(labels))
    for value in np.unique(labels):
        members = np.flatnonzero(labels[shuffled] == value)
        due[members] = (np.arange(len(members)) + 0.5) / len(members)
    order: npt.NDArray[np.int64] = shuffled[np.argsort(due, kind="stable")]
    return order


def padded(split: Split, pixels: int) -> Split:
    """Return the images with `pixels` zeros on each of the four sides."""
    if pixels == 0:
        return split
    if pixels < 0 or split.images.ndim != 4:
        msg = (
            f"data.pad must be 0 or more pixels around images (height, width, channels),"
            f" got {pixels} for inputs of shape {split.images.shape[1:]}; leave out data.pad"
        )
        raise UsageError(msg)
    if isinstance(split.images, ImageFiles):
        return Split(split.images.padded(pixels), split.labels)
    sides = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
    return Split(np.pad(split.images, sides), split.labels)


def check_limits(limit: Mapping[str, int]) -> None:
    """Raise UsageError where a limit names no split or keeps no image."""
    for part, images in limit.items():
        if part not in SPLITS or images < 1:
            msg = (
                f"data.limit takes a positive number of images for {', '.join(SPLITS)},"
                f" got {part}: {images}"
            )
            raise UsageError(msg)


def _picked(split: Split, order: npt.NDArray[np.int64]) -> Split:
    images = split.images[order]
    if isinstance(images, np.ndarray):  # image files have no order in memory
        images = np.ascontiguousarray(images)
    return Split(images, split.labels[order].astype(np.int64))
