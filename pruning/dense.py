"""Nothing is pruned."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.ir.design import Compression
from pruning._scheme import Mask, Structure

NEEDS_BLOCK = False
NEEDS_BETA = False
BY_WEIGHTS = False


def legalise(
    mh: int,
    mw: int,
    sparsity: float,
    block: tuple[int, int] | None,
    *,
    positions: int = 1,
) -> tuple[float, tuple[int, int] | None]:
    """Return (0, None), whatever is wanted."""
    return 0.0, None


def structure(mh: int, mw: int, compression: Compression, *, positions: int = 1) -> Structure:
    """Return the whole matrix."""
    return Structure(mh, mw, None, compression.weight_bits)


def mask(
    weights: npt.NDArray[np.float64],
    compression: Compression,
    *,
    reorder: bool,
    positions: int = 1,
    seed: int = 0,
) -> Mask:
    """Keep every weight of the `(mh, mw)` matrix, rows in order."""
    return Mask(np.ones(weights.shape, dtype=np.bool_), np.arange(len(weights)))
