"""Any data set in one .npz file: x_train, y_train, x_test, y_test (and x_val, y_val)."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._files import checked_split, damaged, required_path
from dse.data._splitting import dataset
from dse.errors import UsageError
from dse.ir.numbers import IntType

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("x_val", "y_val")
EXPECTED = f"an .npz file with the arrays {', '.join(REQUIRED)}"
FEATURE_STEP = 1 / 32  # standard deviations per integer: signed 8 bit then spans +-4 deviations
CHANNELS = (1, 3)  # of grey and colour images
SIDE = 8  # pixels from which on the last two axes of (n, channels, height, width) are no channels

Array = npt.NDArray[Any]


def load(config: DataConfig, seed: int) -> Dataset:
    """Return the data set of an .npz file.

    uint8 images `(n, H, W)` or `(n, H, W, C)`, or uint8 features `(n, F)`, are taken as they are. Floating-point
    features `(n, F)` are standardised with mean and deviation of x_train and rounded to signed 8 bit, 32
    steps a standard deviation.

    Args:
        config: `path` is the file.
        seed: of the validation split and the order.

    Raises:
        UsageError: the file is damaged, or an array is missing or of another kind.
    """
    path = required_path(config, EXPECTED)
    arrays = _read(path)
    parts = ("train", "test", "val") if "x_val" in arrays else ("train", "test")
    inputs = {part: arrays[f"x_{part}"] for part in parts}
    _check_inputs(path, inputs)
    features = inputs["train"].dtype.kind == "f"
    if features:
        mean, deviation = _statistics(inputs["train"])
        inputs = {part: _standardised(x, mean, deviation) for part, x in inputs.items()}
    else:
        inputs = {part: x[..., np.newaxis] if x.ndim == 3 else x for part, x in inputs.items()}
    splits: dict[str, Split] = {
        part: checked_split(path, part, inputs[part], arrays[f"y_{part}"]) for part in parts
    }
    return dataset(
        f"npz {path.name}",
        config,
        seed,
        input_type=IntType(bits=8, signed=features),
        train=splits["train"],
        test=splits["test"],
        validation=splits.get("val"),
    )


def _read(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:  # numpy leaves a file open that it cannot read
            content = np.load(file, allow_pickle=False)
            names = content.files if isinstance(content, np.lib.npyio.NpzFile) else []
            arrays = {name: content[name] for name in names if name in REQUIRED + OPTIONAL}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        # numpy takes what it does not know for a pickle, and advises to load it, which would run it
        pickled = "allow_pickle" in str(error)
        found = "it is no archive, or holds Python objects" if pickled else f"got {error}"
        raise damaged(path, EXPECTED, found) from error
    missing = [name for name in REQUIRED if name not in arrays]
    if ("x_val" in arrays) != ("y_val" in arrays):
        missing.append("y_val" if "x_val" in arrays else "x_val")
    if missing:
        msg = f"{path}: expected {EXPECTED}; it lacks {', '.join(missing)}"
        raise UsageError(msg)
    return arrays


def _check_inputs(path: Path, inputs: dict[str, Array]) -> None:
    train = inputs["train"]
    for part, x in inputs.items():
        image = x.dtype == np.uint8 and x.ndim in (2, 3, 4)
        if not image and not (x.dtype.kind == "f" and x.ndim == 2):
            msg = (
                f"{path}: x_{part} must be uint8 images (n, height, width[, channels]) or"
                f" floating-point features (n, features), got {x.dtype} of shape {x.shape}{_hint(x)}"
            )
            raise UsageError(msg)
        if _channels_first(x):
            msg = (
                f"{path}: the axes of x_{part} must be (n, height, width, channels), but its shape"
                f" {x.shape} looks like (n, channels, height, width); store"
                f" x_{part}.transpose(0, 2, 3, 1)"
            )
            raise UsageError(msg)
        if x.shape[1:] != train.shape[1:] or x.dtype.kind != train.dtype.kind:
            msg = (
                f"{path}: all parts must have one kind of input, got x_train {train.dtype}"
                f" {train.shape[1:]} and x_{part} {x.dtype} {x.shape[1:]}"
            )
            raise UsageError(msg)
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            msg = f"{path}: x_{part} must hold finite numbers; remove the rows with NaN or infinity"
            raise UsageError(msg)


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
