"""A study as an Optuna storage of its own, for optuna-dashboard and notebooks."""

from __future__ import annotations

from pathlib import Path

from dse.errors import UsageError
from dse.ir.metrics import METRICS
from dse.search.ledger import Ledger
from dse.search.optimiser import readable_distributions
from dse.search.space import build
from dse.search.study import cost_model
from dse.snapshot import StudySnapshot
from dse.store import Trials


def mirror(snapshot: StudySnapshot, folder: Path, target: str) -> int:
    """Write the trials of a study, as they are judged today, into another Optuna storage.

    The violations of a trial stand where optuna-dashboard and Optuna both look for them, so what is infeasible is
    shown as such. Of a trial that was not trained the accuracy is the worst of the study (docs/decisions.md, 8): it is
    infeasible or failed in any case.

    Args:
        snapshot: the study.
        folder: of the study, for its cost model.
        target: URL of a database, or the path of a journal file.

    Returns:
        How many trials were written.

    Raises:
        UsageError: there is a study of this name in the target already.
        UnreachableError: the target does not answer.
    """
    config = snapshot.config
    is_url = "://" in target
    trials = Trials(config.study, target if is_url else "file", Path(target))
    if trials.records():
        msg = f"{target} has trials of a study {config.study!r} already; name another target"
        raise UsageError(msg)
    space = build(config, snapshot.network, cost_model(config, folder))
    distributions = readable_distributions(space)
    ledger = Ledger(config.objectives)
    trials.open(
        [o.direction for o in config.objectives],
        [METRICS[o.metric].key for o in config.objectives],
    )
    try:
        for record in snapshot.records:
            ledger.add(record)
            trials.append(record, ledger.values(record), distributions, record.metrics)
    finally:
        trials.close()
    return len(snapshot.records)
