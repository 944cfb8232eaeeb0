"""The end of a run: the front's survivors are trained at full budget and tested on the test split."""

from __future__ import annotations

from dataclasses import replace

from dse.compression import effective
from dse.ir.accelerator import Accelerator
from dse.ir.design import DesignPoint
from dse.ir.record import FinalRecord, TrialRecord
from dse.ir.words import plural
from dse.lowering.counted import counted_cycles
from dse.search.pareto import front
from dse.search.staged import scored
from dse.search.study import Plan
from dse.search.tasks import TrainingResult, TrainingTask
from dse.search.watch import Progress, Stop
from dse.search.workers import Workers
from dse.store import Store

COUNTED_IMAGES = 100  # of the test split, where cycles depend on the image


def retrain(
    plan: Plan,
    store: Store,
    records: tuple[TrialRecord, ...],
    workers: Workers,
    progress: Progress,
    stop: Stop,
) -> bool:
    """Train every compression on the front at full budget, once; what is on disk already is kept.

    Where the study trains nothing, nothing is done.

    Returns:
        Whether all survivors are trained; False where the user stopped it.
    """
    if not plan.trains:
        store.write_driver_state(replace(store.driver_state(), complete=True))
        return True
    done = store.finals()
    todo: dict[str, list[TrialRecord]] = {}
    for record in front(records, plan.config.objectives):
        if record.design.digest not in done:
            todo.setdefault(record.design.compression_digest, []).append(record)
    what = "retraining" if plan.stages.final_epochs is not None else "keeping"
    if todo:
        progress.event(
            "testing" if plan.frozen else what,
            designs=sum(map(len, todo.values())),
            trainings=len(todo),
        )
    running = {group[0].id: group for group in todo.values()}
    for number, group in running.items():
        workers.submit(number, final_task(plan, group[0].design))
    while running and not stop.requested:
        for outcome in workers.poll(0.2):
            group = running.pop(outcome.key)
            if outcome.result is None:
                names = ", ".join(f"trial {r.id}" for r in group)
                progress.event("final-failed", designs=names, reason=outcome.error)
                continue
            for record in group:
                final = keep(plan, store, record.design, outcome.result)
                progress.event("final", trial=record.id, test_accuracy=final.test_accuracy)
    workers.cancel()
    if not running:
        store.write_driver_state(replace(store.driver_state(), complete=True))
    return not running


def less_trained(plan: Plan) -> tuple[str, ...]:
    """Return a warning where the designs of the front are trained anew, and less than the search trained them."""
    final, stages = plan.stages.final_epochs, plan.stages
    searched = (stages.short_epochs or 0) + (stages.finetune_epochs or 0)
    if not plan.trains or plan.frozen or final is None or final >= searched:
        return ()
    told = (
        f"`final: {{epochs: {final}}}` trains the designs of the front anew, and less than the search did"
        f" ({plural(searched, 'epoch')}): they may be less accurate than what they were chosen for; say"
        f" {searched} or more"
    )
    return (told,)


def final_task(plan: Plan, design: DesignPoint) -> TrainingTask:
    """Return the training of a design at full budget; where the study has none, the one that was scored, again."""
    epochs = plan.stages.final_epochs
    if epochs is None:
        return replace(scored(plan.stages, design.compressions, plan.dataset), final=True)
    return TrainingTask(design.compressions, epochs, None, final=True)


def keep(plan: Plan, store: Store, design: DesignPoint, result: TrainingResult) -> FinalRecord:
    """Write the integer network of a design and what it reached."""
    assert result.arrays is not None
    assert result.test_accuracy is not None
    task = final_task(plan, design)
    store.save_arrays(f"weights/{design.compression_digest}", result.arrays)
    built, _ = effective(plan.network, design.compressions)
    accelerator = Accelerator.from_arrays(built, result.arrays)
    images = plan.dataset.test.first(COUNTED_IMAGES).images
    cycles = counted_cycles(plan.network, design, accelerator, images)
    record = FinalRecord(
        digest=design.digest,
        validation_accuracy=result.validation_accuracy,
        test_accuracy=result.test_accuracy,
        test_images=len(plan.dataset.test.labels),
        epochs=0 if plan.frozen else task.before + task.epochs,
        accelerator_digest=result.accelerator_digest,
        seconds=result.seconds,
        interval=None if cycles is None else cycles.interval(),
    )
    store.append_final(record)
    return record


def load_accelerator(plan: Plan, store: Store, design: DesignPoint) -> Accelerator | None:
    """Return the trained integer network of a design; None where it was never trained at full budget."""
    arrays = store.load_arrays(f"weights/{design.compression_digest}")
    if arrays is None:
        return None
    built, _ = effective(plan.network, design.compressions)
    return Accelerator.from_arrays(built, arrays)
