"""The analytic prediction of a unit taken apart: what a learned correction starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from cost_models import _finn, _terms, _terms_rtl, analytic
from cost_models._axes import AXES
from cost_models._model import Floats
from dse.ir.hardware import RESOURCES
from dse.ir.units import MatrixUnit, Unit

BUILDERS = ("dse", "finn")  # whose units: ours, or FINN's, which differ where `_as_finn` says so
VERILOG = "verilog"  # `terms` of a kind whose factors are about the terms of `_terms_rtl`
BLOCKS = ("blocks",)  # the one term of a counted resource


@dataclass(frozen=True, slots=True)
class Priced:
    """A unit, or many, seen by the prior; the leading axes are those of the unit's fields.

    Attributes:
        kind: as in `analytic.json`: "matrix", "window", ...
        totals: resource -> `(...)` analytic predictions.
        shares: resource -> `(..., terms)` parts of the total by term; all 0 where the total is 0.
        place: `(..., axes)` position of the unit.
    """

    kind: str
    totals: Mapping[str, Floats]
    shares: Mapping[str, Floats]
    place: Floats


def term_names(kind: str, resource: str) -> tuple[str, ...]:
    """Return the terms of a resource, in the order of `Priced.shares`."""
    factors = prior(analytic.URAM_FAMILIES[0]).kinds[kind][resource].get("factors")
    return BLOCKS if factors is None else tuple(factors)


@lru_cache
def prior(family: str) -> analytic.AnalyticModel:
    """Return the analytic model of a family, with its factors in sight."""
    model = analytic.load(family)
    assert isinstance(model, analytic.AnalyticModel)
    return model


def priced(unit: Unit, builder: str, kinds: Mapping[str, Any]) -> Priced:
    """Take the analytic prediction of a unit apart.

    Args:
        unit: its numbers may be arrays that broadcast.
        builder: one of BUILDERS.
        kinds: factors, as in `AnalyticModel.kinds`; of the terms of the Verilog where "terms" says so.

    Raises:
        UsageError: there is no formula for this kind of unit.
    """
    kind, terms = _decomposed(unit, kinds)
    if builder == "finn" and isinstance(unit, MatrixUnit):
        terms = _as_finn(unit, terms)
    place = _stacked(list(AXES[type(unit)](unit).values()))
    totals, shares = {}, {}
    for resource in RESOURCES:
        found = getattr(terms, resource)
        factors = kinds[kind][resource].get("factors")
        if factors is None:
            parts = _stacked([found])
        else:
            parts = _stacked([factors[n] * found.get(n, 0.0) for n in factors])
        parts = np.broadcast_to(parts, (*place.shape[:-1], parts.shape[-1]))
        total = parts.sum(axis=-1)
        totals[resource] = total
        shares[resource] = parts / np.where(total > 0, total, 1.0)[..., None]
    return Priced(kind, totals, shares, place)


def _decomposed(unit: Unit, kinds: Mapping[str, Any]) -> tuple[str, _terms.Terms]:
    """Return kind and terms of a unit: those of its Verilog where the factors are about them."""
    kind = analytic.KINDS[type(unit)][0] if type(unit) in analytic.KINDS else None
    if kind is not None and kinds[kind].get("terms") == VERILOG:
        return kind, _terms_rtl.TERMS[kind](unit)
    return analytic.decompose(unit)


def _as_finn(unit: MatrixUnit, terms: _terms.Terms) -> _terms.Terms:
    """Pad the words of weight memories to bytes, as FINN's weight streamers do."""
    word = np.asarray(unit.pe) * unit.simd * unit.weight_bits
    padded = -(-word // 8) * 8
    return replace(
        terms,
        lut={**terms.lut, "weights": terms.lut["weights"] * padded / word},
        bram18=terms.bram18
        + (_finn.bram18(padded, unit.depth) - _finn.bram18(word, unit.depth))
        * (unit.memory == "bram"),
    )


def _stacked(columns: list[Any]) -> Floats:
    found: Floats = np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.float64)
    return found
