"""The driver against workers that answer at once: budget, cache, repeats, rejection, failures, resume."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dse.search.driver import Driver
from dse.search.study import open_study
from dse.store import Store


class Never:
    requested = False


@pytest.fixture
def run(tmp_path: Path, silent: Any) -> Any:
    """Run a plan in a folder, and return (reason, records, workers, store)."""
    opened: list[Store] = []

    def go(plan: Any, workers: Any, stop: Any = None, name: str = "s") -> Any:
        store = open_study(plan, tmp_path / name, ())
        opened.append(store)
        driver = Driver(plan, store, workers, silent, stop or Never())
        reason = driver.run()
        store.release()
        return reason, driver.records, workers, store

    yield go
    for store in opened:
        store.release()


def test_the_budget_counts_finished_trials_and_no_design_twice(
    planned: Any, fake_workers: Any, run: Any
) -> None:
    reason, records, _, store = run(planned(), fake_workers())
    assert reason == "the budget of 24 trials is met"
    assert [r.id for r in records] == sorted({r.id for r in records})
    assert len(records) == 24
    assert max(Counter(r.design.digest for r in records).values()) == 1
    assert store.records("small") == records


def test_the_first_trial_is_the_baseline(planned: Any, fake_workers: Any, run: Any) -> None:
    _, records, _, _ = run(planned("budget.trials=1"), fake_workers())
    (baseline,) = records
    assert baseline.origin == "baseline"
    assert baseline.state == "feasible"
    assert {c.scheme for c in baseline.design.compressions.values()} == {"dense"}
    assert {c.weight_bits for c in baseline.design.compressions.values()} == {4}


def test_every_compression_is_trained_once(planned: Any, fake_workers: Any, run: Any) -> None:
    # one compression, many foldings
    plan = planned(
        "space.weight_bits=4",
        "space.activation_bits=4",
        "space.sparsity=[0.0, 0.5]",
        "budget.trials=30",
    )
    _, records, workers, _ = run(plan, fake_workers())
    trained = [tuple(sorted(t.compressions.items())) for t in workers.tasks]
    assert len(set(trained)) == len(trained)
    cached = [r for r in records if r.cached_accuracy]
    assert cached
    by_compression: dict[str, set[float]] = {}
    for r in records:
        if "accuracy" in r.metrics:
            by_compression.setdefault(r.design.compression_digest, set()).add(r.metrics["accuracy"])
    assert all(len(v) == 1 for v in by_compression.values())


def test_what_hardware_rejects_is_not_trained(planned: Any, fake_workers: Any, run: Any) -> None:
    _, records, workers, _ = run(planned(replace=("lut <= 70 %", "lut <= 5000")), fake_workers())
    rejected = [r for r in records if r.stage == "estimate"]
    assert rejected
    for r in rejected:
        assert r.state == "infeasible"
        assert "accuracy" not in r.metrics
        assert r.constraints["lut <= 5000"] > 0
        assert r.hardware is not None
        # the constraint is held by the upper end of the interval
        assert r.hardware.total.high.lut > 5000
    trained = {tuple(sorted(t.compressions.items())) for t in workers.tasks}
    accepted = {
        tuple(sorted(r.design.compressions.items())) for r in records if r.stage == "finetune"
    }
    assert trained == accepted


def test_failures_are_recorded_with_their_reason(planned: Any, fake_workers: Any, run: Any) -> None:
    def fail(task: Any) -> str | None:
        bits = task.compressions["conv1"].weight_bits
        return "TrainingError: NaN loss in conv1" if bits == 2 else None

    plan = planned("budget.failures=100 %")
    _, records, _, store = run(plan, fake_workers(fail=fail))
    failed = [r for r in records if r.state == "failed"]
    assert failed
    assert {r.error for r in failed} == {"TrainingError: NaN loss in conv1"}
    assert all(r.hardware is not None and "accuracy" not in r.metrics for r in failed)
    assert [r for r in store.records("small") if r.state == "failed"] == failed
    assert len(records) == 24


def test_too_many_failures_end_the_search(planned: Any, fake_workers: Any, run: Any) -> None:
    reason, records, _, _ = run(
        planned("budget.failures=20 %"), fake_workers(fail=lambda _: "ValueError: broken")
    )
    assert reason.startswith("too many failures: ")
    assert 10 <= len(records) < 24


def test_an_exhausted_space_ends_the_search(planned: Any, fake_workers: Any, run: Any) -> None:
    plan = planned(
        "space.weight_bits=4",
        "space.activation_bits=4",
        "space.sparsity=0.0",
        "space.pe=1",
        "space.simd=1",
        "space.memory=[bram, lutram]",
        "space.compute=lut",
        "budget.trials=5000",
    )
    reason, records, _, store = run(plan, fake_workers())
    assert reason.startswith("the space is exhausted")
    assert store.driver_state().repeated >= 500
    assert max(Counter(r.design.digest for r in records).values()) == 1


def test_patience_ends_a_search_that_stands_still(
    planned: Any, fake_workers: Any, run: Any
) -> None:
    reason, records, _, _ = run(planned("budget.trials=2000", "budget.patience=40"), fake_workers())
    assert reason == (
        "the patience is over: the hypervolume has grown by no more than 0.1 % in the last 40 trials"
    )
    assert len(records) < 2000


def test_same_seed_same_study(planned: Any, fake_workers: Any, run: Any) -> None:
    first = run(planned(), fake_workers(), name="a")[1]
    second = run(planned(), fake_workers(), name="b")[1]
    assert [(r.knobs, r.design) for r in first] == [(r.knobs, r.design) for r in second]
    third = run(planned("seed=1"), fake_workers(), name="c")[1]
    assert [r.design for r in first] != [r.design for r in third]


def test_a_stopped_search_continues_where_it_stood(
    planned: Any, fake_workers: Any, run: Any, silent: Any, stop_after: Any
) -> None:
    plan = planned()
    reason, first, _, store = run(plan, fake_workers(), stop_after(silent, 7))
    assert reason == ""
    assert 7 <= len(first) < 24
    waiting = store.driver_state().in_flight
    assert waiting, "seeds that were not tried yet are kept"
    _, records, workers, _ = run(plan, fake_workers())
    assert records[: len(first)] == first
    assert len(records) == 24
    before = {r.design.compression_digest for r in first if r.stage == "finetune"}
    again = {tuple(sorted(t.compressions.items())) for t in workers.tasks}
    assert not again & {
        tuple(sorted(r.design.compressions.items()))
        for r in first
        if r.design.compression_digest in before
    }


def test_more_workers_give_the_same_metrics_to_the_same_designs(
    planned: Any, fake_workers: Any, run: Any
) -> None:
    one = {r.design.digest: r.metrics for r in run(planned(), fake_workers(1), name="a")[1]}
    four = {r.design.digest: r.metrics for r in run(planned(), fake_workers(4), name="b")[1]}
    shared = set(one) & set(four)
    assert len(shared) >= 10
    assert all(one[d] == four[d] for d in shared)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "qmc", "random"])
def test_every_sampler_runs(planned: Any, fake_workers: Any, run: Any, sampler: str) -> None:
    _, records, _, _ = run(planned(f"sampler={sampler}", "budget.trials=40"), fake_workers())
    assert len(records) == 40


def test_free_folding_runs(planned: Any, fake_workers: Any, run: Any) -> None:
    _, records, _, _ = run(planned("space.fold=free"), fake_workers())
    assert len(records) == 24
    assert {"conv1.pe", "conv1.simd"} <= set(records[-1].knobs)
    assert "fold.cycles" not in records[-1].knobs


def test_starts_and_changes_of_the_sampler_are_recorded(
    planned: Any, fake_workers: Any, run: Any, silent: Any, stop_after: Any
) -> None:
    plan = planned()
    _, first, _, store = run(plan, fake_workers(), stop_after(silent, 7))
    (begun,) = store.milestones()
    assert (begun.kind, begun.trial, begun.detail) == ("began", 0, "tpe")
    _, _, _, store = run(plan, fake_workers())
    kinds = [m.kind for m in store.milestones()]
    assert kinds == ["began", "resumed"]
    resumed = store.milestones()[1]
    assert resumed.trial >= len(first)
    assert resumed.seconds > 0
    with (store.folder / "milestones.jsonl").open("a") as handle:
        handle.write('{"kind": "landed"}\n[1, 2]\nhalf a li')
    assert [m.kind for m in store.milestones()] == kinds


def test_what_failed_is_tried_again_where_that_is_asked_for(
    planned: Any, fake_workers: Any, tmp_path: Path, silent: Any
) -> None:
    plan = planned("budget.trials=12", "budget.failures=100 %")
    broken = fake_workers(fail=lambda task: "boom" if len(task.compressions) else None)
    for workers, retry in ((broken, False), (fake_workers(), False), (fake_workers(), True)):
        store = open_study(plan, tmp_path / "s", plan.config.overrides)
        try:
            driver = Driver(plan, store, workers, silent, Never(), retry_failed=retry)
            driver.run()
        finally:
            store.release()
        states = Counter(r.state for r in driver.records)
        if not retry:
            failed = [r for r in driver.records if r.state == "failed"]
            assert states["failed"] >= 10
    assert states["failed"] == 0
    again = [r for r in driver.records if r.origin == "reconsidered"]
    assert {r.design.digest for r in again} == {r.design.digest for r in failed}
    assert min(r.id for r in again) > max(r.id for r in failed)
    assert len(driver.records) == 12
