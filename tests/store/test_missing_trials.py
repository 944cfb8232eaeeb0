"""Whole lines that are lost from a journal are noticed, though every other line is intact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dse.ir.design import DesignPoint
from dse.ir.record import TrialRecord
from dse.store import Store, lost
from dse.store.attributes import MOST, NUMBER


def record(number: int) -> TrialRecord:
    return TrialRecord(
        id=2 * number,  # ids have holes of their own: known designs take none
        knobs={},
        design=DesignPoint(()),
        state="failed",
        stage="estimate",
        metrics={},
        hardware=None,
        constraints={},
        error="no",
        origin="sampler",
        cached_accuracy=False,
        seconds=1.0,
        finished="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of five trials."""
    fill(tmp_path / "s", range(5))
    return tmp_path / "s"


def fill(folder: Path, numbers: range) -> tuple[int, ...]:
    store = Store(folder, "file")
    store.hold()
    store.open_trials("s", ["maximize"], ["accuracy"])
    for number in numbers:
        store.append(record(number), [], {})
    found = store.missing
    store.release()
    return found


def edited(folder: Path, drop: tuple[int, ...] = (), old: tuple[int, ...] = ()) -> None:
    """Drop the lines of trials, and the numbers of those of an older version."""
    path, kept, number = folder / "journal.log", [], -1
    for text in path.read_text().splitlines():
        line = json.loads(text)
        if NUMBER in line.get("user_attrs", {}):
            number += 1
            if number in old:
                del line["user_attrs"][NUMBER]
            if number in drop:
                continue
        kept.append(json.dumps(line) + "\n")
    path.write_text("".join(kept))


def missing(folder: Path) -> tuple[int, ...]:
    store = Store(folder, "file")
    store.records("s")
    return store.missing


def test_nothing_is_missing_of_a_whole_journal_continued_or_not(folder: Path) -> None:
    assert missing(folder) == ()
    assert fill(folder, range(5, 7)) == ()
    assert missing(folder) == ()


def test_lost_lines_are_missed_by_number_also_after_the_study_went_on(folder: Path) -> None:
    edited(folder, drop=(0, 3))
    assert missing(folder) == (0, 3)
    assert fill(folder, range(5, 7)) == (0, 3)
    assert missing(folder) == (0, 3)


def test_trials_of_older_versions_have_no_number_and_are_not_missed(folder: Path) -> None:
    edited(folder, old=(0, 1, 2, 3, 4))
    assert missing(folder) == ()
    assert fill(folder, range(5, 7)) == ()
    whole = (folder / "journal.log").read_text().splitlines(keepends=True)
    at = next(i for i, text in enumerate(whole) if '"dse"' in text)
    (folder / "journal.log").write_text("".join(whole[:at] + whole[at + 1 :]))
    assert len(missing(folder)) == 1  # later ones say how many were before them


def test_a_number_that_got_another_digit_costs_no_memory(folder: Path) -> None:
    path = folder / "journal.log"
    path.write_text(path.read_text().replace(f'"{NUMBER}":4', f'"{NUMBER}":4000000000000'))
    assert len(missing(folder)) == MOST
    assert f"{MOST} or more (by order of finishing, from 0: 4, 5, 6, 7, 8, ...)" in lost(
        missing(folder)
    )
