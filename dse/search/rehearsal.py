"""What a study takes in time: one epoch of the float network and one candidate, really trained, and a sum."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from dse.search.samplers import TPE_MS, TPE_MS_PER_TRIAL, schedule
from dse.search.study import Plan
from dse.search.tasks import TrainingContext, TrainingTask, train
from dse.search.workers import wanted_workers

GENETIC_MS = 1.0  # per question, at a few hundred trials (docs/study-file.md, samplers)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Seconds, measured on this machine with one training at a time, and what they add up to.

    Attributes:
        pretraining_s: of the float network, once; a timed epoch times the epochs.
        trial_s: of one candidate, the one with the most bits and the least pruning.
        workers: trainings at once.
        sampling_s: of all questions to the sampler, by a formula.
        total_s: of the search at most: as if everything were trained, without the training of the front.
    """

    pretraining_s: float
    trial_s: float
    workers: int
    sampling_s: float
    total_s: float

    @property
    def text(self) -> str:
        """One line for a terminal."""
        share = self.sampling_s / self.total_s if self.total_s else 0.0
        return (
            f"one trial takes {_duration(self.trial_s)}, {self.workers} at once: about"
            f" {_duration(self.total_s)} at most, {_duration(self.pretraining_s)} of it for the float network;"
            f" sampling costs {share:.0%} of it"
        )


def rehearse(p: Plan) -> Rehearsal:
    """Train one epoch of the float network and one candidate; nothing is kept."""
    config, stages = p.config, p.stages
    assert stages.pretrain_epochs is not None
    assert stages.finetune_epochs is not None
    epoch_s = 0.0
    arrays: Mapping[str, npt.NDArray[Any]]
    if p.imported is not None and p.imported.accelerator is not None and p.frozen:
        arrays = p.imported.accelerator.arrays()
    else:
        from dse.training import pretrain

        begun = time.perf_counter()
        arrays = pretrain(p.network, p.dataset, 1, config.seed).arrays()
        epoch_s = time.perf_counter() - begun
    context = TrainingContext(p.network, p.dataset, arrays, config.seed, p.frozen)
    compressions = p.space.compressions(p.space.baseline())
    task = TrainingTask(compressions, stages.finetune_epochs, stages.finetune_images)
    begun = time.perf_counter()
    train(context, task)
    trial_s = time.perf_counter() - begun
    trials = config.budget.trials
    workers = wanted_workers(config.parallel)
    sampling_s = _sampling_s(p, trials)
    pretraining_s = epoch_s * stages.pretrain_epochs
    total = pretraining_s + trials * trial_s / workers + sampling_s
    if config.budget.time_s is not None:
        total = min(total, pretraining_s + config.budget.time_s)
    return Rehearsal(pretraining_s, trial_s, workers, sampling_s, total)


def _sampling_s(p: Plan, trials: int) -> float:
    """Return what the sampler's questions take, by the costs that its schedule is made from."""
    knobs = len(p.space.knobs)
    plan = schedule(p.config.sampler, knobs, len(p.config.objectives))
    total = 0.0
    for trial in range(trials):
        name = [s for s, at in plan if at <= trial][-1]
        slow = name == "tpe"
        total += knobs * (TPE_MS + TPE_MS_PER_TRIAL * trial) if slow else GENETIC_MS
    return total / 1e3


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
