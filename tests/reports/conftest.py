"""Where the real reports are: beside the project, not part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPORTS = Path(
    os.environ.get("DSE_REPORTS") or Path(__file__).parents[3] / "shared" / "data" / "reports"
)


@pytest.fixture(scope="session")
def real_reports() -> Path:
    """Folder of real reports; tests that need it are skipped where it is absent."""
    if not REPORTS.is_dir():
        pytest.skip("the real reports are not beside the project; set DSE_REPORTS to their folder")
    return REPORTS
