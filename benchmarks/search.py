"""How many trainings a search needs to find the front, on spaces of which all of it is known.

Run: DSE_DATA=<folder with fashion_mnist.npz> python benchmarks/search.py [digits] [fashion]
(an hour on one core, most of it TPE's; minutes with `--seeds 2 --methods guided nsga2`)

Every compression of two small spaces was trained (benchmarks/search_tables.py), every folding is
priced here. So the true front is known, and what part of its hypervolume a search has after so many
trainings. The product's own driver searches, with the table in place of the trainings:

guided      the default: trained is what is expected to move the front, in all its foldings
random, nsga2, tpe
            Optuna's samplers on the same knobs (`estimate: {keep: all}`): hardware rejects first, a
            compression is trained once, cycle targets are solved exactly
tpe-alone   TPE on the PE and SIMD of every layer too: the joint space without our folding solver
two-stage   accuracy against model size by TPE; the front of these two is folded in every way
short       guided, with a short training first, which costs 2 of the 7 epochs: what it shows to be
            hopeless is not trained on

A trial that needs no training costs nothing. Seconds are CPU seconds: the driver's own in this run,
and for every training those of a training of the table (the quickest tenth of them: the table was made
on a machine that others used too).
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from search_tables import FOLDER, NAMES, SHORT_EPOCHS, read
from search_truth import Floats, Truth, enumerate_truth, point

from dse.config.load import load_config
from dse.ir.design import compression_digest
from dse.ir.record import TrialRecord
from dse.search.driver import Driver
from dse.search.ledger import Ledger
from dse.search.pareto import non_dominated
from dse.search.study import Plan, open_study, plan
from dse.search.tasks import TrainingResult, TrainingTask
from dse.search.watch import Status
from dse.search.workers import Outcome

BAR = 0.95
ENOUGH = 0.99  # a search may stop here
FULL_EPOCHS = 5  # after the short ones
MARKS = (10, 20, 30, 40, 60, 80, 120, 160)  # trainings
ALL = "stages=[{estimate: {keep: all}}, {finetune: {epochs: 5}}]"
SHORT = "stages=[{short: {epochs: 2}}, {finetune: {epochs: 5}}]"
METHODS: dict[str, tuple[str, ...]] = {
    "guided": ("budget.trials=300",),
    "random": ("sampler=random", "budget.trials=999", ALL),
    "nsga2": ("sampler=nsga2", "budget.trials=999", ALL),
    "tpe": ("sampler=tpe", "budget.trials=999", ALL),
    "tpe-alone": ("sampler=tpe", "budget.trials=999", ALL, "space.fold=free"),
    "short": ("budget.trials=300", SHORT),
    "two-stage": (
        "sampler=tpe",
        "budget.trials=999",
        ALL,
        "objectives={accuracy: maximize, model_size: minimize}",
    ),
}


@dataclass
class TableWorkers:
    """Answers trainings from the table, in order."""

    truth: Truth
    capacity: int = 1
    cost: float = 0.0  # so far, in trainings to the end
    queue: list[tuple[int, TrainingTask]] = field(default_factory=list)

    def submit(self, key: int, task: TrainingTask) -> None:
        self.queue.append((key, task))

    def poll(self, timeout_s: float) -> list[Outcome]:
        del timeout_s
        if not self.queue:
            return []
        key, task = self.queue.pop(0)
        digest = compression_digest(task.compressions)
        row = self.truth.table[digest]
        short = task.keep_state
        if short or task.before:
            self.cost += task.epochs / (SHORT_EPOCHS + FULL_EPOCHS)
        else:
            self.cost += 1
        accuracy = row.short_accuracy if short else row.accuracy
        return [Outcome(key, TrainingResult(accuracy, None, None, digest, 0.0), None)]

    @property
    def trained(self) -> int:
        """Trainings so far, of what is begun too."""
        return math.ceil(self.cost - 1e-9)

    def cancel(self) -> None:
        self.queue.clear()

    def close(self) -> None:
        self.queue.clear()


@dataclass
class Watch:
    """Follows the front of a search, and stops it once it has nearly all or was trained enough."""

    plan: Plan
    truth: Truth
    workers: TableWorkers
    limit: int
    two_stage: bool
    begun: float = field(default_factory=time.process_time)
    points: Floats = field(default_factory=lambda: np.empty((0, 3)))
    small: dict[str, tuple[float, float]] = field(default_factory=dict)  # size, -accuracy
    course: dict[int, tuple[float, float]] = field(default_factory=dict)  # trainings: part, seconds

    def event(self, name: str, **data: Any) -> None:
        """Nothing to follow."""

    def close(self) -> None:
        """Nothing is open."""

    def trial(self, record: TrialRecord, ledger: Ledger, status: Status) -> None:
        del ledger, status
        if record.state != "feasible":
            return
        if self.two_stage:
            size, accuracy = record.metrics["model_size_kib"], record.metrics["accuracy"]
            self.small[record.design.compression_digest] = size, -accuracy
            both = np.array(list(self.small.values()))
            best = [d for d, keep in zip(self.small, non_dominated(both), strict=True) if keep]
            points = np.concatenate([self.truth.of_compression(d) for d in best])
        else:
            new = point(self.plan, record)
            if np.any(np.all(self.points <= new, axis=1)):
                return
            points = np.vstack([self.points[~np.all(self.points >= new, axis=1)], new])
            self.points = points
        seconds = self.workers.cost * self.truth.training_seconds
        seconds += time.process_time() - self.begun
        self.course[self.workers.trained] = self.truth.fraction(points), seconds

    @property
    def requested(self) -> bool:
        trained = self.workers.trained
        return trained >= self.limit or self.course.get(trained, (0.0, 0.0))[0] >= ENOUGH


@dataclass(frozen=True)
class Course:
    """Part of the true hypervolume and seconds after each training."""

    parts: Floats
    seconds: Floats

    def needed(self, part: float) -> tuple[int, float] | None:
        """Return trainings and seconds until so much was found; None where it never was."""
        there = np.flatnonzero(self.parts >= part)
        return (int(there[0]) + 1, float(self.seconds[there[0]])) if len(there) else None


def search(name: str, method: str, seed: int, truth: Truth, limit: int) -> Course:
    """Run one search; parts never fall, so what is missing in the course is filled from before."""
    p = plan(load_config(FOLDER / f"{name}.yaml", [f"seed={seed}", *METHODS[method]]))
    workers = TableWorkers(truth)
    watch = Watch(p, truth, workers, limit, method == "two-stage")
    with tempfile.TemporaryDirectory() as folder:
        store = open_study(p, Path(folder), [])
        try:
            Driver(p, store, workers, watch, watch).run()
        finally:
            store.release()
    best, rows = (0.0, 0.0), []
    for trained in range(1, workers.trained + 1):
        here = watch.course.get(trained, best)
        best = (max(best[0], here[0]), max(best[1], here[1]))
        rows.append(best)
    parts, seconds = np.array(rows).T
    return Course(parts, seconds)


def show(name: str, truth: Truth, found: Mapping[str, Sequence[Course]]) -> None:
    """Print the table of one space."""
    print(
        f"\n{name}: {len(truth.table)} compressions trained, {truth.designs:,} designs priced,"
        f" {truth.front} on the true front"
    )
    print("part of the true hypervolume after so many trainings (median of the seeds)")
    print(f"{'':12}" + "".join(f"{m:>8}" for m in MARKS) + f"{'95 %':>18}{'seconds':>10}")
    for method, courses in found.items():
        cells = [
            statistics.median(c.parts[min(m, len(c.parts)) - 1] for c in courses) for m in MARKS
        ]
        needed = [c.needed(BAR) for c in courses]
        reached = sorted(n for n in needed if n is not None)
        text = "never"
        if len(reached) * 2 > len(courses):
            median = sorted(needed, key=lambda n: n or (10**9, 0.0))[len(needed) // 2]
            assert median is not None
            worst = str(reached[-1][0]) if len(reached) == len(courses) else "never"
            text = f"{median[0]} ({reached[0][0]}..{worst})"
            seconds = f"{median[1]:.0f}"
        else:
            seconds = "-"
        print(f"{method:12}" + "".join(f"{c:8.3f}" for c in cells) + f"{text:>18}{seconds:>10}")
    need = {m: typical(c) for m, c in found.items()}
    if "guided" not in need or not need.keys() - {"guided", "short"}:
        return
    best = min((m for m in need if m not in ("guided", "short")), key=lambda m: need[m])
    print(
        f"bar: 95 % with at most a third of the trainings of the best other ({best}: {need[best]:g}):"
        f" {need['guided']:g}, {'met' if 3 * need['guided'] <= need[best] else 'not met'}"
    )


def typical(courses: Sequence[Course]) -> float:
    """Return the median of the trainings to 95 %; infinite where most never got there."""
    needed = [c.needed(BAR) for c in courses]
    return statistics.median(float("inf") if n is None else n[0] for n in needed)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=200, help="trainings")
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    asked = parser.parse_args()
    for name in asked.names:
        p = plan(load_config(FOLDER / f"{name}.yaml", []))
        truth = enumerate_truth(p, read(name))
        found = {
            m: [search(name, m, s, truth, asked.limit) for s in range(asked.seeds)]
            for m in asked.methods
        }
        show(name, truth, found)


if __name__ == "__main__":
    main()
