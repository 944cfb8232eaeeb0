"""Whether a design holds what `space.require` asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from dse.config.values import Factor, Requirement
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, HardwareEstimate

Floats = npt.NDArray[np.float64]
COMPRESSION = ("weight_bits", "activation_bits", "sparsity")
REDUCE: Mapping[str, Callable[[Floats], float]] = {"max": np.max, "min": np.min, "sum": np.sum}


def unmet(
    requirements: Sequence[Requirement], design: DesignPoint, hardware: HardwareEstimate
) -> dict[str, float]:
    """Return the scaled violation of every requirement that does not hold: (value - limit) / limit, the worst layer's.

    A term without `(max)`, `(min)` or `(sum)` is that of one layer, and the requirement holds for every layer that has
    all its terms. Layers without weights do not count: how they are folded follows from their neighbours.
    """
    found = {}
    for r in requirements:
        value = np.ones(len(hardware.layers))
        for factor in r.factors:
            value = value * _values(factor, design, hardware) ** factor.power
        value = value[np.isfinite(value)]
        excess = value - r.limit if r.op == "<=" else r.limit - value
        worst = float(excess.max(initial=0.0))
        if worst > 0:
            found[r.text] = worst / (r.limit or 1.0)
    return found


def _values(factor: Factor, design: DesignPoint, hardware: HardwareEstimate) -> Floats:
    """Return a factor for every layer, `(layers,)`; not a number where a layer does not have it."""
    count = len(hardware.layers)
    name = factor.name
    if name is None:
        return np.full(count, factor.number)
    values = np.full(count, np.nan)
    layers = dict(design.layers)
    for i, estimate in enumerate(hardware.layers):
        layer = layers.get(estimate.name)
        if layer is None or layer.compression is None:
            continue
        if name == "cycles":
            values[i] = estimate.cycles
        elif name in RESOURCES:
            values[i] = getattr(estimate.resources.expected, name)
        else:
            source = layer.compression if name in COMPRESSION else layer.folding
            said = getattr(source, name)
            values[i] = np.nan if said is None else said
    there = values[np.isfinite(values)]
    if factor.over and len(there):
        return np.full(count, REDUCE[factor.over](there))
    return values
