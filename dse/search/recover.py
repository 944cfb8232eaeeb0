"""From a design back to knob values: the nearest legal ones, or the reason why there are none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dse.errors import UsageError
from dse.folding.options import LayerOptions
from dse.ir.design import Compression, DesignPoint
from dse.ir.layers._base import MatrixLayer
from dse.search.space import (
    COMPRESSION_KNOBS,
    CYCLES,
    PLAIN_KNOBS,
    PREFERENCE,
    Choice,
    Range,
    SearchSpace,
    Values,
)
from dse.search.study import Plan

BITS = ("weight_bits", "activation_bits")
SPARSITY_TOLERANCE = 0.1  # a seed is no farther from the space than this


def recovered(plan: Plan, design: DesignPoint) -> dict[str, Any]:
    """Return the knob values that mean a design, or the nearest there are.

    Bits are met exactly, scheme and sparsity as nearly as the space allows. Where the folding is balanced, it is
    solved for the seed's own cycles between frames: it may come out cheaper than the seed's.

    Args:
        plan: of the study that takes up the design.
        design: a design of the same network.

    Raises:
        UsageError: the design is outside of the space; the text begins with the layer.
    """
    values = compression_values(plan.space, design.compressions)
    folds = {n: (d.folding.pe, d.folding.simd) for n, d in design.layers}
    return folding_values(plan, values, folds, float(plan.hardware(design).interval_cycles))


def compression_values(space: SearchSpace, wanted: Mapping[str, Compression]) -> dict[str, Any]:
    """Return knob values with the compressions that are wanted, folding knobs as in the baseline.

    Raises:
        UsageError: a compression is outside of the space.
    """
    values, decided = space.baseline(), set[str]()
    for layer in space.network.matrix_layers:
        target = wanted[layer.name]
        names = {k: space.shared.get((layer.name, k)) for k in COMPRESSION_KNOBS}
        offered = {k: _offered(space, layer, k, values, decided) for k in COMPRESSION_KNOBS}
        for knob in BITS:
            bits = getattr(target, knob)
            if bits is not None and bits not in offered[knob]:
                has = ", ".join(map(str, offered[knob]))
                msg = f"layer {layer.name} has {knob} {bits}, the space has {has} for it"
                raise UsageError(msg)
            if (name := names[knob]) is not None:
                values[name] = bits
        pruning = ("scheme", "sparsity", "block")
        best = min(
            itertools.product(*(offered[k] for k in pruning)),
            key=lambda option: _distance(_tried(space, layer, values, names, option), target),
        )
        values = _with(values, names, best)
        for knob in PLAIN_KNOBS:
            by = names[knob]  # where the space lacks it, the baseline's
            if by is not None and getattr(target, knob) in offered[knob]:
                values[by] = getattr(target, knob)
        found = space.compressions(values)[layer.name]
        if _distance(found, target) > SPARSITY_TOLERANCE:
            msg = (
                f"layer {layer.name} is {_in_words(target)}, and the nearest that the space has for it is"
                f" {_in_words(found)}"
            )
            raise UsageError(msg)
        decided.update(n for n in names.values() if n is not None)
    return values


def folding_values(
    plan: Plan, values: Values, folds: Mapping[str, tuple[int, int]], cycles: float | None = None
) -> dict[str, Any]:
    """Return knob values with the foldings that are wanted, as nearly as they are legal.

    Args:
        plan: of the study.
        values: knob values; those of compression stay.
        folds: PE and SIMD by layer.
        cycles: between frames; None: those of the slowest matrix unit of `folds`.
    """
    space, chosen = plan.space, dict(values)
    folder = space.folder(space.compressions(values))
    slowest = 1
    for layer in space.network.matrix_layers:
        options = folder.options[folder.names.index(layer.name)]
        row = _nearest(options, *folds[layer.name])
        slowest = max(slowest, int(options.main_cycles[row]))
        if space.layers[layer.name].fold == "free":
            chosen |= _fractions(layer.name, options, row)
    knobs = {k.name: k for k in space.knobs}
    target = knobs.get(CYCLES)
    if isinstance(target, Range):
        chosen[CYCLES] = min(max(float(cycles or slowest), target.low), target.high)
    preference = knobs[PREFERENCE]
    assert isinstance(preference, Choice)

    def away(p: float) -> float:
        design = space.decode(chosen | {PREFERENCE: p})
        own = {n: (d.folding.pe, d.folding.simd) for n, d in design.layers}
        return sum(_ratio(own[n], fold) for n, fold in folds.items() if n in own)

    return chosen | {PREFERENCE: min(preference.values, key=away)}


def _offered(
    space: SearchSpace, layer: MatrixLayer, knob: str, values: Values, decided: set[str]
) -> tuple[Any, ...]:
    """Return the values that a layer may still take: one where a tied layer has decided."""
    name = space.shared.get((layer.name, knob))
    if name is None:
        fixed = (getattr(space.layers[layer.name], knob) or ())[:1]
        return tuple(f"{v[0]}x{v[1]}" for v in fixed) if knob == "block" else fixed or (None,)
    if name in decided:
        return (values[name],)
    return next(k.values for k in space.knobs if k.name == name and isinstance(k, Choice))


def _with(
    values: Values, names: Mapping[str, str | None], option: tuple[Any, ...]
) -> dict[str, Any]:
    pairs = zip(("scheme", "sparsity", "block"), option, strict=True)
    return dict(values) | {n: v for k, v in pairs if (n := names[k]) is not None}


def _tried(
    space: SearchSpace,
    layer: MatrixLayer,
    values: Values,
    names: Mapping[str, str | None],
    option: tuple[Any, ...],
) -> Compression:
    return space.compressions(_with(values, names, option))[layer.name]


def _distance(found: Compression, target: Compression) -> float:
    """Return how far two compressions of one layer are apart, in sparsity; another scheme counts as 1."""
    dense = "dense" in (found.scheme, target.scheme)
    scheme = 0.0 if dense or found.scheme == target.scheme else 1.0
    block = 0.0 if found.block == target.block else 0.01
    return abs(found.sparsity - target.sparsity) + scheme + block


def _nearest(options: LayerOptions, pe: int, simd: int) -> int:
    """Return the legal folding whose PE and SIMD are nearest, by ratio."""
    away = np.abs(np.log(options.pe / max(pe, 1))) + np.abs(np.log(options.simd / max(simd, 1)))
    return int(away.argmin())


def _fractions(name: str, options: LayerOptions, row: int) -> dict[str, float]:
    """Return the knobs of a free folding that pick a row (see `Folder.free`)."""
    pes = np.unique(options.pe)
    simds = np.sort(options.simd[options.pe == options.pe[row]])
    at_pe = int(np.searchsorted(pes, options.pe[row]))
    at_simd = int(np.searchsorted(simds, options.simd[row]))
    return {f"{name}.pe": (at_pe + 0.5) / len(pes), f"{name}.simd": (at_simd + 0.5) / len(simds)}


def _ratio(a: tuple[int, int], b: tuple[int, int]) -> float:
    return sum(abs(math.log(max(x, 1) / max(y, 1))) for x, y in zip(a, b, strict=True))


def _in_words(c: Compression) -> str:
    if c.scheme == "dense":
        return "dense"
    block = "" if c.block is None else f", blocks of {c.block[0]}x{c.block[1]}"
    return f"pruned by {c.scheme} to {c.sparsity:.0%} zeros{block}"
