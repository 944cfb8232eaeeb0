"""Which constraints reject designs, and what a looser one would gain: read from the records, nothing is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dse.config.values import Constraint, Objective
from dse.ir.metrics import METRICS
from dse.ir.record import TrialRecord
from dse.search.pareto import front, violation

NEAR = 0.05  # of the limit: a near miss, or a design of the front that a constraint binds
LOOSER = 0.1  # of the limit; of an accuracy: of the error that it allows


@dataclass(frozen=True, slots=True)
class Gain:
    """What is known of the designs that only the looser limit admits.

    Attributes:
        limit: the looser limit, in the unit of the metric's key.
        designs: how many trials would hold all constraints then.
        unknown: those of them whose accuracy nobody knows: their compression was never trained.
        joining: those of them that would be on the front.
        best: metric key -> (best value now, best value then) of objectives that would become better; the
            first is None where nothing is feasible now.
    """

    limit: float
    designs: int
    unknown: int
    joining: int
    best: Mapping[str, tuple[float | None, float]]


@dataclass(frozen=True, slots=True)
class Limit:
    """One constraint: the trials that break it, and the designs of the front that it holds back.

    Attributes:
        broken: trials that break it.
        alone: trials that break nothing else.
        near: those of them that miss it by at most `NEAR`.
        binding: designs of the front within `NEAR` of it.
        gain: what `LOOSER` would gain; None where the limit is zero.
    """

    text: str
    metric: str
    broken: int
    alone: int
    near: int
    binding: int
    gain: Gain | None


@dataclass(frozen=True, slots=True)
class Feasibility:
    """All constraints, and the sets of two and more that trials break together, with their numbers."""

    limits: tuple[Limit, ...]
    together: tuple[tuple[tuple[str, ...], int], ...]
    priced: int  # trials that were judged


def feasibility(
    records: Sequence[TrialRecord],
    constraints: Sequence[Constraint],
    objectives: Sequence[Objective],
    best: Sequence[TrialRecord],
) -> Feasibility:
    """Return what constraints do to a study.

    A trial that hardware rejected was not trained. Accuracy depends on the compression alone, so it is known
    where another trial has the same one; of the rest nothing is claimed.

    Args:
        records: with the accuracies of the search, all of one kind.
        constraints: of the file and of the board.
        objectives: of the study.
        best: the front that the report shows.
    """
    priced = [
        r for r in records if r.hardware is not None and r.state in ("feasible", "infeasible")
    ]
    learned = {
        r.design.compression_digest: r.metrics["accuracy"]
        for r in priced
        if "accuracy" in r.metrics
    }
    known = [_told(r, learned, constraints) for r in priced]
    broken = [tuple(text for text, v in r.constraints.items() if v > 0) for r in priced]
    sets = Counter(b for b in broken if len(b) > 1)
    limits = []
    for c in constraints:
        only = [r for r, b in zip(priced, broken, strict=True) if b == (c.text,)]
        times = sum(c.text in b for b in broken)
        if c.limit == 0 and not times:
            continue  # no UltraRAM on a board without any
        limits.append(
            Limit(
                text=c.text,
                metric=c.metric,
                broken=times,
                alone=len(only),
                near=sum(r.constraints[c.text] <= NEAR for r in only),
                binding=sum(r.constraints.get(c.text, -1.0) >= -NEAR for r in best),
                gain=_gain(c, known, objectives) if c.limit else None,
            )
        )
    return Feasibility(tuple(limits), tuple(sets.most_common(3)), len(priced))


def looser(constraint: Constraint) -> float:
    """Return the limit that `LOOSER` gives: 70 LUT become 77; 90 % accuracy become 89 %."""
    if constraint.metric == "accuracy":
        return constraint.limit - LOOSER * (1 - constraint.limit)
    sign = 1 if constraint.op == "<=" else -1
    return constraint.limit + sign * LOOSER * abs(constraint.limit)


def _told(
    record: TrialRecord, learned: Mapping[str, float], constraints: Sequence[Constraint]
) -> TrialRecord:
    """Return a record with the accuracy of its compression, where a training of it is known."""
    accuracy = learned.get(record.design.compression_digest)
    if "accuracy" in record.metrics or accuracy is None:
        return record
    now = {c.text: violation(c, accuracy) for c in constraints if c.metric == "accuracy"}
    return replace(
        record,
        metrics={**record.metrics, "accuracy": accuracy},
        constraints={**record.constraints, **now},
    )


def _gain(
    constraint: Constraint, known: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> Gain:
    limit = looser(constraint)
    room = abs(limit - constraint.limit) / abs(constraint.limit)
    further = [
        r
        for r in known
        if r.state == "infeasible"
        and r.constraints.get(constraint.text, 0.0) > 0
        and all(v <= (room if t == constraint.text else 0.0) for t, v in r.constraints.items())
    ]
    keys = [METRICS[o.metric].key for o in objectives]
    measured = [replace(r, state="feasible") for r in further if all(k in r.metrics for k in keys)]
    before = [r for r in known if r.state == "feasible"]
    then = front([*before, *measured], objectives)
    fresh = {r.id for r in measured}
    best: dict[str, tuple[float | None, float]] = {}
    for objective, key in zip(objectives, keys, strict=True):
        pick = max if objective.direction == "maximize" else min
        old = pick((r.metrics[key] for r in before), default=None)
        new = pick((r.metrics[key] for r in then), default=None)
        if new is not None and new != old:
            best[key] = (old, new)
    return Gain(
        limit=limit,
        designs=len({r.design.digest for r in further}),
        unknown=len({r.design.digest for r in further} - {r.design.digest for r in measured}),
        joining=sum(r.id in fresh for r in then),
        best=best,
    )
