"""Closed form after FINN-R, factors fitted once on Vivado reports: needs no data of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from cost_models import _terms, _terms_edge, _terms_lane, _terms_spatial
from cost_models._loading import with_loading
from cost_models._model import CostModel, Floats, ResourceArrays, UnitPrediction
from dse.errors import UsageError
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.hardware import RESOURCES
from dse.ir.units import (
    AddUnit,
    AveragePoolUnit,
    ConcatUnit,
    DepthwiseUnit,
    DuplicateUnit,
    Fifo,
    FillUnit,
    ForkUnit,
    LaneUnit,
    MatrixUnit,
    PoolUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
)

FORMAT = 1
URAM_FAMILIES = ("ultrascale+",)

KINDS: Mapping[type, tuple[str, Callable[[Any], _terms.Terms]]] = {
    MatrixUnit: ("matrix", _terms.matrix),
    EdgeSkipUnit: ("edge_skip", _terms_edge.edge_skip),
    DepthwiseUnit: ("depthwise", _terms.depthwise),
    SlidingWindowUnit: ("window", _terms.window),
    SkippingWindowUnit: ("skipping_window", _terms_spatial.skipping_window),
    FillUnit: ("fill", _terms_spatial.fill),
    PoolUnit: ("pool", _terms.pool),
    SumUnit: ("global_sum", _terms.global_sum),
    ForkUnit: ("fork", _terms.fork),
    AddUnit: ("add", _terms.add),
    ConcatUnit: ("concat", _terms.concat),
    LaneUnit: ("lane", _terms_lane.lane),
    AveragePoolUnit: ("average_pool", _terms_lane.average_pool),
    DuplicateUnit: ("duplicate", _terms_lane.duplicate),
    WidthConverter: ("converter", _terms.converter),
    Fifo: ("fifo", _terms.fifo),
}


def decompose(unit: Unit) -> tuple[str, _terms.Terms]:
    """Return the kind of a unit, as in `analytic.json`, and its terms.

    Raises:
        UsageError: there is no formula for this kind of unit.
    """
    if type(unit) not in KINDS:
        msg = (
            f"the cost model must know every unit; `analytic` has no formula for"
            f" {type(unit).__name__}, only for {', '.join(k.__name__ for k in KINDS)};"
            f" add one to cost_models/_terms.py"
        )
        raise UsageError(msg)
    kind, terms = KINDS[type(unit)]
    return kind, terms(unit)


@dataclass(frozen=True, eq=False)
class AnalyticModel:
    """The model of one device family. Equal only to itself, so it can key a cache.

    Attributes:
        family: `Board.family`.
        source: name of the model.
        kinds: per kind of unit and resource the factor of each term and the 90 % band, as in
            `coefficients/analytic.json`.
    """

    family: str
    source: str
    kinds: Mapping[str, Mapping[str, Any]]

    def predict(self, unit: Unit) -> UnitPrediction:
        """Price a unit whose fields may be arrays.

        Raises:
            UsageError: an unknown kind of unit, or UltraRAM on a family that has none.
        """
        if getattr(unit, "memory", "") == "uram" and self.family not in URAM_FAMILIES:
            msg = (
                f"layer {unit.layer}: memory `uram` needs a family with UltraRAM"
                f" ({', '.join(URAM_FAMILIES)}), the board is {self.family}; use bram or lutram"
            )
            raise UsageError(msg)
        kind, terms = decompose(unit)
        fitted = self.kinds[kind]
        parts = (
            _weighted(terms.lut, fitted["lut"]["factors"]),
            _weighted(terms.ff, fitted["ff"]["factors"]),
            terms.dsp,
            terms.bram18,
            terms.uram,
        )
        expected = np.empty((len(RESOURCES), *np.broadcast_shapes(*map(np.shape, parts))))
        for i, part in enumerate(parts):
            expected[i] = part
        ends = np.array([fitted[r]["band"] for r in RESOURCES]).T
        low, high = (expected * e.reshape(-1, *[1] * (expected.ndim - 1)) for e in ends)
        return with_loading(UnitPrediction(_named(expected), _named(low), _named(high)), unit)


def _named(table: Floats) -> ResourceArrays:
    """Return `(5, ...)` of `RESOURCES` by name."""
    return ResourceArrays(*(table[i, ...] for i in range(len(RESOURCES))))


def _weighted(terms: Mapping[str, Floats], factors: Mapping[str, float]) -> Floats:
    total: Floats = np.zeros(())
    for name, value in terms.items():
        total = total + factors[name] * value
    return total


@lru_cache
def load(family: str) -> CostModel:
    """Return the analytic model of a device family (`Board.family`).

    Raises:
        UsageError: the coefficients were written by a newer version.
    """
    text = (files("cost_models") / "coefficients" / "analytic.json").read_text(encoding="utf-8")
    stored = json.loads(text)
    if stored["format"] != FORMAT:
        msg = f"analytic.json must have format {FORMAT}, it has {stored['format']}; upgrade dse"
        raise UsageError(msg)
    return AnalyticModel(family, "analytic", stored["kinds"])
