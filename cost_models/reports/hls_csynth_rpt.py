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
TIMING = ("Clock", "Target", "Estimated")
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
    # the detail tables below a summary look much like it, so its place tells them apart
    before, section, below = text.partition("\n== Utilization Estimates\n")
    timing, performance = _summaries(file, before, TIMING, ("Interval min",))
    (utilization,) = _summaries(file, section + below, ("Name", "FF", "LUT"))
    latency = _ends(file, performance.rows[0], "Latency (cycles)", "Latency")
    interval = _ends(file, performance.rows[0], "Interval")
    total = [r for r in utilization.rows if r["Name"] == "Total"]
    if len(total) != 1:
        raise ReportError(file.name, "one row 'Total' of the utilization", str(len(total)))
    stated = {k: v.strip() for k, v in total[0].items() if v.strip() not in UNKNOWN}
    return (
        file.measurement(
            title[2],
            "csynth",
            resources(file, stated),
            interval=interval_of(latency, interval),
            latency=latency,
            clock_ns=_nanoseconds(file, timing.rows[0]["Estimated"]),
            target_clock_ns=_nanoseconds(file, timing.rows[0]["Target"]),
            tool=f"{title[1].lower()}_hls {header(file, text, 'Version')}",
            part=header(file, text, "Target device"),
        ),
    )


def header(file: ReportFile, text: str, key: str) -> str:
    """Return the first word of "* key: value" at the head of an HLS report."""
    match = re.search(rf"^\s*\* {key}:[ \t]*(\S+)", text, re.MULTILINE)
    if match is None:
        raise ReportError(file.name, f"a line '* {key}:'", "none")
    return match[1]


def _summaries(file: ReportFile, section: str, *columns: tuple[str, ...]) -> list[Table]:
    """Return the first tables of a section, each with the columns asked of it and at least one row."""
    found = list(tables(file, section))[: len(columns)]
    for i, names in enumerate(columns):
        if i >= len(found) or not found[i].has(*names) or not found[i].rows:
            raise ReportError(file.name, f"a summary with the columns {', '.join(names)}", "none")
    return found


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
