"""The foldings of one compression that are worth having: they share its one training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.config.values import Objective
from dse.folding.fold import Folder
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, HardwareEstimate
from dse.search.pareto import non_dominated, objective_point
from dse.search.require import unmet
from dse.search.score import metrics_of, violations
from dse.search.space import CYCLES, PREFERENCE, PREFERENCES, STEP, Range, Values
from dse.search.study import Plan

Floats = npt.NDArray[np.float64]

OTHER_RESOURCES = (*(r for r in RESOURCES if r != "lut"), "utilisation", "energy", "power")


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """One folding of a compression, priced.

    Attributes:
        knobs: what it decodes from.
        design: the design.
        hardware: what it costs.
        point: `(k,)` objectives without accuracy, all to be minimised (logarithms where `Metric.log`).
    """

    knobs: Mapping[str, Any]
    design: DesignPoint
    hardware: HardwareEstimate
    point: Floats


def others(plan: Plan) -> tuple[Objective, ...]:
    """Return the objectives of a study without accuracy."""
    return tuple(o for o in plan.config.objectives if o.metric != "accuracy")


def offers(plan: Plan, knobs: Values, count: int) -> tuple[Offer, ...]:
    """Return the best foldings of the compression that the knobs mean, fastest first.

    Where layers may be a step off the common pace, at the steps of the knobs and at none.

    One per cycle target, with the first preference (LUTs saved first) that the constraints allow; one
    per preference too where an objective counts another resource than LUTs. Where every layer's
    folding is free (no cycle target is searched), only the folding of the knobs themselves.

    Args:
        plan: of the study.
        knobs: a choice for every knob.
        count: cycle targets to try at most, spread over those that make a difference.

    Returns:
        Those that meet all constraints (accuracy aside), without those that another one dominates.
    """
    every = any(o.metric in OTHER_RESOURCES for o in others(plan))
    found: dict[DesignPoint, Offer] = {}
    for same_target in _choices(plan, knobs, count):
        for chosen, design in same_target:
            offer = found.get(design) or _priced(plan, chosen, design)
            if offer is not None:
                found[design] = offer
                if not every:
                    break
    if not found:
        return ()
    kept = non_dominated(np.array([o.point for o in found.values()]))
    return tuple(o for o, keep in zip(found.values(), kept, strict=True) if keep)


def _choices(
    plan: Plan, knobs: Values, count: int
) -> Iterator[Iterator[tuple[dict[str, Any], DesignPoint]]]:
    """Return for each cycle target, ascending, its designs by preference."""
    space = plan.space
    target = next((k for k in space.knobs if k.name == CYCLES), None)
    if not isinstance(target, Range):
        yield iter([(dict(knobs), space.decode(knobs))])
        return
    folder = space.solver(knobs)
    level = dict(knobs) | {name: 0 for name in knobs if name.endswith(STEP)}
    for cycles in _targets(folder, target, count):
        for base in (level,) if level == dict(knobs) else (level, dict(knobs)):
            steps = space.steps(base)
            yield (
                (base | {CYCLES: cycles, PREFERENCE: p}, folder.solve(cycles, p, steps))
                for p in PREFERENCES
            )


def _targets(folder: Folder, knob: Range, count: int) -> list[float]:
    """Return up to `count` cycle targets, ascending, evenly on a logarithmic scale."""
    fastest, slowest = folder.targets()
    cycles = np.unique(np.concatenate([o.cycles for o in folder.options]))
    cycles = cycles[(cycles >= fastest) & (cycles <= slowest)]
    if len(cycles) > count:
        wanted = np.geomspace(cycles[0], cycles[-1], count)
        cycles = np.unique(cycles[np.abs(np.log(cycles[:, None] / wanted)).argmin(axis=0)])
    inside = np.unique(np.clip(cycles.astype(np.float64), knob.low, knob.high))
    return [float(c) for c in inside]


def _priced(plan: Plan, knobs: dict[str, Any], design: DesignPoint) -> Offer | None:
    """Return the offer; None where a constraint or requirement does not hold."""
    hardware = plan.hardware(design)
    if unmet(plan.config.space.require, design, hardware):
        return None
    metrics = metrics_of(hardware, plan.config.board)
    if any(v > 0 for v in violations(plan.constraints, metrics, hardware).values()):
        return None
    return Offer(knobs, design, hardware, objective_point(metrics, others(plan)))
