"""What a thinned front may have missed, proven by lower bounds on what any folding needs.

For weights w on block RAM and DSPs, LUTs + w_b * BRAM18 + w_d * DSPs has a least value over all
foldings: one shortest path (Lagrangian relaxation). So whoever keeps within B blocks and D DSPs needs
at least `least - w_b * B - w_d * D` LUTs, whatever the weights; the best of many weights is the bound. A
sum over many layers is nearly convex, so the bound is close. The plane of BRAM18 and DSPs is cut
into cells; a front that has, for each cell, a folding near it that needs hardly more LUTs than the
bound has missed nothing by more than that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dse.folding.dominance import Array
from dse.folding.prices import Floats
from dse.folding.steps import Move, Step, Turn
from dse.folding.walk import least_sums

CELLS = 128  # of each resource, up to its limit
# LUTs per block or DSP, as shares of the limits; 0: it costs nothing
PRICES = np.concatenate([[0.0], 2.0 ** np.linspace(-9, 5, 24)])
LUT_SHARE = 0.01  # more LUTs than the bound that are put up with
FARTHEST = CELLS // 4  # cells away where something near is still looked for


def proven_slack(
    moves: Sequence[Move],
    options: Sequence[Array],
    exit_needs: Array,
    points: Array,
    limits: Array,
) -> Floats | None:
    """Return how much more BRAM18 and DSPs a front needs than any folding, at 1 % more LUTs at most.

    Args:
        moves: along the network; the first three resources that count are LUT, BRAM18 and DSP.
        options: as in `walk`.
        exit_needs: `(O, k)`, as in `walk`.
        points: `(n, 3)` the front.
        limits: `(3,)`, above 0 where a resource is needed at all.

    Returns:
        `(3,)`, LUTs being 0: for every folding that keeps the limits less this, a point needs at most
        so much more, and `LUT_SHARE` more LUTs. None if that cannot be shown.
    """
    size = np.maximum(limits / CELLS, 1e-9)
    prices = np.stack(np.meshgrid(PRICES, PRICES, indexing="ij"), axis=-1).reshape(-1, 2)
    weights = np.zeros((len(prices), exit_needs.shape[1]))
    weights[:, 0] = 1.0
    weights[:, 1:3] = prices * limits[0] / (size[1:] * CELLS)
    least = least_sums(moves, options, exit_needs, weights)
    spent = PRICES[:, None] * limits[0] * np.arange(1, CELLS + 1) / CELLS
    by_dsps = (least.reshape(len(PRICES), -1, 1) - spent).max(axis=1)  # (price of a block, DSPs)
    bound = (by_dsps[:, None] - spent[:, :, None]).max(axis=0)
    cell = np.ceil(points[:, 1:] / size[1:]).astype(np.int64) - 1
    found = np.full((CELLS, CELLS), np.inf)
    np.minimum.at(found, tuple(np.clip(cell, 0, CELLS - 1).T), points[:, 0])
    found = np.minimum.accumulate(np.minimum.accumulate(found, axis=0), axis=1)
    for away in range(FARTHEST):
        inside = CELLS - away
        near, lowest = found[away:, away:], bound[:inside, :inside]
        if ((near <= lowest * (1 + LUT_SHARE)) | (lowest > limits[0])).all():
            slack: Floats = (away + 1) * size * [0.0, *_used(moves, exit_needs)[1:3]]
            return slack
    return None


def _used(moves: Sequence[Move], exit_needs: Array) -> Floats:
    """Return which resources any folding needs, `(k,)`: 1 or 0."""
    parts = [exit_needs, *(m.needs for m in moves if isinstance(m, Step))]
    joints = [m.joint for m in moves if isinstance(m, Step | Turn)]
    parts += [j.reshape(-1, exit_needs.shape[1]) for j in joints]
    return np.asarray(np.concatenate(parts).any(axis=0), dtype=np.float64)
