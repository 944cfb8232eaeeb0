"""1,797 handwritten digits of 8x8 pixels, offline (UCI Optical Recognition, from scikit-learn)."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._splitting import TEST_SEED, dataset, stratified_order
from dse.errors import UsageError
from dse.ir.numbers import IntType

TEST_IMAGES = 360  # one fifth, the same images in every study
VALIDATION_SHARE = 0.25  # of the rest: 359 images, so that one image is 0.28 points of accuracy


def load(config: DataConfig, seed: int) -> Dataset:
    """Return the digits: 8x8x1, 5-bit unsigned (0..16).

    Args:
        config: the data section; it has no files.
        seed: of the validation split.

    Raises:
        UsageError: a path is given, or an option does not fit.
    """
    if config.path is not None:
        msg = f"data 'digits' is built in and reads no file, got path {config.path}; leave it out"
        raise UsageError(msg)
    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    order = stratified_order(labels, np.random.default_rng(TEST_SEED))
    test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
    return dataset(
        "digits",
        config,
        seed,
        input_type=IntType(bits=5, signed=False),
        train=Split(images[train], labels[train]),
        test=Split(images[test], labels[test]),
        share=VALIDATION_SHARE,
    )
