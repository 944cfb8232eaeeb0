"""Foldings of many designs as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from dse.ir.design import (
    COMPUTES,
    EDGE_SKIPS,
    MEMORIES,
    Compression,
    DesignPoint,
    Folding,
    LayerDesign,
)
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
        edge_skip: indices into EDGE_SKIPS.
    """

    pe: Array
    simd: Array
    swu_simd: Array
    memory: Array
    compute: Array
    edge_skip: Array

    def __len__(self) -> int:
        return len(self.pe)

    @staticmethod
    def of(designs: Sequence[DesignPoint]) -> Foldings:
        """Return the foldings of designs."""
        rows = [
            [
                (
                    f.pe,
                    f.simd,
                    f.swu_simd,
                    MEMORIES.index(f.memory),
                    COMPUTES.index(f.compute),
                    EDGE_SKIPS.index(f.edge_skip),
                )
                for f in (layer.folding for _, layer in design.layers)
            ]
            for design in designs
        ]
        return Foldings(*np.moveaxis(np.array(rows, dtype=np.int64), -1, 0))

    def of_layer(self, number: int) -> Array:
        """Return `(6, N)`: all that is decided about one layer, in the order of the attributes."""
        return np.stack([getattr(self, f.name)[:, number] for f in fields(Foldings)])

    def design(
        self, number: int, network: Network, compressions: Mapping[str, Compression]
    ) -> DesignPoint:
        """Return one of the designs."""
        layers = []
        for i, layer in enumerate(network.layers):
            pe, simd, swu_simd, memory, compute, skip = self.of_layer(i)[:, number].tolist()
            styles = MEMORIES[memory], COMPUTES[compute], EDGE_SKIPS[skip]
            folding = Folding(pe, simd, swu_simd, *styles)
            layers.append((layer.name, LayerDesign(compressions.get(layer.name), folding)))
        return DesignPoint(tuple(layers))
