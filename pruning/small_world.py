"""Small-world structural pruning: a block graph that is drawn before training decides which weights exist.

Reconstructed from the abstract of Krishnan, Ma and Cao (ICSICT 2020). `block: 16x8` makes nodes of 16
output and of 8 input channels; an edge is all weights between two nodes, at all k * k positions. Every
output node has the same number of edges, so all output tiles have equal work. `beta` is the share of
edges that are rewired from near to anywhere (`_block_graph.py`). No weight is looked at.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.ir.design import Compression
from dse.ir.units import Tiling
from pruning._block_graph import small_world_graph
from pruning._legal import legal_block, nearest_count
from pruning._scheme import Mask, Structure

NEEDS_BLOCK = True
NEEDS_BETA = True
BY_WEIGHTS = False


def legalise(
    mh: int,
    mw: int,
    sparsity: float,
    block: tuple[int, int] | None,
    *,
    positions: int = 1,
) -> tuple[float, tuple[int, int] | None]:
    """Return the possible sparsity whose number of edges per node is nearest in ratio, and the block.

    The block shrinks to the largest divisors of rows and channels not above it.

    Raises:
        UsageError: there is no block.
    """
    if sparsity <= 0:
        return 0.0, None
    needed = "small_world needs a block: add `block: 16x8` (output x input channels of a node)"
    channels = mw // positions
    rows, width = legal_block(mh, channels, block, needed)
    nodes = channels // width
    count = nearest_count(range(1, nodes + 1), sparsity, nodes)
    return (0.0, None) if count == nodes else (1 - count / nodes, (rows, width))


def structure(mh: int, mw: int, compression: Compression, *, positions: int = 1) -> Structure:
    """Return the tiled matrix: blocks of all channels, which keep whole runs of them."""
    assert compression.block is not None
    rows, width = compression.block
    channels = mw // positions
    kept = _edges(channels // width, compression) * width
    tiling = Tiling(rows, channels, rows, kept, positions=positions, run=width)
    return Structure(mh, mw, tiling, compression.weight_bits)


def mask(
    weights: npt.NDArray[np.float64],
    compression: Compression,
    *,
    reorder: bool,
    positions: int = 1,
    seed: int = 0,
) -> Mask:
    """Return the graph as a mask; only the shape of the weights counts, and rows stay in order."""
    assert compression.block is not None
    assert compression.beta is not None
    mh, mw = weights.shape
    rows, width = compression.block
    nodes = mw // positions // width
    edges = _edges(nodes, compression)
    graph = small_world_graph(mh // rows, nodes, edges, compression.beta, seed)
    kept = np.tile(graph.repeat(rows, axis=0).repeat(width, axis=1), (1, positions))
    return Mask(kept, np.arange(mh))


def _edges(nodes: int, compression: Compression) -> int:
    return round((1 - compression.sparsity) * nodes)
