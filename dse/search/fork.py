"""A new study that starts from the trials of another one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dse.errors import StudyConflictError, UsageError
from dse.ir.record import FOLDING, TrialRecord
from dse.search.ledger import Ledger
from dse.search.optimiser import readable_distributions
from dse.search.require import unmet
from dse.search.score import metrics_of, newest, violations
from dse.search.space import Choice, SearchSpace
from dse.search.study import Plan, now, stored_config
from dse.store import Store

BASELINE = "baseline"  # origin of the uncompressed network, a seed
FORK = "fork"  # origin of a trial that was taken over
# what an accuracy depends on, beside data and network themselves
TRAINED_BY = ("model", "data", "stages", "seed")


def fork(plan: Plan, store: Store, source: Path) -> int:
    """Take over the trials of another study into one that was just created.

    Those that were trained keep their accuracies, which are measured; hardware is priced for the board, the
    clock and the cost model of the new study, and all of it is judged by its constraints. Trials that failed,
    or were never trained, are left behind.

    Args:
        plan: of the new study.
        store: of the new study, open for writing.
        source: the folder of the other study.

    Returns:
        How many trials were taken over; 0 where the search has begun, and so all were before.

    Raises:
        StudyConflictError: the accuracies of the other study do not hold in this one, or the study exists and
            is no fork of the other one.
        UsageError: there is no other study, or a design of it cannot be built on the new board.
    """
    mine = store.header()
    there = {r.design.digest for r in store.records(plan.config.study)}
    if mine.get("forked", source.name) != source.name or (there and "forked" not in mine):
        msg = (
            f"study {plan.config.study!r} exists and is no fork of {source.name}; use another name"
        )
        raise StudyConflictError(msg)
    if store.driver_state().next_id:
        return 0
    header = Store(source, "file").header()
    config = stored_config(source, header, check_files=False)
    changed = [n for n in TRAINED_BY if getattr(config, n) != getattr(plan.config, n)]
    if (header["data"], header["network"]) != (plan.dataset.digest, plan.network.digest):
        changed.append("the data or the network behind their names")
    if changed:
        msg = (
            f"a fork of {source.name} keeps its accuracies, but {', '.join(changed)} changed: they are of"
            f" other trainings. Leave it as it was, or start a new study with `seeds: [study:{source.name}]`"
        )
        raise StudyConflictError(msg)
    base = (config.artifacts or source) / "base.npz"
    if base.exists():
        shutil.copyfile(base, store.artifacts / "base.npz")
    store.write_header(mine | {"forked": source.name, "base_accuracy": header["base_accuracy"]})
    trained = [
        r
        for r in newest(Store(source, config.storage).records(config.study))
        if r.state != "failed" and "accuracy" in r.metrics
    ]
    ledger = Ledger(plan.config.objectives)
    distributions = readable_distributions(plan.space)
    for record in trained:
        taken = _taken(plan, record, len(ledger))
        assert taken.hardware is not None
        if unmet(plan.config.space.require, taken.design, taken.hardware):
            continue
        if record.design.digest not in there:  # of a fork that was interrupted
            store.append(taken, ledger.values(taken), distributions)
        ledger.add(taken)
    return len(ledger)


def _taken(plan: Plan, record: TrialRecord, number: int) -> TrialRecord:
    try:
        hardware = plan.hardware(record.design)
    except UsageError as error:
        msg = f"trial {record.id} cannot be built in the fork: {error}"
        raise UsageError(msg) from None
    metrics = metrics_of(hardware, plan.config.board) | {"accuracy": record.metrics["accuracy"]}
    excess = violations(plan.constraints, metrics, hardware)
    return replace(
        record,
        id=number,
        knobs=_legal(plan.space, record.knobs),
        state="feasible" if all(v <= 0 for v in excess.values()) else "infeasible",
        metrics=metrics,
        hardware=hardware,
        constraints=excess,
        # the budget counts no foldings here either, and the baseline stays what others are compared with
        origin=record.origin if record.origin in (FOLDING, BASELINE) else FORK,
        cached_accuracy=True,
        seconds=0.0,
        finished=now(),
    )


def _legal(space: SearchSpace, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knob values that the new space has too; of others nothing is to be learned."""
    kept = {}
    for knob in space.knobs:
        value = knobs.get(knob.name)
        if isinstance(knob, Choice):
            if value in knob.values:
                kept[knob.name] = value
        elif isinstance(value, float) and knob.low <= value <= knob.high:
            kept[knob.name] = value
    return kept
