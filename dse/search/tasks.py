"""What workers run: train one compression. A pure function of its arguments; it knows no study and no file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from dse.data._dataset import Dataset
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression
from dse.ir.network import Network


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """What all trainings of a study share."""

    network: Network
    dataset: Dataset
    base: Mapping[str, npt.NDArray[Any]]  # dse.training.BaseWeights as arrays
    seed: int
    frozen: bool = (
        False  # `base` is an integer network, as `Accelerator.arrays`, which is measured as it is
    )


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """One compression to train.

    `images` caps the training images (None: all), `validation` those that are measured on. Without any epochs ranges and
    statistics are set on the calibration images. `final` asks for the test accuracy and the integer network.
    `before` are the epochs of the shorter training that this one continues, from `start`, its state, or
    repeating it where that is None: the result is the same. `keep_state` asks for the state at the end.
    """

    compressions: Mapping[str, Compression]
    epochs: int
    images: int | None
    final: bool = False
    before: int = 0
    start: Mapping[str, npt.NDArray[Any]] | None = None
    keep_state: bool = False
    validation: int | None = None


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Accuracies are fractions, of the integer network."""

    validation_accuracy: float
    test_accuracy: float | None
    arrays: Mapping[str, npt.NDArray[Any]] | None
    accelerator_digest: str
    seconds: float
    state: Mapping[str, npt.NDArray[Any]] | None = None


def train(context: TrainingContext, task: TrainingTask) -> TrainingResult:
    """Train one compression and score its integer network.

    The result depends on (context, task) only: not on the process, the order or the other tasks.
    """
    if context.frozen:
        return _measured(context)
    from dse.training import BaseWeights, finetune

    begun = time.perf_counter()
    data = context.dataset
    trained = finetune(
        context.network,
        task.compressions,
        BaseWeights.from_arrays(context.base),
        data,
        epochs=task.epochs,
        images=task.images,
        seed=context.seed,
        before=task.before,
        start=task.start,
        keep_state=task.keep_state,
        validation=task.validation,
    )
    accelerator = trained.accelerator
    return TrainingResult(
        validation_accuracy=trained.validation_accuracy,
        test_accuracy=accelerator.accuracy(data.test.images, data.test.labels)
        if task.final
        else None,
        arrays=accelerator.arrays() if task.final else None,
        accelerator_digest=accelerator.digest,
        seconds=time.perf_counter() - begun,
        state=trained.state,
    )


def _measured(context: TrainingContext) -> TrainingResult:
    """Score an integer network that is not trained."""
    begun = time.perf_counter()
    data = context.dataset
    accelerator = Accelerator.from_arrays(context.network, context.base)
    return TrainingResult(
        validation_accuracy=accelerator.accuracy(data.validation.images, data.validation.labels),
        test_accuracy=accelerator.accuracy(data.test.images, data.test.labels),
        arrays=accelerator.arrays(),
        accelerator_digest=accelerator.digest,
        seconds=time.perf_counter() - begun,
    )
