"""What the reports of Vivado share: header, design state, and the tables of used sites."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile
from cost_models.reports._numbers import count
from cost_models.reports._tables import Table
from dse.ir.measurement import Kind, Measurement

# label of the row "Site Type" -> name; blocks of 36 Kb count twice. UG906, "Report Utilization".
SITES = {
    "Slice LUTs": "lut",
    "CLB LUTs": "lut",
    "Slice Registers": "ff",  # with latches, which take the same sites
    "CLB Registers": "ff",
    "DSPs": "dsp",
    "DSP Slices": "dsp",
    "Block RAM Tile": "bram18",
    "URAM": "uram",
}
EXTRA_SITES = {"LUT as Distributed RAM": "lutram", "LUT as Shift Register": "srl"}
# column of the hierarchical table -> (name, units per count)
COLUMNS = {
    "Total LUTs": ("lut", 1),
    "FFs": ("ff", 1),
    "DSP Blocks": ("dsp", 1),
    "DSP48 Blocks": ("dsp", 1),
    "DSP Slices": ("dsp", 1),
    "RAMB36": ("bram18", 2),
    "RAMB18": ("bram18", 1),
    "URAM": ("uram", 1),
}
EXTRA_COLUMNS = {"LUTRAMs": "lutram", "SRLs": "srl"}


def header(text: str) -> dict[str, str]:
    """Return the lines "| key : value" at the head of a report."""
    found = re.findall(r"^\| (\w[\w ]*?)\s*: (.*?)\s*$", text[:8192], re.MULTILINE)
    return dict(reversed(found))  # of a key given twice the first counts


def tool(file: ReportFile, lines: Mapping[str, str]) -> str:
    """Return "vivado 2020.1"."""
    match = re.match(r"Vivado v\.(\d[\w.]*)", lines.get("Tool Version", ""))
    if match is None:
        raise ReportError(
            file.name, "a line 'Tool Version : Vivado v...'", lines.get("Tool Version", "none")
        )
    return f"vivado {match[1]}"


def state_kind(file: ReportFile, state: str) -> Kind:
    """Return what a design state means: "Fully Placed", "Routed", "Physopt postRoute", "Optimized"..."""
    if re.search("plac|rout", state, re.IGNORECASE):
        return "route"
    if re.search("synthesi[sz]ed|optimized", state, re.IGNORECASE):
        return "synth"
    raise ReportError(
        file.name, "a design that is synthesized, optimized, placed or routed", repr(state)
    )


def utilization(
    file: ReportFile, found: Iterable[Table], design: str, kind: Kind, tool: str, part: str
) -> tuple[Measurement, ...]:
    """Return the design, or where there is a table by hierarchy one measurement per instance.

    The pseudo-instance "(x)", the logic that x has beside its children, is part of x and left out.

    Raises:
        ReportError: there is neither a hierarchy nor a count of LUTs and registers.
    """
    site: dict[str, str] = {}
    for table in found:
        if table.has("Instance", "Module", "Total LUTs", "FFs"):
            return tuple(
                file.measurement(path, kind, resources, tool=tool, part=part, extras=extras)
                for path, resources, extras in _instances(file, table)
            )
        if table.has("Site Type", "Used"):
            for row in table.rows:
                site.setdefault(row["Site Type"].strip().rstrip("*"), row["Used"])
    resources = {name: count(file, s, site[s]) for s, name in SITES.items() if s in site}
    if "bram18" in resources:
        resources["bram18"] *= 2
    for name, label in (("lut", "LUTs"), ("ff", "Registers")):
        if name not in resources:
            raise ReportError(file.name, f"a row 'Slice {label}' or 'CLB {label}'", "none")
    extras = {name: count(file, s, site[s]) for s, name in EXTRA_SITES.items() if s in site}
    return (file.measurement(design, kind, resources, tool=tool, part=part, extras=extras),)


def _instances(
    file: ReportFile, table: Table
) -> Iterable[tuple[str, dict[str, float], dict[str, float]]]:
    """Yield (path, resources, extras) of each row; two more spaces are one level down."""
    above: list[tuple[int, str]] = []  # (indent, path)
    if not table.rows:
        raise ReportError(file.name, "an instance", "an empty table")
    if table.has("RAMB36") != table.has(
        "RAMB18"
    ):  # half of the block RAM would look like all of it
        raise ReportError(file.name, "the columns RAMB36 and RAMB18", "one of them")
    for row in table.rows:
        cell = row["Instance"]
        name = cell.strip()
        indent = len(cell) - len(cell.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        path = f"{above[-1][1]}/{name}" if above else name
        if name.startswith("("):
            continue
        above.append((indent, path))
        resources: dict[str, float] = {}
        for column, (key, units) in COLUMNS.items():
            if column in row:
                resources[key] = resources.get(key, 0) + units * _cell(file, row, column)
        extras = {v: _cell(file, row, k) for k, v in EXTRA_COLUMNS.items() if k in row}
        yield path, resources, extras


def _cell(file: ReportFile, row: Mapping[str, str], column: str) -> float:
    """Return a count; with -hierarchical_percentages a share follows it, "12(0.01%)"."""
    return count(file, column, row[column].split("(")[0])
