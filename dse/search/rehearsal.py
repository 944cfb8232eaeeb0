"""What a study takes in time: one epoch of the float network and one candidate, really trained, and a sum."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from dse.search.cluster import wanted_workers
from dse.search.samplers import TPE_MS, TPE_MS_PER_TRIAL, schedule
from dse.search.staged import measured_again, post_training, trains
from dse.search.study import Plan
from dse.search.tasks import TrainingContext, TrainingTask, train

GENETIC_MS = 1.0  # per question, at a few hundred trials (docs/study-file.md, samplers)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Seconds, measured on this machine with one training at a time, and what they add up to.

    All stages are timed with one candidate, the one with the most bits and the least pruning.

    Attributes:
        pretraining_s: of the float network, once; a timed epoch times the epochs.
        trial_s: of a candidate on average: every stage as often as those before it pass on.
        workers: trainings at once.
        sampling_s: of all questions to the sampler, by a formula.
        total_s: of the search at most: as if everything were trained, without the training of the front.
        stages_s: of one candidate, by stage.
    """

    pretraining_s: float
    trial_s: float
    workers: int
    sampling_s: float
    total_s: float
    stages_s: Mapping[str, float]

    @property
    def text(self) -> str:
        """One line for a terminal, one more where there are several stages."""
        share = self.sampling_s / self.total_s if self.total_s else 0.0
        several = len(self.stages_s) > 1
        line = (
            f"one trial takes {_duration(self.trial_s)}{' on average' if several else ''}, {self.workers} at"
            f" once: about {_duration(self.total_s)} at most, {_duration(self.pretraining_s)} of it for the"
            f" float network; sampling costs {share:.0%} of it"
        )
        stages = ", ".join(f"{name} {_duration(s)}" for name, s in self.stages_s.items())
        return f"{line}\n  by stage: {stages}" if several else line


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
    stages_s, trial_s = _candidate(p, context)
    trials = config.budget.trials
    workers = wanted_workers(config.parallel)
    sampling_s = _sampling_s(p, trials)
    pretraining_s = epoch_s * stages.pretrain_epochs
    total = pretraining_s + trials * trial_s / workers + sampling_s
    if config.budget.time_s is not None:
        total = min(total, pretraining_s + config.budget.time_s)
    return Rehearsal(pretraining_s, trial_s, workers, sampling_s, total, stages_s)


def _candidate(p: Plan, context: TrainingContext) -> tuple[dict[str, float], float]:
    """Return the seconds of every stage of a candidate, and those of a candidate on average."""
    stages, compressions = p.stages, p.space.compressions(p.space.baseline())
    assert stages.finetune_epochs is not None
    again = stages.accuracy is not None
    seconds: dict[str, float] = {}
    share, mean = 1.0, 0.0
    if stages.post_training is not None and not p.frozen:
        task = post_training(compressions, stages.post_training, p.dataset)
        seconds["post-training"] = mean = train(context, task).seconds
        share = stages.post_training.keep
    if not seconds or trains(stages):
        epochs = stages.finetune_epochs + (stages.short_epochs or 0)
        trained = train(
            context,
            TrainingTask(compressions, epochs, stages.finetune_images, keep_state=again),
        )
        seconds["finetune"] = trained.seconds
        mean, share = mean + share * trained.seconds, share * stages.finetune_keep
        if again and not p.frozen:
            measured = train(context, measured_again(stages, compressions, trained)).seconds
            seconds["accuracy"] = measured
            mean += share * measured
    return seconds, mean


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
