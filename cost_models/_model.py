"""What a cost model promises: resources of one unit, with a 90 % interval, for arrays of foldings.

A cost model is a module of this folder with a function `load(family: str) -> CostModel`, `family` being
`Board.family`. Cycles are facts of a unit (`dse.ir.units`), not predictions of a cost model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dse.ir.units import Unit

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ResourceArrays:
    """Resources of many variants of one unit: arrays of equal shape (0-d for a single unit)."""

    lut: Floats
    ff: Floats
    dsp: Floats
    bram18: Floats
    uram: Floats


@dataclass(frozen=True, slots=True)
class UnitPrediction:
    """Expected resources and the ends of the 90 % interval, `low <= expected <= high`."""

    expected: ResourceArrays
    low: ResourceArrays
    high: ResourceArrays


class CostModel(Protocol):
    """The promise; `tests/contracts/test_cost_models.py` is its executable form."""

    @property
    def source(self) -> str:
        """Which model, which coefficients."""

    def __hash__(self) -> int:
        """By identity will do: tables of prices are cached by model."""

    def predict(self, unit: Unit) -> UnitPrediction:
        """Price a unit whose fields may be arrays.

        Raises:
            UsageError: the model does not know this kind of unit (it never answers zero instead).
        """
