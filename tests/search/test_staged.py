"""Stages `accuracy`: what is measured at each, what goes on, and what the records say about it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.config.values import Measured
from dse.ir.design import compression_digest
from dse.ir.record import TrialRecord
from dse.search import staged
from dse.search.driver import Driver
from dse.search.ladder import ladder
from dse.search.ledger import Ledger
from dse.search.ranking import place_of
from dse.search.run import base_weights, context_of
from dse.search.study import open_study
from dse.search.tasks import TrainingTask, train

PLAIN = """\
  - estimate: {keep: all}  # every trial is what the sampler asked for, as most tests count them
  - finetune: {epochs: 1, images: 300}
  - final: {epochs: 1}
"""
STAGES = """\
  - estimate: {}
  - accuracy: {images: 40, keep: 40 %}
  - finetune: {epochs: 1, images: 300, keep: 50 %}
  - accuracy: {images: 200, keep: all}
"""


class Never:
    requested = False


@pytest.fixture
def search(tmp_path: Path, planned: Any, fake_workers: Any, silent: Any, stop_after: Any) -> Any:
    """Search the small study in stages; stop after `trials` finished ones, where given."""

    def go(folder: str, trials: int | None = None, stages: str = STAGES, *sets: str) -> Any:
        plan = planned(*sets, replace=(PLAIN, stages))
        store, workers = open_study(plan, tmp_path / folder, ()), fake_workers()
        stop = Never() if trials is None else stop_after(silent, silent.trials + trials)
        try:
            driver = Driver(plan, store, workers, silent, stop)
            driver.run()
            return plan, driver.records, workers.tasks, store.records("small")
        finally:
            store.release()

    return go


def test_each_stage_passes_its_best_on(search: Any) -> None:
    plan, records, tasks, stored = search("s")
    assert stored == records
    assert sum(r.counts for r in records) == plan.config.budget.trials
    # what is measured without training has no epochs, and as many images as the stage says
    measured = [t for t in tasks if not t.epochs and not t.before]
    trained = [t for t in tasks if t.epochs]
    again = [t for t in tasks if not t.epochs and t.before]
    assert {(t.validation, t.final) for t in measured} == {(40, False)}
    assert {(t.validation, t.images, t.keep_state) for t in trained} == {(40, 300, True)}
    assert {(t.validation, t.before) for t in again} == {(200, 1)}
    assert len(measured) > len(trained) > len(again) > 0
    for r in records:
        reached = [a.stage for a in r.accuracies]
        assert reached == ["post-training", "finetune", "accuracy"][: len(reached)]
        if r.accuracies:
            assert r.stage == reached[-1]
            assert [a.images for a in r.accuracies] == [40, 40, 200][: len(reached)]
        # an accuracy is that of the last stage; what did not reach it has none, and is on no front
        assert ("accuracy" in r.metrics) == (r.stage == "accuracy")
        assert (r.state == "passed") == (r.stage in ("post-training", "finetune"))
        if r.stage == "accuracy":
            assert r.metrics["accuracy"] == r.accuracies[-1].accuracy
        assert TrialRecord.from_json(r.to_json()) == r
    own = Counter(r.stage for r in records if not r.cached_accuracy)
    assert own["accuracy"] == len(again)


def test_who_goes_on_is_decided_by_rank_among_those_measured_so_far(search: Any) -> None:
    _, records, tasks, _ = search("s")
    waiting: dict[str, list[TrialRecord]] = {}
    for r in records:
        if r.accuracies and not r.cached_accuracy:
            waiting.setdefault(r.design.compression_digest, []).append(r)
    seen: list[list[float]] = []
    kept = 0
    for task in (t for t in tasks if not t.epochs and not t.before):
        r = waiting[compression_digest(task.compressions)].pop(0)
        m = r.metrics
        seen.append([-r.accuracies[0].accuracy, math.log(m["latency_us"]), m["lut"]])
        goes_on = place_of(np.array(seen), len(seen) - 1) < math.ceil(0.4 * len(seen))
        assert (len(r.accuracies) > 1) == (goes_on or r.origin == "baseline")
        kept += goes_on
    assert 0.4 * len(seen) <= kept < len(seen)


def test_a_stopped_search_decides_the_same_afterwards(search: Any) -> None:
    whole = search("whole", None, STAGES, "sampler=random")[1]
    search("parts", 9, STAGES, "sampler=random")
    plan, records, _, _ = search("parts", None, STAGES, "sampler=random")
    assert [r.accuracies for r in records[:9]] == [r.accuracies for r in whole[:9]]
    fresh = staged.Staged(plan, staged_inner(plan))
    fresh._learn(Ledger(plan.config.objectives, records))
    measured = [r for r in records if r.accuracies and not r.cached_accuracy]
    assert set(fresh._points["post-training"]) == {r.id for r in measured}


def staged_inner(plan: Any) -> Any:
    from dse.search.promotion import TrainAll

    return TrainAll(plan.stages)


def test_samplers_learn_from_the_highest_stage(search: Any) -> None:
    plan, records, _, _ = search("s")
    ledger = Ledger(plan.config.objectives, records)
    for r in records:
        if r.state == "passed":
            assert ledger.values(r)[0] == r.accuracies[-1].accuracy


def test_without_a_training_the_accuracy_is_that_of_the_network_as_it_is(search: Any) -> None:
    plan, records, tasks, _ = search("s", None, "  - accuracy: {images: 50}\n")
    assert plan.stages.finetune_epochs == 0
    assert plan.stages.final_epochs is None
    assert plan.stages.keep == "all"
    assert all(not t.epochs for t in tasks)
    assert {r.stage for r in records if "accuracy" in r.metrics} == {"post-training"}
    both = "  - accuracy: {images: 30, keep: 50 %}\n  - accuracy:\n"
    _, records, _, _ = search("t", None, both)
    assert {r.stage for r in records} <= {"estimate", "post-training", "accuracy"}


def test_a_short_training_and_a_guide_fit_between_the_stages(search: Any) -> None:
    stages = STAGES.replace("estimate: {}", "estimate: {keep: front}").replace(
        "  - finetune", "  - short: {epochs: 1}\n  - finetune"
    )
    _, records, _, _ = search("s", None, stages)
    assert any(
        [a.stage for a in r.accuracies] == ["post-training", "short", "finetune", "accuracy"]
        for r in records
    )


def test_what_is_scored_is_what_is_kept(planned: Any, tmp_path: Path, silent: Any) -> None:
    """Real trainings: the measurement behind a training, and the repetition of it for the front, are of one network."""
    plan = planned(replace=(PLAIN, STAGES))
    store = open_study(plan, tmp_path / "s", ())
    try:
        context = context_of(plan, base_weights(plan, store, silent))
    finally:
        store.release()
    compressions = plan.space.compressions(ladder(plan.space)[0])
    task = TrainingTask(compressions, 1, 300, keep_state=True, validation=40)
    trained = train(context, task)
    again = train(context, staged.measured_again(plan.stages, compressions, trained))
    final = train(
        context, replace(staged.scored(plan.stages, compressions, plan.dataset), final=True)
    )
    assert trained.accelerator_digest == again.accelerator_digest == final.accelerator_digest
    assert again.validation_accuracy == final.validation_accuracy
    network = plan.dataset.validation
    assert trained.validation_accuracy * 40 == pytest.approx(
        round(trained.validation_accuracy * 40)
    )
    assert again.validation_accuracy * 200 == pytest.approx(round(again.validation_accuracy * 200))
    assert len(network) > 200
    untrained = train(context, staged.post_training(compressions, Measured(200), plan.dataset))
    assert untrained.accelerator_digest != final.accelerator_digest
    # quantised to 8 bits nothing is lost, without any training
    wide = {n: replace(c, weight_bits=8, activation_bits=c.activation_bits and 8, sparsity=0.0)
            for n, c in compressions.items()}  # fmt: skip
    eight = train(context, staged.post_training(wide, Measured(), plan.dataset))
    assert eight.validation_accuracy == pytest.approx(float(context.base["accuracy"]), abs=0.03)
