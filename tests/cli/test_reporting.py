"""Reports while a study runs: at most so often, whole, and told where they fail."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from dse.cli.reporting import Reporting

STAGES = "stages=[{pretrain: {epochs: 1}}, {estimate: {keep: all}}, {finetune: {epochs: 0}}, {final: {epochs: 0}}]"


class Heard:
    """Progress that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.trials = 0
        self.closed = False

    def event(self, name: str, **data: Any) -> None:
        self.events.append((name, data))

    def trial(self, *_: Any) -> None:
        self.trials += 1

    def close(self) -> None:
        self.closed = True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the processes that are started; they do nothing, and end when `code` is set."""
    found: list[Any] = []

    class Process:
        def __init__(self, command: list[str], **_: Any) -> None:
            self.command, self.returncode, self.killed = command, None, False
            found.append(self)

        def poll(self) -> int | None:
            return self.returncode

        def communicate(self) -> tuple[None, str]:
            return None, "usage\nerror: no room\n"

        def kill(self) -> None:
            self.killed = True

    monkeypatch.setattr("dse.cli.reporting.subprocess.Popen", Process)
    return found


def test_one_at_a_time_and_at_most_so_often(started: list[Any]) -> None:
    heard, clock = Heard(), Clock()
    reporting = Reporting(heard, Path("/runs/mine"), Path("/out/r.html"), 60.0, clock)
    trial: Any = (None, None, None)

    def at(now: float) -> int:
        clock.now = now
        reporting.trial(*trial)
        return len(started)

    assert [at(0), at(59), at(60), at(61), at(200)] == [0, 0, 1, 1, 1]  # the first still runs
    assert started[0].command[1:4] == ["-P", "-m", "dse"]
    assert started[0].command[4:] == ["report", "mine", "-o", "/out/r.html", "-C", "/runs"]
    started[0].returncode = 0
    assert [at(201), at(202), at(261)] == [2, 2, 2]
    assert heard.events == []
    started[1].returncode = 5
    assert at(262) == 3
    assert heard.events == [("warning", {"text": "no report was written: error: no room"})]
    reporting.close()
    assert started[2].killed
    assert heard.closed
    assert heard.trials == 9


def test_the_file_is_there_while_the_study_runs(
    dse: Any, study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of its own process, of a study with weights elsewhere, continued and emitted from there."""
    study_file.write_text(
        study_file.read_text()
        + "artifacts: ${WHERE}/weights\nreport: {file: mine.html, every: 1 ms}\n"
    )
    shared = tmp_path / "shared"
    monkeypatch.setenv("WHERE", str(shared))
    begun = time.time()
    done = dse("run", study_file.name, "--inline", "--set", STAGES, "--trials", "6")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine.html").stat().st_mtime >= begun
    assert not (tmp_path / "runs/small/report.html").exists()
    there = {p.name for p in (shared / "weights").iterdir()}
    assert there == {"artifacts.json", "base.npz", "weights"}
    assert not list((tmp_path / "runs/small").glob("**/*.npz"))
    emitted = dse("emit", "small", "--pick", "knee", "-o", "hls")
    assert emitted.returncode == 0, emitted.stderr
    # another place is another study's, and another study may not have this place
    moved = dse("run", study_file.name, "--inline", "--set", STAGES, "--set", "artifacts=here")
    assert moved.returncode == 6
    assert "artifacts is not the same" in moved.stderr
    other = dse("run", study_file.name, "--inline", "--set", STAGES, "--set", "study=other")
    assert other.returncode == 6
    assert "are of study 'small'; name another folder" in other.stderr
    assert not (tmp_path / "runs/other").exists()
