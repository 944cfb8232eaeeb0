"""Finding the files of a data set and saying what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dse.config.values import DataConfig
from dse.data._dataset import Split
from dse.errors import UsageError


def required_path(config: DataConfig, what: str) -> Path:
    """Return the path of the study file.

    Args:
        config: the data section.
        what: what must be there, for the message.

    Raises:
        UsageError: no path is given, or nothing is there.
    """
    if config.path is None:
        msg = f"data {config.name!r} needs {what}; add `path:` to the data section"
        raise UsageError(msg)
    if not config.path.exists():
        msg = f"{config.path}: there is no such file or folder; data {config.name!r} needs {what}"
        raise UsageError(msg)
    return config.path


def checked_split(
    path: Path, part: str, images: npt.NDArray[np.integer], labels: npt.NDArray[np.generic]
) -> Split:
    """Return images and labels as a split.

    Raises:
        UsageError: labels are not one non-negative whole number per image.
    """
    if labels.ndim != 1 or len(labels) != len(images):
        msg = (
            f"{path}: the {part} labels must be one class number per image,"
            f" got labels of shape {labels.shape} for {len(images)} images{_of_one_hot(labels)}"
        )
        raise UsageError(msg)
    whole = labels.dtype.kind in "iu"
    if not whole or (len(labels) and int(labels.min()) < 0):
        found = f"the lowest is {labels.min()}" if whole else f"got {labels.dtype}"
        msg = (
            f"{path}: the {part} labels must be whole numbers from 0, {found};"
            " store the index of the class"
        )
        raise UsageError(msg)
    return Split(images, labels.astype(np.int64))


def _of_one_hot(labels: npt.NDArray[np.generic]) -> str:
    """Return what to do with one column per class; empty where labels are no such thing."""
    return "; store labels.argmax(axis=1)" if labels.ndim == 2 and labels.shape[1] > 1 else ""


def damaged(path: Path, expected: str, found: str) -> UsageError:
    """Return the error for a file that is not what it should be."""
    return UsageError(f"{path}: expected {expected}, {found}; download or export the file again")
