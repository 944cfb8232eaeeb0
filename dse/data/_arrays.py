"""Arrays of .npz files: reading them without pickle, and what inputs may look like."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.data._files import damaged
from dse.errors import UsageError

FEATURE_STEP = 1 / 32  # standard deviations per integer: signed 8 bit then spans +-4 deviations
CHANNELS = (1, 3)  # of grey and colour images
SIDE = 8  # pixels from which on the last two axes of (n, channels, height, width) are no channels

Array = npt.NDArray[Any]


def read(path: Path, wanted: Sequence[str], expected: str) -> dict[str, Array]:
    """Return those arrays of an .npz file that are wanted and there.

    Args:
        path: of the file.
        wanted: names of arrays.
        expected: what the file must be, for the message.

    Raises:
        UsageError: it is no such file, is damaged, or holds Python objects, which are not unpickled.
    """
    try:
        with path.open("rb") as file:  # numpy leaves a file open that it cannot read
            content = np.load(file, allow_pickle=False)
            names = content.files if isinstance(content, np.lib.npyio.NpzFile) else []
            return {name: content[name] for name in names if name in wanted}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        # numpy takes what it does not know for a pickle, and advises to load it, which would run it
        pickled = "allow_pickle" in str(error)
        found = "it is no archive, or holds Python objects" if pickled else f"got {error}"
        raise damaged(path, expected, found) from error


def check_input(path: Path, name: str, x: Array) -> None:
    """Check that an array holds images or features.

    Raises:
        UsageError: it is neither uint8 images `(n, H, W[, C])` nor floating-point features `(n, F)`.
    """
    image = x.dtype == np.uint8 and x.ndim in (2, 3, 4)
    if not image and not (x.dtype.kind == "f" and x.ndim == 2):
        msg = (
            f"{path}: {name} must be uint8 images (n, height, width[, channels]) or"
            f" floating-point features (n, features), got {x.dtype} of shape {x.shape}{_hint(x)}"
        )
        raise UsageError(msg)
    if _channels_first(x):
        msg = (
            f"{path}: the axes of {name} must be (n, height, width, channels), but its shape"
            f" {x.shape} looks like (n, channels, height, width); store"
            f" {name}.transpose(0, 2, 3, 1)"
        )
        raise UsageError(msg)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        msg = f"{path}: {name} must hold finite numbers; remove the rows with NaN or infinity"
        raise UsageError(msg)


def alike(a: Array, b: Array) -> bool:
    """Whether two arrays hold inputs of one kind and shape."""
    return a.shape[1:] == b.shape[1:] and a.dtype.kind == b.dtype.kind


def as_integers(inputs: Mapping[str, Array], first: str) -> dict[str, Array]:
    """Return checked inputs as integers: `(n, H, W, C)` or `(n, F)`.

    uint8 is taken as it is. Floating-point features are standardised with mean and deviation of the part
    `first` and rounded to signed 8 bit, 32 steps a standard deviation.
    """
    if inputs[first].dtype.kind == "f":
        mean, deviation = _statistics(inputs[first])
        return {part: _standardised(x, mean, deviation) for part, x in inputs.items()}
    return {part: x[..., np.newaxis] if x.ndim == 3 else x for part, x in inputs.items()}


def _hint(x: Array) -> str:
    """Return what to do with inputs of the wrong kind; empty where nothing is known."""
    if x.dtype.kind == "f" and x.ndim in (3, 4):
        return (
            f"; convert images to uint8 (0 to 255), or flatten them to ({len(x)},"
            f" {math.prod(x.shape[1:])}) features"
        )
    return ""


def _channels_first(x: Array) -> bool:
    """Tell whether images are (n, channels, height, width).

    One row of pixels with many channels is a signal, so grey images are only told by being square.
    """
    if x.ndim != 4:
        return False
    _, channels, height, width = x.shape
    square = height == width
    return channels in CHANNELS and min(height, width) >= SIDE and (channels > 1 or square)


def _statistics(train: Array) -> tuple[Array, Array]:
    if len(train) == 0:
        return np.zeros(train.shape[1]), np.ones(train.shape[1])
    deviation = train.std(axis=0, dtype=np.float64)
    # a feature that never changes says nothing: it becomes 0
    return train.mean(axis=0, dtype=np.float64), np.where(deviation > 0, deviation, np.inf)


def _standardised(x: Array, mean: Array, deviation: Array) -> npt.NDArray[np.int8]:
    steps = np.rint((x - mean) / deviation / FEATURE_STEP)
    return np.clip(steps, -128, 127).astype(np.int8)
