"""Promotion by predicted accuracy: only what may move the front is trained, in all its foldings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from dse.search.guide import MIN_TRAINED, Guide
from dse.search.ladder import ladder
from dse.search.ledger import Ledger
from dse.search.promotion import SPREAD, Candidate, Notes, PassOver, Promotion, TrainAll
from dse.search.space import SearchSpace, Values
from dse.search.staged import Staged
from dse.search.study import Plan
from dse.search.tasks import TrainingResult, TrainingTask
from dse.search.undominated import Undominated
from dse.search.worth import Worth, worth_of

LADDER = "ladder"  # origin of evenly compressed networks, tried first
PASSED_BEFORE_END = 50
CHOSEN = ("sampler", "mutation", "guide")  # origins of what nobody asked for by name


def promotion_of(plan: Plan) -> Promotion:
    """Return how a study promotes: guided where it asks for accuracy, by hardware where it does not.

    `estimate: {keep: all}` trains everything.
    """
    inner: Promotion
    if plan.stages.keep == "all":
        inner = TrainAll(plan.stages)
    else:
        worth = worth_of(plan)
        inner = Undominated(plan.stages) if worth is None else Guided(plan, worth)
    # the integers of a frozen network have one accuracy, which no stage could tell apart
    return Staged(plan, inner) if plan.stages.lists_accuracy and not plan.frozen else inner


class Guided:
    """A guide chooses; what even an optimistic accuracy would leave dominated is passed over."""

    def __init__(self, plan: Plan, worth: Worth) -> None:
        """Know nothing yet."""
        self._all, self._worth = TrainAll(plan.stages), worth
        self._guide = Guide(plan, worth, plan.config.seed)
        self._short, self._images = plan.stages.short_epochs or 0, plan.stages.finetune_images
        self._notes: dict[int, Notes] = {}  # by id of the trial, of what is being trained

    def opening(self, space: SearchSpace, least: int, seed: int) -> list[tuple[str, Values]]:
        """Compress the whole network evenly, in steps: six trainings say most of what bits and pruning cost."""
        rungs = [(LADDER, knobs) for knobs in ladder(space)]
        more = space.spread(max(least, MIN_TRAINED) - len(rungs), seed)
        return rungs + [(SPREAD, knobs) for knobs in more]

    def better(self, sampled: Values, ledger: Ledger, busy: Collection[str]) -> Values:
        """Return the knobs of the largest expected gain, once enough was trained to expect anything."""
        return self._guide.choose(ledger, sampled, busy) if self._guide.learn(ledger) else sampled

    def first(self, candidate: Candidate, ledger: Ledger) -> TrainingTask | None:
        """Return the training; None where the candidate would be dominated at its upper end."""
        if self._guide.learn(ledger):
            prediction, hopeless = self._guide.judge(candidate.knobs, ledger)
            self._notes[candidate.id] = Notes(prediction)
            if hopeless and candidate.origin in CHOSEN:
                return None
        task = self._all.first(candidate, ledger)
        if self._short:
            return TrainingTask(task.compressions, self._short, self._images, keep_state=True)
        return task

    def then(
        self, candidate: Candidate, result: TrainingResult, ledger: Ledger
    ) -> TrainingTask | PassOver | None:
        """Return the rest of the training after its short part, unless that was reason to pass over."""
        notes = self._notes.get(candidate.id, Notes())
        if not self._short or notes.short_accuracy is not None:
            return None
        notes = self._notes[candidate.id] = replace(
            notes, short_accuracy=result.validation_accuracy
        )
        judged = self._guide.judge_short(candidate.knobs, result.validation_accuracy, ledger)
        if judged is not None and judged[1] and candidate.origin in CHOSEN:
            self._notes[candidate.id] = replace(notes, predicted=judged[0])
            return PassOver()
        return replace(self._all.first(candidate, ledger), start=result.state)

    def hopeless(self, row: int) -> str:
        """Tell when none of many candidates could move the front."""
        if row < PASSED_BEFORE_END:
            return ""
        return (
            f"{row} candidates in a row would be dominated, or less accurate than asked for, even at the"
            " upper end of their predicted accuracy"
        )

    def adopt(self, plan: Plan) -> None:
        """Learn anew; what is being trained keeps its prediction."""
        self._guide = Guide(plan, self._worth, plan.config.seed)

    def notes(self, candidate: Candidate) -> Notes:
        """Return what was expected when it was decided, and what the short training reached."""
        return self._notes.pop(candidate.id, Notes())

    def foldings(self, candidate: Candidate, ledger: Ledger) -> Sequence[Values]:
        """Return the foldings that belong on the front with the accuracy that was reached."""
        accuracy = ledger.accuracy(candidate.design.compression_digest)
        return [] if accuracy is None else self._guide.foldings(ledger, candidate.knobs, accuracy)
