"""The driver: ask -> estimate -> (workers) train -> tell -> one durable record.

Workers compute, the driver writes. A trial that is on disk is finished; a trial that was in flight when the
driver died is begun again, first, under its old id.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import optuna

from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate
from dse.ir.metrics import METRICS
from dse.ir.record import TrialRecord
from dse.search.optimiser import Optimiser, readable_distributions
from dse.search.pareto import hypervolume_history
from dse.search.score import metrics_of, reestimate, rescore, violations
from dse.search.space import CYCLES, Range
from dse.search.study import Plan, now
from dse.search.tasks import TrainingTask
from dse.search.workers import Outcome, Workers
from dse.store import DriverState, Store

REPEATS_BEFORE_MUTATION = 50
REPEATS_BEFORE_END = 500
PATIENCE_GAIN = 0.001  # of the hypervolume; less than this over `patience` trials is flat
MIN_TRIALS_FOR_FAILURES = 10


class Progress(Protocol):
    """Hears what happens; must be quick."""

    def event(self, name: str, **data: Any) -> None:
        """Take note of an event."""

    def trial(self, record: TrialRecord, records: tuple[TrialRecord, ...], status: Status) -> None:
        """Take note of a finished trial."""

    def close(self) -> None:
        """Nothing more will come."""


@dataclass(frozen=True, slots=True)
class Status:
    """Where a search stands."""

    trials: int  # budget
    repeated: int
    in_flight: int
    capacity: int
    seconds: float


class Stop(Protocol):
    """Whether the user asked to stop."""

    requested: bool


@dataclass(frozen=True)
class _Proposal:
    id: int
    knobs: Mapping[str, Any]
    origin: str
    trial: optuna.Trial | None
    design: DesignPoint
    hardware: HardwareEstimate
    metrics: Mapping[str, float]
    begun: float


class Driver:
    """One search of one study, by one process."""

    def __init__(
        self, plan: Plan, store: Store, workers: Workers, progress: Progress, stop: Stop
    ) -> None:
        """Take up a study where it stands."""
        config = plan.config
        self._plan, self._store, self._workers = plan, store, workers
        self._progress, self._stop = progress, stop
        state = store.driver_state()
        stored = (
            reestimate(r, plan.network, config, plan.model) for r in store.records(config.study)
        )
        self._records = {r.id: rescore(r, plan.constraints) for r in stored}
        self._by_digest = {r.design.digest: r for r in self._records.values()}
        self._accuracy = {
            r.design.compression_digest: r.metrics["accuracy"]
            for r in self._records.values()
            if "accuracy" in r.metrics
        }
        interrupted = {i: f for i, f in state.in_flight.items() if i not in self._records}
        self._queue = [(i, knobs, origin) for i, (knobs, origin) in sorted(interrupted.items())]
        self._next_id = max((*self._records, *interrupted, state.next_id - 1, -1)) + 1
        self._repeated, self._spent = state.repeated, state.seconds
        self._begun = time.monotonic()
        self._in_flight: dict[int, _Proposal] = {}
        self._waiting: dict[str, list[_Proposal]] = {}  # by compression digest, first one trains
        self._row = 0  # repeats in a row
        self._stop_reason = ""
        self._judged = (-1, False)  # finished trials, and whether the front stood still then
        self._random = random.Random(config.seed + len(self._records))
        startup = max(16, 2 * workers.capacity)
        self._optimiser = Optimiser(
            plan.space,
            config.objectives,
            config.sampler,
            seed=config.seed + len(self._records),
            trials=config.budget.trials,
            startup=startup,
        )
        self._distributions = readable_distributions(plan.space)
        for record in self._records.values():
            self._tell(None, record)
        if self._next_id == 0:
            seeds = [("baseline", self._baseline())] if "baseline" in config.seeds else []
            seeds += [("spread", k) for k in plan.space.spread(startup, config.seed)]
            for origin, knobs in seeds[: config.budget.trials]:
                self._queue.append((self._take_id(), knobs, origin))

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        """All finished trials, by id."""
        return tuple(self._records[i] for i in sorted(self._records))

    @property
    def sampler(self) -> str:
        """The sampler in use."""
        return self._optimiser.sampler

    def run(self) -> str:
        """Search until the budget is met, the space is exhausted or the user asks to stop.

        Returns:
            Why the search ended, in words; empty where the user stopped it.
        """
        try:
            while True:
                why = self._why_stop()
                while why is None and self._may_begin():
                    self._propose()
                    why = self._why_stop()
                if not self._in_flight:
                    if why is not None:
                        self._stop_reason = why
                        return why
                    continue
                for outcome in self._workers.poll(0.2):
                    self._land(outcome)
        finally:
            self._save()

    # -- when to go on ----------------------------------------------------------------------------

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._begun

    def _may_begin(self) -> bool:
        room = len(self._in_flight) <= self._workers.capacity  # one more is queued, so none idles
        return room and len(self._records) + len(self._in_flight) < self._plan.config.budget.trials

    def _why_stop(self) -> str | None:
        budget, done = self._plan.config.budget, len(self._records)
        if self._stop.requested:
            return ""
        if done >= budget.trials:
            return f"the budget of {budget.trials} trials is met"
        if budget.time_s is not None and self._seconds() >= budget.time_s:
            return f"the time budget of {budget.time_s:g} s is met"
        if self._row >= REPEATS_BEFORE_END:
            return f"the space is exhausted: {self._row} proposals in a row were known designs"
        failed = sum(r.state == "failed" for r in self._records.values())
        if done >= MIN_TRIALS_FOR_FAILURES and failed > budget.failures * done:
            return f"too many failures: {failed} of {done} trials"
        if budget.patience is not None and done > budget.patience and self._flat(budget.patience):
            return f"the front has not moved for {budget.patience} trials"
        return None

    def _flat(self, patience: int) -> bool:
        done = len(self._records)
        if self._judged[0] != done:  # the hypervolume costs too much for every poll
            history = hypervolume_history(self.records, self._plan.config.objectives)
            now_, then = history[-1], history[-1 - patience]
            self._judged = (done, now_ > 0 and now_ - then <= PATIENCE_GAIN * now_)
        return self._judged[1]

    # -- proposing --------------------------------------------------------------------------------

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _baseline(self) -> dict[str, Any]:
        """The uncompressed design at the fastest folding that fits the constraints."""
        values = self._plan.space.baseline()
        target = next((k for k in self._plan.space.knobs if k.name == CYCLES), None)
        if not isinstance(target, Range):
            return values
        steps = 24
        for i in range(steps + 1):
            values[CYCLES] = target.low * (target.high / target.low) ** (i / steps)
            hardware = self._plan.hardware(self._plan.space.decode(values))
            metrics = metrics_of(hardware, self._plan.config.board)
            excess = violations(self._plan.constraints, metrics, hardware)
            if all(v <= 0 for v in excess.values()):
                break
        return values

    def _propose(self) -> None:
        trial = None
        if self._queue:
            number, knobs, origin = self._queue.pop(0)
        else:
            trial, knobs = self._optimiser.ask()
            origin, number = "sampler", self._take_id()
            if self._row >= REPEATS_BEFORE_MUTATION and self._records:
                parent = self._random.choice(self.records)
                self._optimiser.tell(trial, knobs, None, {})
                trial, knobs = None, self._plan.space.mutate(parent.knobs, self._random)
                origin = "mutation"
        begun = time.monotonic()
        design = self._plan.space.decode(knobs)
        known = self._by_digest.get(design.digest)
        if known is not None or any(p.design == design for p in self._in_flight.values()):
            self._repeat(trial, knobs, known, number)
            return
        self._row = 0
        hardware = self._plan.hardware(design)
        metrics = metrics_of(hardware, self._plan.config.board)
        proposal = _Proposal(number, knobs, origin, trial, design, hardware, metrics, begun)
        excess = violations(self._plan.constraints, metrics, hardware)
        if any(v > 0 for v in excess.values()):
            self._finish(proposal, None, None, cached=False)
            return
        key = design.compression_digest
        if key in self._accuracy:
            self._finish(proposal, self._accuracy[key], None, cached=True)
            return
        self._in_flight[number] = proposal
        self._save()
        if key in self._waiting:
            self._waiting[key].append(proposal)
            return
        self._waiting[key] = [proposal]
        stages = self._plan.stages
        assert stages.finetune_epochs is not None
        self._workers.submit(
            number,
            TrainingTask(design.compressions, stages.finetune_epochs, stages.finetune_images),
        )

    def _repeat(
        self,
        trial: optuna.Trial | None,
        knobs: Mapping[str, Any],
        known: TrialRecord | None,
        number: int,
    ) -> None:
        self._repeated += 1
        self._row += 1
        if number == self._next_id - 1:
            self._next_id = number  # a repeat takes no id
        if known is None or known.state == "failed":
            self._optimiser.tell(trial, knobs, None, {})
        else:
            self._tell(trial, replace(known, knobs=knobs))

    # -- landing ----------------------------------------------------------------------------------

    def _land(self, outcome: Outcome) -> None:
        key = self._in_flight[outcome.key].design.compression_digest
        accuracy = None if outcome.result is None else outcome.result.validation_accuracy
        if accuracy is not None:
            self._accuracy[key] = accuracy
        for i, proposal in enumerate(self._waiting.pop(key)):
            self._finish(proposal, accuracy, outcome.error, cached=i > 0)

    def _finish(
        self, p: _Proposal, accuracy: float | None, error: str | None, *, cached: bool
    ) -> None:
        metrics = dict(p.metrics) | ({} if accuracy is None else {"accuracy": accuracy})
        excess = violations(self._plan.constraints, metrics, p.hardware)
        ok = accuracy is not None and all(v <= 0 for v in excess.values())
        record = TrialRecord(
            id=p.id,
            knobs=dict(p.knobs),
            design=p.design,
            state="failed" if error is not None else "feasible" if ok else "infeasible",
            stage="finetune" if accuracy is not None or error is not None else "estimate",
            metrics=metrics,
            hardware=p.hardware,
            constraints=excess,
            error=error,
            origin=p.origin,
            cached_accuracy=cached,
            seconds=time.monotonic() - p.begun,
            finished=now(),
        )
        self._store.append(record, self._values(record), self._distributions)
        self._records[record.id] = record
        self._by_digest[record.design.digest] = record
        if self._in_flight.pop(p.id, None) is not None:
            self._save()
        self._tell(p.trial, record)
        self._progress.trial(record, self.records, self._status())

    def _tell(self, trial: optuna.Trial | None, record: TrialRecord) -> None:
        if record.state == "failed":
            self._optimiser.tell(trial, record.knobs, None, {})
            return
        every = {c.text: record.constraints.get(c.text, 0.0) for c in self._plan.constraints}
        self._optimiser.tell(trial, record.knobs, self._values(record), every)

    def _values(self, record: TrialRecord) -> list[float]:
        """One finite value per objective; where nothing was trained, the worst accuracy seen so far."""
        worst = min(self._accuracy.values(), default=0.0)
        keys = [METRICS[o.metric].key for o in self._plan.config.objectives]
        return [float(record.metrics.get(k, worst)) for k in keys]

    def _status(self) -> Status:
        return Status(
            self._plan.config.budget.trials,
            self._repeated,
            len(self._in_flight),
            self._workers.capacity,
            self._seconds(),
        )

    def _save(self) -> None:
        flights = {p.id: (dict(p.knobs), p.origin) for p in self._in_flight.values()}
        flights |= {i: (dict(knobs), origin) for i, knobs, origin in self._queue}
        self._store.write_driver_state(
            DriverState(
                in_flight=flights,
                next_id=self._next_id,
                repeated=self._repeated,
                seconds=self._seconds(),
                stop_reason=self._stop_reason,
            )
        )
