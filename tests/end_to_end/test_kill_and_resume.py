"""A finished trial is never lost and never repeated, whatever stops the driver."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BUDGET = 24
Dse = Callable[..., "subprocess.CompletedProcess[str]"]


def start(study_file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dse", "run", str(study_file), "--inline", "--log", "json"],
        cwd=study_file.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_trials(process: subprocess.Popen[str], count: int) -> None:
    """Read events until `count` trials of this process have finished."""
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += json.loads(line)["event"] == "trial"
        if seen == count:
            return


def finished(folder: Path) -> dict[int, tuple[str, str]]:
    """Finished trials by id, straight from the journal's text: (design digest, time)."""
    found = {}
    for line in (folder / "journal.log").read_text().splitlines():
        try:
            record = json.loads(json.loads(line)["user_attrs"]["dse"])
        except (ValueError, KeyError):
            continue
        design = json.dumps(record["design"], sort_keys=True)
        assert record["id"] not in found, "a trial id was written twice"
        found[record["id"]] = (design, record["finished"])
    return found


@pytest.mark.slow
def test_kill_9_at_three_moments_loses_and_repeats_nothing(study_file: Path, dse: Dse) -> None:
    folder = study_file.parent / "runs" / "small"
    before: dict[int, tuple[str, str]] = {}
    for after_trials in (1, 4, 9):
        process = start(study_file)
        wait_for_trials(process, after_trials)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = finished(folder)
        assert before.items() <= now.items(), "a finished trial was lost or changed"
        assert len(now) >= len(before) + after_trials
        before = now
    last = dse("run", study_file, "--inline")
    assert last.returncode == 0, last.stderr
    now = finished(folder)
    assert before.items() <= now.items()
    assert len(now) == BUDGET
    designs = [design for design, _ in now.values()]
    assert len(set(designs)) == len(designs), "a design was evaluated twice"
    found = json.loads(dse("inspect", "small", "--json").stdout)
    assert found["trials"]["finished"] == BUDGET
    assert found["state"] == "complete"
    assert (folder / "report.html").stat().st_size > 100_000
    again = dse("run", study_file, "--inline")
    assert again.returncode == 0
    assert "nothing to do" in again.stderr
    assert finished(folder) == now


@pytest.mark.slow
def test_ctrl_c_finishes_what_runs_and_continues_later(study_file: Path, dse: Dse) -> None:
    process = start(study_file)
    wait_for_trials(process, 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Continue with: dse resume small" in err
    folder = study_file.parent / "runs" / "small"
    first = finished(folder)
    assert 3 <= len(first) < BUDGET
    status = json.loads(dse("status", "small", "--json").stdout)["studies"][0]
    assert status["state"] == "stopped"
    last = dse("resume", "small", "--inline")
    assert last.returncode == 0, last.stderr
    assert first.items() <= finished(folder).items()
    assert len(finished(folder)) == BUDGET


@pytest.mark.slow
def test_sigterm_cancels_at_once(study_file: Path) -> None:
    process = start(study_file)
    wait_for_trials(process, 2)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    folder = study_file.parent / "runs" / "small"
    in_flight = json.loads((folder / "driver.json").read_text())["in_flight"]
    assert in_flight, "what was cancelled must be queued again"
    assert not set(map(int, in_flight)) & set(finished(folder))
    assert (folder / "report.html").exists()
