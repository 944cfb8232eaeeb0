"""`report_timing` and `report_timing_summary` of Vivado: the clock that was reached."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._numbers import number
from cost_models.reports._vivado import header, state_kind, tool
from dse.ir.measurement import Kind, Measurement


def recognises(path: Path, head: str) -> bool:
    """Whether the header names one of the two commands."""
    return re.search(r"^\| Command\s*: report_timing(_summary)?\b", head, re.MULTILINE) is not None


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the clock of the design: period minus slack, of the clock with the least setup slack.

    Raises:
        ReportError: the file is damaged, or nothing in it is constrained.
    """
    file = load(path)
    text = file.text
    lines = header(text)
    for key in ("Command", "Design", "Device"):
        if key not in lines:
            raise ReportError(file.name, f"a line '{key}'", "none")
    summary = lines["Command"].startswith("report_timing_summary")
    period, slack = _from_summary(file, text) if summary else _from_paths(file, text)
    return (
        file.measurement(
            lines["Design"],
            _kind(file, lines, text),
            clock_ns=round(period - slack, 3),  # both have three digits
            target_clock_ns=period,
            tool=tool(file, lines),
            part=lines["Device"],
        ),
    )


def _kind(file: ReportFile, lines: dict[str, str], text: str) -> Kind:
    """Return the stage: newer reports state it, the nets of paths and the file name tell it in old ones.

    Where nothing tells it, it is "synth", the weaker claim.
    """
    if "Design State" in lines:
        return state_kind(file, lines["Design State"])
    nets = set(re.findall(r"\bnet \(fo=\d+, (\w+)\)", text)) - {"unset"}
    if nets:
        return "synth" if "unplaced" in nets else "route"
    return "route" if re.search("_routed|_placed", lines["Command"]) else "synth"


def _from_summary(file: ReportFile, text: str) -> tuple[float, float]:
    if "Other Path Groups Table" not in text:
        raise ReportError(file.name, "a summary up to 'Other Path Groups Table'", "its end before")
    _check_paths(file, text)
    clocks = _rows(file, text, "Clock Summary")
    periods = {r["Clock"]: r["Period(ns)"] for r in clocks if {"Clock", "Period(ns)"} <= set(r)}
    slacks = [r for r in _rows(file, text, "Intra Clock Table") if {"Clock", "WNS(ns)"} <= set(r)]
    if not slacks:
        raise ReportError(file.name, "the setup slack of a clock", "none")
    slack, clock = min((number(file, "WNS(ns)", r["WNS(ns)"]), r["Clock"]) for r in slacks)
    groups = (_rows(file, text, t) for t in ("Inter Clock Table", "Other Path Groups Table"))
    listed = {r["WNS(ns)"] for r in (*slacks, *chain(*groups)) if "WNS(ns)" in r}
    design = [r.get("WNS(ns)", "none") for r in _rows(file, text, "Design Timing Summary")]
    if len(design) != 1 or design[0] not in listed:
        raise ReportError(file.name, "the slack of the design in one of the tables", str(design))
    if clock not in periods:
        raise ReportError(file.name, f"the period of {clock!r}", "none")
    return number(file, "Period(ns)", periods[clock]), slack


def _from_paths(file: ReportFile, text: str) -> tuple[float, float]:
    _check_paths(file, text)
    found = re.findall(
        r"^Slack \(\w+\) :\s*(\S+?)ns .*?^\s*Destination:.*?period=([^}]*?)ns\}.*?^\s*Path Type:\s*(\w+)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    setup = [
        (number(file, "Slack", slack), number(file, "period", period))
        for slack, period, check in found
        if check == "Setup"
    ]
    if not setup:
        raise ReportError(file.name, "the slack of a setup path", "none")
    slack, period = min(setup)
    return period, slack


def _check_paths(file: ReportFile, text: str) -> None:
    """Raise where a path lacks its last line: the file is cut short."""
    opened = len(re.findall(r"^Slack \(", text, re.MULTILINE))
    closed = len(re.findall(r"^ +slack +\S+ *$", text, re.MULTILINE))
    if opened != closed:
        raise ReportError(file.name, f"{opened} paths that end with their slack", str(closed))


def _rows(file: ReportFile, text: str, title: str) -> list[dict[str, str]]:
    """Return the rows of a table of a timing summary.

    Names are underlined with dashes; a cell begins or ends where its underline does, and a cell may be
    empty. Names in the first column may be indented and longer than their underline.
    """
    match = re.search(
        rf"^\| {title}\n\| -+\n-+\n\n(.*)\n([ -]+)\n((?:.*\S.*\n)*)", text, re.MULTILINE
    )
    if match is None:
        raise ReportError(file.name, f"the table {title!r}", "none")
    names, underline, body = match.groups()
    runs = [m.span() for m in re.finditer("-+", underline)]
    columns = [names[a:b].strip() for a, b in runs]
    rows = []
    for line in body.splitlines():
        row = {columns[0]: line.split()[0]}
        for cell in re.finditer(r"\S+", line):
            for (a, b), column in zip(runs, columns, strict=True):
                if cell.start() == a or cell.end() == b:
                    row[column] = cell[0]
        rows.append(row)
    return rows
