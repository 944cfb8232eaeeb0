"""Images that stay files until they are looked at, so that a data set may be larger than memory."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from dse.errors import UsageError

CHANNELS = 3  # grey and palette images become red, green, blue
# The shorter side becomes SHORTER / CROP of the square that is cut out of the middle: 256 pixels for 224, what
# published ImageNet accuracies are measured with.
SHORTER, CROP = 256, 224


@dataclass(frozen=True, eq=False, slots=True)
class ImageFiles:
    """Stands for a `(n, size + 2 * pad, size + 2 * pad, 3)` uint8 array; `np.asarray` reads the files.

    Whatever is cut out of it, by a slice or an array of indices, stays files.

    Attributes:
        root: the folder that the names start from.
        names: `(n,)` bytes, relative to it, as the file system has them.
        size: pixels of a side of the square that is cut out of each image.
        pad: pixels of 0 around it.
    """

    root: Path
    names: npt.NDArray[np.bytes_]
    size: int
    pad: int = 0

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        side = self.size + 2 * self.pad
        return (len(self.names), side, side, CHANNELS)

    def __getitem__(self, index: slice | npt.NDArray[np.int64]) -> ImageFiles:
        return replace(self, names=self.names[index])

    def reshape(self, *shape: int) -> ImageFiles:
        """Refuse another shape.

        Raises:
            UsageError: always.
        """
        msg = (
            f"image files have the shape {self.shape[1:]}, and the model takes {shape[1:]}:"
            " give the data as an .npz file instead"
        )
        raise UsageError(msg)

    def padded(self, pixels: int) -> ImageFiles:
        """Return the images with zeros on all four sides."""
        return replace(self, pad=self.pad + pixels)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.generic]:
        """Read the files.

        Raises:
            UsageError: one is no image, or damaged; the message names it.
        """
        del copy  # there is nothing to share
        images = np.zeros(self.shape, np.uint8)
        inner = slice(self.pad, self.pad + self.size)
        for i, name in enumerate(self.names.tolist()):
            images[i, inner, inner] = read_image(self.root / os.fsdecode(name), self.size)
        return images if dtype is None else images.astype(dtype)

    @property
    def fingerprint(self) -> bytes:
        """Hash of names, file sizes and the size of the square; contents are not read."""
        h = hashlib.blake2b(f"{self.shape} {SHORTER} {CROP}".encode(), digest_size=16)
        for name in self.names.tolist():
            h.update(name + b"\0%d\0" % (self.root / os.fsdecode(name)).stat().st_size)
        return h.digest()


def read_image(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """Return the middle `(size, size, 3)` of an image, its shorter side scaled to size * SHORTER / CROP.

    Raises:
        UsageError: it is no image, or damaged.
    """
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        what = "it is none" if isinstance(error, UnidentifiedImageError) else f"got {error}"
        msg = (
            f"{path}: expected an image that can be read, {what}; replace the file, or take it out"
            " of the folder"
        )
        raise UsageError(msg) from error
    shorter = max(size, round(size * SHORTER / CROP))
    scale = shorter / min(image.size)
    width, height = (max(shorter, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled.crop((left, top, left + size, top + size)))
