"""A fork keeps what was measured, prices and judges it anew, and goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dse.errors import StudyConflictError
from dse.search.driver import Driver
from dse.search.fork import fork
from dse.search.study import Plan, open_study


class Never:
    requested = False


@pytest.fixture
def searched(tmp_path: Path, fake_workers: Any, silent: Any) -> Callable[..., Any]:
    def run(plan: Plan, source: str = "") -> Any:
        store = open_study(plan, tmp_path / plan.config.study, plan.config.overrides)
        try:
            taken = fork(plan, store, tmp_path / source) if source else 0
            workers = fake_workers()
            driver = Driver(plan, store, workers, silent, Never())
            driver.run()
            return taken, driver.records, workers.tasks
        finally:
            store.release()

    return run


def test_a_fork_on_another_board_trains_nothing_again(planned: Any, searched: Any) -> None:
    _, first, _ = searched(planned("budget.trials=16"))
    trained = {r.design.digest: r for r in first if "accuracy" in r.metrics}
    changes = ("study=second", "board=ZCU104", "clock=200 MHz", "constraints=['lut <= 2 %']")
    plan = planned(*changes, "budget.trials=40")
    taken, records, tasks = searched(plan, "small")
    assert taken == len(trained)
    forked = [r for r in records if r.origin in ("fork", "baseline")]
    assert {r.design.digest for r in forked} == set(trained)
    assert [r.design.digest for r in records if r.origin == "baseline"] == [
        r.design.digest for r in first if r.origin == "baseline"
    ]
    assert [r.id for r in forked] == list(range(taken))
    for r in forked:
        assert r.metrics["accuracy"] == trained[r.design.digest].metrics["accuracy"]
        assert r.hardware == plan.hardware(r.design)
        assert r.hardware.clock_mhz == 200
        assert (r.state == "feasible") == all(v <= 0 for v in r.constraints.values())
    known = {tuple(sorted(r.design.compressions.items())) for r in forked}
    assert tasks
    assert not known & {tuple(sorted(t.compressions.items())) for t in tasks}
    # forked once: what it has is kept
    again = searched(plan, "small")
    assert again[0] == 0
    assert again[1] == records


def test_values_that_the_new_space_lacks_are_not_learned(planned: Any, searched: Any) -> None:
    searched(planned("budget.trials=12"))
    plan = planned("study=second", "space.weight_bits=[4, 8]", "budget.trials=20")
    taken, records, _ = searched(plan, "small")
    assert taken
    names = {k.name: k for k in plan.space.knobs}
    for r in records:
        assert all(v in names[n].values for n, v in r.knobs.items() if hasattr(names[n], "values"))


@pytest.mark.parametrize(
    ("change", "what"), [("seed=3", "seed"), ("model={name: digits-cnn, width: 0.25}", "model")]
)
def test_accuracies_of_other_trainings_are_refused(
    planned: Any, searched: Any, change: str, what: str
) -> None:
    searched(planned("budget.trials=2"))
    with pytest.raises(StudyConflictError, match=rf"keeps its accuracies, but {what}.*changed"):
        searched(planned("study=second", change), "small")


def test_a_study_that_is_no_fork_is_refused(planned: Any, searched: Any) -> None:
    searched(planned("budget.trials=2"))
    searched(planned("study=second", "budget.trials=2"))
    with pytest.raises(StudyConflictError, match="exists and is no fork of small"):
        searched(planned("study=second"), "small")


def test_the_budget_counts_no_foldings_that_were_taken_over(planned: Any, searched: Any) -> None:
    keep = ("estimate: {keep: all}", "estimate: {keep: front}")
    _, first, _ = searched(planned("budget.trials=12", replace=keep))
    foldings = {r.design.digest for r in first if r.origin == "folding"}
    assert foldings
    _, records, _ = searched(planned("study=second", "budget.trials=12", replace=keep), "small")
    taken = [r for r in records if r.cached_accuracy and r.design.digest in foldings]
    assert {r.design.digest for r in taken} == foldings
    assert not any(r.counts for r in taken)
    assert sum(r.counts for r in records) == 12
