"""From a study and a pick to a written project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dse.emit.hls import hls_project
from dse.emit.order import Order
from dse.emit.rtl import rtl_project
from dse.errors import UsageError
from dse.ir.accelerator import Accelerator
from dse.ir.record import FinalRecord, TrialRecord
from dse.search.finals import final_task, keep, load_accelerator
from dse.search.pick import pick
from dse.search.run import base_weights, context_of
from dse.search.score import constraints_of, reestimate, rescore
from dse.search.study import Plan, check_data, plan, stored_config
from dse.search.tasks import train
from dse.store import Store

FLOWS = {"hls": hls_project, "rtl": rtl_project}
SMALL_TEST_SET, IMAGES = 500, 100  # golden images: all of a small test set, else the first hundred


@dataclass(frozen=True, slots=True)
class Emitted:
    """What was written."""

    folder: Path
    trial: int
    digest: str
    images: int
    test_accuracy: float
    test_images: int


class _Silent:
    """Progress of the trainings that emission may need."""

    def event(self, name: str, **data: object) -> None:
        """Say nothing."""

    def trial(self, *_: object) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing is open."""


def emit_design(
    folder: Path,
    wanted: str,
    out: Path,
    *,
    flow: str = "hls",
    images: int | None,
    force: bool,
    say: Callable[[str], None],
) -> Emitted:
    """Write the picked design of a study as a project of a flow, one of `FLOWS`.

    A design that was not trained at full budget yet is trained now, and its result is kept.

    Raises:
        UsageError: no such study or design, or `out` is not empty.
        NoFeasibleDesignError: the study found none.
    """
    if out.exists() and any(out.iterdir()) and not force:
        msg = f"{out} is not empty; give another folder, or --force to write into it"
        raise UsageError(msg)
    found = trained(folder, wanted, say=say)
    p, record, design = found.plan, found.record, found.record.design
    accelerator, final = found.accelerator, found.final
    config = p.config
    test = p.dataset.test
    count = images or (len(test) if len(test) <= SMALL_TEST_SET else IMAGES)
    shown = test.first(count)
    assert record.hardware is not None
    project = FLOWS[flow](
        Order(
            study=config.study,
            network=p.network,
            design=design,
            accelerator=accelerator,
            board=config.board,
            clock_mhz=config.clock_mhz,
            estimate=record.hardware,
            images=np.asarray(shown.images),
            labels=shown.labels,
            accuracy={"validation": final.validation_accuracy, "test": final.test_accuracy},
        )
    )
    project.write(out, force=force)
    return Emitted(
        out, record.id, design.digest, len(shown), final.test_accuracy, final.test_images
    )


@dataclass(frozen=True)
class Trained:
    """A picked design and its integer network."""

    plan: Plan
    record: TrialRecord
    accelerator: Accelerator
    final: FinalRecord


def trained(folder: Path, wanted: str, *, say: Callable[[str], None]) -> Trained:
    """Return the picked design of a study with its integers, which are trained now where they were not.

    Raises:
        UsageError: no such study or design.
        NoFeasibleDesignError: the study found none.
    """
    header = Store(folder, "file").header()
    config = stored_config(folder, header)
    store = Store(folder, config.storage, config.artifacts)
    p = plan(config, folder)
    check_data(p, header)
    if not p.trains:
        msg = (
            f"{config.study} has no trained network: data {config.data.name!r} has nothing to learn;"
            " run the study on real images to emit a design"
        )
        raise UsageError(msg)
    record = choose(p, store, wanted)
    broken = [text for text, excess in record.constraints.items() if excess > 0]
    if broken:
        say(f"warning: trial {record.id} does not meet {', '.join(broken)} (predicted)")
    design = record.design
    accelerator = load_accelerator(p, store, design)
    finals = store.finals()
    if accelerator is None or design.digest not in finals:
        say(f"trial {record.id} was not trained at full budget yet: training it now")
        base = base_weights(p, store, _Silent())
        final = keep(p, store, design, train(context_of(p, base), final_task(p, design)))
        accelerator = load_accelerator(p, store, design)
        assert accelerator is not None
    else:
        final = finals[design.digest]
    return Trained(p, record, accelerator, final)


def choose(p: Plan, store: Store, text: str) -> TrialRecord:
    """Return the trial that a pick names (see `dse.search.pick`)."""
    rules = constraints_of(p.config)
    stored = (reestimate(r, p.network, p.config, p.model) for r in store.records(p.config.study))
    records = [rescore(r, rules) for r in stored]
    finals = store.finals() if store.driver_state().complete else {}
    return pick(p.config, records, finals, text)
