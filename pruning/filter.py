"""Whole rows (output channels) with the smallest L2 norm go; a smaller dense matrix is built.

The layer behind loses the columns that belonged to the removed channels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.ir.design import Compression
from pruning._scheme import Mask, Structure

NEEDS_BLOCK = False
NEEDS_BETA = False
BY_WEIGHTS = True


def legalise(
    mh: int,
    mw: int,
    sparsity: float,
    block: tuple[int, int] | None,
    *,
    positions: int = 1,
) -> tuple[float, tuple[int, int] | None]:
    """Round to the nearest number of rows that still folds.

    That is a multiple of the largest of 8, 4, 2, 1 that divides mh and fits into it four times or
    more, at least one multiple: the PEs of this layer and the SIMD lanes of the next keep their
    small divisors, and small layers keep four or more levels.
    """
    step = next(s for s in (8, 4, 2, 1) if mh % s == 0 and (4 * s <= mh or s == 1))
    kept = max(1, round((1 - sparsity) * mh / step)) * step
    return (mh - kept) / mh, None


def structure(mh: int, mw: int, compression: Compression, *, positions: int = 1) -> Structure:
    """Return the matrix of the kept rows."""
    kept = mh - round(compression.sparsity * mh)
    return Structure(kept, mw, None, compression.weight_bits)


def mask(
    weights: npt.NDArray[np.float64],
    compression: Compression,
    *,
    reorder: bool,
    positions: int = 1,
    seed: int = 0,
) -> Mask:
    """Keep the rows of the `(mh, mw)` matrix with the largest L2 norm, the first of equals.

    `row_order` lists the kept rows ascending, then the removed ones, which are not built.
    """
    mh, mw = weights.shape
    descending = np.argsort(-np.square(weights).sum(axis=1), kind="stable")
    kept = np.zeros(mh, dtype=np.bool_)
    kept[descending[: structure(mh, mw, compression).mh]] = True
    return Mask(
        kept=np.repeat(kept[:, None], mw, axis=1),
        row_order=np.concatenate([np.flatnonzero(kept), np.flatnonzero(~kept)]),
    )
