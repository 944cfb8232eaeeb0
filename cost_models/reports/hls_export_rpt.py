"""`*_export.rpt` of Vivado HLS and Vitis HLS: the result of the Vivado run that the export started."""

from __future__ import annotations

import re
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import load
from cost_models.reports._numbers import count, resources
from dse.ir.measurement import Kind, Measurement

TAGS = {"BRAM": "BRAM_18K"}  # twice the Block RAM tiles of the utilization report beside it
STAGES: dict[str, Kind] = {"synthesis": "synth", "implementation": "route"}


def recognises(path: Path, head: str) -> bool:
    """Whether the file begins with the tool of the run."""
    return re.match(r"\s*Implementation tool: Xilinx Vivado", head) is not None


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the last stage the file states; it names a project but no module.

    Raises:
        ReportError: the file is damaged.
    """
    file = load(path)
    text = file.text
    lines: dict[str, str] = dict(re.findall(r"^([\w -]+?):[ \t]*(\S.*?)\s*$", text, re.MULTILINE))
    for key in ("Implementation tool", "Device target", "LUT", "FF", "CP required"):
        if key not in lines:
            raise ReportError(file.name, f"a line '{key}:'", "none")
    if not re.search(r"^Timing (not )?met\s*\Z", text, re.MULTILINE):
        raise ReportError(file.name, "'Timing met' or 'Timing not met' at the end", "none")
    reached = [(s, lines[k]) for s in STAGES if (k := f"CP achieved post-{s}") in lines]
    if not reached:
        raise ReportError(file.name, "a line 'CP achieved post-synthesis:'", "none")
    stage, period = reached[-1]
    version = re.search(r"Vivado v\.(\d[\w.]*)", lines["Implementation tool"])
    stated = {TAGS.get(k, k): v for k, v in lines.items()}
    return (
        file.measurement(
            "",
            STAGES[stage],
            resources(file, stated),
            clock_ns=count(file, "CP achieved", period),
            target_clock_ns=count(file, "CP required", lines["CP required"]),
            tool=f"vivado {version[1]}" if version else "",
            part=lines["Device target"],
            extras={"srl": count(file, "SRL", lines["SRL"])} if "SRL" in lines else None,
        ),
    )
