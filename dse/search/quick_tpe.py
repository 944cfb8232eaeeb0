"""Optuna's TPE, which asks what is the same for all knobs of a trial once instead of once per knob.

With several objectives it samples knob by knob, and for each it goes through all trials to tell the better
ones from the others: for 12 knobs and 100 trials two thirds of its time. Its answers are the same, bit for bit
(tests/search/test_quick_tpe.py). What is called here is not public, so `dse.search.samplers` takes this
class for the version of Optuna that it was written for, and Optuna's own for any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers._tpe.sampler import (
    _split_trials,
    default_gamma,
    default_gamma_multiobjective,
)
from optuna.trial import FrozenTrial, TrialState

LEARNED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
NONE: npt.NDArray[np.float64] = np.empty(0)
Table: TypeAlias = Mapping[str, npt.NDArray[np.float64]]  # knob -> its values, trial by trial


class QuickTPE(optuna.samplers.TPESampler):  # type: ignore[misc]  # Optuna is not typed here
    """TPE of one study in which every trial has all knobs and none finishes while another is asked for."""

    def __init__(self, **settings: Any) -> None:
        """Take the settings of `optuna.samplers.TPESampler`."""
        super().__init__(**settings)
        self._asked = -1  # number of the trial that the tables are for
        self._tables: tuple[Table, Table] = ({}, {})
        self._finished: dict[int, Mapping[str, float]] = {}  # values by number: they change no more

    def _sample(
        self, study: Any, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values of the knobs in `search_space`."""
        if trial.number != self._asked:
            self._asked, self._tables = trial.number, self._split(study, trial)
        better, others = (
            self._build_parzen_estimator(study, search_space, table, handle_below=below)
            for table, below in zip(self._tables, (True, False), strict=True)
        )
        candidates = better.sample(self._rng.rng, self._n_ei_candidates)
        gain = self._compute_acquisition_func(candidates, better, others)
        best = self._compare(candidates, gain)
        return {name: d.to_external_repr(best[name]) for name, d in search_space.items()}

    def _get_internal_repr(
        self, trials: Table, search_space: Mapping[str, BaseDistribution], study: Any
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return the columns of a table; what Optuna passes through are the `trials` it was given above."""
        del study
        return {name: trials.get(name, NONE) for name in search_space}

    def _split(self, study: Any, trial: FrozenTrial) -> tuple[Table, Table]:
        """Return the knob values of the better trials, and of the others."""
        known = study.get_trials(deepcopy=False, states=LEARNED)
        trials = [t for t in known if t.number != trial.number]
        done = sum(t.state != TrialState.RUNNING for t in trials)
        gamma = default_gamma if len(study.directions) == 1 else default_gamma_multiobjective
        better, others = _split_trials(study, trials, gamma(done))
        return self._table(better), self._table(others)

    def _table(self, trials: list[FrozenTrial]) -> Table:
        rows = [self._row(t) for t in trials]
        return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}

    def _row(self, trial: FrozenTrial) -> Mapping[str, float]:
        row = self._finished.get(trial.number)
        if row is None:
            of = trial.distributions
            row = {name: of[name].to_internal_repr(v) for name, v in trial.params.items()}
            if trial.state.is_finished():
                self._finished[trial.number] = row
        return row
