"""Golden vectors: the AXI-Stream words of real images, and the words that must come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from dse.emit.words import codes, hex_lines
from dse.errors import UsageError
from dse.ir.accelerator import Accelerator, Integers
from dse.ir.numbers import IntType


@dataclass(frozen=True)
class Port:
    """One side of the accelerator.

    Attributes:
        elements: per word.
        element: type of an element; of a bipolar one, its bit travels.
        words: per frame.
    """

    elements: int
    element: IntType
    words: int

    @property
    def bits(self) -> int:
        """Bits that carry elements."""
        return self.elements * self.element.bits

    @property
    def axis_bits(self) -> int:
        """TDATA width: a power of two from 8 on, which AXI DMA engines take (AMD PG021)."""
        return int(max(8, 2 ** (self.bits - 1).bit_length()))


def golden_files(
    accelerator: Accelerator, source: Port, target: Port, images: Integers, labels: Integers
) -> Mapping[PurePosixPath, str]:
    """Return the files of golden vectors of tb/.

    Args:
        accelerator: the integer reference.
        source: input side.
        target: output side.
        images: `(n, *input_shape)` integers.
        labels: `(n,)`.

    Raises:
        UsageError: the images do not fit the network.
    """
    shape = accelerator.network.input_shape
    if images.shape[1:] != shape or not 0 < len(images) == len(labels):
        msg = (
            f"golden vectors need one or more images of shape {shape} and as many labels, got"
            f" {images.shape} and {labels.shape}; take them from the data set of the study"
        )
        raise UsageError(msg)
    try:
        pixels = codes(images, source.element).reshape(-1, source.elements)
    except ValueError as e:
        msg = f"an image does not have the input type of the network: {e}"
        raise UsageError(msg) from e
    wide = IntType(target.axis_bits, signed=True)
    scores = codes(accelerator.scores(images), wide).reshape(-1, 1)
    return {
        PurePosixPath("tb/inputs.hex"): hex_lines(pixels, source.element.bits, source.axis_bits),
        PurePosixPath("tb/expected.hex"): hex_lines(scores, wide.bits, target.axis_bits),
        PurePosixPath("tb/labels.txt"): "".join(f"{label}\n" for label in np.asarray(labels)),
    }
