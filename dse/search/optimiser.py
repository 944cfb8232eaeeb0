"""Optuna, in memory, owned by the driver: proposes knob values and learns from finished trials."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from dse.config.values import Objective
from dse.search.samplers import GENETIC, make, memory, schedule
from dse.search.space import Choice, Knob, SearchSpace

REOPENED = (
    2000  # trials in one Optuna study: a genetic sampler goes through all of them at every question
)


class Optimiser:
    """An ask-and-tell view of one in-memory Optuna study, or of several where the sampler changes.

    Choices travel as indices into their ascending values: an order that TPE can use.

    Attributes:
        sampler: the one in use.
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
        finished: int = 0,
    ) -> None:
        """Create an empty study.

        Args:
            space: what is searched.
            objectives: of the study.
            sampler: as in the study file.
            seed: of everything random.
            trials: the budget.
            startup: trials that are given, not sampled.
            finished: trials that will be told before the first question.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._knobs = {k.name: k for k in space.knobs}
        self._distributions = {k.name: _index_distribution(k) for k in space.knobs}
        self._directions = [o.direction for o in objectives]
        self._seed, self._startup, self._trials = seed, startup, trials
        self._schedule = schedule(sampler, len(space.knobs), len(objectives))
        self._told = 0  # trials that have been told
        self._held = 0  # trials since the Optuna study was opened
        self._open([name for name, at in self._schedule if at <= finished][-1])

    @property
    def memory(self) -> int | None:
        """How many earlier trials the sampler can use; None: all."""
        return memory(self.sampler, self._trials)

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """Return a running trial and its knob values."""
        name, _ = next(
            s for s in reversed(self._schedule) if s[1] <= self._told or s[0] == self.sampler
        )
        if name != self.sampler or (self._held >= REOPENED and name in GENETIC):
            before = self._study
            self._open(name)
            self._hand_over(before)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # samplers warn of their own experimental parts
            trial = self._study.ask(self._distributions)
        if self.sampler in GENETIC:
            asked = self._study.get_trials(deepcopy=False)[trial.number]
            self._generation = asked.system_attrs.get(self._generation_key, 0)
        return trial, {n: _value(self._knobs[n], v) for n, v in trial.params.items()}

    def tell(
        self,
        trial: optuna.Trial | None,
        knobs: Mapping[str, Any],
        values: Sequence[float] | None,
        violations: Mapping[str, float],
    ) -> None:
        """Report a finished trial; `trial` is None for one that was not asked for, `values` None for a failure.

        A failure teaches nothing, nor do knobs of another space.
        """
        asked = trial is not None and trial.study is self._study
        self._held += asked
        if asked and values is None:
            self._study.tell(trial, state=TrialState.FAIL)
        elif asked:
            assert trial is not None
            assert values is not None
            for name, excess in violations.items():
                trial.set_constraint(name, excess)
            self._study.tell(trial, [float(v) for v in values])
            self._told += 1
        elif values is not None and (params := self._encoded(knobs)) is not None:
            self._add([float(v) for v in values], params, violations)

    def _open(self, sampler: str) -> None:
        self.sampler, self._generation, self._held = sampler, 0, 0
        made = make(sampler, self._seed + self._told, self._startup, self._trials)
        self._generation_key: str = f"{type(made).__name__}:generation"
        self._study: optuna.Study = optuna.create_study(directions=self._directions, sampler=made)

    def _hand_over(self, before: optuna.Study) -> None:
        """Tell the new sampler of the best and the latest trials of the one before."""
        told = self._told
        finished = before.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        best = {t.number for t in before.best_trials[-REOPENED // 4 :]}  # a front may be thousands
        latest = {t.number for t in finished[-(self.memory or 0) :]}
        for t in finished:
            if t.number in best | latest:
                self._add(list(t.values), t.params, t.constraints)
        self._told, self._held = told, 0

    def _add(
        self, values: list[float], params: Mapping[str, Any], violations: Mapping[str, float]
    ) -> None:
        # a genetic sampler ignores trials that belong to no generation
        ours = {self._generation_key: self._generation} if self.sampler in GENETIC else {}
        self._study.add_trial(
            create_trial(
                values=values,
                params=dict(params),
                distributions=self._distributions,
                constraints=dict(violations),
                system_attrs=ours,
            )
        )
        self._told += 1
        self._held += 1

    def _encoded(self, knobs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return knob values as Optuna holds them; None where they are not of this space."""
        if set(knobs) != set(self._knobs):
            return None
        params: dict[str, Any] = {}
        for name, value in knobs.items():
            knob = self._knobs[name]
            if isinstance(knob, Choice):
                if value not in knob.values:
                    return None
                params[name] = knob.values.index(value)
            elif knob.low <= float(value) <= knob.high:
                params[name] = float(value)
            else:
                return None
        return params


def readable_distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return distributions over the values themselves, for the durable storage and its dashboards."""
    return {
        k.name: CategoricalDistribution(k.values)
        if isinstance(k, Choice)
        else FloatDistribution(k.low, k.high, log=k.log)
        for k in space.knobs
    }


class _Shared:
    """A distribution that is never changed: Optuna copies all of them, knob by knob, for every trial."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


class _Places(_Shared, IntDistribution):  # type: ignore[misc]  # Optuna is not typed here
    """The places of a choice in its list."""


class _Numbers(_Shared, FloatDistribution):  # type: ignore[misc]
    """The numbers of a range."""


def _index_distribution(knob: Knob) -> BaseDistribution:
    if isinstance(knob, Choice):
        return _Places(0, len(knob.values) - 1)
    return _Numbers(knob.low, knob.high, log=knob.log)


def _value(knob: Knob, stored: Any) -> Any:
    return knob.values[int(stored)] if isinstance(knob, Choice) else float(stored)
