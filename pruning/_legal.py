"""What the schemes with blocks share: legal blocks, legal amounts, and whether reordered rows keep more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from dse.errors import UsageError
from dse.ir.units import Tiling, divisors
from pruning._reorder import similar_rows

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def legal_block(
    rows: int, columns: int, block: tuple[int, int] | None, needed: str
) -> tuple[int, int]:
    """Return the largest divisors of rows and columns that are not above those of the block.

    Raises:
        UsageError: there is no block; `needed` says of which scheme and shows one.
    """
    if block is None:
        msg = f"pruning scheme {needed} or more choices"
        raise UsageError(msg)
    p, q = (
        int(divisors(n)[divisors(n) <= b].max())
        for n, b in zip((rows, columns), block, strict=True)
    )
    return p, q


def nearest_count(possible: Iterable[int], sparsity: float, full: int) -> int:
    """Return the possible count that is nearest in ratio to what the sparsity leaves of `full`; of equals the larger."""
    wanted = math.log((1 - sparsity) * full)
    return min(possible, key=lambda kept: (abs(math.log(kept) - wanted), -kept))


def keep_most(
    worth: Floats, tiling: Tiling, project: Callable[[Floats, Tiling], Bools], *, reorder: bool
) -> tuple[Bools, npt.NDArray[np.int64]]:
    """Return the mask of `(mh, n)` worths in the rows' own order, and the order its blocks are formed in.

    `reorder=True` gathers rows of similar patterns in one block row where that keeps more worth than
    the order given.
    """
    order = np.arange(len(worth))
    kept = project(worth, tiling)
    if reorder:
        similar = similar_rows(worth, tiling)
        candidate = project(worth[similar], tiling)
        if worth[similar][candidate].sum() > worth[kept].sum():
            order, kept = similar, candidate
    own = np.empty_like(kept)
    own[order] = kept
    return own, order
