"""Other rules or prices while a study runs or rests: what they reject, accept, and accept at last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cost_models import analytic
from cost_models._model import CostModel, ResourceArrays, UnitPrediction
from dse.ir.record import TrialRecord
from dse.ir.units import Unit
from dse.search.driver import Driver
from dse.search.pareto import front
from dse.search.promotion import TrainAll
from dse.search.study import Plan, open_study, snapshot
from dse.search.tasks import TrainingTask


class Never:
    requested = False


@dataclass(frozen=True)
class Scaled:
    """The analytic model with its LUTs times a factor."""

    factor: float
    source: str = "scaled"

    def predict(self, unit: Unit) -> UnitPrediction:
        p = analytic.load("7series").predict(unit)

        def scaled(a: ResourceArrays) -> ResourceArrays:
            return replace(a, lut=np.asarray(a.lut * self.factor))

        return UnitPrediction(scaled(p.expected), scaled(p.low), scaled(p.high))


class Reports:
    """Feedback that has a new model once `after` trials have finished."""

    def __init__(self, after: int, model: CostModel) -> None:
        self.after, self.model, self.seen = after, model, 0

    def poll(self, records: Sequence[TrialRecord]) -> CostModel | None:
        self.seen = max(self.seen, len(records))
        if len(records) < self.after:
            return None
        self.after = 10**9
        return self.model

    def finish(self, records: Sequence[TrialRecord]) -> CostModel | None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


TIGHT = ("lut <= 70 %", "lut <= 5000")


@pytest.fixture
def go(tmp_path: Path, fake_workers: Any, silent: Any) -> Callable[..., Any]:
    def run(plan: Plan, **more: Any) -> Any:
        store = open_study(plan, tmp_path / "s", ())
        workers = fake_workers(2)
        driver = Driver(plan, store, workers, silent, Never(), **more)
        reason = driver.run()
        raw = store.records(plan.config.study)
        store.release()
        return reason, driver, workers, raw

    return run


def rejected(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [r for r in records if r.stage == "estimate"]


def test_trials_that_a_loosened_constraint_accepts_are_evaluated_again(
    planned: Any, go: Any, study_file: Path, tmp_path: Path
) -> None:
    reason, first, _, _ = go(planned(replace=TIGHT))
    before = {r.design.digest: r for r in rejected(first.records)}
    assert before
    reason, driver, workers, raw = go(planned(replace=TIGHT[::-1]))
    assert reason == "the budget of 24 trials is met"
    now = {r.design.digest: r for r in driver.records}
    assert len(now) == len(driver.records) == 24, "a design that is evaluated again counts once"
    again = [r for r in driver.records if r.origin == "reconsidered"]
    assert {r.design.digest for r in again} == set(before)
    assert all(r.state == "feasible" and r.stage == "finetune" for r in again)
    assert all(r.knobs == before[r.design.digest].knobs for r in again)
    assert workers.tasks
    # the old trials stay in the storage, under ids that nothing else takes
    assert max(Counter(r.id for r in raw).values()) == 1
    assert {r.id for r in first.records} < {r.id for r in raw}
    assert snapshot(tmp_path / "s").records == driver.records
    # a third run finds nothing left to do
    reason, driver, workers, third = go(planned(replace=TIGHT[::-1]))
    assert workers.tasks == []
    assert third == raw


def test_a_killed_driver_reconsiders_again(
    planned: Any, go: Any, tmp_path: Path, fake_workers: Any, silent: Any, stop_after: Any
) -> None:
    before = len(rejected(go(planned(replace=TIGHT))[1].records))
    plan = planned(replace=TIGHT[::-1])
    store = open_study(plan, tmp_path / "s", ())
    silent.trials = 0
    driver = Driver(plan, store, fake_workers(2), silent, stop_after(silent, before // 2))
    assert driver.run() == ""
    store.release()
    _, driver, _, raw = go(plan)
    assert sum(r.origin == "reconsidered" for r in raw) == before
    assert len(driver.records) == 24
    assert not rejected(driver.records)


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_a_corrected_model_prices_judges_and_reconsiders(
    planned: Any, go: Any, factor: float
) -> None:
    plan = planned("budget.trials=40", replace=TIGHT)
    feedback = Reports(after=30, model=Scaled(factor))
    _, driver, _, _ = go(plan, feedback=feedback)
    records = driver.records
    assert feedback.seen == 40
    assert len({r.design.digest for r in records}) == len(records) == 40
    assert {r.hardware.source for r in records if r.hardware} == {"scaled"}
    for r in records:
        assert r.hardware is not None
        assert (r.constraints["lut <= 5000"] > 0) == (r.hardware.total.high.lut > 5000)
        assert r.state == "infeasible" or r.constraints["lut <= 5000"] <= 0
        assert "accuracy" in r.metrics or r.constraints["lut <= 5000"] > 0
    again = [r for r in records if r.origin == "reconsidered"]
    assert bool(again) == (factor < 1)
    if factor < 1:
        assert driver.ledger.front() == front(records, plan.config.objectives) != ()


class TwoSteps(TrainAll):
    """Passes over what has 2-bit weights in conv1; trains everything else twice."""

    def __init__(self) -> None:
        self.continued: set[int] = set()

    def first(self, candidate: Any, ledger: Any) -> TrainingTask | None:
        del ledger
        if candidate.design.compressions["conv1"].weight_bits == 2:
            return None
        return TrainingTask(candidate.design.compressions, 1, 10)

    def then(self, candidate: Any, result: Any, ledger: Any) -> TrainingTask | None:
        del result, ledger
        if candidate.id in self.continued:
            return None
        self.continued.add(candidate.id)
        return TrainingTask(candidate.design.compressions, 2, None)


def test_promotion_decides_what_is_trained_and_how_often(planned: Any, go: Any) -> None:
    promotion = TwoSteps()
    _, driver, workers, _ = go(planned(), promotion=promotion)
    passed_over = rejected(driver.records)
    assert passed_over
    for r in passed_over:
        assert r.state == "passed"
        assert "accuracy" not in r.metrics
        assert r.constraints["lut <= 70 %"] <= 0
    trained = Counter(tuple(sorted(t.compressions.items())) for t in workers.tasks)
    assert trained
    assert set(trained.values()) == {2}
    assert {t.epochs for t in workers.tasks} == {1, 2}
    assert all(t.compressions["conv1"].weight_bits == 4 for t in workers.tasks)
