"""`*_csynth.rpt` of Vivado HLS and Vitis HLS: the function the report is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._numbers import UNKNOWN, Ends, count, cycles, interval_of, resources
from cost_models.reports._tables import Table, tables
from dse.ir.measurement import Measurement

COSIMULATION = "\nCO-SIMULATION RESULT:"  # hls4ml prints it below; its table is drawn otherwise
TITLE = re.compile(r"^== (Vivado|Vitis) HLS Report for '(.+)'", re.MULTILINE)
UNITS = {"ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6}


def recognises(path: Path, head: str) -> bool:
    """Whether there is the title of a report; hls4ml prints a C simulation in front of it."""
    return TITLE.search(head) is not None


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the one function; the modules below it have reports of their own.

    Raises:
        ReportError: the file is damaged or one of the three summaries is missing.
    """
    file = load(path)
    title = TITLE.search(file.text)
    if title is None:
        raise ReportError(file.name, "the title of an HLS report", "none")
    text = file.text[title.start() :].split(COSIMULATION)[0]
    version = header(file, text, "Version")
    found = list(tables(file, text))
    timing = _first(file, found, "Clock", "Target", "Estimated").rows[0]
    performance = _performance(file, found)
    latency = _ends(file, performance, "Latency (cycles)", "Latency")
    total = [r for r in _first(file, found, "Name", "FF", "LUT").rows if r["Name"] == "Total"]
    if len(total) != 1:
        raise ReportError(file.name, "one row 'Total' of the utilization", str(len(total)))
    stated = {k: v.strip() for k, v in total[0].items() if v.strip() not in UNKNOWN}
    return (
        file.measurement(
            title[2],
            "csynth",
            resources(file, stated),
            interval=interval_of(latency, _ends(file, performance, "Interval")),
            latency=latency,
            clock_ns=_nanoseconds(file, timing["Estimated"]),
            target_clock_ns=_nanoseconds(file, timing["Target"]),
            tool=f"{title[1].lower()}_hls {version}",
            part=header(file, text, "Target device"),
        ),
    )


def header(file: ReportFile, text: str, key: str) -> str:
    """Return the first word of "* key: value" at the head of an HLS report."""
    match = re.search(rf"^\s*\* {key}:[ \t]*(\S+)", text, re.MULTILINE)
    if match is None:
        raise ReportError(file.name, f"a line '* {key}:'", "none")
    return match[1]


def _first(file: ReportFile, found: list[Table], *columns: str) -> Table:
    for table in found:
        if table.has(*columns) and table.rows:
            return table
    raise ReportError(file.name, f"a table with the columns {', '.join(columns)}", "none")


def _performance(file: ReportFile, found: list[Table]) -> Mapping[str, str]:
    """Return the row of the latency summary; the detail tables name an instance or a loop."""
    for table in found:
        summary = table.has("Interval min", "Interval max") and not table.has("Module")
        if summary and len(table.rows) == 1:
            return table.rows[0]
    raise ReportError(file.name, "a latency summary of one row", "none")


def _ends(file: ReportFile, row: Mapping[str, str], *names: str) -> Ends:
    for name in names:
        if f"{name} min" in row and f"{name} max" in row:
            return (
                cycles(file, name, row[f"{name} min"])[0],
                cycles(file, name, row[f"{name} max"])[1],
            )
    raise ReportError(file.name, f"columns min and max of {names[0]}", "none")


def _nanoseconds(file: ReportFile, cell: str) -> float:
    """Return a period; without a unit it is in ns, as the heading "Timing (ns)" of old reports says."""
    value, _, unit = cell.strip().partition(" ")
    if unit and unit not in UNITS:
        raise ReportError(file.name, "a time in ps, ns, us or ms", cell.strip())
    return count(file, "a clock period", value) * UNITS[unit or "ns"]
