"""Guided search: what is trained, what is passed over, and what the records say about it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dse.ir.design import compression_digest
from dse.ir.record import TrialRecord
from dse.search import score
from dse.search.driver import Driver
from dse.search.guide import Guide
from dse.search.ledger import Ledger
from dse.search.offers import offers
from dse.search.pareto import front
from dse.search.space import CYCLES, PREFERENCE
from dse.search.study import open_study
from dse.search.tasks import TrainingTask
from dse.search.worth import worth_of

FRONT = ("estimate: {keep: all}", "estimate: {keep: front}")


class Never:
    requested = False


@pytest.fixture
def guided(tmp_path: Path, planned: Any, fake_workers: Any, silent: Any, stop_after: Any) -> Any:
    """Search the small study; stop after `trials` finished ones, where given."""

    def go(folder: str, trials: int | None = None, stages: str = "", *sets: str) -> Any:
        plan = planned("budget.trials=16", *sets, replace=(FRONT[0], FRONT[1] + stages))
        store, workers = open_study(plan, tmp_path / folder, ()), fake_workers()
        stop = Never() if trials is None else stop_after(silent, silent.trials + trials)
        try:
            driver = Driver(plan, store, workers, silent, stop)
            reason = driver.run()
            return plan, reason, driver.records, workers, store.records("small")
        finally:
            store.release()

    return go


def course(records: Any) -> list[Any]:
    return [(r.id, r.design.digest, r.state, r.predicted) for r in records]


def test_a_guided_search(guided: Any) -> None:
    _, reason, records, workers, stored = guided("s")
    trained = [compression_digest(t.compressions) for t in workers.tasks]
    # only what was trained has an accuracy, each compression once
    assert len(trained) == len(set(trained)) <= 16
    for r in records:
        assert ("accuracy" in r.metrics) == (r.design.compression_digest in trained)
    # the budget counts neither foldings nor what is passed over
    assert reason == "the budget of 16 trials is met"
    assert sum(r.counts for r in records) == 16
    foldings = [r for r in records if r.origin == "folding"]
    assert foldings
    assert all(r.cached_accuracy and r.state == "feasible" for r in foldings)
    # the guide says what it expects
    chosen = [r for r in records if r.origin == "guide"]
    assert chosen
    for r in chosen:
        assert r.predicted is not None
        assert 0 <= r.predicted.low <= r.predicted.accuracy <= r.predicted.high <= 1
    # predictions survive the journal, and records without any are read
    assert stored == records
    old = records[0].to_json()
    del old["predicted"], old["short_accuracy"]
    assert TrialRecord.from_json(old) == records[0]
    # the same seed gives the same search
    assert course(guided("again")[2]) == course(records)


def test_accuracy_may_be_the_only_objective(guided: Any) -> None:
    _, _, records, _, _ = guided("s", None, "", "objectives={accuracy: maximize}")
    assert any(r.predicted is not None for r in records)
    # one folding shows the best accuracy, so no other adds anything
    feasible = [r for r in records if r.state == "feasible"]
    assert len({r.design.compression_digest for r in feasible}) == len(feasible)
    best = max(r.metrics["accuracy"] for r in feasible)
    assert all(r.predicted.high <= best for r in records if r.state == "passed" and r.predicted)


def test_a_stopped_search_goes_on(guided: Any) -> None:
    _, reason, before, workers, _ = guided("s", trials=20)
    assert reason == ""
    _, reason, after, others, _ = guided("s")
    assert reason == "the budget of 16 trials is met"
    assert {r.id for r in before} <= {r.id for r in after}
    both = [compression_digest(t.compressions) for t in (*workers.tasks, *others.tasks)]
    assert len(both) == len(set(both))


def test_hopeless_is_what_would_be_dominated_at_its_upper_end(guided: Any) -> None:
    plan, _, records, _, _ = guided("s")
    worth = worth_of(plan)
    assert worth is not None
    guide, ledger = Guide(plan, worth, 0), Ledger(plan.config.objectives, records)
    assert guide.learn(ledger)
    best = front(records, plan.config.objectives)
    verdicts = set()
    for knobs in plan.space.spread(16, seed=7):
        prediction, hopeless = guide.judge(knobs, ledger)
        foldings = [replace(best[0], metrics=metrics_of(o, plan)) for o in offers(plan, knobs, 6)]
        assert foldings
        beaten = all(any(dominates(b, f, prediction.high) for b in best) for f in foldings)
        assert hopeless == beaten
        verdicts.add(hopeless)
    assert verdicts == {True, False}


def metrics_of(offer: Any, plan: Any) -> dict[str, float]:
    return score.metrics_of(offer.hardware, plan.config.board)


def dominates(member: TrialRecord, other: TrialRecord, accuracy: float) -> bool:
    """Whether a member of the front is nowhere worse than a design with this accuracy."""
    return (
        member.metrics["accuracy"] >= accuracy
        and member.metrics["latency_us"] <= other.metrics["latency_us"]
        and member.metrics["lut"] <= other.metrics["lut"]
    )


def test_a_short_training_is_continued_or_reason_to_pass_over(guided: Any) -> None:
    _, _, records, workers, stored = guided("s", stages="\n  - short: {epochs: 1}")
    short = [t for t in workers.tasks if t.keep_state]
    full = [t for t in workers.tasks if not t.keep_state]
    assert {(t.epochs, t.before) for t in short} == {(1, 0)}
    assert {t.before for t in full} == {1}
    finished = [compression_digest(t.compressions) for t in full]
    begun = [compression_digest(t.compressions) for t in short]
    assert set(finished) <= set(begun)
    assert len(begun) == len(set(begun))
    for r in records:
        if r.stage == "short":
            assert r.state == "passed"
            assert r.short_accuracy is not None
            assert "accuracy" not in r.metrics
        elif not r.cached_accuracy and "accuracy" in r.metrics:
            assert r.short_accuracy is not None
    assert stored == records


def test_where_accuracy_is_a_limit_the_cheapest_that_holds_it_is_found(
    guided: Any, fake_workers: Any
) -> None:
    """Against all 243 compressions, of which 12 are trained."""
    plan, _, records, workers, _ = guided(
        "s",
        None,
        "",
        "objectives={lut: minimize}",
        "constraints=['accuracy >= 65 %', 'lut <= 50 %']",
        "space.weight_bits=[1, 2, 4]",
        "space.activation_bits=2",
        "space.sparsity=0.0",
        "budget.trials=12",
    )
    least = []
    knobs = [k for k in plan.space.knobs if k.name not in (CYCLES, PREFERENCE)]
    base = plan.space.baseline()
    for values in itertools.product(*(k.values for k in knobs)):
        chosen = base | dict(zip((k.name for k in knobs), values, strict=True))
        compressions = plan.space.compressions(chosen)
        one = fake_workers()
        one.submit(0, TrainingTask(compressions, 1, None))
        (outcome,) = one.poll(0)
        if outcome.result.validation_accuracy >= 0.65:
            least.append(min(metrics_of(o, plan)["lut"] for o in offers(plan, chosen, 12)))
    assert 100 < len(least) < 200
    assert len(workers.tasks) <= 12
    found = front(records, plan.config.objectives)
    assert found[0].metrics["lut"] == pytest.approx(min(least), rel=0.001)
    assert max(least) > 1.005 * min(least)
    # what was passed over costs more, or was not expected to hold the limit
    for r in records:
        if r.state == "passed":
            assert r.metrics["lut"] >= 0.999 * min(least) or r.predicted.high < 0.65
