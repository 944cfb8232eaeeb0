"""CIFAR-10, python version: a folder with data_batch_1..5 and test_batch (Krizhevsky 2009)."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._files import checked_split, damaged, required_path
from dse.data._safe_pickle import load_arrays
from dse.data._splitting import dataset
from dse.ir.numbers import IntType

SUBFOLDER = "cifar-10-batches-py"  # what the published archive unpacks to
TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
EXPECTED = "a CIFAR-10 batch (python version): a dictionary with b'data' (n, 3072) and b'labels'"


def load(config: DataConfig, seed: int) -> Dataset:
    """Return CIFAR-10: 32x32x3, 8-bit unsigned.

    Args:
        config: `path` is the folder cifar-10-batches-py or the one that holds it.
        seed: of the validation split.

    Raises:
        UsageError: a batch is missing, damaged or something else.
    """
    folder = required_path(config, f"the folder {SUBFOLDER} of the python version of CIFAR-10")
    if (folder / SUBFOLDER).is_dir():
        folder = folder / SUBFOLDER
    train = [_batch(folder / name) for name in TRAIN]
    return dataset(
        "cifar10",
        config,
        seed,
        input_type=IntType(bits=8, signed=False),
        train=Split(
            np.concatenate([s.images for s in train]), np.concatenate([s.labels for s in train])
        ),
        test=_batch(folder / "test_batch"),
    )


def _batch(path: Path) -> Split:
    try:
        value: Any = load_arrays(path)
    except FileNotFoundError as error:
        raise damaged(path, EXPECTED, "but there is no such file") from error
    # a damaged pickle may raise almost anything while it is decoded
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError) as error:
        raise damaged(path, EXPECTED, f"got {error}") from error
    if not isinstance(value, dict) or not {b"data", b"labels"} <= value.keys():
        raise damaged(path, EXPECTED, f"got a {type(value).__name__} without them")
    data, labels = value[b"data"], np.asarray(value[b"labels"])
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        raise damaged(path, EXPECTED, "but b'data' is not (n, 3072) unsigned bytes")
    # a row is the red, then the green, then the blue plane
    images = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return checked_split(path, path.name, images, labels)
