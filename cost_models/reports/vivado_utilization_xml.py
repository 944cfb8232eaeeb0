"""`report_utilization -format xml` of Vivado; FINN of 2021 calls it post_synth_resources.xml."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._tables import Table
from cost_models.reports._vivado import state_kind, utilization
from dse.ir.measurement import Measurement


def recognises(path: Path, head: str) -> bool:
    """Whether the root element names the command."""
    return re.search(r"<RptDoc\b[^>]*\breport_utilization\b", head) is not None


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the design, or one measurement per instance of a hierarchical report.

    The XML does not state the version of the tool.

    Raises:
        ReportError: the file is damaged.
    """
    file = load(path)
    root = file.xml("RptDoc")
    for key in ("designname", "designstate", "partname"):
        if key not in root.attrib:
            raise ReportError(file.name, f"the attribute {key}", "none")
    kind = state_kind(file, root.attrib["designstate"])
    found = [_table(file, t) for t in root.iter("table")]
    design, part = root.attrib["designname"], root.attrib["partname"]
    return utilization(file, found, design, kind, "vivado", part)


def _table(file: ReportFile, element: ET.Element) -> Table:
    columns: tuple[str, ...] = ()
    rows = []
    for row in element.iterfind("tablerow"):
        header = tuple(c.get("contents", "").strip() for c in row.iterfind("tableheader"))
        columns = columns or header
        cells = [c.get("contents", "") for c in row.iterfind("tablecell")]
        if header:
            continue
        if len(cells) != len(columns):
            raise ReportError(file.name, f"{len(columns)} cells in a row", str(len(cells)))
        rows.append(dict(zip(columns, cells, strict=True)))
    return Table(columns, tuple(rows))
