"""Which die (super logic region) of a large device each layer is placed in.

Layers go into dies in the order of the pipeline: streams then cross between neighbouring dies only, at most once
per border in a chain. Which layers a die gets is solved exactly, by dynamic programming over the borders.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cost_models._model import Floats
from dse.ir.hardware import RESOURCES, Board

Ints = npt.NDArray[np.int64]


def borders(layers: Floats, board: Board) -> Ints:
    """Return the contiguous placement that minimises the largest share of any resource of any die.

    Args:
        layers: `(..., L, 5)` of RESOURCES, of every layer in order.
        board: its dies are alike.

    Returns:
        `(..., slrs + 1)`: die k has the layers from border k to before border k + 1; it may have none.
    """
    sums = _sums(layers)
    have = np.array([getattr(board.resources, r) for r in RESOURCES], dtype=np.float64)
    shares = sums * np.where(have > 0, board.slrs / np.maximum(have, 1), 0.0)
    # [j, i]: a die with the layers from j to before i
    cost = (shares[..., None, :, :] - shares[..., :, None, :]).max(axis=-1)
    count = sums.shape[-2]
    cost = np.where(np.tri(count, count, -1, dtype=bool), np.inf, cost)
    best, chosen = cost[..., 0, :], []
    for _ in range(board.slrs - 1):
        worst = np.maximum(best[..., :, None], cost)
        chosen.append(worst.argmin(axis=-2))
        best = worst.min(axis=-2)
    at = np.full(layers.shape[:-2], count - 1)
    found = [at]
    for before in reversed(chosen):
        at = np.take_along_axis(before, at[..., None], axis=-1)[..., 0]
        found.append(at)
    return np.stack([*[np.zeros_like(at)], *reversed(found)], axis=-1)


def per_slr(layers: Floats, placed: Ints) -> Floats:
    """Return `(..., slrs, 5)`: what every die has to hold.

    Args:
        layers: `(..., L, 5)` of RESOURCES.
        placed: `(..., slrs + 1)`, of `borders`.
    """
    at = np.take_along_axis(_sums(layers), placed[..., None], axis=-2)
    return np.diff(at, axis=-2)


def _sums(layers: Floats) -> Floats:
    """Return `(..., L + 1, 5)`: of the layers before each."""
    sums = np.cumsum(layers, axis=-2)
    return np.concatenate([np.zeros_like(sums[..., :1, :]), sums], axis=-2)
