"""Guided search: what is trained, what is passed over, and what the records say about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dse.ir.design import compression_digest
from dse.ir.record import TrialRecord
from dse.search.driver import Driver
from dse.search.offers import offers
from dse.search.pareto import front
from dse.search.study import open_study

FRONT = ("estimate: {keep: all}", "estimate: {keep: front}")


class Never:
    requested = False


@pytest.fixture
def guided(tmp_path: Path, planned: Any, fake_workers: Any, silent: Any, stop_after: Any) -> Any:
    """Search the small study; stop after `trials` finished ones, where given."""

    def go(folder: str, trials: int | None = None, budget: int = 16) -> Any:
        plan = planned(f"budget.trials={budget}", replace=FRONT)
        store, workers = open_study(plan, tmp_path / folder, ()), fake_workers()
        stop = Never() if trials is None else stop_after(silent, silent.trials + trials)
        try:
            driver = Driver(plan, store, workers, silent, stop)
            reason = driver.run()
            return plan, reason, driver.records, workers, store.records("small")
        finally:
            store.release()

    return go


@pytest.fixture
def searched(guided: Any) -> Any:
    return guided("s")


def test_only_what_was_trained_has_an_accuracy(searched: Any) -> None:
    _, _, records, workers, stored = searched
    trained = [compression_digest(t.compressions) for t in workers.tasks]
    assert len(trained) == len(set(trained))
    for r in records:
        assert ("accuracy" in r.metrics) == (r.design.compression_digest in trained)
    assert stored == records  # predictions survive the journal


def test_the_budget_counts_neither_foldings_nor_what_is_passed_over(searched: Any) -> None:
    _, reason, records, workers, _ = searched
    assert reason == "the budget of 16 trials is met"
    assert sum(r.counts for r in records) == 16
    assert len(workers.tasks) <= 16
    foldings = [r for r in records if r.origin == "folding"]
    assert foldings
    assert all(r.cached_accuracy and r.state == "feasible" for r in foldings)


def test_the_guide_takes_over_and_says_what_it_expects(searched: Any) -> None:
    _, _, records, _, _ = searched
    chosen = [r for r in records if r.origin == "guide"]
    assert chosen
    for r in chosen:
        assert r.predicted is not None
        assert 0 <= r.predicted.low <= r.predicted.accuracy <= r.predicted.high <= 1


def test_the_same_seed_gives_the_same_search(guided: Any, searched: Any) -> None:
    again = guided("again")

    def course(records: Any) -> list[Any]:
        return [(r.id, r.design.digest, r.state, r.predicted) for r in records]

    assert course(again[2]) == course(searched[2])


def test_a_stopped_search_goes_on(guided: Any) -> None:
    _, reason, before, workers, _ = guided("s", trials=20)
    assert reason == ""
    _, reason, after, more, _ = guided("s")
    assert reason == "the budget of 16 trials is met"
    assert {r.id for r in before} <= {r.id for r in after}
    both = [compression_digest(t.compressions) for t in (*workers.tasks, *more.tasks)]
    assert len(both) == len(set(both))


def test_what_is_passed_over_would_be_dominated_at_its_upper_end(guided: Any) -> None:
    # a budget beyond the space: it ends when nothing is expected any more
    plan, reason, records, _, _ = guided("s", budget=400)
    passed = [r for r in records if r.state == "passed"]
    assert passed
    assert "not expected to move" in reason or "exhausted" in reason
    best = front(records, plan.config.objectives)
    for r in passed:
        assert r.stage == "estimate"
        assert "accuracy" not in r.metrics
        assert r.predicted is not None
        assert all(v <= 0 for v in r.constraints.values())  # hardware would have accepted it
        for offer in offers(plan, r.knobs, 6):
            metrics = {"latency_us": offer.hardware.latency_us}
            assert any(dominates(b, r.predicted.high, metrics, offer) for b in best)
    # all the better: the accuracies that workers would have given do not reach the front either
    missed = [r for r in passed if true_accuracy(r) > r.predicted.high]  # type: ignore[union-attr]
    assert len(missed) <= len(passed) / 4


def dominates(record: TrialRecord, accuracy: float, metrics: dict[str, float], offer: Any) -> bool:
    """Whether a record of the front is nowhere worse than a folding with this accuracy."""
    return (
        record.metrics["accuracy"] >= accuracy
        and record.metrics["latency_us"] <= metrics["latency_us"] * (1 + 1e-9)
        and record.metrics["lut"] <= offer.hardware.total.expected.lut + 1e-9
    )


def true_accuracy(record: TrialRecord) -> float:
    """Return what the workers of these tests would have answered."""
    kept = [c.weight_bits * (1 - c.sparsity) for c in record.design.compressions.values()]
    return 0.5 + sum(kept) / (16 * len(kept))


def test_old_records_are_read(searched: Any) -> None:
    _, _, records, _, _ = searched
    old = records[0].to_json()
    del old["predicted"], old["short_accuracy"]
    assert TrialRecord.from_json(old) == records[0]
