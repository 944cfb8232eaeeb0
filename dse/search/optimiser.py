"""Optuna, in memory, owned by the driver: proposes knob values and learns from finished trials."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from dse.config.values import Objective
from dse.search.space import Choice, Knob, SearchSpace

# study-file-and-cli measurements: TPE leads up to about 300 trials, and costs 0.1 s per ask beyond 30 knobs
TPE_TRIALS, TPE_KNOBS = 300, 30


def pick_sampler(name: str, knobs: int, trials: int, objectives: int) -> str:
    """Resolve `auto`: TPE for small studies, else NSGA-III (three objectives or more) or NSGA-II."""
    if name != "auto":
        return name
    if trials <= TPE_TRIALS and knobs <= TPE_KNOBS:
        return "tpe"
    return "nsga3" if objectives >= 3 else "nsga2"


def _sampler(name: str, seed: int, startup: int, trials: int) -> optuna.samplers.BaseSampler:
    samplers = optuna.samplers
    population = 24 if trials < 1000 else 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return {
            "tpe": lambda: samplers.TPESampler(seed=seed, n_startup_trials=startup),
            "nsga2": lambda: samplers.NSGAIISampler(seed=seed, population_size=population),
            "nsga3": lambda: samplers.NSGAIIISampler(seed=seed, population_size=population),
            "gp": lambda: samplers.GPSampler(seed=seed, n_startup_trials=startup),
            "qmc": lambda: samplers.QMCSampler(seed=seed, scramble=True),
            "random": lambda: samplers.RandomSampler(seed=seed),
        }[name]()


class Optimiser:
    """An ask-and-tell view of one in-memory Optuna study.

    Choices travel as indices into their ascending values: an order that TPE can use.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        sampler: str,
        *,
        seed: int,
        trials: int,
        startup: int,
    ) -> None:
        """Create an empty study; `trials` is the budget, `startup` the trials that are given, not sampled."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._knobs = {k.name: k for k in space.knobs}
        self._distributions = {k.name: _index_distribution(k) for k in space.knobs}
        self.sampler = pick_sampler(sampler, len(space.knobs), trials, len(objectives))
        self._study = optuna.create_study(
            directions=[o.direction for o in objectives],
            sampler=_sampler(self.sampler, seed, startup, trials),
        )

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """Return a running trial and its knob values."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # samplers warn of their own experimental parts
            trial = self._study.ask(self._distributions)
        return trial, {n: _value(self._knobs[n], v) for n, v in trial.params.items()}

    def tell(
        self,
        trial: optuna.Trial | None,
        knobs: Mapping[str, Any],
        values: Sequence[float] | None,
        violations: Mapping[str, float],
    ) -> None:
        """Report a finished trial; `trial` is None for one that was not asked for, `values` None for a failure."""
        if trial is not None:
            if values is None:
                self._study.tell(trial, state=TrialState.FAIL)
                return
            for name, excess in violations.items():
                trial.set_constraint(name, excess)
            self._study.tell(trial, [float(v) for v in values])
            return
        if values is None or set(knobs) != set(self._knobs):
            return  # a failure teaches nothing; other knobs belong to an older space
        self._study.add_trial(
            create_trial(
                values=[float(v) for v in values],
                params={n: _index(self._knobs[n], v) for n, v in knobs.items()},
                distributions=self._distributions,
                constraints=dict(violations),
            )
        )


def readable_distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return distributions over the values themselves, for the durable storage and its dashboards."""
    return {
        k.name: CategoricalDistribution(k.values)
        if isinstance(k, Choice)
        else FloatDistribution(k.low, k.high, log=k.log)
        for k in space.knobs
    }


def _index_distribution(knob: Knob) -> BaseDistribution:
    if isinstance(knob, Choice):
        return IntDistribution(0, len(knob.values) - 1)
    return FloatDistribution(knob.low, knob.high, log=knob.log)


def _value(knob: Knob, stored: Any) -> Any:
    return knob.values[int(stored)] if isinstance(knob, Choice) else float(stored)


def _index(knob: Knob, value: Any) -> Any:
    return knob.values.index(value) if isinstance(knob, Choice) else float(value)
