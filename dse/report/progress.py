"""How a search went: hypervolume, front size, feasible share, and whether it still improves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dse.config.values import Objective
from dse.ir.record import TrialRecord
from dse.report.values import Progress
from dse.search.pareto import hypervolume_history, objective_matrix

WINDOW = 50  # trials that rolling numbers look back on; a quarter of the study where that is less
FLAT = 0.001  # the hypervolume counts as flat while it stays within this fraction of its value


def progress(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> Progress:
    """Return how the search went, trial by trial in order of id; without what was passed over."""
    ordered = sorted((r for r in records if r.state != "passed"), key=lambda r: r.id)
    history = hypervolume_history(ordered, objectives)
    window = max(1, min(WINDOW, len(ordered) // 4))
    share = [r.state == "feasible" for r in ordered]
    last = history[-1] if history else 0.0
    before = history[-window - 1] if len(history) > window else 0.0
    flat = [last - v <= FLAT * last for v in reversed(history)]
    return Progress(
        ids=tuple(r.id for r in ordered),
        hypervolume=tuple(history),
        front_size=tuple(front_sizes(ordered, objectives)),
        feasible_share=tuple(
            float(np.mean(share[max(0, i + 1 - window) : i + 1])) for i in range(len(share))
        ),
        window=window,
        gain=(last - before) / last if last else 0.0,
        flat_for=flat.index(False) if False in flat else len(flat),
    )


def front_sizes(ordered: Sequence[TrialRecord], objectives: Sequence[Objective]) -> list[int]:
    """Return the number of designs on the front after each record."""
    feasible = [r for r in ordered if r.state == "feasible"]
    points = iter(objective_matrix(feasible, objectives))
    front = np.empty((0, len(objectives)))
    seen: set[str] = set()
    sizes = []
    for record in ordered:
        if record.state == "feasible":
            point = next(points)
            beaten = np.any(np.all(front <= point, axis=1) & np.any(front < point, axis=1))
            if not beaten and record.design.digest not in seen:
                worse = np.all(point <= front, axis=1) & np.any(point < front, axis=1)
                front = np.vstack([front[~worse], point])
            seen.add(record.design.digest)
        sizes.append(len(front))
    return sizes
