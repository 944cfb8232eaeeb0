"""The smallest weights go, wherever they are; hardware gains nothing (a baseline).

The matrix unit still executes every position: a pruned weight is a stored zero. A 1-bit matrix then
has three values (-1, 0, +1) and stores 2 bits per weight.
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
    """Round to a whole number of weights, at least one of which stays."""
    return _removed(mh * mw, sparsity) / (mh * mw), None


def structure(mh: int, mw: int, compression: Compression, *, positions: int = 1) -> Structure:
    """Return the whole matrix, with room for a zero in every weight."""
    return Structure(mh, mw, None, max(2, compression.weight_bits))


def mask(
    weights: npt.NDArray[np.float64],
    compression: Compression,
    *,
    reorder: bool,
    positions: int = 1,
    seed: int = 0,
) -> Mask:
    """Remove exactly round(sparsity * mh * mw) weights of the smallest magnitude.

    Of equal magnitudes the first in row order goes. The rows stay in order.
    """
    kept = np.ones(weights.size, dtype=np.bool_)
    ascending = np.argsort(np.abs(weights), axis=None, kind="stable")
    kept[ascending[: _removed(weights.size, compression.sparsity)]] = False
    return Mask(kept.reshape(weights.shape), np.arange(len(weights)))


def _removed(size: int, sparsity: float) -> int:
    return min(round(sparsity * size), size - 1)
