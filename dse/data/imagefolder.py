"""Folders of images, one per class, below train/ and val/ (as ImageNet is unpacked); read while training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from dse.config.values import DataConfig
from dse.data._dataset import Dataset, Split
from dse.data._files import required_path
from dse.data._image_files import ImageFiles
from dse.data._splitting import dataset
from dse.errors import UsageError
from dse.ir.numbers import IntType

SIZE = 224  # pixels of a side where the study file says none
ENDINGS = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff"))
EXPECTED = "a folder with train/ and val/, in each of them one folder of images per class"


def load(config: DataConfig, seed: int) -> Dataset:
    """Return a data set of image files: `size` x `size` x 3, 8-bit unsigned.

    The shorter side of each image is scaled to 8/7 of `size` (256 for 224) and the square in the middle is
    taken; nothing is augmented. Classes are the names of the folders in train/, in alphabetical order. What is in val/
    is the test part, which the search never sees; validation images come out of train/. Files are read when
    they are needed, so memory does not grow with the data set.

    Args:
        config: `path` is the folder; `size`.
        seed: of the validation split and the order.

    Raises:
        UsageError: a folder is missing or empty, or val/ has a class that train/ lacks.
    """
    root = required_path(config, EXPECTED)
    size = config.size or SIZE
    classes = {name: i for i, name in enumerate(_folders(root / "train"))}
    return dataset(
        f"imagefolder {root.name}",
        config,
        seed,
        input_type=IntType(bits=8, signed=False),
        train=_split(root, "train", classes, size),
        test=_split(root, "val", classes, size),
    )


def _folders(part: Path) -> list[str]:
    names = sorted(p.name for p in part.iterdir() if p.is_dir()) if part.is_dir() else []
    if not names:
        msg = f"{part}: expected {EXPECTED}; there is no folder of a class"
        raise UsageError(msg)
    return names


def _split(root: Path, part: str, classes: Mapping[str, int], size: int) -> Split:
    names: list[bytes] = []
    labels: list[int] = []
    for folder in _folders(root / part):
        if folder not in classes:
            msg = (
                f"{root / part / folder}: every class of {part}/ must be in train/, {folder!r} is not;"
                " add its training images, or take the folder away"
            )
            raise UsageError(msg)
        files = sorted(
            entry.name
            for entry in os.scandir(root / part / folder)
            if Path(entry.name).suffix.lower() in ENDINGS
        )
        names += [os.fsencode(f"{part}/{folder}/{file}") for file in files]
        labels += [classes[folder]] * len(files)
    if not names:
        msg = f"{root / part}: expected images ({', '.join(sorted(ENDINGS))}), there are none"
        raise UsageError(msg)
    images = ImageFiles(root, np.array(names), size)
    # it stands for an array: what is cut out of it stays files, and `np.asarray` reads them
    return Split(cast(npt.NDArray[np.integer], images), np.array(labels, np.int64))
