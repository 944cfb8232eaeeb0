"""What a loader returns: integer images in three parts that share nothing.

A loader is a module of this folder with a function `load(config: DataConfig, seed: int) -> Dataset`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dse.data._image_files import ImageFiles
from dse.ir.numbers import IntType


@dataclass(frozen=True, slots=True)
class Split:
    """Some images and what they show.

    Attributes:
        images: `(n, *shape)` integers of the data set's input type; channels last. Where they are more than
            memory holds, what stands for such an array (`dse.data._image_files`): `np.asarray` of a part of it reads
            that part.
        labels: `(n,)` int64, 0 <= label < classes.
    """

    images: npt.NDArray[np.integer]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, n: int | None) -> Split:
        """Return the first `n` images (all where None).

        The order of a split is stratified: the head of it is a fair sample of the classes.
        """
        return Split(self.images[:n], self.labels[:n])


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set; the search sees `train` and `validation`, only the report quotes `test`.

    Attributes:
        name: the loader, and the file or folder it read.
        train: what weights are fitted to.
        validation: what candidates are compared on; taken out of the training part.
        test: the published test part, touched by nothing else.
        input_type: integer type of the images.
        classes: number of classes.
        learnable: False where images are made up: nothing is trained then, hardware alone is searched.
        calibration: images of their own that set ranges of activations; None: those of `train` do.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    input_type: IntType
    classes: int
    learnable: bool = True
    calibration: Split | None = None

    @property
    def ranges(self) -> Split:
        """Images that ranges of activations are set on."""
        return self.train if self.calibration is None else self.calibration

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image: `(H, W, C)`, or `(F,)` for features."""
        return self.train.images.shape[1:]

    def reshaped(self, shape: tuple[int, ...]) -> Dataset:
        """Return the data set with inputs of another shape and the same elements in the same order."""
        if shape == self.input_shape:
            return self

        def part(split: Split) -> Split:
            return replace(split, images=split.images.reshape(len(split), *shape))

        return replace(
            self,
            train=part(self.train),
            validation=part(self.validation),
            test=part(self.test),
            calibration=None if self.calibration is None else part(self.calibration),
        )

    @property
    def digest(self) -> str:
        """Hash of every image and label, in order; of images that stay files, of their names and sizes."""
        h = hashlib.blake2b(f"{self.input_type}{self.classes}".encode(), digest_size=8)
        calibration = () if self.calibration is None else (self.calibration,)
        for split in (self.train, self.validation, self.test, *calibration):
            h.update(str(split.images.shape).encode())
            h.update(_content(split.images))
            h.update(np.ascontiguousarray(split.labels).tobytes())
        return h.hexdigest()


def _content(images: npt.NDArray[np.integer] | ImageFiles) -> bytes:
    if isinstance(images, ImageFiles):
        return images.fingerprint
    return np.ascontiguousarray(images).tobytes()
