"""Random images with random labels: for studies of hardware alone, where the real images are not at hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._splitting import TEST_SEED, dataset
from dse.errors import UsageError
from dse.ir.numbers import IntType

SIZE, CHANNELS, CLASSES = 32, 3, 10
TRAIN, TEST = 100, 50  # enough to compare the outputs of an emitted design


def load(config: DataConfig, seed: int) -> Dataset:
    """Return noise: `size` x `size` x 3, 8-bit unsigned, `classes` labels. Nothing can be learned from it.

    Args:
        config: `size` (32) and `classes` (10) say the shape of the network; it has no files.
        seed: of the validation split.

    Raises:
        UsageError: a path is given, or an option does not fit.
    """
    if config.path is not None:
        msg = f"data 'noise' is made up and reads no file, got path {config.path}; leave it out"
        raise UsageError(msg)
    size = config.size or SIZE
    classes = config.classes or CLASSES
    rng = np.random.default_rng(TEST_SEED)
    train, test = (
        Split(
            rng.integers(0, 256, (count, size, size, CHANNELS), np.uint8),
            rng.integers(0, classes, count),
        )
        for count in (TRAIN, TEST)
    )
    input_type = IntType(bits=8, signed=False)
    made = dataset("noise", config, seed, input_type=input_type, train=train, test=test)
    return replace(made, classes=classes, learnable=False)
