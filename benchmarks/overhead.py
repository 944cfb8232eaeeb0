"""What the driver itself costs: `python benchmarks/overhead.py` prints tables with the bars to clear.

Trainings are stubbed: a worker of this file answers at once, or computes for a constant time. The rest is the product:
space, exact folding, cost model, sampler, journal on disk. The default runs for some minutes; `--trials 100,1000` is
quicker, and `--ask` measures the samplers alone (the constants of dse/search/samplers.py). Every trial is synced to
disk, so a busy disk shows in the wall column; TMPDIR=/dev/shm takes it out.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from dse.config.load import load_config
from dse.config.values import Parallel
from dse.ir.record import TrialRecord
from dse.search.driver import Driver
from dse.search.guided import promotion_of
from dse.search.optimiser import Optimiser
from dse.search.promotion import TrainAll
from dse.search.study import Plan, open_study, plan
from dse.search.tasks import TrainingResult, TrainingTask
from dse.search.workers import Outcome, RayWorkers

TRIAL_MS, RESUME_S, SPEEDUP = 20.0, 10.0, 1.8
WINDOW = 100  # trials whose median is reported
COMPUTE_S = 0.5  # of a compute-bound trial

STUDY = """\
version: 1
study: overhead
model: {model}
data: {data}
board: ZCU104
clock: 100 MHz
space: {space}
objectives: {{accuracy: maximize, latency: minimize, lut: minimize}}
budget: {{trials: {trials}}}
sampler: auto
"""
SPACES = {
    12: (
        "digits-cnn",
        "digits",
        (
            "{weight_bits: [2, 4, 8], activation_bits: [2, 4, 8], sparsity: [0.0, 0.25, 0.5, 0.75],"
            " block: 4x4, layers: [{match: '*', tie: [sparsity]}]}"
        ),
    ),
    60: (
        "{name: cnv, width: 0.25}",
        "{name: digits, pad: 12}",
        (
            "{weight_bits: [1, 2, 4, 8], activation_bits: [1, 2, 4, 8], scheme: [bcr, filter],"
            " sparsity: [0.0, 0.25, 0.5, 0.75], block: [4x4, 8x8], fold: free,"
            " layers: [{match: 'fc*', scheme: bcr}]}"
        ),
    ),
}


class Instant:
    """A worker that answers at once, with an accuracy made of the bits and the sparsity."""

    capacity = 1

    def __init__(self) -> None:
        self._queue: list[tuple[int, TrainingTask]] = []

    def submit(self, key: int, task: TrainingTask) -> None:
        self._queue.append((key, task))

    def poll(self, timeout_s: float) -> list[Outcome]:
        del timeout_s
        return [Outcome(key, result_of(task), None) for key, task in self._taken()]

    def _taken(self) -> list[tuple[int, TrainingTask]]:
        queue, self._queue = self._queue, []
        return queue

    def cancel(self) -> None:
        self._queue.clear()

    def close(self) -> None:
        pass


class Clock:
    """Progress that notes when each trial was finished, on disk."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []

    def event(self, name: str, **data: Any) -> None:
        pass

    def trial(self, record: TrialRecord, *_: Any) -> None:
        del record
        self.cpu.append(time.process_time())
        self.wall.append(time.perf_counter())

    def close(self) -> None:
        pass


class Never:
    requested = False


def result_of(task: TrainingTask) -> TrainingResult:
    kept = [c.weight_bits * (1 - c.sparsity) for c in task.compressions.values()]
    return TrainingResult(0.5 + sum(kept) / (16 * len(kept)), None, None, "", 0.0)


def compute(context: Any, task: TrainingTask) -> TrainingResult:
    """Keep one core busy for a fixed amount of work."""
    rounds = context
    total = 0
    for i in range(rounds):
        total += i * i
    return result_of(task)


def planned(knobs: int, trials: int, folder: Path) -> Plan:
    model, data, space = SPACES[knobs]
    path = folder / "overhead.yaml"
    path.write_text(STUDY.format(model=model, data=data, space=space, trials=trials))
    return plan(load_config(path))


def search(knobs: int, trials: int, folder: Path, guided: bool = False) -> tuple[Clock, str]:
    """Run a study of stubbed trainings in `folder`/s, or continue it."""
    p = planned(knobs, trials, folder)
    store = open_study(p, folder / "s", ())
    clock = Clock()
    promotion = promotion_of(p) if guided else TrainAll(p.stages)
    driver = Driver(p, store, Instant(), clock, Never(), promotion=promotion)
    driver.run()
    store.release()
    return clock, driver.sampler


def gaps_ms(times: list[float]) -> float:
    return 1e3 * median(b - a for a, b in pairwise(times[-WINDOW:]))


def resume(knobs: int, trials: int, folder: str) -> None:
    """Print seconds and MiB to take up a study of `trials` trials; in a process of its own."""
    p = planned(knobs, trials + 1, Path(folder))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun, cpu = time.perf_counter(), time.process_time()
    store = open_study(p, Path(folder) / "s", ())
    driver = Driver(p, store, Instant(), Clock(), Never(), promotion=TrainAll(p.stages))
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert len(driver.ledger) >= trials
    store.release()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = (Path(folder) / "s" / "journal.log").stat().st_size / 2**20
    print(f"{wall:.2f} {cpu:.2f} {after - before:.0f} {after:.0f} {size:.0f}")


def overhead(knobs: list[int], counts: list[int], guided: bool) -> None:
    how = "guided search" if guided else "everything that hardware accepts is trained"
    print(f"driver, median of {WINDOW} trials (bar: {TRIAL_MS:g} ms wall), {how}\n")
    print(f"{'knobs':>6}{'trials':>8}{'wall ms':>9}{'CPU ms':>8}  {'sampler':<8}{'bar':<5}")
    for n in knobs:
        with tempfile.TemporaryDirectory() as name:
            for count in counts:
                clock, sampler = search(n, count, Path(name), guided)
                wall = gaps_ms(clock.wall)
                verdict = "met" if wall <= TRIAL_MS else "MISSED"
                print(
                    f"{n:>6}{count:>8}{wall:>9.1f}{gaps_ms(clock.cpu):>8.1f}  {sampler:<8}{verdict}",
                    flush=True,
                )
            if guided:
                continue
            command = [sys.executable, __file__, "--resume", f"{n},{counts[-1]},{name}"]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            wall, cpu, more, peak, size = map(float, out.split())
            verdict = "met" if wall <= RESUME_S else "MISSED"
            print(
                f"       resume of {counts[-1]} trials: {wall:.1f} s wall, {cpu:.1f} s CPU"
                f" (bar: {RESUME_S:g} s, {verdict}), {more:.0f} MiB more, peak {peak:.0f} MiB,"
                f" journal {size:.0f} MiB\n",
                flush=True,
            )


def speedup(trials: int = 24) -> None:
    """Compare two workers with one on trials that only compute."""
    rounds = 10**6
    begun = time.process_time()
    compute(rounds, TrainingTask({"": _one_bit()}, 1, None))
    rounds = int(rounds * COMPUTE_S / (time.process_time() - begun))
    seconds = {}
    for capacity in (1, 2):
        workers = RayWorkers(rounds, Parallel(workers=capacity), compute)  # type: ignore[arg-type]
        task = TrainingTask({"": _one_bit()}, 1, None)
        for key in range(capacity):  # processes start with their first task
            workers.submit(-1 - key, task)
        _drain(workers, capacity)
        begun = time.perf_counter()
        for key in range(trials):
            workers.submit(key, task)
        _drain(workers, trials)
        seconds[capacity] = time.perf_counter() - begun
        workers.close()
    ratio = seconds[1] / seconds[2]
    verdict = "met" if ratio >= SPEEDUP else "MISSED"
    print(
        f"{trials} compute-bound trials of {COMPUTE_S:g} s CPU on Ray: 1 worker {seconds[1]:.1f} s,"
        f" 2 workers {seconds[2]:.1f} s: {ratio:.2f}x (bar: {SPEEDUP:g}x, {verdict})"
    )


def _one_bit() -> Any:
    from dse.ir.design import Compression

    return Compression(1, 1)


def _drain(workers: RayWorkers, count: int) -> None:
    while count:
        outcomes = workers.poll(1.0)
        assert all(o.error is None for o in outcomes), outcomes
        count -= len(outcomes)


def ask_costs() -> None:
    """Print milliseconds per question of TPE and NSGA-III."""
    print(f"{'sampler':<9}{'knobs':>6}{'trials':>8}{'ask ms':>8}")
    rng = random.Random(0)
    for knobs in SPACES:
        with tempfile.TemporaryDirectory() as name:
            p = planned(knobs, 1000, Path(name))
        for sampler in ("tpe", "nsga3"):
            for count in (50, 100, 300):
                optimiser = Optimiser(
                    p.space, p.config.objectives, sampler, seed=0, trials=1000, startup=16
                )
                for values in p.space.spread(count, 0):
                    told = [rng.random() for _ in p.config.objectives]
                    optimiser.tell(None, values, told, {"lut": rng.random() - 0.7})
                costs = []
                for _ in range(15):
                    begun = time.process_time()
                    optimiser.ask()
                    costs.append(time.process_time() - begun)
                print(f"{sampler:<9}{knobs:>6}{count:>8}{1e3 * median(costs):>8.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", default="100,10000")
    parser.add_argument("--knobs", default="12,60")
    parser.add_argument("--guided", action="store_true", help="with the guide of the search")
    parser.add_argument("--ask", action="store_true", help="the samplers alone")
    parser.add_argument("--speedup", action="store_true", help="two workers against one alone")
    parser.add_argument("--resume", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.resume:
        knobs, trials, folder = args.resume.split(",")
        resume(int(knobs), int(trials), folder)
        return
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    if args.ask:
        ask_costs()
    elif not args.speedup:
        knobs, counts = ([int(n) for n in text.split(",")] for text in (args.knobs, args.trials))
        overhead(knobs, counts, args.guided)
    if not args.ask and not args.guided:
        speedup()


if __name__ == "__main__":
    main()
