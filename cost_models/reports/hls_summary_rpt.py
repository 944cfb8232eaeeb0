"""`csynth.rpt` of Vitis HLS since 2020.2 ("Synthesis Summary Report"): all modules in one table."""

from __future__ import annotations

import re
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import load
from cost_models.reports._numbers import cycles, resources
from cost_models.reports._tables import tables
from cost_models.reports.hls_csynth_rpt import header
from dse.ir.measurement import Measurement

TITLE = re.compile(r"^== Synthesis Summary Report of '(.+)'", re.MULTILINE)
MODULES = "Modules & Loops"
TAGS = {"BRAM": "BRAM_18K"}  # the table calls 18 Kb blocks BRAM; the XML beside it says BRAM_18K


def recognises(path: Path, head: str) -> bool:
    """Whether there is the title of a summary."""
    return TITLE.search(head) is not None


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the modules, the top first; loops are parts of modules and left out.

    A dash is taken as "not stated": the table uses it for none as well as for not known. The table
    gives slack but not the period, so the clock is left to the other reports. Names that the table
    cuts short end in "...".

    Raises:
        ReportError: the file is damaged.
    """
    file = load(path)
    tool = f"vitis_hls {header(file, file.text, 'Version')}"
    part = header(file, file.text, "Target device")
    found = [t for t in tables(file, file.text) if t.has(MODULES, "FF", "LUT", "Interval")]
    if len(found) != 1:
        raise ReportError(file.name, "one table of modules and loops", str(len(found)))
    measured = []
    for row in found[0].rows:
        mark, _, name = row[MODULES].strip().partition(" ")
        if mark != "+":
            continue
        stated = {TAGS.get(k, k): v.split("(")[0].strip() for k, v in row.items()}
        known = {k: v for k, v in stated.items() if v != "-"}
        measured.append(
            file.measurement(
                name.strip().rstrip("*"),  # marks a dataflow region
                "csynth",
                resources(file, known),
                interval=cycles(file, "Interval", row["Interval"]),
                latency=cycles(file, "Latency (cycles)", row.get("Latency (cycles)", "-")),
                tool=tool,
                part=part,
            )
        )
    if not measured:
        raise ReportError(file.name, "a module", "none")
    return tuple(measured)
