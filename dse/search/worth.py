"""What an accuracy is worth to a study: itself where it is an objective, else whether it holds its limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from dse.search.accuracy_model import Floats, Forecast, bits
from dse.search.study import Plan

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)  # of the normal distribution
SHARES = WEIGHTS / WEIGHTS.sum()
HOLDS, FAILS = 1.0, 0.0
BETWEEN = 0.5  # floor of what is either of them


@dataclass(frozen=True, slots=True)
class Worth:
    """Of accuracies.

    Attributes:
        limit: an accuracy below it is worth nothing.
        objective: whether more accuracy than that is worth more.
    """

    limit: float
    objective: bool

    def of(self, accuracies: Floats) -> Floats:
        """Return what `(n,)` accuracies are worth."""
        if self.objective:
            return accuracies
        return np.where(accuracies >= self.limit, HOLDS, FAILS)

    def odds(self, forecast: Forecast) -> tuple[Floats, Floats]:
        """Return what n trainings may turn out to be worth, `(q, n)`, and how likely each of it is."""
        count = len(forecast.mean)
        if self.objective:
            values = np.stack([forecast.at(node) for node in NODES])
            return values, np.repeat(SHARES[:, None], count, axis=1)
        holds = ndtr((forecast.mean - bits(np.array(self.limit))) / forecast.std)
        return np.repeat([[HOLDS], [FAILS]], count, axis=1), np.stack([holds, 1 - holds])

    def hoped(self, forecast: Forecast) -> Floats:
        """Return what n trainings are worth, `(n,)`, if they turn out as well as is expected, or hold the limit."""
        return forecast.at(0.0) if self.objective else np.full(len(forecast.mean), HOLDS)

    def floor(self, known: Floats, margin: float) -> float:
        """Return from which worth on there is a gain, given the accuracies that are known."""
        if not self.objective:
            return BETWEEN
        return max(float(known.min() - margin * np.ptp(known)), self.limit)


def worth_of(plan: Plan) -> Worth | None:
    """Return what accuracies are worth to a study; None where it asks for none."""
    limits = [c.limit for c in plan.constraints if c.metric == "accuracy" and c.op == ">="]
    objective = any(o.metric == "accuracy" for o in plan.config.objectives)
    return Worth(max(limits, default=0.0), objective) if objective or limits else None
