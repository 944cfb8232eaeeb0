"""MNIST, Fashion-MNIST and alike: a folder with the four IDX files, plain or .gz."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._files import checked_split, damaged, required_path
from dse.data._splitting import dataset
from dse.errors import UsageError
from dse.ir.numbers import IntType

UNSIGNED_BYTE = 0x08  # type code of the IDX format (LeCun, "The MNIST database")
PARTS = {"train": "train", "test": "t10k"}


def load(config: DataConfig, seed: int) -> Dataset:
    """Return the images of an IDX folder: `(H, W, 1)`, 8-bit unsigned.

    Args:
        config: `path` is the folder with train-images-idx3-ubyte, train-labels-idx1-ubyte,
            t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or with .gz.
        seed: of the validation split.

    Raises:
        UsageError: a file is missing, damaged or something else.
    """
    folder = required_path(config, "a folder with the four MNIST-style IDX files")
    splits = {part: _split(folder, part, prefix) for part, prefix in PARTS.items()}
    return dataset(
        f"idx {folder.name}",
        config,
        seed,
        input_type=IntType(bits=8, signed=False),
        train=splits["train"],
        test=splits["test"],
    )


def _split(folder: Path, part: str, prefix: str) -> Split:
    images = read_idx(_file(folder, f"{prefix}-images-idx3-ubyte"), dimensions=3)
    labels = read_idx(_file(folder, f"{prefix}-labels-idx1-ubyte"), dimensions=1)
    return checked_split(folder, part, images[..., np.newaxis], labels)


def _file(folder: Path, name: str) -> Path:
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx")):
        if (folder / candidate).is_file():
            return folder / candidate
    msg = f"{folder}: needs the file {name} or {name}.gz; put the four IDX files into this folder"
    raise UsageError(msg)


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Return the bytes of an IDX file as an array.

    The format: two zero bytes, type code, number of dimensions, each size as a big-endian 32-bit number,
    then the values in C order.

    Raises:
        UsageError: the file is not an IDX file of unsigned bytes with so many dimensions, or it is cut off.
    """
    expected = f"an IDX file of unsigned bytes with {dimensions} dimension(s)"
    raw = path.read_bytes()
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(path, f"gzip data with {expected}", f"got {error}") from error
    header = 4 + 4 * dimensions
    if len(raw) < header or raw[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]):
        raise damaged(path, expected, f"but it begins with {raw[:4].hex(' ') or 'nothing'}")
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", dimensions, offset=4))
    if len(raw) - header != math.prod(shape):
        found = f"got {len(raw) - header} bytes for shape {shape}"
        raise damaged(path, f"{expected} and {math.prod(shape)} bytes of values", found)
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
