"""The trials of a study as a table: one row per trial, one column per fact."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.errors import UsageError
from dse.ir.hardware import RESOURCES
from dse.ir.metrics import METRICS, PER_SLR
from dse.report.values import ReportView, TrialRow

Row = Mapping[str, Any]

FACTS = ("id", "digest", "state", "stage", "on_front", "origin", "seconds")
KEYS = tuple(m.key for m in METRICS.values() if m.name not in PER_SLR)
DIES = tuple(METRICS[name].key for name in PER_SLR)
TAIL = ("violated", "error")


def columns(view: ReportView) -> tuple[str, ...]:
    """Return the columns of `rows`: facts, metrics (the unit in the name), interval ends, knobs."""
    knobs = dict.fromkeys(f"knob.{k}" for t in view.trials for k in t.knobs)
    ends = [f"{r}_{end}" for r in RESOURCES for end in ("low", "high")]
    reported = [f"{r}_reported" for r in RESOURCES]
    dies = [k for k in DIES if any(k in t.metrics for t in view.trials)]
    return (*FACTS, *KEYS, *dies, "test_accuracy", *ends, *reported, *knobs, *TAIL)


def rows(view: ReportView) -> tuple[Row, ...]:
    """Return one row per trial, by id; what is not known of a trial is None.

    Accuracies are measured; other metrics are predicted, `*_reported` counts are those of a synthesis tool.
    """
    names = columns(view)
    return tuple(
        {name: found.get(name) for name in names} for found in map(_row(view), view.trials)
    )


def _row(view: ReportView) -> Any:
    def of(t: TrialRow) -> dict[str, Any]:
        found: dict[str, Any] = {name: getattr(t, name) for name in FACTS}
        found |= t.metrics
        if t.id in view.designs:
            found["test_accuracy"] = view.designs[t.id].test_accuracy
        for resource, (low, high) in t.intervals.items():
            found |= {f"{resource}_low": low, f"{resource}_high": high}
        found |= {f"{resource}_reported": n for resource, n in t.reported.items()}
        found |= {f"knob.{k}": v for k, v in t.knobs.items()}
        return found | {"violated": "; ".join(t.violated), "error": t.error}

    return of


def csv_text(names: Sequence[str], found: Sequence[Row]) -> str:
    """Return the table as CSV (quotes as in RFC 4180, lines end with a line feed); None is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def write_parquet(names: Sequence[str], found: Sequence[Row], path: Path) -> None:
    """Write the table as Parquet; a knob that is a number in one trial and text in another is text.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        msg = "Parquet needs pyarrow, which is not installed: pip install pyarrow, or export as csv"
        raise UsageError(msg) from None
    table = {}
    for name in names:
        values = [row[name] for row in found]
        kinds = {type(v) for v in values if v is not None}
        if str in kinds and len(kinds) > 1:
            values = [None if v is None else str(v) for v in values]
        table[name] = values
    parquet.write_table(pa.table(table), path)
