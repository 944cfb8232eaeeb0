"""Fully connected layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dse.ir.layers._base import MatrixLayer


@dataclass(frozen=True, slots=True)
class Dense(MatrixLayer):
    """A fully connected layer; a map at its input is flattened in stream order (h, w, channel)."""

    out_features: int

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(out_features,)."""
        return (self.out_features,)

    @property
    def mh(self) -> int:
        """Output features."""
        return self.out_features

    @property
    def mw(self) -> int:
        """Input features."""
        return math.prod(self.input_shape)

    @property
    def vectors(self) -> int:
        """One vector per frame."""
        return 1
