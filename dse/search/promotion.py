"""What is trained, and how much: asked for every design that hardware accepts and nobody has trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import optuna

from dse.config.values import Stages
from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate
from dse.ir.record import Prediction, StageAccuracy
from dse.search.ledger import Ledger
from dse.search.space import SearchSpace, Values
from dse.search.study import Plan
from dse.search.tasks import TrainingResult, TrainingTask

SPREAD = "spread"  # origin of designs that cover the space evenly
MIN_STARTUP = 16  # designs that are spread over the space before the sampler begins


@dataclass(frozen=True)
class Candidate:
    """A design on its way to a record: proposed and priced, not yet finished.

    Attributes:
        id: of the trial.
        knobs: what was chosen, by knob name.
        origin: who chose it.
        trial: Optuna's, where its sampler did.
        design: what the knobs decode to.
        hardware: what it costs.
        metrics: predicted metrics by key, without accuracy.
        begun: `time.monotonic()` of the proposal.
    """

    id: int
    knobs: Mapping[str, Any]
    origin: str
    trial: optuna.Trial | None
    design: DesignPoint
    hardware: HardwareEstimate
    metrics: Mapping[str, float]
    begun: float


@dataclass(frozen=True, slots=True)
class Notes:
    """What a promotion knows of a candidate, for its record.

    Attributes:
        predicted: the accuracy that was expected before training, where a model was asked.
        short_accuracy: the accuracy after the short training, where there was one.
        accuracies: what the stages measured, where the study lists stages `accuracy`.
    """

    predicted: Prediction | None = None
    short_accuracy: float | None = None
    accuracies: tuple[StageAccuracy, ...] = ()


class PassOver:
    """The answer of `Promotion.then` that a training so far is reason enough for no more."""


class Promotion(Protocol):
    """Decides what is trained. With the same candidates and ledger it must decide the same."""

    def opening(self, space: SearchSpace, least: int, seed: int) -> list[tuple[str, Values]]:
        """Return (origin, knobs) of `least` designs or more to evaluate before anything is learnt."""

    def first(self, candidate: Candidate, ledger: Ledger) -> TrainingTask | None:
        """Return the training of a candidate that hardware accepts; None passes it over.

        What is passed over is recorded without an accuracy, at stage "estimate".
        """

    def then(
        self, candidate: Candidate, result: TrainingResult, ledger: Ledger
    ) -> TrainingTask | PassOver | None:
        """Return what to train after a training of the candidate has ended; None where it is enough.

        The accuracy of the last training is the one that is recorded; of what is passed over, none.
        """

    def better(self, sampled: Values, ledger: Ledger, busy: Collection[str]) -> Values:
        """Return the knobs to evaluate next; `sampled` itself where there is nothing better.

        Args:
            sampled: knobs that the sampler asks for.
            ledger: the finished trials.
            busy: digests of the compressions that are being trained.
        """

    def hopeless(self, row: int) -> str:
        """Return why the search may end after `row` candidates in a row were passed over by `first`; else nothing."""

    def adopt(self, plan: Plan) -> None:
        """Go on by this plan, and a ledger made anew."""

    def notes(self, candidate: Candidate) -> Notes:
        """Return what is known of a candidate that is about to be recorded."""

    def foldings(self, candidate: Candidate, ledger: Ledger) -> Sequence[Values]:
        """Return the knobs of further designs that the training of a candidate, just recorded, is worth."""


class Unguided:
    """What promotions without a model of accuracy share: one training of all epochs, and the sampler decides."""

    def __init__(self, stages: Stages) -> None:
        """Train as the stages of the study say."""
        assert stages.finetune_epochs is not None
        self._epochs, self._images = stages.finetune_epochs, stages.finetune_images
        self._before = stages.short_epochs or 0

    def opening(self, space: SearchSpace, least: int, seed: int) -> list[tuple[str, Values]]:
        """Cover the space evenly."""
        return [(SPREAD, knobs) for knobs in space.spread(max(MIN_STARTUP, least), seed)]

    def task(self, candidate: Candidate) -> TrainingTask:
        """Return the training of a candidate."""
        compressions = candidate.design.compressions
        return TrainingTask(compressions, self._epochs, self._images, before=self._before)

    def then(self, candidate: Candidate, result: TrainingResult, ledger: Ledger) -> None:
        """Nothing follows."""
        del candidate, result, ledger

    def better(self, sampled: Values, ledger: Ledger, busy: Collection[str]) -> Values:
        """The sampler decides."""
        del ledger, busy
        return sampled

    def adopt(self, plan: Plan) -> None:
        """Trainings stay as they are."""
        del plan

    def notes(self, candidate: Candidate) -> Notes:
        """Nothing was expected."""
        del candidate
        return Notes()

    def foldings(self, candidate: Candidate, ledger: Ledger) -> tuple[Values, ...]:
        """Only what was asked for."""
        del candidate, ledger
        return ()


class TrainAll(Unguided):
    """Everything that hardware accepts is trained."""

    def first(self, candidate: Candidate, ledger: Ledger) -> TrainingTask:
        """Return the training."""
        del ledger
        return self.task(candidate)

    def hopeless(self, row: int) -> str:
        """Nothing is passed over."""
        del row
        return ""
