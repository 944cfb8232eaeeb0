"""A design without its numbers: FINN's folding configuration, or a design.json that a study takes as a seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dse import __version__
from dse.errors import UsageError
from dse.ir.finn import folding_config
from dse.ir.record import TrialRecord
from dse.ir.stages import flat
from dse.lowering.pipeline import pipeline
from dse.search.pick import pick
from dse.search.study import snapshot
from dse.snapshot import StudySnapshot


def finn_config(study: StudySnapshot, record: TrialRecord) -> dict[str, Any]:
    """Return the folding in FINN's format."""
    return folding_config(flat(pipeline(study.network, record.design)))


def design_json(study: StudySnapshot, record: TrialRecord) -> dict[str, Any]:
    """Return the design with what it was made for and what it is predicted to cost."""
    return {
        "schema": "dse.settings/1",
        "written_by": f"dse {__version__}",
        "study": study.config.study,
        "trial": record.id,
        "digest": record.design.digest,
        "board": study.config.board.name,
        "clock_mhz": study.config.clock_mhz,
        "design": record.design.to_json(),
        "predicted": None if record.hardware is None else record.hardware.to_json(),
    }


SETTINGS: Mapping[str, tuple[str, Callable[[StudySnapshot, TrialRecord], dict[str, Any]]]] = {
    "finn-config": ("folding_config.json", finn_config),
    "json": ("design.json", design_json),
}


def emit_settings(
    folder: Path, wanted: str, out: Path, *, flow: str, force: bool
) -> tuple[Path, TrialRecord]:
    """Write one of `SETTINGS` of the picked design; nothing is trained.

    Args:
        folder: of the study.
        wanted: which design (`dse.search.pick`).
        out: a folder, or a file that ends with .json.
        flow: a key of `SETTINGS`.
        force: replace a file that is there.

    Returns:
        The file and the trial.

    Raises:
        UsageError: no such study or design, or the file is there.
        NoFeasibleDesignError: the study found none.
    """
    name, make = SETTINGS[flow]
    path = out if out.suffix == ".json" else out / name
    if path.exists() and not force:
        msg = f"{path} is there already; give another name, or --force to replace it"
        raise UsageError(msg)
    study = snapshot(folder)
    finals = study.finals if study.state == "complete" else {}
    record = pick(study.config, study.records, finals, wanted)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(make(study, record), indent=2) + "\n", encoding="utf-8")
    return path, record
