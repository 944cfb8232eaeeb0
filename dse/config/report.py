"""`report`: where it is written, and how often while the study runs."""

from __future__ import annotations

from pathlib import Path

from dse.config.complaints import Complaints
from dse.config.effort import TIME
from dse.config.paths import written
from dse.config.read import entries, keys, one_of, quantity, scalar
from dse.config.tree import Map, Node, describe
from dse.config.values import ReportConfig

REPORT = keys("report", ("file", "every"))
WORDS = ("auto", "off")


def report_of(node: Node, folder: Path, check: bool, complaints: Complaints) -> ReportConfig | None:
    """Read `auto`, `off`, or a map of `file` and `every`.

    Args:
        node: the value of `report`.
        folder: of the study file; the path of the report is relative to it.
        check: whether variables of the path must be set; where not, they stay as they are written.
        complaints: receives what is wrong.

    Returns:
        None where no report is asked for.
    """
    if not isinstance(node, Map):
        return None if one_of(node, "report", WORDS, complaints) == "off" else ReportConfig()
    found = {k: e.value for k, e in entries(node, REPORT, complaints).items()}
    file = every = None
    if "file" in found:
        file = _file(found["file"], folder, check, complaints)
    if "every" in found:
        every = quantity(found["every"], "every", TIME, complaints)
    return ReportConfig(file, every)


def _file(node: Node, folder: Path, check: bool, complaints: Complaints) -> Path | None:
    word = scalar(node, "report.file", complaints, "file: report.html")
    text = None if word is None else written(word, check, complaints)
    if word is None or text is None:
        return None
    if not text.endswith(".html"):
        message = f"report.file is an .html file, not {describe(word)}"
        complaints.add(word.span, "bad-value", message, "write for example report.html")
        return None
    try:
        path = (folder / text).resolve()
        there = path.parent.is_dir() or not check
    except (OSError, ValueError):  # too long, or a null character: no file has such a name
        there = False
    if there:
        return path
    complaints.add(
        word.span,
        "no-such-file",
        f"the folder of report.file {describe(word)} does not exist",
        "make it; paths are relative to the study file",
    )
    return None
