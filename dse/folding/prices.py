"""Prices as arrays: of a unit, of what joins two layers, of a fork."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cost_models._model import CostModel
from dse.ir.hardware import RESOURCES
from dse.ir.layers._base import Layer
from dse.ir.units import Unit
from dse.lowering.joints import PLAIN_DEPTH, burst_words, connectors, fork_units

Floats: TypeAlias = npt.NDArray[np.float64]


@lru_cache(maxsize=1024)
def joint_resources(
    before: Layer | None,
    sources: tuple[int, ...],
    doors: tuple[tuple[int, int], ...],
    bits: int,
    elements: int,
    *,
    window: bool,
    model: CostModel,
) -> Floats:
    """Return what joins two layers, `(sources, doors, 5)`, for all output widths and doors.

    Args:
        before: the layer before; None: a fork.
        sources: elements per word that leaves it.
        doors: of the layer behind, as in `LayerOptions`.
        bits: bits per element.
        elements: elements per frame.
        window: whether the layer behind begins with a window unit.
        model: prices the units.
    """
    source, (target, room) = np.array(sources)[:, None], np.array(doors).T[:, None, :]
    burst = burst_words(before, source, target, window=window, room=room)
    first, converter, second = connectors("", source, target, bits, elements, burst, room)
    shape = (len(sources), len(doors))
    built = (source != target) & (np.asarray(burst) > PLAIN_DEPTH)
    total = priced(converter, model, shape) + priced(second, model, shape)
    return total + priced(first, model, shape) * built[..., None] if built.any() else total


def fork_resources(before: Layer, widths: tuple[int, ...], bits: int, model: CostModel) -> Floats:
    """Return a fork behind a layer and the FIFO between them, `(widths, 5)`.

    Args:
        before: the layer.
        widths: elements per word that leaves it.
        bits: bits per element.
        model: prices the units.
    """
    shape = (len(widths),)
    fifo, fork = fork_units(before, np.array(widths), bits)
    return priced(fifo, model, shape) + priced(fork, model, shape)


def priced(unit: Unit, model: CostModel, shape: tuple[int, ...]) -> Floats:
    """Return the expected resources of a unit, `(*shape, 5)`."""
    expected = model.predict(unit).expected
    found = np.empty((*shape, len(RESOURCES)))
    for i, resource in enumerate(RESOURCES):
        found[..., i] = getattr(expected, resource)
    return found
