"""A plan of the small study, and workers that answer at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dse.config.load import load_config
from dse.search.study import Plan, plan
from dse.search.tasks import TrainingResult, TrainingTask
from dse.search.workers import Outcome


class FakeWorkers:
    """Gives every compression an accuracy made of its bits; counts what it trains."""

    def __init__(self, capacity: int = 1, fail: Callable[[TrainingTask], str | None] | None = None):
        self.capacity = capacity
        self.tasks: list[TrainingTask] = []
        self._queue: list[tuple[int, TrainingTask]] = []
        self._fail = fail or (lambda _: None)

    def submit(self, key: int, task: TrainingTask) -> None:
        self.tasks.append(task)
        self._queue.append((key, task))

    def poll(self, timeout_s: float) -> list[Outcome]:
        del timeout_s
        if not self._queue:
            return []
        key, task = self._queue.pop(0)
        if (error := self._fail(task)) is not None:
            return [Outcome(key, None, error)]
        kept = [c.weight_bits * (1 - c.sparsity) for c in task.compressions.values()]
        accuracy = 0.5 + sum(kept) / (16 * len(kept))
        return [Outcome(key, TrainingResult(accuracy, None, None, "", 0.0), None)]

    def cancel(self) -> None:
        self._queue.clear()

    def close(self) -> None:
        pass


class Silent:
    """Progress that only counts."""

    def __init__(self) -> None:
        self.trials = 0

    def event(self, name: str, **data: Any) -> None:
        del name, data

    def trial(self, *_: Any) -> None:
        self.trials += 1

    def close(self) -> None:
        pass


class StopAfter:
    """Asks to stop once `count` trials have finished."""

    def __init__(self, progress: Silent, count: int) -> None:
        self._progress, self._count = progress, count

    @property
    def requested(self) -> bool:
        return self._progress.trials >= self._count


@pytest.fixture
def planned(study_file: Path) -> Callable[..., Plan]:
    """Return the plan of the small study, with changes to its text and `--set` overrides."""

    def make(*overrides: str, replace: tuple[str, str] = ("", "")) -> Plan:
        study_file.write_text(study_file.read_text().replace(*replace))
        return plan(load_config(study_file, overrides))

    return make


@pytest.fixture
def fake_workers() -> type[FakeWorkers]:
    return FakeWorkers


@pytest.fixture
def silent() -> Silent:
    return Silent()


@pytest.fixture
def stop_after() -> type[StopAfter]:
    return StopAfter
