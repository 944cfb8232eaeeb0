"""Stages `accuracy` in front of and behind a training, each of which passes its best on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dse.config.values import Measured, Stages
from dse.data._dataset import Dataset
from dse.ir.design import Compression
from dse.ir.record import FOLDING, Stage, StageAccuracy
from dse.search.ledger import Ledger
from dse.search.offers import others
from dse.search.pareto import objective_point
from dse.search.promotion import Candidate, Notes, PassOver, Promotion
from dse.search.ranking import place_of
from dse.search.space import SearchSpace, Values
from dse.search.study import Plan
from dse.search.tasks import TrainingResult, TrainingTask

RANGE_IMAGES = 1024  # that set ranges and statistics, where the study names none for it
# origins of what nobody asked for by name: it has to be among the best to go on
CHOSEN = ("sampler", "mutation", "guide", "spread", "ladder", "reconsidered", FOLDING)


class Staged:
    """Measures what another promotion trains: before the training, and once more behind it.

    A stage passes a design on where it is among the best of all that the stage has measured so far, those on
    their way included: by rank of non-domination over accuracy there and the objectives of the study, then
    by crowding. So a stage keeps at least the share that is asked for of what it has measured.
    """

    def __init__(self, plan: Plan, inner: Promotion) -> None:
        """Have measured nothing yet."""
        self._plan, self._stages, self._inner = plan, plan.stages, inner
        self._points: dict[Stage, dict[int, list[float]]] = {}
        self._learnt = 0  # trials of the ledger
        self._later: dict[int, TrainingTask] = {}  # trainings behind the stage in front, by trial
        self._behind: set[int] = set()  # trials that are measured behind their training
        self._measured: dict[int, tuple[StageAccuracy, ...]] = {}

    def opening(self, space: SearchSpace, least: int, seed: int) -> list[tuple[str, Values]]:
        """Begin as the other promotion does."""
        return self._inner.opening(space, least, seed)

    def better(self, sampled: Values, ledger: Ledger, busy: Collection[str]) -> Values:
        """Return what the other promotion takes."""
        return self._inner.better(sampled, ledger, busy)

    def first(self, candidate: Candidate, ledger: Ledger) -> TrainingTask | None:
        """Return the measurement in front of the training, or the training where there is none."""
        task = self._inner.first(candidate, ledger)
        if task is None or self._stages.post_training is None:
            return None if task is None else self._training(task)
        self._later[candidate.id] = task
        compressions = candidate.design.compressions
        return post_training(compressions, self._stages.post_training, self._plan.dataset)

    def then(
        self, candidate: Candidate, result: TrainingResult, ledger: Ledger
    ) -> TrainingTask | PassOver | None:
        """Return what follows where the stage that has ended passes the candidate on."""
        self._learn(ledger)
        number, front, behind = candidate.id, self._stages.post_training, self._stages.accuracy
        if (task := self._later.pop(number, None)) is not None:
            assert front is not None
            if not self._passes("post-training", candidate, result, front.images, front.keep):
                return PassOver()
            if trains(self._stages):
                return self._training(task)
            if behind is None:
                return None
            self._behind.add(number)
            return post_training(candidate.design.compressions, behind, self._plan.dataset)
        if number in self._behind:
            assert behind is not None
            kept = self._passes("accuracy", candidate, result, behind.images, behind.keep)
            return None if kept else PassOver()
        more = self._inner.then(candidate, result, ledger)
        images = search_images(self._stages)
        if more is not None:
            self._note("short", candidate, result, images)
            return self._training(more) if isinstance(more, TrainingTask) else more
        if not self._passes("finetune", candidate, result, images, self._stages.finetune_keep):
            return PassOver()
        if behind is None:
            return None
        self._behind.add(number)
        return measured_again(self._stages, candidate.design.compressions, result)

    def hopeless(self, row: int) -> str:
        """Tell what the other promotion tells."""
        return self._inner.hopeless(row)

    def adopt(self, plan: Plan) -> None:
        """Go on by this plan; what was measured is taken from the ledger again, at its new prices."""
        self._plan, self._learnt, self._points = plan, 0, {}
        self._inner.adopt(plan)

    def notes(self, candidate: Candidate) -> Notes:
        """Return what the stages measured, and what the other promotion knows."""
        self._later.pop(candidate.id, None)
        self._behind.discard(candidate.id)
        accuracies = self._measured.pop(candidate.id, ())
        return replace(self._inner.notes(candidate), accuracies=accuracies)

    def foldings(self, candidate: Candidate, ledger: Ledger) -> Sequence[Values]:
        """Return the foldings that the other promotion asks for."""
        return self._inner.foldings(candidate, ledger)

    def _training(self, task: TrainingTask) -> TrainingTask:
        """Return a training, measured on the images of the search, its end kept where another stage goes on from it."""
        keep = task.keep_state or self._stages.accuracy is not None
        return replace(task, validation=search_images(self._stages), keep_state=keep)

    def _note(self, stage: Stage, c: Candidate, result: TrainingResult, images: int | None) -> None:
        there = len(self._plan.dataset.validation)
        found = StageAccuracy(stage, result.validation_accuracy, min(images or there, there))
        self._measured[c.id] = (*self._measured.get(c.id, ()), found)

    def _passes(
        self, stage: Stage, c: Candidate, result: TrainingResult, images: int | None, keep: float
    ) -> bool:
        """Take note of what a stage measured; whether it passes the candidate on."""
        self._note(stage, c, result, images)
        known = self._points.setdefault(stage, {})
        known[c.id] = self._point(result.validation_accuracy, c.metrics)
        if keep >= 1 or c.origin not in CHOSEN:
            return True
        numbers = list(known)
        points = np.array([known[i] for i in numbers])
        room = math.ceil(keep * len(numbers) - 1e-9)
        return place_of(points, numbers.index(c.id)) < room

    def _learn(self, ledger: Ledger) -> None:
        for i in range(self._learnt, len(ledger)):
            record = ledger[i]
            for found in () if record.cached_accuracy else record.accuracies:
                point = self._point(found.accuracy, record.metrics)
                self._points.setdefault(found.stage, {})[record.id] = point
        self._learnt = len(ledger)

    def _point(self, accuracy: float, metrics: Mapping[str, float]) -> list[float]:
        return [-accuracy, *objective_point(metrics, others(self._plan)).tolist()]


def trains(stages: Stages) -> bool:
    """Whether candidates are trained: a study that lists `accuracy` and no training has none."""
    return bool(stages.finetune_epochs or stages.short_epochs)


def search_images(stages: Stages) -> int | None:
    """Return how many validation images trainings of the search are measured on; None: all.

    Where another measurement follows, those of the one in front are enough.
    """
    measured = stages.post_training if stages.accuracy is not None else None
    return None if measured is None else measured.images


def post_training(
    compressions: Mapping[str, Compression], measured: Measured, dataset: Dataset
) -> TrainingTask:
    """Return the measurement of a network that is quantised and pruned, and not trained."""
    images = RANGE_IMAGES if dataset.calibration is None else None
    return TrainingTask(compressions, 0, images, validation=measured.images)


def measured_again(
    stages: Stages, compressions: Mapping[str, Compression], trained: TrainingResult
) -> TrainingTask:
    """Return the measurement behind a training, of the network at its end."""
    assert stages.accuracy is not None
    return TrainingTask(
        compressions,
        0,
        stages.finetune_images,
        before=stages.finetune_epochs or 0,
        start=trained.state,
        validation=stages.accuracy.images,
    )


def scored(
    stages: Stages, compressions: Mapping[str, Compression], dataset: Dataset
) -> TrainingTask:
    """Return the training whose integer network the last stage measured, with that measurement.

    Its integers are those of the search: a training is a function of its arguments.
    """
    last = stages.accuracy or stages.post_training
    if not trains(stages):
        assert last is not None
        return post_training(compressions, last, dataset)
    assert stages.finetune_epochs is not None
    return TrainingTask(
        compressions,
        stages.finetune_epochs,
        stages.finetune_images,
        before=stages.short_epochs or 0,
        validation=None if stages.accuracy is None else stages.accuracy.images,
    )
