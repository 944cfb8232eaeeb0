"""The quick TPE asks what Optuna's own would ask, bit for bit; another Optuna gets its own."""

from __future__ import annotations

import random
import warnings
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from dse.search import samplers
from dse.search.quick_tpe import QuickTPE

KNOBS = {
    "bits": IntDistribution(0, 3),
    "scheme": CategoricalDistribution(("bcr", "filter")),
    "cycles": FloatDistribution(10.0, 1e5, log=True),
    "pe": FloatDistribution(0.0, 1.0),
    "only": IntDistribution(0, 0),
}


def asked(sampler: optuna.samplers.BaseSampler, objectives: int) -> list[dict[str, Any]]:
    """Ask 60 times, up to three trials at once, some of which fail, break a constraint or repeat a value."""
    study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
    rng, found, running = random.Random(1), [], []
    for _ in range(60):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = study.ask(KNOBS)
        found.append(trial.params)
        running.append(trial)
        while len(running) > rng.randrange(3):
            done = running.pop(0)
            if rng.random() < 0.1:
                study.tell(done, state=TrialState.FAIL)
                continue
            done.set_constraint("lut", rng.random() - 0.7)
            study.tell(done, [round(done.params["pe"], 1 + i) for i in range(objectives)])
    return found


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_same_questions_as_optunas_own(objectives: int) -> None:
    settings: dict[str, Any] = {"seed": 5, "n_startup_trials": 6}
    own = asked(optuna.samplers.TPESampler(**settings), objectives)
    assert asked(QuickTPE(**settings), objectives) == own
    assert len({tuple(k.items()) for k in own}) > 50


def test_the_pinned_optuna_gets_the_quick_one_and_another_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(samplers.make("tpe", 0, 4, 100), QuickTPE)
    monkeypatch.setattr(samplers, "QUICK_TPE", "4.9.")
    assert type(samplers.make("tpe", 0, 4, 100)) is optuna.samplers.TPESampler
