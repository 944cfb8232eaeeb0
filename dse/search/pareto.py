"""The Pareto arithmetic: which designs are worth having, and which of them to recommend."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dse.config.values import Constraint, Objective
from dse.errors import DseError
from dse.ir.metrics import METRICS
from dse.ir.record import FinalRecord, TrialRecord

Floats = npt.NDArray[np.float64]

TIE = 1e-9  # scaled distances closer than this are equal
MARGIN = 0.1  # of the range: how far the hypervolume reference lies beyond the worst value


def objective_matrix(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> Floats:
    """Return the objectives of `records`, all to be minimised.

    Args:
        records: records that have every objective.
        objectives: the columns.

    Returns:
        `(n, m)`: natural logarithm where `Metric.log`, then the sign flipped where more is better.

    Raises:
        DseError: a record lacks an objective, or has a value that has no logarithm.
    """
    matrix = np.empty((len(records), len(objectives)))
    for row, record in enumerate(records):
        try:
            matrix[row] = objective_point(record.metrics, objectives)
        except DseError as error:
            msg = f"trial {record.id}: {error}; compare only trials that reached training"
            raise DseError(msg) from None
    return matrix


def objective_point(metrics: Mapping[str, float], objectives: Sequence[Objective]) -> Floats:
    """Return `(m,)`, a row of `objective_matrix`, from metrics by key.

    Raises:
        DseError: an objective is missing, or has a value that has no logarithm.
    """
    point = np.empty(len(objectives))
    for column, objective in enumerate(objectives):
        metric = METRICS[objective.metric]
        value = metrics.get(metric.key)
        if value is None or (metric.log and value <= 0):
            wanted = "a positive number" if metric.log else "a number"
            msg = f"objective {metric.name} must be {wanted}, got {value}"
            raise DseError(msg)
        value = float(np.log(value)) if metric.log else value
        point[column] = -value if objective.direction == "maximize" else value
    return point


def non_dominated(points: Floats) -> npt.NDArray[np.bool_]:
    """Return which of the `(n, m)` points no other point dominates (minimisation).

    A point dominates another when it is nowhere larger and somewhere smaller, so equal points stay together.
    """
    unique, inverse = np.unique(points, axis=0, return_inverse=True)
    keep = np.zeros(len(unique), dtype=np.bool_)
    alive = np.arange(len(unique))
    while len(alive):
        # rows are sorted lexicographically: nothing that follows the first one can dominate it
        first = alive[0]
        keep[first] = True
        alive = alive[np.any(unique[alive] < unique[first], axis=1)]
    return keep[inverse.reshape(-1)]


def violation(constraint: Constraint, value: float) -> float:
    """Return the scaled violation of a constraint by a value; <= 0 means that it holds.

    The unit is the limit itself, or 1 where the limit is zero.
    """
    excess = value - constraint.limit if constraint.op == "<=" else constraint.limit - value
    return excess / (abs(constraint.limit) or 1.0)


def finalised(
    record: TrialRecord, final: FinalRecord, constraints: Sequence[Constraint]
) -> TrialRecord:
    """Return a record with the validation accuracy of its full training, and judged by it.

    A feasible record becomes infeasible where a constraint on accuracy no longer holds.
    """
    accuracy = final.validation_accuracy
    now = {c.text: violation(c, accuracy) for c in constraints if c.metric == "accuracy"}
    return replace(
        record,
        metrics={**record.metrics, "accuracy": accuracy},
        constraints={**record.constraints, **now},
        state=record.state if all(v <= 0 for v in now.values()) else "infeasible",
    )


def settle(
    records: Sequence[TrialRecord],
    finals: Mapping[str, FinalRecord],
    constraints: Sequence[Constraint],
) -> tuple[TrialRecord, ...]:
    """Return the records to choose from once designs were trained at full budget.

    Args:
        records: finished trials.
        finals: full trainings by design digest; where empty, `records` come back as they are.
        constraints: of the study; those on accuracy are checked again.

    Returns:
        The records that have a final, with its validation accuracy; without those that now violate a
        constraint on accuracy.
    """
    if not finals:
        return tuple(records)
    settled = (
        finalised(r, finals[r.design.digest], constraints)
        for r in records
        if r.state == "feasible" and r.design.digest in finals
    )
    return tuple(r for r in settled if r.state == "feasible")


def front(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> tuple[TrialRecord, ...]:
    """Return the feasible records that no other dominates, best first objective first.

    Of several records of one design only the oldest is there.
    """
    designs: dict[str, TrialRecord] = {}
    for record in sorted(records, key=lambda r: r.id):
        if record.state == "feasible":
            designs.setdefault(record.design.digest, record)
    candidates = list(designs.values())
    if not candidates:
        return ()
    points = objective_matrix(candidates, objectives)
    chosen = np.flatnonzero(non_dominated(points))
    order = sorted(chosen, key=lambda i: (*points[i], candidates[i].id))
    return tuple(candidates[i] for i in order)


def knee(front: Sequence[TrialRecord], objectives: Sequence[Objective]) -> TrialRecord:
    """Return the design where giving a little of one objective stops buying much of the others.

    Every objective is scaled so that 0 is the best and 1 the worst value on the front (its ideal and
    nadir; logarithms where `Metric.log`); an objective that is the same everywhere is left out. The
    plane (with two objectives: the line) goes through the ends of the axes, designs that would be best
    in everything but one objective, and worst in that one. The knee is the design farthest below it,
    (1 - sum of scaled objectives) / sqrt(m). Ties go to the smallest utilisation, then to the
    oldest trial; so with one or two designs, where nothing lies below, the smaller one is taken.

    Args:
        front: at least one record, as `front` returns them.
        objectives: of the study.
    """
    scaled = _scaled(objective_matrix(front, objectives))
    total = scaled.sum(axis=1)  # the same order as the distance below the plane
    tied = [r for r, t in zip(front, total, strict=True) if t <= total.min() + TIE]
    return min(tied, key=lambda r: (r.metrics.get("utilisation", 0.0), r.id))


def picks(front: Sequence[TrialRecord], objectives: Sequence[Objective]) -> dict[str, TrialRecord]:
    """Return the designs worth naming: recommended, most_accurate, fastest and smallest.

    Args:
        front: as `front` returns it; where empty, nothing is picked.
        objectives: of the study.

    Returns:
        One record per name; `most_accurate` is absent where the study trains nothing.
    """
    if not front:
        return {}
    chosen = {"recommended": knee(front, objectives)}
    if all("accuracy" in r.metrics for r in front):
        chosen["most_accurate"] = min(
            front,
            key=lambda r: (-r.metrics["accuracy"], r.metrics.get("utilisation", 0.0), r.id),
        )
    chosen["fastest"] = min(
        front, key=lambda r: (-r.metrics["throughput_fps"], r.metrics["latency_us"], r.id)
    )
    chosen["smallest"] = min(front, key=lambda r: (r.metrics["lut"], r.metrics["bram18"], r.id))
    return chosen


def _scaled(points: Floats) -> Floats:
    """Scale each column to [0, 1] by its range; columns without a range become 0."""
    ideal = points.min(axis=0)
    span = points.max(axis=0) - ideal
    return np.asarray((points - ideal) / np.where(span > 0, span, 1.0))


def hypervolume(points: Floats, reference: Floats) -> float:
    """Return the volume that `points` dominate inside `reference`, exactly.

    Args:
        points: `(n, m)`, m >= 1, to be minimised; those not below the reference count nothing.
        reference: `(m,)`.

    Slicing along the last objective: a point adds what its projection adds to the projections of
    those before it, times its height (While, Bradstreet and Barone, "A fast way of calculating exact
    hypervolumes", IEEE TEC 16(1), 2012). Two objectives at once are a staircase; three need n log n
    steps, every further one a factor n.
    """
    inside = np.asarray(points, dtype=np.float64)
    inside = inside[np.all(inside < reference, axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    return _volume(inside[non_dominated(inside)], np.asarray(reference, dtype=np.float64))


def hypervolume_history(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> list[float]:
    """Return the share of a fixed box that the feasible records dominate, after each record by id.

    The box reaches from the ideal of all feasible records to their nadir plus `MARGIN` of the range
    (logarithms where `Metric.log`); an objective without a range is left out. So values lie
    between 0 and 1, never fall, and compare within one study only.
    """
    ordered = sorted(records, key=lambda r: r.id)
    feasible = [r for r in ordered if r.state == "feasible"]
    if not feasible:
        return [0.0] * len(ordered)
    points = objective_matrix(feasible, objectives)
    span = np.ptp(points, axis=0)
    points = (points - points.min(axis=0))[:, span > 0] / span[span > 0]
    growth = iter(_growth(points) if points.shape[1] else [1.0] + [0.0] * (len(points) - 1))
    gains = [next(growth) if r.state == "feasible" else 0.0 for r in ordered]
    return [float(v) for v in np.minimum(np.cumsum(gains), 1.0)]


def _growth(points: Floats) -> list[float]:
    """Return what each point of the unit box adds to those before it, as a share of the box."""
    m = points.shape[1]
    reference = np.full(m, 1.0 + MARGIN)
    known = np.empty((0, m))
    gains = []
    for point in points:
        if np.any(np.all(known <= point, axis=1)):
            gains.append(0.0)
            continue
        gains.append(exclusive(point, known, reference) / (1.0 + MARGIN) ** m)
        known = np.vstack([known[np.any(known < point, axis=1)], point])
    return gains


def exclusive(point: Floats, others: Floats, reference: Floats) -> float:
    """Return the volume that `point` dominates and `others` do not."""
    box = float(np.prod(reference - point))
    return box - hypervolume(np.maximum(others, point), reference)


def _volume(points: Floats, reference: Floats) -> float:
    """Volume of points inside the reference, by slices; at least two objectives."""
    heights = reference[-1] - points[:, -1]
    if points.shape[1] == 2:
        return _staircase(points.tolist(), [1.0] * len(points), reference.tolist())
    order = np.argsort(-heights, kind="stable")
    points, heights = points[order], heights[order]
    if points.shape[1] == 3:
        return _staircase(points.tolist(), heights.tolist(), reference.tolist())
    flat, base = points[:, :-1], reference[:-1]
    return sum(float(h) * exclusive(flat[i], flat[:i], base) for i, h in enumerate(heights))


def _staircase(points: list[list[float]], heights: list[float], reference: list[float]) -> float:
    """Sum area times height, the area being what a point adds to the staircase of those before."""
    xs, ys = [-np.inf, reference[0]], [reference[1], -np.inf]
    total = 0.0
    for (x, y, *_), height in zip(points, heights, strict=True):
        left = bisect_right(xs, x) - 1
        if ys[left] <= y:
            continue
        end, start, top, area = left + 1, x, ys[left], 0.0
        while ys[end] >= y:  # steps that the new point dominates
            area += (xs[end] - start) * (top - y)
            start, top = xs[end], ys[end]
            end += 1
        total += height * (area + (xs[end] - start) * (top - y))
        first = left if xs[left] == x else left + 1
        xs[first:end], ys[first:end] = [x], [y]
    return total
