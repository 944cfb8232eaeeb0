"""The JSON of hls4ml's report reader: {"CSynthesisReport": {...}}."""

from __future__ import annotations

from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import load
from cost_models.reports._numbers import cycles, number, resources
from dse.ir.measurement import Measurement


def recognises(path: Path, head: str) -> bool:
    """Whether there is such a key; the results of a C simulation may stand before it."""
    return head.lstrip().startswith("{") and (
        '"CSynthesisReport"' in head or '"CSimResults"' in head
    )


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return what HLS reported; tool, part and name of the module are not in the file.

    Results of Vivado in the same file are left out: hls4ml counts only part of the block RAM.

    Raises:
        ReportError: the file is damaged or holds no HLS report.
    """
    file = load(path)
    report = file.json().get("CSynthesisReport")
    if not isinstance(report, dict):
        raise ReportError(file.name, "an object CSynthesisReport", type(report).__name__)
    stated = resources(file, report)
    if not stated:
        raise ReportError(file.name, "resources", "none")
    clocks = [
        number(file, key, report[key]) if key in report else None
        for key in ("EstimatedClockPeriod", "TargetClockPeriod")
    ]
    best, worst, low, high = (
        cycles(file, key, report[key])[1] if key in report else None
        for key in ("BestLatency", "WorstLatency", "IntervalMin", "IntervalMax")
    )
    return (
        file.measurement(
            "",
            "csynth",
            stated,
            interval=(low, high),
            latency=(best, worst),
            clock_ns=clocks[0],
            target_clock_ns=clocks[1],
        ),
    )
