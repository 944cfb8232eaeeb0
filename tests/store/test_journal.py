"""The journal file: what Optuna's own backend writes is read, and the other way round; lines are read once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dse.store import RECORD
from dse.store.journal import Journal

STUDY = {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}


def filled(storage: Any, name: str = "s") -> optuna.Study:
    study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
    study.set_user_attr("note", "für später")
    study.add_trial(
        optuna.trial.create_trial(
            value=1.0,
            params={"x": 0.5},
            distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
        )
    )
    return study


def seen(study: optuna.Study) -> list[Any]:
    return [(t.number, t.values, t.params, t.state) for t in study.trials]


def test_optunas_backend_and_this_one_read_what_the_other_wrote(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    ours, theirs = Journal(path), JournalFileBackend(str(path))
    first = filled(JournalStorage(ours))
    second = filled(JournalStorage(theirs))  # between two lines of ours
    first.add_trial(second.trials[-1])
    for backend in (ours, Journal(path), JournalFileBackend(str(path))):
        study = optuna.load_study(study_name="s", storage=JournalStorage(backend))
        assert seen(study) == seen(first) == seen(second)
        assert study.user_attrs == {"note": "für später"}
    assert len(first.trials) == 3


def test_lines_are_read_from_any_number_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.log")
    lines = [STUDY | {"study_name": f"ü{i}"} for i in range(4)]
    journal.append_logs(lines[:3])
    assert list(journal.read_logs(0)) == lines[:3]
    journal.append_logs(lines[3:])
    assert list(journal.read_logs(3)) == lines[3:]
    assert list(journal.read_logs(1)) == lines[1:]
    assert next(iter(journal.read_logs(2))) == lines[2]
    assert list(journal.read_logs(3)) == lines[3:]


@pytest.mark.parametrize("half", [b'{"op_code": 1', b"garbage\n"])
def test_what_is_no_whole_line_counts_only_where_others_follow(tmp_path: Path, half: bytes) -> None:
    path = tmp_path / "journal.log"
    Journal(path).append_logs([STUDY])
    whole = path.read_bytes()
    path.write_bytes(whole + half)
    journal = Journal(path)
    assert list(journal.read_logs(0)) == [STUDY]
    path.write_bytes(whole + half + b"\n" + whole)
    lines = journal.read_logs(0)
    assert next(lines) == STUDY
    with pytest.raises(json.JSONDecodeError):
        list(lines)


def test_reading_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    Journal(path).append_logs([STUDY])
    os.utime(path, ns=(1, 1))
    assert list(Journal(path).read_logs(0)) == [STUDY]
    assert path.stat().st_mtime_ns == 1


def test_a_damaged_record_is_never_passed_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.log")
    with pytest.raises(ValueError, match="not what was written"):
        journal.append_logs([{"user_attrs": {RECORD: "{}", f"{RECORD}:digest": "0"}}])
    with pytest.raises(ValueError, match="not what was written"):
        list(journal.read_logs(0))
