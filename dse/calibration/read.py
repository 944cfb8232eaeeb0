"""All that the user gave, as records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cost_models.reports import read_reports
from dse.calibration.project import read_projects
from dse.calibration.records import Skipped, SynthesisRecord
from dse.calibration.table import read_table


def read_records(
    reports: Sequence[Path], design: Path | None, table: Path | None, stage: str | None
) -> tuple[tuple[SynthesisRecord, ...], tuple[Skipped, ...]]:
    """Read reports and what was built.

    Args:
        reports: reports, or folders of them.
        design: the design.json of the reports.
        table: a CSV of FINN units, with their resources or with the instances of the reports.
        stage: only records of this stage.

    Raises:
        UsageError: what was built is not known, or the table cannot be read.
    """
    if table is None:
        return read_projects(reports, design, stage)
    measured, unread = read_reports(reports)
    records, skipped = read_table(table, measured)
    kept = tuple(r for r in records if stage in (None, r.origin.stage))
    return kept, (*skipped, *(Skipped(s.name, s.reason) for s in unread))
