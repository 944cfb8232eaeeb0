"""Foldings of many designs as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dse.ir.design import COMPUTES, MEMORIES, Compression, DesignPoint, Folding, LayerDesign
from dse.ir.network import Network

Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Foldings:
    """Foldings of N designs of one compression; all arrays `(N, layers)`, layers in order.

    Attributes:
        pe: as in `Folding`, and so on.
        simd: 1 where the layer has none.
        swu_simd: 0 where the layer has none.
        memory: indices into MEMORIES.
        compute: indices into COMPUTES.
    """

    pe: Array
    simd: Array
    swu_simd: Array
    memory: Array
    compute: Array

    def __len__(self) -> int:
        return len(self.pe)

    @staticmethod
    def of(designs: Sequence[DesignPoint]) -> Foldings:
        """Return the foldings of designs."""
        rows = [
            [
                (f.pe, f.simd, f.swu_simd, MEMORIES.index(f.memory), COMPUTES.index(f.compute))
                for f in (layer.folding for _, layer in design.layers)
            ]
            for design in designs
        ]
        return Foldings(*np.moveaxis(np.array(rows, dtype=np.int64), -1, 0))

    def of_layer(self, number: int) -> Array:
        """Return `(5, N)`: all that is decided about one layer, in the order of the attributes."""
        columns = (self.pe, self.simd, self.swu_simd, self.memory, self.compute)
        return np.stack([c[:, number] for c in columns])

    def design(
        self, number: int, network: Network, compressions: Mapping[str, Compression]
    ) -> DesignPoint:
        """Return one of the designs."""
        layers = []
        for i, layer in enumerate(network.layers):
            pe, simd, swu_simd, memory, compute = self.of_layer(i)[:, number].tolist()
            folding = Folding(pe, simd, swu_simd, MEMORIES[memory], COMPUTES[compute])
            layers.append((layer.name, LayerDesign(compressions.get(layer.name), folding)))
        return DesignPoint(tuple(layers))
