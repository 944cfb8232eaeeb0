"""`dse check` says where no constraint of a file can be seen to matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from dse.config.load import load_config
from dse.search.outlook import outlook


@pytest.mark.parametrize(
    ("constraints", "idle"),
    [
        ("[latency <= 1000 ms, throughput >= 1 fps]", True),
        ("[latency <= 1000 ms, lut <= 10 %]", False),  # the fastest designs are larger
        ("[latency <= 1000 ms, accuracy >= 10 %]", False),  # not known before training
        ("[]", False),  # nothing is listed that could be tightened
    ],
)
def test_constraints_that_no_design_breaks(study_file: Path, constraints: str, idle: bool) -> None:
    found = outlook(load_config(study_file, [f"constraints={constraints}"]))
    assert any("they may never bind" in w for w in found.warnings) == idle
    assert ("they may never bind" in found.text()) == idle
