"""`dse run`, from a checked study file to retrained survivors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.config.values import StudyConfig
from dse.importing.imported import Imported
from dse.ir.record import TrialRecord
from dse.search.calibrated import mismatches
from dse.search.cluster import probe
from dse.search.driver import Driver
from dse.search.feedback import Feedback
from dse.search.finals import less_trained, retrain
from dse.search.fork import fork
from dse.search.judge import judge
from dse.search.seed_files import seed_designs
from dse.search.study import Plan, open_study, plan
from dse.search.tasks import TrainingContext
from dse.search.watch import Progress, Stop
from dse.search.workers import InlineWorkers, RayWorkers, Workers
from dse.store import Store, lost


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        stop_reason: why the search ended; empty where the user stopped it.
        complete: the budget is met and all survivors are retrained.
        feasible: feasible designs found.
        too_many_failures: the search was given up for `budget.failures`.
    """

    stop_reason: str
    complete: bool
    feasible: int
    too_many_failures: bool


def run(
    config: StudyConfig,
    folder: Path,
    overrides: Sequence[str],
    *,
    inline: bool,
    progress: Progress,
    stop: Stop,
    feedback: Feedback | None = None,
    source: Path | None = None,
    retry_failed: bool = False,
) -> RunResult:
    """Run a study, or continue it, until its budget is met.

    Args:
        config: the checked study file, `overrides` applied.
        folder: the study's folder.
        overrides: the `--set` options, kept beside the file.
        inline: without Ray.
        progress: hears what happens.
        stop: says whether the user asked to stop.
        feedback: corrects the cost model while the search runs.
        source: the folder of a study whose trials this one starts from.
        retry_failed: run trials that failed again.

    Raises:
        StudyConflictError: another driver holds the study, or it was made from another file.
        UnreachableError: Ray or the storage cannot be reached.
    """
    p = plan(config, folder)
    if source is None and not (folder / "study.json").exists():
        # a wrong one is told before minutes of training, and leaves no study
        seed_designs(p, folder.parent)
    store = open_study(p, folder, overrides)
    try:
        store.when_waiting(lambda reason: progress.event("storage-waiting", reason=reason))
        if store.missing:
            progress.event(
                "warning", text=f"{lost(store.missing)}, or go on: they are searched again"
            )
        if source is not None and (taken := fork(p, store, source)):
            progress.event("forked", trials=taken, source=source.name)
        done = _complete(p, store)
        if done is not None and retry_failed and any(r.state == "failed" for r in done):
            done = None
        if done is not None and (feedback is None or not feedback.due(done)):
            progress.event("already-complete", trials=sum(r.counts for r in done))
            return _result(store, done)
        if not inline:
            probe(config.parallel)  # before minutes of training, not after
        base = base_weights(p, store, progress) if p.trains else {}
        workers = start_workers(p, base, inline=inline)
        try:
            driver = Driver(
                p, store, workers, progress, stop, feedback=feedback, retry_failed=retry_failed
            )
            facts = getattr(p.model, "facts", {})
            for text in (*mismatches(facts, config.board, config.clock_mhz), *less_trained(p)):
                progress.event("warning", text=text)
            progress.event(
                "searching",
                study=config.study,
                done=driver.ledger.counted,
                budget=config.budget.trials,
                sampler=driver.sampler,
                knobs=len(p.space.knobs),
                workers=workers.capacity,
            )
            reason = driver.run()
            while reason and feedback is not None and (model := feedback.finish(driver.records)):
                driver.adopt(model)
                reason = driver.run()  # for what hardware had rejected and now accepts
            why = reason or "you asked to stop"
            progress.event("searched", reason=why, trials=driver.ledger.counted)
            if reason:
                retrain(p, store, driver.records, workers, progress, stop)
        except KeyboardInterrupt:
            workers.cancel()
            raise
        finally:
            workers.close()
        return _result(store, driver.records)
    finally:
        if feedback is not None:
            feedback.close()
        progress.close()
        store.release()


def _complete(p: Plan, store: Store) -> tuple[TrialRecord, ...] | None:
    """Return the trials of a study of which nothing is left to do; None where something is."""
    state = store.driver_state()
    if not state.complete:
        return None
    records, reopened = judge(p, store.records(p.config.study))
    met = sum(r.counts for r in records) >= p.config.budget.trials
    return records if met or not (reopened or "budget of" in state.stop_reason) else None


def _result(store: Store, records: Sequence[TrialRecord]) -> RunResult:
    state = store.driver_state()
    return RunResult(
        stop_reason=state.stop_reason,
        complete=state.complete,
        feasible=sum(r.state == "feasible" for r in records),
        too_many_failures=state.stop_reason.startswith("too many failures"),
    )


def base_weights(p: Plan, store: Store, progress: Progress) -> Mapping[str, npt.NDArray[Any]]:
    """Return the float network that every candidate starts from, training it once per study."""
    from dse.training import pretrain

    arrays = store.load_arrays("base")
    if arrays is not None:
        return arrays
    if p.imported is not None and p.frozen:
        return _integers(p, p.imported, store, progress)
    epochs = p.stages.pretrain_epochs
    assert epochs is not None
    start = None
    if p.imported is not None:
        from dse.importing.start import base_weights as imported_weights

        start = imported_weights(p.imported.plain, p.dataset)
    if start is not None and not epochs:
        base = start
    else:
        if epochs:
            progress.event("pretraining", epochs=epochs, images=len(p.dataset.train))
        base = pretrain(p.network, p.dataset, epochs, p.config.seed, start=start)
    store.save_arrays("base", base.arrays())
    if start is None and not epochs:
        return base.arrays()  # initial weights have no accuracy worth a line
    accuracy = float(base.accuracy)
    store.write_header(store.header() | {"base_accuracy": accuracy})
    progress.event("pretrained", accuracy=accuracy)
    if start is not None and not epochs:
        _warn_of_guessing(p, accuracy, progress)
    return base.arrays()


def _integers(
    p: Plan, imported: Imported, store: Store, progress: Progress
) -> Mapping[str, npt.NDArray[Any]]:
    """Return the integers of an imported network that nothing trains; they are kept in the study, too."""
    accelerator = imported.accelerator
    assert accelerator is not None
    validation = p.dataset.validation
    accuracy = accelerator.accuracy(validation.images, validation.labels)
    store.save_arrays("base", accelerator.arrays())
    store.write_header(store.header() | {"base_accuracy": accuracy})
    _warn_of_guessing(p, accuracy, progress)
    return accelerator.arrays()


def _warn_of_guessing(p: Plan, accuracy: float, progress: Progress) -> None:
    """Say so where an imported model, untrained by us, is hardly better than guessing one class for all."""
    images, classes = len(p.dataset.validation), p.dataset.classes
    guess = max(np.bincount(p.dataset.validation.labels)) / images
    # of those who guess 1 in 40 is right more often: two standard deviations of a binomial share
    if accuracy <= guess + 2 * math.sqrt(guess * (1 - guess) / images):
        remedy = "list bits in `space` and train it" if p.frozen else "train it"
        progress.event(
            "warning",
            text=(
                f"the model's own weights are right on {accuracy:.1%} of the {images:,} validation images,"
                f" which is what guessing gives ({classes} classes). Return or export a trained model, say what"
                f" an input stands for (model.input_scale, docs/import.md), or {remedy}:"
                " stages: [{pretrain: {epochs: 20}}]"
            ),
        )


def context_of(p: Plan, base: Mapping[str, npt.NDArray[Any]]) -> TrainingContext:
    """Return what all trainings of a study share."""
    return TrainingContext(p.network, p.dataset, base, p.config.seed, p.frozen)


def start_workers(p: Plan, base: Mapping[str, npt.NDArray[np.generic]], *, inline: bool) -> Workers:
    """Start what runs the trainings."""
    context = context_of(p, base)
    if inline:
        return InlineWorkers(context)
    return RayWorkers(context, p.config.parallel)
