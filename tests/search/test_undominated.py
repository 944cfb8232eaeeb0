"""Searches that ask for no accuracy: hardware alone rules out what a feasible design beats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.ir.design import compression_digest
from dse.search.driver import Driver
from dse.search.pareto import front, objective_matrix
from dse.search.study import open_study
from dse.search.undominated import CHOSEN, PASSED_BEFORE_END

FRONT = ("estimate: {keep: all}", "estimate: {keep: front}")


class Never:
    requested = False


@pytest.fixture
def searched(tmp_path: Path, planned: Any, fake_workers: Any, silent: Any) -> Any:
    """Search the small study, whose accuracies are invented, for designs of the fewest LUTs."""

    def go(folder: str, *sets: str, keep: str = "front") -> Any:
        changed = FRONT if keep == "front" else ("", "")
        plan = planned("objectives={lut: minimize}", *sets, replace=changed)
        store, workers = open_study(plan, tmp_path / folder, ()), fake_workers()
        try:
            driver = Driver(plan, store, workers, silent, Never())
            return plan, driver.run(), driver.records, workers.tasks
        finally:
            store.release()

    return go


@pytest.mark.parametrize("objectives", ["{lut: minimize}", "{lut: minimize, latency: minimize}"])
def test_what_a_feasible_design_beats_is_not_trained(searched: Any, objectives: str) -> None:
    limits = "constraints=['lut <= 50 %']"
    plan, reason, records, tasks = searched(
        "s", f"objectives={objectives}", limits, "budget.trials=40"
    )
    assert reason.startswith(
        ("the budget of 40", "the front is not expected to move: 200 candidates")
    )
    passed = [r for r in records if r.state == "passed"]
    assert passed
    assert not any(r.counts for r in passed)
    trained = {compression_digest(t.compressions) for t in tasks}
    for r in passed:
        assert "accuracy" not in r.metrics
        assert r.origin in CHOSEN
    # at the end some feasible design is no worse in any objective than any that was passed over: nothing was lost
    best = objective_matrix(front(records, plan.config.objectives), plan.config.objectives)
    for point in objective_matrix(passed, plan.config.objectives):
        assert np.all(best <= point, axis=1).any()
    # what the sampler asked for and was trained had beaten what there was
    feasible: list[Any] = []
    for r in records:
        if r.origin == "sampler" and "accuracy" in r.metrics and not r.cached_accuracy:
            assert r.design.compression_digest in trained
            mine = objective_matrix([r], plan.config.objectives)[0]
            before = objective_matrix(feasible, plan.config.objectives)
            assert not np.all(before <= mine, axis=1).any()
        if r.state == "feasible":
            feasible.append(r)
    # the same seed gives the same search
    again = searched("again", f"objectives={objectives}", limits, "budget.trials=40")[2]
    assert [(r.design, r.state) for r in again] == [(r.design, r.state) for r in records]


def test_the_opening_is_judged_by_hardware_too(searched: Any) -> None:
    sets = ("constraints=['lut <= 50 %']", "budget.trials=20")
    everything = searched("all", *sets, keep="all")[2]
    assert not any(r.state == "passed" for r in everything)
    records = searched("s", *sets)[2]
    assert any(r.origin == "spread" and r.state == "passed" for r in records)


def test_a_search_that_finds_nothing_better_ends(searched: Any) -> None:
    _, reason, records, tasks = searched(
        "s", "sampler=random", "constraints=['lut <= 50 %']", "budget.trials=5000"
    )
    assert reason == (
        f"the front is not expected to move: {PASSED_BEFORE_END} candidates in a row were no better than"
        " a feasible design in any objective"
    )
    assert len(tasks) < 40
    assert all(r.state == "passed" for r in records[-PASSED_BEFORE_END:])
