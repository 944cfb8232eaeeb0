"""Channel-wise kernel pruning: of every M neighbouring input channels, n whole kernels stay.

Reconstructed from the abstract of Fu et al. (ICCAD 2022). `block: 8x4` lets 8 rows (output channels)
share the choice among groups of M = 4 input channels; with `1x4` every filter has its own. All filters
keep equally many kernels of every group, so parallel lanes never wait for each other. A choice counts
for all k * k positions of the kernel: its index is stored once (`Tiling.positions`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.ir.design import Compression
from dse.ir.units import Tiling
from pruning._legal import keep_most, legal_block, nearest_count
from pruning._scheme import Mask, Structure
from pruning.bcr import project

NEEDS_BLOCK = True
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
    """Return the possible sparsity 1 - n/M whose share of kept kernels is nearest in ratio, and the block.

    The block shrinks to the largest divisors of rows and channels not above it.

    Raises:
        UsageError: there is no block.
    """
    if sparsity <= 0:
        return 0.0, None
    needed = (
        "kernel needs a block: add `block: 8x4` (output channels that share the choice x input channels of"
        " a group)"
    )
    p, group = legal_block(mh, mw // positions, block, needed)
    count = nearest_count(range(1, group + 1), sparsity, group)
    return (0.0, None) if count == group else (1 - count / group, (p, group))


def structure(mh: int, mw: int, compression: Compression, *, positions: int = 1) -> Structure:
    """Return the tiled matrix; its choice of columns is the same at every position."""
    assert compression.block is not None
    p, group = compression.block
    count = round((1 - compression.sparsity) * group)
    tiling = Tiling(p, group, p, count, positions=positions)
    return Structure(mh, mw, tiling, compression.weight_bits)


def mask(
    weights: npt.NDArray[np.float64],
    compression: Compression,
    *,
    reorder: bool,
    positions: int = 1,
    seed: int = 0,
) -> Mask:
    """Keep in every group the kernels with the largest L1 norm, summed over the rows that share the choice.

    `reorder=True` gathers rows that want similar kernels where that keeps more of the norms.
    """
    mh, mw = weights.shape
    tiling = structure(mh, mw, compression).tiling
    assert tiling is not None
    norms = np.abs(weights).reshape(mh, positions, -1).sum(axis=1)
    kept, order = keep_most(norms, tiling, project, reorder=reorder and tiling.block_rows > 1)
    return Mask(np.tile(kept, (1, positions)), order)
