"""The ledger of a running search against the same things computed from all records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dse.config.values import Objective
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.record import TrialRecord
from dse.search.ledger import Ledger
from dse.search.pareto import front, hypervolume_history

OBJECTIVES = (
    Objective("accuracy", "maximize"),
    Objective("latency", "minimize"),
    Objective("lut", "minimize"),
    Objective("bram18", "minimize"),
)


def records(count: int, seed: int) -> list[TrialRecord]:
    """Records of few distinct values, so that equal and dominated ones occur; a fifth is infeasible."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        a, t, n, b = rng.integers(1, 9, 4)
        design = DesignPoint((("fc", LayerDesign(Compression(4, None), Folding(i + 1, 1))),))
        found.append(
            TrialRecord(
                id=i,
                knobs={},
                design=design,
                state="feasible" if rng.random() < 0.8 else "infeasible",
                stage="finetune",
                metrics={
                    "accuracy": a / 10,
                    "latency_us": float(t),
                    "lut": 10.0 * n,
                    "bram18": 3.0 * b,
                },
                hardware=None,
                constraints={},
                error=None,
                origin="sampler",
                cached_accuracy=False,
                seconds=1.0,
                finished="",
            )
        )
    return found


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_front_and_hypervolume_are_those_of_all_records(m: int, seed: int) -> None:
    objectives = OBJECTIVES[:m]
    ledger, so_far = Ledger(objectives), []
    for i, record in enumerate(records(60, seed)):
        ledger.add(record)
        so_far.append(record)
        assert ledger.front() == front(so_far, objectives)
        if i % 3 == 0:  # asked for now and then: what came since is added up
            assert ledger.hypervolume() == pytest.approx(
                hypervolume_history(so_far, objectives)[-1]
            )
    assert len(ledger) == 60
    assert ledger.count("feasible") == sum(r.state == "feasible" for r in so_far)


@pytest.mark.parametrize("patience", [1, 10, 40])
def test_flat_is_the_growth_of_the_history(patience: int) -> None:
    objectives, seen = OBJECTIVES[:3], set()
    ledger, so_far = Ledger(objectives), []
    for record in records(150, 5):
        ledger.add(record)
        so_far.append(record)
        if len(so_far) > patience:
            history = hypervolume_history(so_far, objectives)
            flat = history[-1] > 0 and history[-1] - history[-1 - patience] <= 0.001 * history[-1]
            assert ledger.flat(patience) == flat
            seen.add(flat)
        else:
            assert not ledger.flat(patience)
    assert seen == {True, False}


def test_an_empty_ledger_and_one_of_rejected_trials_have_no_volume() -> None:
    ledger = Ledger(OBJECTIVES[:2])
    assert (ledger.hypervolume(), ledger.front()) == (0.0, ())
    (record,) = records(1, 0)
    ledger.add(replace(record, state="infeasible", metrics={"lut": 1.0}))
    assert (ledger.hypervolume(), ledger.front()) == (0.0, ())
    assert not ledger.flat(1)


def test_what_was_not_trained_counts_as_the_worst_accuracy_so_far() -> None:
    objectives = OBJECTIVES[:2]
    first, second, rejected = records(3, 1)
    without: dict[str, Any] = {k: v for k, v in rejected.metrics.items() if k != "accuracy"}
    rejected = replace(rejected, stage="estimate", metrics=without)
    ledger = Ledger(objectives)
    assert ledger.values(rejected) == [0.0, without["latency_us"]]
    ledger.add(first)
    ledger.add(second)
    worst = min(first.metrics["accuracy"], second.metrics["accuracy"])
    assert ledger.values(rejected) == [worst, without["latency_us"]]
    assert ledger.of_design(first.design.digest) == first
    assert ledger.accuracy(first.design.compression_digest) == second.metrics["accuracy"]
