"""What goes wrong while a study runs: trainings that fail, disks that fill, drivers that are killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dse.errors import UnreachableError
from dse.ir.record import TrialRecord
from dse.search.driver import Driver
from dse.search.study import open_study
from dse.search.tasks import TrainingResult
from dse.search.workers import Outcome
from dse.store import Store

KILLS = 20
BUDGET = 50


class Never:
    requested = False


@pytest.fixture
def go(tmp_path: Path, silent: Any) -> Callable[..., Any]:
    def run(plan: Any, workers: Any) -> Driver:
        store = open_study(plan, tmp_path / "s", ())
        try:
            driver = Driver(plan, store, workers, silent, Never())
            driver.run()
            return driver
        finally:
            store.release()

    return run


def test_a_training_that_returns_nan_is_a_failed_trial(
    planned: Any, fake_workers: Any, go: Any
) -> None:
    class Nan(fake_workers):  # type: ignore[misc]
        def poll(self, timeout_s: float) -> list[Outcome]:
            nan = TrainingResult(float("nan"), None, None, "", 0.0)
            return [
                Outcome(o.key, nan if o.key % 3 == 0 else o.result, o.error)
                for o in super().poll(timeout_s)
            ]

    driver = go(planned("budget.failures=100 %"), Nan())
    failed = [r for r in driver.records if r.state == "failed"]
    assert failed
    assert {r.error for r in failed} == {"the accuracy is not a number"}
    assert all("accuracy" not in r.metrics for r in failed)
    assert any(r.state == "feasible" for r in driver.records)


def test_a_full_disk_ends_in_one_error_and_the_study_continues(
    planned: Any, fake_workers: Any, go: Any, tmp_path: Path
) -> None:
    plan = planned()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails with EFBIG
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(
            UnreachableError, match=r"journal\.log cannot be written: .*free some space"
        ):
            go(plan, fake_workers())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    torn = (tmp_path / "s" / "journal.log").read_bytes()
    assert not torn.endswith(b"\n"), "the last line was cut by the quota"
    kept = Store(tmp_path / "s", "file").records("small")
    assert kept
    driver = go(plan, fake_workers())
    assert driver.records[: len(kept)] == kept
    assert len({r.design.digest for r in driver.records}) == len(driver.records)
    assert driver.ledger.counted >= 24


DRIVER = """
    import sys, time
    from pathlib import Path
    from dse.config.load import load_config
    from dse.search.driver import Driver
    from dse.search.promotion import TrainAll
    from dse.search.study import open_study, plan
    from dse.search.tasks import TrainingResult
    from dse.search.workers import Outcome

    class Slow:
        capacity = 2
        def __init__(self): self.queue = []
        def submit(self, key, task): self.queue.append((key, task, time.monotonic()))
        def poll(self, timeout_s):
            time.sleep(0.01)
            ended = [x for x in self.queue if time.monotonic() - x[2] > 0.03]
            self.queue = [x for x in self.queue if x not in ended]
            return [Outcome(k, TrainingResult(0.5 + sum(c.weight_bits for c in t.compressions.values())
                    / 99, None, None, "", 0.0), None) for k, t, _ in ended]
        def cancel(self): pass
        def close(self): pass

    class Quiet:
        requested = False
        def event(self, *a, **k): pass
        def trial(self, record, *_): print(record.id, flush=True)
        def close(self): pass

    p = plan(load_config(Path(sys.argv[1]), sys.argv[2:]))
    print("planned", flush=True)
    while sys.stdin.readline():
        store = open_study(p, Path("s"), ())
        print("opened", flush=True)
        Driver(p, store, Slow(), Quiet(), Quiet(), promotion=TrainAll(p.stages)).run()
        store.release()
        print("ended", flush=True)
"""


def records(folder: Path) -> dict[int, TrialRecord]:
    return {r.id: r for r in Store(folder, "file").records("small")}


@pytest.mark.slow
def test_a_driver_killed_at_twenty_random_points_loses_and_repeats_nothing(
    study_file: Path, tmp_path: Path
) -> None:
    """Every driver is forked from one process that has everything imported, and killed with SIGKILL."""
    code = (
        textwrap.dedent(DRIVER)
        .replace(
            "while sys.stdin.readline():\n",
            "import os, warnings\nwarnings.simplefilter('ignore')\n"
            "while sys.stdin.readline():\n"
            "    child = os.fork()\n"
            "    if child:\n"
            "        print('child', child, flush=True); os.waitpid(child, 0); print('gone', flush=True)\n"
            "        continue\n",
        )
        .replace(
            '    print("ended", flush=True)\n', "    print('ended', flush=True); os._exit(0)\n"
        )
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(study_file), f"budget.trials={BUDGET}"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    rng, before, kills = random.Random(0), dict[int, TrialRecord](), 0
    folder = tmp_path / "s"
    assert process.stdout.readline() == "planned\n"
    try:
        for _ in range(4 * KILLS):
            process.stdin.write("go\n")
            process.stdin.flush()
            child = int(process.stdout.readline().split()[1])
            lines, wanted = [], rng.randint(0, 5)
            while len(lines) < wanted and (not lines or lines[-1] not in ("ended\n", "gone\n")):
                lines.append(process.stdout.readline())
            if not lines or lines[-1] not in ("ended\n", "gone\n"):
                time.sleep(rng.random() * 0.1)
                with contextlib.suppress(ProcessLookupError):  # it may have ended by now
                    os.kill(child, signal.SIGKILL)
                    kills += 1
                while process.stdout.readline() != "gone\n":
                    pass
            elif lines[-1] == "ended\n":
                assert process.stdout.readline() == "gone\n"
            if (folder / "study.json").exists():
                now = records(folder)
                assert before.items() <= now.items(), "a finished trial was lost or changed"
                before = now
            if lines and lines[-1] == "ended\n":
                break
    finally:
        process.communicate(timeout=30)
    assert kills >= KILLS / 2, kills
    designs = [r.design.digest for r in before.values()]
    assert len(set(designs)) == len(designs), "a design was evaluated twice"
    assert sum(r.counts for r in before.values()) >= BUDGET
    state = json.loads((folder / "driver.json").read_text())
    assert "budget of" in state["stop_reason"] or "front" in state["stop_reason"]
