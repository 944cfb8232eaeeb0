"""What a pruning scheme promises: mask, packing, and the work that is left under (PE, SIMD).

A scheme is a module of this folder with the functions of `Scheme`. Masks depend on the weights and the
`Compression` only, never on the folding: folding never retrains anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dse.ir.design import Compression
from dse.ir.units import Tiling


@dataclass(frozen=True, slots=True)
class Structure:
    """What is left of a matrix, as far as hardware can see it; the same for every mask of a scheme.

    Attributes:
        mh: rows that are built; fewer than the layer has only after filter pruning.
        mw: columns.
        tiling: the balanced blocks, None where the unit is dense.
        stored_weight_bits: bits a stored weight takes (a 1-bit weight that may also be absent takes 2).
    """

    mh: int
    mw: int
    tiling: Tiling | None
    stored_weight_bits: int


@dataclass(frozen=True, slots=True)
class Mask:
    """Which weights stay.

    Attributes:
        kept: `(mh, mw)` booleans in the order of the layer's own rows.
        row_order: `(mh,)` permutation: hardware row i is the layer's row `row_order[i]`. Blocks are formed
            on the reordered rows; the next layer's columns absorb the permutation.
    """

    kept: npt.NDArray[np.bool_]
    row_order: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PackedWeights:
    """Weights as the matrix unit reads them.

    Attributes:
        weights: `(depth, pe, simd)` integers, one row for every executed step of a vector. Dense step
            order (nf, sf); tiled step order (block row group, block column group, row step, column step).
        columns: tiled only: the memory of `Tiling.index_memory`, `(words, indices)`: which run of its block
            a lane gathers from, for (block row group, block column group of a period, column steps of
            one run); entry (i, j, run). With runs of one column that is an index per lane (i, j, s).
        rows: tiled only: `(groups, n * r)` which of the p/r rows of its residue class each kept row is,
            for (block row group, block column group); entry (i, k).
    """

    weights: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64] | None = None
    rows: npt.NDArray[np.int64] | None = None


class Scheme(Protocol):
    """The promise; `tests/contracts/test_pruning.py` is its executable form."""

    NEEDS_BLOCK: bool  # whether `block` means anything to it
    NEEDS_BETA: bool  # whether `beta` does
    BY_WEIGHTS: bool  # whether masks follow the weights; False: they are known before training

    def legalise(
        self,
        mh: int,
        mw: int,
        sparsity: float,
        block: tuple[int, int] | None,
        *,
        positions: int = 1,
    ) -> tuple[float, tuple[int, int] | None]:
        """Return the nearest (sparsity, block) the scheme can really do; applying it twice changes nothing.

        A sparsity of 0 means that nothing is pruned at this size. The mw columns are so many `positions` of
        a kernel, one after the other, with mw / positions channels each.
        """

    def structure(
        self, mh: int, mw: int, compression: Compression, *, positions: int = 1
    ) -> Structure:
        """Return what is left to build; `compression` is canonical."""

    def mask(
        self,
        weights: npt.NDArray[np.float64],
        compression: Compression,
        *,
        reorder: bool,
        positions: int = 1,
        seed: int = 0,
    ) -> Mask:
        """Choose the weights that stay, by magnitude; `reorder=False` keeps the rows in order.

        What is drawn at random follows from `seed`, which a layer has by its name.
        """
