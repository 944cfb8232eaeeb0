"""Two studies side by side, or two designs: what differs, and which front is the better one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from dse.errors import UsageError
from dse.ir.metrics import METRICS
from dse.ir.words import plural
from dse.report.format import metric
from dse.report.text import columns_of
from dse.report.values import DesignView, LayerView, ReportView
from dse.search.pareto import MARGIN, Floats, hypervolume, objective_point

SETTINGS: dict[str, Callable[[ReportView], str]] = {
    "network": lambda v: v.network,
    "data": lambda v: v.data,
    "board": lambda v: v.board.name,
    "clock": lambda v: f"{v.clock_mhz:g} MHz",
    "sampler": lambda v: v.sampler,
    "seed": lambda v: str(v.seed),
    "objectives": lambda v: ", ".join(o.metric for o in v.objectives),
    "constraints": lambda v: "; ".join(c.text for c in v.constraints),
    "cost model": lambda v: "; ".join(v.sources),
    "state": lambda v: v.state,
    "trials": lambda v: f"{v.counts.finished} of {v.counts.budget}",
    "feasible": lambda v: str(v.counts.feasible),
    "seconds": lambda v: f"{v.seconds:.0f}",
}
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fronts:
    """Two fronts by the objectives that both studies have.

    Attributes:
        studies: their names.
        objectives: names of the shared metrics.
        sizes: designs on each front.
        volumes: hypervolume of each front as a share of one box: from the best value of any design of the
            two fronts to the worst plus a tenth of the range (logarithms where `Metric.log`).
        joint: the same of both fronts together.
        dominated: how many designs of each front some design of the other one dominates.
        settings: what differs: (first, second) by name.
        text: unified diff of the study files.
    """

    studies: Pair
    objectives: tuple[str, ...]
    sizes: tuple[int, int]
    volumes: tuple[float, float]
    joint: float
    dominated: tuple[int, int]
    settings: Mapping[str, Pair]
    text: tuple[str, ...]


def compare_studies(first: ReportView, second: ReportView) -> Fronts:
    """Compare two studies.

    Raises:
        UsageError: they share no objective.
    """
    views = first, second
    theirs = {o.metric for o in second.objectives}
    shared = tuple(o for o in first.objectives if o.metric in theirs)
    if not shared:
        msg = f"{first.study} and {second.study} must share an objective to be compared; they share none"
        raise UsageError(msg)
    points = [
        np.array([objective_point(v.designs[i].metrics, shared) for i in v.front]).reshape(
            -1, len(shared)
        )
        for v in views
    ]
    volumes = _volumes([*points, np.concatenate(points)])
    settings = {name: (say(first), say(second)) for name, say in SETTINGS.items()}
    diff = difflib.unified_diff(
        first.study_text.splitlines(), second.study_text.splitlines(), lineterm="", n=0
    )
    return Fronts(
        studies=(first.study, second.study),
        objectives=tuple(o.metric for o in shared),
        sizes=(len(points[0]), len(points[1])),
        volumes=(volumes[0], volumes[1]),
        joint=volumes[2],
        dominated=(_dominated(points[0], points[1]), _dominated(points[1], points[0])),
        settings={name: pair for name, pair in settings.items() if pair[0] != pair[1]},
        text=tuple(diff),
    )


def _volumes(sets: list[Floats]) -> list[float]:
    """Return the hypervolume of each set in the box of the last one, which holds all points."""
    every = sets[-1]
    if not len(every):
        return [0.0] * len(sets)
    best, span = every.min(axis=0), np.ptp(every, axis=0)
    wide = span > 0
    if not wide.any():  # one point, or equal ones
        return [float(len(s) > 0) for s in sets]
    reference = np.full(int(wide.sum()), 1.0 + MARGIN)
    box = float(np.prod(reference))
    return [hypervolume((s - best)[:, wide] / span[wide], reference) / box for s in sets]


def _dominated(points: Floats, by: Floats) -> int:
    """Return how many points some point of `by` dominates (minimisation)."""
    return sum(bool(np.any(np.all(by <= p, axis=1) & np.any(by < p, axis=1))) for p in points)


def fronts_text(found: Fronts, views: tuple[ReportView, ReportView]) -> str:
    """Return a comparison of studies for a terminal."""
    a, b = found.studies
    rows = [["", a, b]]
    rows += [[name, *pair] for name, pair in found.settings.items()]
    rows += [
        ["front", *(plural(n, "design") for n in found.sizes)],
        ["hypervolume", *(f"{v:.3f}" for v in found.volumes)],
        ["beaten by the other", *(plural(n, "design") for n in found.dominated)],
    ]
    for o in found.objectives:
        m = METRICS[o]
        pick = max if m.direction == "maximize" else min
        values = [[v.designs[i].metrics[m.key] for i in v.front] for v in views]
        rows.append([f"best {o}", *(metric(m.key, pick(x)) if x else "-" for x in values)])
    lines = columns_of(rows, "lll")
    lines += [
        "",
        f"  hypervolume by {', '.join(found.objectives)}, in the box of both fronts;",
        f"  of both together {found.joint:.3f}",
    ]
    return "\n".join([*lines, *(["", *(f"  {t}" for t in found.text[2:])] if found.text else [])])


def designs_json(first: DesignView, second: DesignView) -> dict[str, Any]:
    """Return two designs as `metric -> [first, second]`, and the layers where they are built differently."""
    keys = [k for k in first.metrics if k in second.metrics]
    theirs = {x.name: x for x in second.layers}
    layers = {
        x.name: different
        for x in first.layers
        if x.name in theirs and (different := _layer(x, theirs[x.name]))
    }
    return {
        "designs": [first.id, second.id],
        "metrics": {k: [first.metrics[k], second.metrics[k]] for k in keys},
        "test_accuracy": [first.test_accuracy, second.test_accuracy],
        "layers": layers,
        "only_in": [
            [x.name for x in one.layers if x.name not in {y.name for y in other.layers}]
            for one, other in ((first, second), (second, first))
        ],
    }


def _layer(first: LayerView, second: LayerView) -> dict[str, list[Any]]:
    found = {}
    for name in (f.name for f in fields(LayerView)):
        a, b = getattr(first, name), getattr(second, name)
        if a == b or name in ("pace", "efficiency", "weight_kib"):
            continue
        found[name] = [asdict(a), asdict(b)] if name == "resources" else [a, b]
    return found


def designs_text(found: Mapping[str, Any], names: Pair) -> str:
    """Return a comparison of designs for a terminal: the rows that differ."""
    rows = [["", *names, "change"]]
    for key, (a, b) in found["metrics"].items():
        if a == b or key.endswith("_high"):
            continue
        change = f"{b / a - 1:+.1%}" if a else "-"
        rows.append([key, metric(key, a), metric(key, b), change])
    a, b = found["test_accuracy"]
    if a is not None and b is not None and a != b:
        rows.append(["test accuracy", f"{a:.1%}", f"{b:.1%}", f"{100 * (b - a):+.1f} points"])
    lines = [*columns_of(rows, "lrrr"), ""] if rows[1:] else ["  all metrics are the same", ""]
    for layer, facts in found["layers"].items():
        said = [f"{k} {x} -> {y}" for k, (x, y) in facts.items() if k != "resources"]
        lut = facts.get("resources")
        said += [f"lut {lut[0]['lut']:,.0f} -> {lut[1]['lut']:,.0f}"] if lut else []
        lines.append(f"  {layer:<12} {', '.join(said)}")
    if not found["layers"]:
        lines.append("  every layer is built the same")
    return "\n".join(lines)
