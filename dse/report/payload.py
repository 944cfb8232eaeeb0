"""The data that the page's scripts read: columns, not rows, with numbers rounded for size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dse.ir.hardware import RESOURCES
from dse.ir.metrics import METRICS
from dse.report import words
from dse.report.figures import trust_figure
from dse.report.format import BY_KEY, LABELS, PICKS, UNITS
from dse.report.importance import Importance
from dse.report.packing import OBJECTS, packed, tokens
from dse.report.progress_figure import progress_figure
from dse.report.trust import COMPARED
from dse.report.values import DesignView, ReportView, TrialRow


def payload(view: ReportView, matters: Importance) -> dict[str, Any]:
    """Return plain JSON values: axes to choose from, one column per quantity, the figures.

    Args:
        view: the study.
        matters: which of its knobs come first; the others follow in the order of the study.
    """
    objectives = [METRICS[o.metric].key for o in view.objectives]
    keys = [k for k in LABELS if k in objectives or any(t.metrics.get(k) for t in view.trials)]
    knobs = list(dict.fromkeys(name for t in view.trials for name in t.knobs))
    trials = view.trials
    held = [r for r in RESOURCES if r in keys]
    return {
        "study": view.study,
        "objectives": objectives,
        "directions": {METRICS[o.metric].key: o.direction for o in view.objectives},
        "axes": [
            {
                "key": k,
                "label": LABELS[k],
                "unit": UNITS.get(k, BY_KEY[k].unit),
                "log": BY_KEY[k].log,
                "scale": 100 if BY_KEY[k].unit == "fraction" else 1,
                "predicted": k != "accuracy",
            }
            for k in keys
        ],
        "knobs": knobs,
        "important": list(dict.fromkeys([*matters.shares, *knobs])),
        "constraints": [
            {"key": METRICS[c.metric].key, "op": c.op, "limit": c.limit, "text": c.text}
            for c in view.constraints
        ],
        "picks": {PICKS[name]: i for name, i in view.picks.items()},
        "baseline": view.baseline,
        "front": list(view.front),
        "trials": {
            "id": [t.id for t in trials],
            "digest": [t.digest for t in trials],
            "state": packed([t.state for t in trials]),
            "stage": packed([words.stage(t.stage) for t in trials]),
            "origin": packed([t.origin for t in trials]),
            "seconds": _rounded([t.seconds for t in trials], 3),
            "note": packed([t.error or ", ".join(t.violated) for t in trials]),
        },
        "reported": {
            r: packed(_rounded([t.reported.get(r) for t in trials]))
            for r in COMPARED
            if any(r in t.reported and (r != "uram" or t.reported[r]) for t in trials)
        },
        "metrics": {
            k: packed(_rounded([t.metrics.get(k) for t in trials], 6 if k == "accuracy" else 5))
            for k in keys
        },
        "values": _columns([t.knobs for t in trials], knobs),
        "low": {r: packed(_rounded([_end(t, r, 0) for t in trials], 4)) for r in held},
        "high": {r: packed(_rounded([_end(t, r, 1) for t in trials], 4)) for r in held},
        "builds": tokens({i: _build(d) for i, d in view.designs.items()}, OBJECTS),
        "figures": {"progress": progress_figure(view.progress)}
        | ({"trust": trust_figure(view.trust)} if view.trust.points else {}),
    }


def _build(design: DesignView) -> str:
    """Return how a design is built, for the files that its card offers."""
    value = {"design": design.design.to_json(), "folding": design.folding}
    return json.dumps(value, separators=(",", ":"))


def script_json(value: object) -> str:
    """Return JSON that is safe inside a script element: no markup can begin or end in it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: packed(_rounded([row.get(name) for row in rows])) for name in names}


def _end(trial: TrialRow, resource: str, which: int) -> float | None:
    interval = trial.intervals.get(resource)
    return None if interval is None else interval[which]


def _rounded(values: Sequence[Any], digits: int = 6) -> list[Any]:
    """Round numbers; they are predictions."""
    return [_short(float(f"{v:.{digits}g}")) if isinstance(v, float) else v for v in values]


def _short(value: float) -> float:
    return int(value) if value.is_integer() else value
