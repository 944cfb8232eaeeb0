"""What every layer states about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dse.ir.numbers import IntType

Ints: TypeAlias = int | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layer(ABC):
    """A layer of a network: structure only, weights travel beside it.

    Shapes have no batch dimension: `(H, W, C)` for maps, `(C,)` for vectors. Channels are last, the
    order in which a streaming accelerator sees them.
    """

    name: str
    inputs: tuple[str, ...]  # names of layers, or "input"
    input_shape: tuple[int, ...]

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output."""

    @property
    def is_matrix(self) -> bool:
        """True where the layer is a matrix-vector product with weights."""
        return False

    @property
    def word_channels(self) -> int:
        """Channels that the elements of a word must divide, of a layer without weights."""
        return self.input_shape[-1]

    def shape_of(self, port: int) -> tuple[int, ...]:
        """Return the shape of an input."""
        del port
        return self.input_shape

    @property
    def windowed(self) -> bool:
        """True where the layer reads a map in sliding windows, which a unit of its own hands out."""
        return False

    def output_type(self, element: IntType) -> IntType:
        """Return the type of the output elements of a layer without weights.

        Args:
            element: type of the input elements.
        """
        return element


@dataclass(frozen=True, slots=True)
class Join(Layer):
    """A layer without weights that reads two branches and makes one stream of them.

    `input_shape` is that of its first input.
    """

    def turn_words(self, port: int, pe: Ints) -> Ints:
        """Return the words that the unit takes of an input in a row, while the other one may have to wait.

        Args:
            port: which input.
            pe: elements per word.
        """
        del port, pe
        return 1


@dataclass(frozen=True, slots=True)
class MatrixLayer(Layer):
    """A layer that is `vectors` products of an (mh, mw) weight matrix with an input vector.

    Attributes:
        activation: False for the last layer, whose raw accumulators are the class scores.
        signed: the activation has no ReLU: its codes are signed, -2**(bits - 1) and more. For branches
            that end in an `Add`.
    """

    activation: bool
    signed: bool = field(default=False, kw_only=True)

    @property
    def is_matrix(self) -> bool:
        """Always true."""
        return True

    @property
    @abstractmethod
    def mh(self) -> int:
        """Matrix height: output channels."""

    @property
    @abstractmethod
    def mw(self) -> int:
        """Matrix width: inputs per output, in stream order (ky, kx, channel)."""

    @property
    @abstractmethod
    def vectors(self) -> int:
        """Input vectors per frame: OH * OW."""

    @property
    def positions(self) -> int:
        """Kernel positions: the columns are so many equal parts, one after the other, with a channel each."""
        return 1

    @property
    def prunable(self) -> bool:
        """Whether a pruning scheme may choose among the weights of this layer."""
        return True

    @property
    def constant_weights(self) -> bool:
        """Whether the weights are all +1: neither trained nor searched."""
        return False

    @property
    def macs(self) -> int:
        """Multiply-accumulates per frame, dense."""
        return self.mh * self.mw * self.vectors
