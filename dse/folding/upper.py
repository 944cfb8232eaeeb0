"""A cost model that answers with the upper ends of another one's intervals.

What it prices is what has to fit: a solver that adds up its answers keeps limits at the upper ends
exactly, not only at expected values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cost_models._model import CostModel, UnitPrediction
from dse.ir.units import Unit


@dataclass(frozen=True, eq=False)
class UpperEnds:
    """Upper ends of the intervals of `model`. Equal only to itself, so it can key a cache."""

    model: CostModel

    @property
    def source(self) -> str:
        """Which model, and that these are its upper ends."""
        return f"{self.model.source}, upper ends"

    def predict(self, unit: Unit) -> UnitPrediction:
        """Price a unit at the upper ends, all three values being the same.

        Raises:
            UsageError: the model does not know this kind of unit.
        """
        high = self.model.predict(unit).high
        return UnitPrediction(expected=high, low=high, high=high)


@lru_cache
def at_upper_ends(model: CostModel) -> CostModel:
    """Return the upper ends of a model as a model, the same one every time."""
    return UpperEnds(model)
