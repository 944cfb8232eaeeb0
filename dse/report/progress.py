"""How a search went: hypervolume by trial and by time, front size, feasible share, and whether it still improves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from dse.config.values import Objective
from dse.ir.metrics import METRICS
from dse.ir.milestone import STARTS, Milestone
from dse.ir.record import TrialRecord
from dse.report.values import Progress
from dse.search.pareto import MARGIN, hypervolume_history, objective_matrix

WINDOW = 50  # trials that rolling numbers look back on; a quarter of the study where that is less
FLAT = 0.001  # the hypervolume counts as flat while it stays within this fraction of its value


def progress(
    records: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    milestones: Sequence[Milestone] = (),
    created: str = "",
) -> Progress:
    """Return how the search went, trial by trial in order of id; without what was passed over.

    Args:
        records: with the accuracies of the search.
        objectives: of the study.
        milestones: what happened besides.
        created: ISO 8601 time at which the study began, where no milestone says it.
    """
    ordered = sorted((r for r in records if r.state != "passed"), key=lambda r: r.id)
    history = hypervolume_history(ordered, objectives)
    counted = np.cumsum([r.counts for r in ordered], dtype=int)  # trials, further foldings aside
    done = int(counted[-1]) if ordered else 0
    window = max(1, min(WINDOW, done // 4))
    back = np.searchsorted(counted, counted - window, side="right")  # first record looked back on
    share = [r.state == "feasible" for r in ordered]
    last = history[-1] if history else 0.0
    before = history[back[-1] - 1] if ordered and back[-1] else 0.0
    moving = [i for i, v in enumerate(history) if last - v > FLAT * last]
    timed = sorted((elapsed(r.finished, milestones, created), r.id, r) for r in ordered)
    in_time = [replace(r, id=place) for place, (_, _, r) in enumerate(timed)]
    return Progress(
        ids=tuple(r.id for r in ordered),
        hypervolume=tuple(history),
        front_size=tuple(front_sizes(ordered, objectives)),
        feasible_share=tuple(float(np.mean(share[start : i + 1])) for i, start in enumerate(back)),
        window=window,
        gain=(last - before) / last if last else 0.0,
        flat_for=done - int(counted[moving[-1]]) if moving else done,
        seconds=tuple(s for s, _, _ in timed),
        hypervolume_then=tuple(
            history
            if [r.id for _, _, r in timed] == [r.id for r in ordered]
            else hypervolume_history(in_time, objectives)
        ),
        milestones=tuple(milestones),
        reference=reference(ordered, objectives),
    )


def elapsed(finished: str, milestones: Sequence[Milestone], created: str) -> float:
    """Return the seconds of search after which a trial finished; time between two runs does not count.

    Args:
        finished: ISO 8601 time of the trial.
        milestones: of the study; each start of a driver says how much time was spent before.
        created: ISO 8601 time of the study, for trials that finished before any start was recorded.
    """
    at = datetime.fromisoformat(finished)
    starts = [m for m in milestones if m.kind in STARTS and datetime.fromisoformat(m.at) <= at]
    if starts:
        return starts[-1].seconds + (at - datetime.fromisoformat(starts[-1].at)).total_seconds()
    since = (at - datetime.fromisoformat(created or finished)).total_seconds()
    later = [m.seconds for m in milestones if m.kind in STARTS]
    return max(0.0, min([since, *later[:1]]))


def reference(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> dict[str, tuple[float, float]]:
    """Return the corners of the box of the hypervolume: metric key -> (best value, reference point).

    See `dse.search.pareto.hypervolume_history`; objectives that are the same everywhere are left out.
    """
    feasible = [r for r in records if r.state == "feasible"]
    if not feasible:
        return {}
    points = objective_matrix(feasible, objectives)
    found = {}
    for objective, column in zip(objectives, points.T, strict=True):
        metric = METRICS[objective.metric]
        ends = np.array([column.min(), column.max() + MARGIN * np.ptp(column)])
        if ends[0] == ends[1]:
            continue
        ends = -ends if objective.direction == "maximize" else ends
        best, worst = (np.exp(ends) if metric.log else ends).tolist()
        found[metric.key] = (best, worst)
    return found


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
