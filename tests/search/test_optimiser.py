"""The samplers behind one setting: legal knob values, learning, seeds that join a population, `auto`."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from dse.config.values import SAMPLERS, Objective
from dse.search.optimiser import Optimiser
from dse.search.samplers import described, schedule
from dse.search.space import Choice, Range

SPACE: Any = SimpleNamespace(
    knobs=(
        Choice("a.weight_bits", (2, 4, 8)),
        Choice("a.scheme", ("bcr", "filter")),
        Choice("a.sparsity", (0.0, 0.25, 0.5, 0.75)),
        Range("fold.cycles", 10.0, 1e5, log=True),
    )
)
OBJECTIVES = (
    Objective("accuracy", "maximize"),
    Objective("latency", "minimize"),
    Objective("lut", "minimize"),
    Objective("bram18", "minimize"),
)


def made(sampler: str, m: int = 2, trials: int = 100, startup: int = 8, **more: Any) -> Optimiser:
    return Optimiser(SPACE, OBJECTIVES[:m], sampler, seed=3, trials=trials, startup=startup, **more)


def truth(knobs: Any, m: int) -> tuple[list[float], dict[str, float]]:
    bits, kept = knobs["a.weight_bits"], 1 - knobs["a.sparsity"]
    cycles = knobs["fold.cycles"]
    values = [bits * kept / 8, cycles, bits * kept * 1e5 / cycles, bits * kept]
    return values[:m], {"latency": cycles / 2e4 - 1, "lut": 0.3 - kept}


def drawn(rng: random.Random) -> dict[str, Any]:
    return {
        "a.weight_bits": rng.choice((2, 4, 8)),
        "a.scheme": rng.choice(("bcr", "filter")),
        "a.sparsity": rng.choice((0.0, 0.25, 0.5, 0.75)),
        "fold.cycles": 10 ** rng.uniform(1, 5),
    }


def search(optimiser: Optimiser, m: int, given: int, asked: int) -> list[dict[str, Any]]:
    rng, found = random.Random(0), []
    for _ in range(given):
        knobs = drawn(rng)
        optimiser.tell(None, knobs, *truth(knobs, m))
    for i in range(asked):
        trial, knobs = optimiser.ask()
        found.append(knobs)
        if i % 7 == 3:
            optimiser.tell(trial, knobs, None, {})  # a failure
        else:
            optimiser.tell(trial, knobs, *truth(knobs, m))
    return found


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - {"gp"}))
def test_every_sampler_with_one_to_four_objectives(sampler: str, m: int) -> None:
    first = search(made(sampler, m), m, given=8, asked=40)
    for knobs in first:
        for knob in SPACE.knobs:
            value = knobs[knob.name]
            if isinstance(knob, Choice):
                assert value in knob.values
            else:
                assert knob.low <= value <= knob.high
    assert len({tuple(k.items()) for k in first}) > 20
    assert first == search(made(sampler, m), m, given=8, asked=40), "same seed, same questions"


@pytest.mark.parametrize("m", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_gp_learns_and_keeps_to_the_constraints(m: int) -> None:
    optimiser = made("gp", m, startup=10)
    asked = search(optimiser, m, given=12, asked=6 // m)
    feasible = [all(v <= 0 for v in truth(k, m)[1].values()) for k in asked]
    assert sum(feasible) >= len(feasible) / 2


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3"])
def test_learning_samplers_find_what_is_feasible_more_often_than_chance(sampler: str) -> None:
    rng = random.Random(1)
    chance = [all(v <= 0 for v in truth(drawn(rng), 3)[1].values()) for _ in range(2000)].count(
        True
    ) / 2000
    asked = search(made(sampler, 3), 3, given=30, asked=100)[-50:]
    found = [all(v <= 0 for v in truth(k, 3)[1].values()) for k in asked].count(True) / 50
    assert found > chance + 0.05, (found, chance)


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3"])
def test_given_trials_are_the_first_generation_of_a_genetic_sampler(sampler: str) -> None:
    optimiser = made(sampler, 3)
    rng = random.Random(0)
    # one knob is the same in every given trial: children of them have it too, mutations excepted
    for _ in range(24):
        knobs = drawn(rng) | {"a.scheme": "filter"}
        optimiser.tell(None, knobs, *truth(knobs, 3))
    asked = [optimiser.ask()[1]["a.scheme"] for _ in range(40)]
    assert asked.count("filter") > 30


def test_knobs_of_another_space_are_not_learned() -> None:
    optimiser = made("tpe")
    good = drawn(random.Random(0))
    for knobs in (
        {k: v for k, v in good.items() if k != "a.scheme"},
        good | {"a.weight_bits": 3},
        good | {"fold.cycles": 9.0},
    ):
        optimiser.tell(None, knobs, *truth(good, 2))
    assert optimiser._study.trials == []
    optimiser.tell(None, good, *truth(good, 2))
    assert len(optimiser._study.trials) == 1


@pytest.mark.parametrize(
    ("knobs", "m", "words"),
    [
        (12, 3, "tpe, nsga3 from trial 300 on"),
        (12, 2, "tpe, nsga2 from trial 300 on"),
        (30, 3, "tpe, nsga3 from trial 241 on"),
        (60, 3, "tpe, nsga3 from trial 33 on"),
        (100, 1, "nsga2"),
    ],
)
def test_auto_changes_by_counts(knobs: int, m: int, words: str) -> None:
    assert described(schedule("auto", knobs, m)) == words


def test_auto_hands_its_trials_over_and_goes_on() -> None:
    optimiser = made("auto", 3, trials=1000, startup=8)
    assert optimiser.sampler == "tpe"
    pending, pending_knobs = optimiser.ask()
    search(optimiser, 3, given=290, asked=8)
    assert optimiser.sampler == "tpe"
    later = search(optimiser, 3, given=0, asked=60)
    assert optimiser.sampler == "nsga3"
    optimiser.tell(pending, pending_knobs, *truth(pending_knobs, 3))  # asked by the one before
    values = [t.values for t in optimiser._study.trials if t.values]
    assert truth(pending_knobs, 3)[0] in values
    feasible = [all(v <= 0 for v in truth(k, 3)[1].values()) for k in later[-40:]]
    assert sum(feasible) > 20, "NSGA-III begins with the good designs that TPE found"


def test_a_resumed_search_begins_with_the_sampler_of_its_count() -> None:
    assert made("auto", 3, finished=299).sampler == "tpe"
    assert made("auto", 3, finished=300).sampler == "nsga3"
    assert made("tpe", 3, finished=5000).memory is None
    assert made("nsga3", 3, trials=5000).memory == 200
    assert made("random", 3).memory == 0


def test_a_front_without_end_does_not_reopen_the_genetic_study_at_every_question(monkeypatch):
    monkeypatch.setattr("dse.search.optimiser.REOPENED", 40)
    optimiser = made("nsga3")
    studies, largest = [], 0
    for i in range(150):
        trial, knobs = optimiser.ask()
        if trial.study not in studies:
            studies.append(trial.study)
        optimiser.tell(trial, knobs, (float(i), float(i)), {})  # none dominates another
        largest = max(largest, len(trial.study.get_trials(deepcopy=False)))
    assert len(studies) == 4  # 150 = 3 * 40 + 30
    assert (
        largest <= 40 + 40 // 4 + 4 * 24
    )  # its own, the best, the generations it chooses parents from
