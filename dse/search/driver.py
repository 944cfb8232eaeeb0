"""The driver: ask -> estimate -> (workers) train -> tell -> one durable record.

Workers compute, the driver writes. A trial that is on disk is finished; a trial that was in flight when the
driver died is begun again, first, under its old id.
"""

from __future__ import annotations

import time
from dataclasses import replace

from cost_models._model import CostModel
from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate
from dse.ir.milestone import Kind, Milestone
from dse.ir.record import FOLDING, Stage, State, TrialRecord
from dse.search.feedback import Feedback
from dse.search.guided import promotion_of
from dse.search.judge import judge
from dse.search.ledger import PATIENCE_GAIN, Ledger
from dse.search.optimiser import readable_distributions
from dse.search.promotion import Candidate, Notes, Promotion
from dse.search.proposer import RECONSIDERED, Proposal, Proposer
from dse.search.require import unmet
from dse.search.score import metrics_of, violations
from dse.search.seeds import first_designs
from dse.search.study import Plan, now
from dse.search.tasks import TrainingTask
from dse.search.watch import Progress, Status, Stop
from dse.search.workers import Outcome, Workers, checked
from dse.store import DriverState, Store
from dse.store.collector import uncollected

MIN_TRIALS_FOR_FAILURES = 10
POLL_S = 0.2
NOTHING = Notes()
SAVE_S = 10.0  # driver.json is at most this old while nothing enters training


class Driver:
    """One search of one study, by one process."""

    @uncollected()
    def __init__(
        self,
        plan: Plan,
        store: Store,
        workers: Workers,
        progress: Progress,
        stop: Stop,
        *,
        feedback: Feedback | None = None,
        promotion: Promotion | None = None,
        retry_failed: bool = False,
    ) -> None:
        """Take up a study where it stands; where it is asked for, what failed is tried again."""
        config = plan.config
        self._plan, self._store, self._workers = plan, store, workers
        self._progress, self._stop, self._feedback = progress, stop, feedback
        self._promotion = promotion or promotion_of(plan)
        self._distributions = readable_distributions(plan.space)
        state, stored = store.driver_state(), store.records(config.study)
        self._spent, self._begun, self._saved = state.seconds, time.monotonic(), 0.0
        self._stop_reason = ""
        self._passed = 0  # candidates in a row that were passed over
        self._in_flight: dict[int, Candidate] = {}
        self._designs: set[str] = set()  # digests of what is in flight
        self._waiting: dict[str, list[Candidate]] = {}  # by compression digest, first one trains
        ids = {r.id for r in stored}
        interrupted = {
            number: entry
            for number, entry in state.in_flight.items()
            if number not in ids and entry[1] != RECONSIDERED  # those are found again
        }
        next_id = max((*ids, *interrupted, state.next_id - 1, -1)) + 1
        kept, reopened = judge(plan, stored)
        if retry_failed:
            failed = tuple(r for r in kept if r.state == "failed")
            kept, reopened = tuple(r for r in kept if r.state != "failed"), (*reopened, *failed)
        self._ledger = Ledger(config.objectives, kept)
        self._proposer = Proposer(plan, self._ledger, workers.capacity, next_id, state.repeated)
        for number, (knobs, origin) in sorted(interrupted.items()):
            self._proposer.enqueue(knobs, origin, number)
        self._proposer.reconsider(reopened)
        if next_id == 0:
            opening = self._promotion.opening(plan.space, 2 * workers.capacity, config.seed)
            for origin, knobs in first_designs(plan, opening, store.folder.parent):
                self._proposer.enqueue(knobs, origin)
        self._sampler = self.sampler  # the one that milestones tell of
        again: Kind = (
            "resumed" if store.milestones() or "forked" not in store.header() else "forked"
        )
        self._mark(again if stored else "began", self._sampler)

    @property
    def ledger(self) -> Ledger:
        """The finished trials."""
        return self._ledger

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        """All finished trials, by id."""
        return self._ledger.records

    @property
    def sampler(self) -> str:
        """The sampler in use."""
        return self._proposer.sampler

    def run(self) -> str:
        """Search until the budget is met, the space is exhausted or the user asks to stop.

        Returns:
            Why the search ended, in words; empty where the user stopped it.
        """
        try:
            while True:
                why = self._why_stop()
                if why is not None and not self._in_flight:
                    self._stop_reason = why
                    return why
                begin = why is None and self._may_begin()
                if begin:
                    self._propose()
                for outcome in self._workers.poll(0.0 if begin else POLL_S):
                    self._land(checked(outcome))
                if self._feedback is not None:
                    model = self._feedback.poll(self.records)
                    if model is not None:
                        self.adopt(model)
        finally:
            self._save()

    # -- when to go on ----------------------------------------------------------------------------

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._begun

    def _may_begin(self) -> bool:
        room = len(self._in_flight) <= self._workers.capacity  # one more is queued, so none idles
        begun = self._ledger.counted + len(self._in_flight)
        return room and begun < self._plan.config.budget.trials

    def _why_stop(self) -> str | None:
        budget, done = self._plan.config.budget, self._ledger.counted
        if self._stop.requested:
            return ""
        if done >= budget.trials:
            return f"the budget of {budget.trials} trials is met"
        if budget.time_s is not None and self._seconds() >= budget.time_s:
            return f"the time budget of {budget.time_s:g} s is met"
        if self._proposer.exhausted:
            row = self._proposer.row
            also = ", or do not hold `require`" if self._plan.config.space.require else ""
            return f"the space is exhausted: {row} proposals in a row were known designs{also}"
        if hopeless := self._promotion.hopeless(self._passed):
            return f"the front is not expected to move: {hopeless}"
        failed = self._ledger.count("failed")
        if done >= MIN_TRIALS_FOR_FAILURES and failed > budget.failures * done:
            return f"too many failures: {failed} of {done} trials"
        if budget.patience is not None and self._ledger.flat(budget.patience):
            return (
                "the patience is over: the hypervolume has grown by no more than"
                f" {100 * PATIENCE_GAIN:.1f} % in the last {budget.patience} trials"
            )
        return None

    # -- proposing --------------------------------------------------------------------------------

    def _propose(self) -> None:
        begun = time.monotonic()
        self._consider(
            self._proposer.propose(
                self._ledger, lambda v: self._promotion.better(v, self._ledger, self._waiting)
            ),
            begun,
        )
        if self.sampler != self._sampler:
            self._sampler = self.sampler
            self._mark("sampler", self._sampler)

    def _consider(self, proposal: Proposal, begun: float) -> None:
        digest = proposal.design.digest
        known = self._ledger.of_design(digest)
        if known is not None or digest in self._designs:
            self._proposer.repeat(proposal, known, self._ledger)
            return
        hardware, metrics = self._price(proposal.design)
        if broken := unmet(self._plan.config.space.require, proposal.design, hardware):
            self._proposer.refuse(proposal, metrics, broken, self._ledger)
            return
        self._proposer.accept(proposal)
        candidate = Candidate(
            id=proposal.id,
            knobs=proposal.knobs,
            origin=proposal.origin,
            trial=proposal.trial,
            design=proposal.design,
            hardware=hardware,
            metrics=metrics,
            begun=begun,
        )
        excess = violations(self._plan.constraints, metrics, hardware)
        if any(v > 0 for v in excess.values()) or not self._plan.trains:
            self._finish(candidate, None, None)
            return
        key = candidate.design.compression_digest
        accuracy = self._ledger.accuracy(key)
        if accuracy is not None:
            notes = Notes(accuracies=self._ledger.accuracies(key))
            self._finish(candidate, accuracy, None, notes, cached=True)
        elif key in self._waiting:
            self._begin(candidate)
            self._waiting[key].append(candidate)
        elif (task := self._promotion.first(candidate, self._ledger)) is None:
            self._passed += 1
            self._finish(candidate, None, None, self._promotion.notes(candidate), passed=True)
        else:
            self._passed = 0
            self._begin(candidate)
            self._waiting[key] = [candidate]
            self._workers.submit(candidate.id, task)

    def _price(self, design: DesignPoint) -> tuple[HardwareEstimate, dict[str, float]]:
        hardware = self._plan.hardware(design)
        return hardware, metrics_of(hardware, self._plan.config.board)

    def _begin(self, candidate: Candidate) -> None:
        self._in_flight[candidate.id] = candidate
        self._designs.add(candidate.design.digest)
        self._save()

    # -- landing ----------------------------------------------------------------------------------

    def _land(self, outcome: Outcome) -> None:
        candidate = self._in_flight[outcome.key]
        accuracy, passed = None, False
        if outcome.result is not None:
            more = self._promotion.then(candidate, outcome.result, self._ledger)
            if isinstance(more, TrainingTask):
                self._workers.submit(candidate.id, more)
                return
            passed = more is not None
            accuracy = None if passed else outcome.result.validation_accuracy
        notes = self._promotion.notes(candidate)
        shared = Notes(accuracies=notes.accuracies)
        for i, waiting in enumerate(self._waiting.pop(candidate.design.compression_digest)):
            own = shared if i else notes
            self._finish(waiting, accuracy, outcome.error, own, cached=i > 0, passed=passed)
        if accuracy is not None:
            self._fold(candidate)

    def _fold(self, candidate: Candidate) -> None:
        """Record the further foldings of a compression that belong on the front with its accuracy."""
        for knobs in self._promotion.foldings(candidate, self._ledger):
            self._consider(self._proposer.given(knobs, FOLDING), time.monotonic())

    def _finish(
        self,
        c: Candidate,
        accuracy: float | None,
        error: str | None,
        notes: Notes = NOTHING,
        *,
        cached: bool = False,
        passed: bool = False,
    ) -> None:
        metrics = dict(c.metrics) | ({} if accuracy is None else {"accuracy": accuracy})
        excess = violations(self._plan.constraints, metrics, c.hardware)
        done = accuracy is not None or not self._plan.trains
        ok = done and all(v <= 0 for v in excess.values())
        state: State = "feasible" if ok else "infeasible"
        if error is not None or passed:
            state = "passed" if passed else "failed"
        record = TrialRecord(
            id=c.id,
            knobs=dict(c.knobs),
            design=c.design,
            state=state,
            stage=self._stage(notes, begun=accuracy is not None or error is not None),
            metrics=metrics,
            hardware=c.hardware,
            constraints=excess,
            error=error,
            origin=c.origin,
            cached_accuracy=cached,
            seconds=time.monotonic() - c.begun,
            finished=now(),
            predicted=notes.predicted,
            short_accuracy=notes.short_accuracy,
            accuracies=notes.accuracies,
        )
        self._store.append(record, self._ledger.values(record), self._distributions)
        self._ledger.add(record)
        if self._in_flight.pop(c.id, None) is not None:
            self._designs.remove(c.design.digest)
        elif time.monotonic() - self._saved > SAVE_S:
            self._save()
        self._proposer.learn(c.trial, record, self._ledger)
        self._progress.trial(record, self._ledger, self._status())

    def _stage(self, notes: Notes, *, begun: bool) -> Stage:
        """Return the highest stage that a candidate reached; what failed had begun one."""
        if notes.accuracies:
            return notes.accuracies[-1].stage
        if begun:
            return "finetune" if self._plan.stages.post_training is None else "post-training"
        return "estimate" if notes.short_accuracy is None else "short"

    # -- other prices, other rules ----------------------------------------------------------------

    def adopt(self, model: CostModel) -> None:
        """Go on with another cost model: all trials are priced and judged again."""
        self._plan = replace(self._plan, model=model, space=replace(self._plan.space, model=model))
        kept, reopened = judge(self._plan, self.records)
        self._ledger = Ledger(self._plan.config.objectives, kept)
        self._promotion.adopt(self._plan)
        self._proposer.adopt(self._plan, self._ledger)
        self._proposer.reconsider(reopened)
        for group in self._waiting.values():  # what is in flight is finished by the new prices
            for i, c in enumerate(group):
                hardware, metrics = self._price(c.design)
                # the optimiser that asked for it is gone
                c = replace(c, trial=None, hardware=hardware, metrics=metrics)
                group[i] = self._in_flight[c.id] = c
        self._mark("repriced", model.source)
        self._progress.event(
            "repriced",
            source=model.source,
            trials=len(self._ledger),
            reconsidered=len(reopened),
        )

    # -- what others see --------------------------------------------------------------------------

    def _mark(self, kind: Kind, detail: str) -> None:
        next_trial = max((r.id for r in self.records), default=-1) + 1
        self._store.append_milestone(
            Milestone(kind, next_trial, round(self._seconds(), 3), now(), detail)
        )

    def _status(self) -> Status:
        return Status(
            self._plan.config.budget.trials,
            self._proposer.repeated,
            len(self._in_flight),
            self._workers.capacity,
            self._seconds(),
        )

    def _save(self) -> None:
        flights = {c.id: (dict(c.knobs), c.origin) for c in self._in_flight.values()}
        flights |= {i: (dict(k), origin) for i, (k, origin) in self._proposer.queued.items()}
        self._saved = time.monotonic()
        self._store.write_driver_state(
            DriverState(
                in_flight=flights,
                next_id=self._proposer.next_id,
                repeated=self._proposer.repeated,
                seconds=self._seconds(),
                stop_reason=self._stop_reason,
            )
        )
