"""`report_utilization` of Vivado as text, flat or by hierarchy."""

from __future__ import annotations

import re
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._tables import tables
from cost_models.reports._vivado import header, state_kind, tool, utilization
from dse.ir.measurement import Measurement


def recognises(path: Path, head: str) -> bool:
    """Whether the header names the command."""
    return re.search(r"^\| Command\s*: report_utilization\b", head, re.MULTILINE) is not None


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the design, or one measurement per instance of a hierarchical report.

    Raises:
        ReportError: the file is damaged, or sections of its table of contents are missing.
    """
    file = load(path)
    text = file.text
    lines = header(text)
    for key in ("Design", "Device", "Design State"):
        if key not in lines:
            raise ReportError(file.name, f"a line '{key}'", "none")
    _check_complete(file, text)
    kind = state_kind(file, lines["Design State"])
    found = list(tables(file, text))
    return utilization(file, found, lines["Design"], kind, tool(file, lines), lines["Device"])


def _check_complete(file: ReportFile, text: str) -> None:
    """Raise where a section that the table of contents lists is not there: the file is cut short."""
    match = re.search(r"^Table of Contents\n-+\n((?:\d.*\n)+)", text, re.MULTILINE)
    if match is None:
        raise ReportError(file.name, "a table of contents", "none")
    for section in match[1].splitlines():
        if f"\n{section}\n-" not in text[match.end() :]:
            raise ReportError(file.name, f"the section {section.strip()!r}", "none")
    if re.search(r"\n-+\s*\Z", text):
        raise ReportError(file.name, "a table in the last section", "none")
