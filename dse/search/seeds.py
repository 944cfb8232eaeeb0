"""The designs that are tried first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dse.ir.design import compression_digest
from dse.search.require import unmet
from dse.search.score import metrics_of, violations
from dse.search.seed_files import seed_designs
from dse.search.space import CYCLES, Range, Values
from dse.search.study import Plan

STEPS = 24  # cycle targets that the baseline tries


def first_designs(
    plan: Plan, opening: Sequence[tuple[str, Values]], root: Path
) -> list[tuple[str, Values]]:
    """Return (origin, knobs) of what a new study tries first: its seeds, then the opening of its promotion.

    Args:
        plan: of the study.
        opening: what to evaluate before anything is learnt; what a seed trains already is left out.
        root: the folder of the studies.

    Raises:
        UsageError: a seed cannot be read, or is outside of the space.
    """
    found: list[tuple[str, Values]] = []
    if "baseline" in plan.config.seeds:
        found.append(("baseline", baseline(plan)))
    found += seed_designs(plan, root)
    known = {_compression(plan, knobs) for _, knobs in found}
    found += [o for o in opening if _compression(plan, o[1]) not in known]
    return found[: plan.config.budget.trials]


def _compression(plan: Plan, knobs: Values) -> str:
    return compression_digest(plan.space.compressions(knobs))


def baseline(plan: Plan) -> dict[str, Any]:
    """Return the uncompressed design at the fastest folding that fits the constraints."""
    values = plan.space.baseline()
    target = next((k for k in plan.space.knobs if k.name == CYCLES), None)
    if not isinstance(target, Range):
        return values
    for i in range(STEPS + 1):
        values[CYCLES] = target.low * (target.high / target.low) ** (i / STEPS)
        design = plan.space.decode(values)
        hardware = plan.hardware(design)
        metrics = metrics_of(hardware, plan.config.board)
        fits = all(v <= 0 for v in violations(plan.constraints, metrics, hardware).values())
        if fits and not unmet(plan.config.space.require, design, hardware):
            break
    return values
