"""What is evaluated next: what waits in the queue, else what the optimiser says, else a mutation."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna

from dse.ir.design import DesignPoint
from dse.ir.record import FOLDING, TrialRecord
from dse.search.ledger import Ledger
from dse.search.optimiser import Optimiser
from dse.search.promotion import MIN_STARTUP
from dse.search.space import Values
from dse.search.study import Plan

STALE = (
    10  # known designs in a row from the sampler: from then on it is asked every tenth time only
)
REPEATS_BEFORE_END = 500
SAMPLER = "sampler"
RECONSIDERED = "reconsidered"  # origin of a design that hardware had rejected and now accepts


@dataclass(frozen=True)
class Proposal:
    """A design to evaluate: the trial's id, the knobs that mean it, and who chose them."""

    id: int
    knobs: Mapping[str, Any]
    origin: str
    trial: optuna.Trial | None
    design: DesignPoint


class Proposer:
    """Proposes designs and learns from finished trials.

    Attributes:
        next_id: the id of the next proposal that has none.
        repeated: proposals so far that were known designs.
        row: how many of them came in a row.
    """

    def __init__(
        self, plan: Plan, ledger: Ledger, capacity: int, next_id: int, repeated: int
    ) -> None:
        """Begin with an empty queue; `capacity` is the number of trials at once."""
        self.next_id, self.repeated, self.row = next_id, repeated, 0
        self._stale, self._turn = 0, 0  # known designs in a row from the sampler; proposals so far
        self.startup = max(MIN_STARTUP, 2 * capacity)
        self._queue: deque[tuple[int | None, Mapping[str, Any], str, DesignPoint | None]] = deque()
        self.adopt(plan, ledger)

    @property
    def sampler(self) -> str:
        """The sampler in use."""
        return self._optimiser.sampler

    @property
    def exhausted(self) -> bool:
        """Whether proposals have been known designs for so long that no other seem to be left."""
        return self.row >= REPEATS_BEFORE_END

    @property
    def queued(self) -> dict[int, tuple[Mapping[str, Any], str]]:
        """Knobs and origin of what has an id and was not proposed yet."""
        return {i: (knobs, origin) for i, knobs, origin, _ in self._queue if i is not None}

    def enqueue(self, knobs: Mapping[str, Any], origin: str, number: int | None = None) -> None:
        """Propose these knobs before asking the optimiser, under a new id or the one they had."""
        self._queue.append((self._take_id() if number is None else number, knobs, origin, None))

    def reconsider(self, records: Iterable[TrialRecord]) -> None:
        """Propose the designs of these trials again; ids are given when their turn comes."""
        self.row = 0
        self._queue.extend((None, r.knobs, RECONSIDERED, r.design) for r in records)

    def adopt(self, plan: Plan, ledger: Ledger) -> None:
        """Go on by this plan, having learned the trials of `ledger` and nothing else; the queue stays."""
        config = plan.config
        seed = config.seed + len(ledger)  # a resumed search does not repeat its first steps
        self._plan = plan
        self._of_accuracy = any(o.metric == "accuracy" for o in config.objectives)
        self._random = random.Random(seed)
        self._optimiser = Optimiser(
            plan.space,
            config.objectives,
            config.sampler,
            seed=seed,
            trials=config.budget.trials,
            startup=self.startup,
            finished=ledger.counted,
        )
        for record in worth_telling(ledger, self._optimiser.memory):
            self.learn(None, record, ledger)

    def propose(self, ledger: Ledger, better: Callable[[Values], Values] = lambda v: v) -> Proposal:
        """Return what to evaluate next.

        Args:
            ledger: the finished trials.
            better: returns the knobs to take instead of those that the sampler asks for.
        """
        if self._queue:
            number, knobs, origin, design = self._queue.popleft()
            number = self._take_id() if number is None else number
            return Proposal(number, knobs, origin, None, design or self._plan.space.decode(knobs))
        trial: optuna.Trial | None
        self._turn += 1
        if self._stale >= STALE and self._turn % STALE and len(ledger):
            parent = ledger[self._random.randrange(len(ledger))]
            changes = 1 + self.row // STALE  # the longer nothing new is found, the further away
            trial, knobs = None, self._plan.space.mutate(parent.knobs, self._random, changes)
            origin = "mutation"
        else:
            trial, knobs = self._optimiser.ask()
            origin = SAMPLER
        chosen = better(knobs)
        if chosen is not knobs:
            self._optimiser.tell(trial, knobs, None, {})
            trial, knobs, origin = None, chosen, "guide"
        return Proposal(self._take_id(), knobs, origin, trial, self._plan.space.decode(knobs))

    def given(self, knobs: Values, origin: str) -> Proposal:
        """Return these knobs as a proposal."""
        return Proposal(self._take_id(), knobs, origin, None, self._plan.space.decode(knobs))

    def accept(self, proposal: Proposal) -> None:
        """Take note that a proposal is a new design."""
        self.row = 0
        if proposal.origin == SAMPLER:
            self._stale = 0

    def repeat(self, proposal: Proposal, known: TrialRecord | None, ledger: Ledger) -> None:
        """Take note that a proposal was a known design, finished (`known`) or in flight."""
        self.repeated += 1
        self.row += 1
        self._stale += proposal.origin == SAMPLER
        if proposal.id == self.next_id - 1:
            self.next_id = proposal.id  # a repeat takes no id
        if known is None:
            self._optimiser.tell(proposal.trial, proposal.knobs, None, {})
        else:
            self.learn(proposal.trial, replace(known, knobs=proposal.knobs), ledger)

    def refuse(
        self,
        proposal: Proposal,
        metrics: Mapping[str, float],
        broken: Mapping[str, float],
        ledger: Ledger,
    ) -> None:
        """Take note that a design does not hold `space.require`: no trial, but the sampler learns of it.

        Args:
            proposal: the design.
            metrics: what was predicted of it.
            broken: scaled violation of the requirements that do not hold.
            ledger: the finished trials.
        """
        self.row += 1
        if proposal.id == self.next_id - 1:
            self.next_id = proposal.id  # it takes no id
        every = self._constraints(broken)
        self._optimiser.tell(proposal.trial, proposal.knobs, ledger.values_of(metrics), every)

    def learn(self, trial: optuna.Trial | None, record: TrialRecord, ledger: Ledger) -> None:
        """Learn from a finished trial; `trial` is None where the optimiser did not ask for it."""
        # of what was not judged there is nothing true to tell; further foldings are many and alike
        untrained = record.state == "passed" and not record.accuracies
        unknown = record.state == "failed" or (untrained and self._of_accuracy)
        if unknown or record.origin == FOLDING:
            self._optimiser.tell(trial, record.knobs, None, {})
            return
        every = self._constraints(record.constraints)
        self._optimiser.tell(trial, record.knobs, ledger.values(record), every)

    def _constraints(self, violations: Mapping[str, float]) -> dict[str, float]:
        """Return the violation of every constraint and requirement: samplers want the same names in all trials."""
        texts = [c.text for c in self._plan.constraints]
        texts += [r.text for r in self._plan.config.space.require]
        return {text: violations.get(text, 0.0) for text in texts}

    def _take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1


def worth_telling(ledger: Ledger, memory: int | None) -> tuple[TrialRecord, ...]:
    """Return the trials that a sampler can use: all, or the front and the latest `memory` ones, by id."""
    records = ledger.records
    if memory is None or memory >= len(records):
        return records
    first = len(records) - memory
    best = {r.id for r in ledger.front()} if memory else set()
    return tuple(r for i, r in enumerate(records) if i >= first or r.id in best)
