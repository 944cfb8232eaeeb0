"""Errors of `yosys-rtl` on what it has not seen, beside `analytic` and a regression without prior."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import GradientBoostingRegressor

from cost_models import analytic
from cost_models._learn_yosys import FAMILIES, LEARNED, Surprises, kind_of, left_out
from cost_models._model import CostModel, Floats
from cost_models._sweep import SweepRecord
from dse.ir.units import MatrixUnit, Unit

SHOWN = ("lut", "ff", "dsp", "bram18")
SEED = 0  # of the boosting
TILES = ("block_rows", "block_cols", "kept_rows", "kept_cols")


@dataclass(frozen=True, slots=True)
class Errors:
    """Median and 90th percentile of |predicted / actual - 1|."""

    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Row:
    """Errors on one group of records that no model has seen.

    Attributes:
        split: "10-fold", "other shapes" or "whole designs".
        group: kind of unit; "dense", "popcount" and "tiled" of matrix units; "all" of designs.
        resource: which.
        records: how many take any of the resource.
        ours: of `yosys-rtl`.
        coverage: share of the records inside its 90 % interval.
        analytic: of `analytic`.
        boosting: of gradient boosting on the numbers of a unit.
    """

    split: str
    group: str
    resource: str
    records: int
    ours: Errors
    coverage: float
    analytic: Errors
    boosting: Errors


def group_of(record: SweepRecord) -> str:
    """Return the group that a record of a unit is shown in."""
    unit = record.units[0]
    if not isinstance(unit, MatrixUnit):
        return kind_of(record)
    return "tiled" if unit.tiling is not None else "popcount" if unit.popcount else "dense"


def features(unit: Unit) -> list[float]:
    """Return what a regression without prior gets: logarithms of all numbers, and the styles."""
    tiling = getattr(unit, "tiling", None)
    tiles = [0] * len(TILES) if tiling is None else [getattr(tiling, n) for n in TILES]
    values = [getattr(unit, n) for n in unit.__dataclass_fields__ if n not in ("layer", "tiling")]
    styles = {"lutram": 1, "dsp": 1, "bram": 0, "lut": 0}
    return [float(np.log2(1 + styles.get(v, v))) for v in (*values, *tiles)]


Predict = Callable[[Unit, str], float]


def boosted(records: Sequence[SweepRecord]) -> Predict:
    """Return gradient boosting fitted to the logarithms of what units took."""
    models: dict[tuple[type, str], GradientBoostingRegressor] = {}
    for kind in {type(r.units[0]) for r in records}:
        group = [r for r in records if type(r.units[0]) is kind]
        x = [features(r.units[0]) for r in group]
        for resource in SHOWN:
            y = [np.log(r.actual[resource] + 0.5) for r in group]
            learner = GradientBoostingRegressor(n_estimators=150, max_depth=3, random_state=SEED)
            models[kind, resource] = learner.fit(x, y)

    def predict(unit: Unit, resource: str) -> float:
        found = models[type(unit), resource].predict([features(unit)])
        return float(np.exp(found[0]) - 0.5)

    return predict


def expected(model: CostModel) -> Predict:
    """Return what a cost model expects."""
    return lambda unit, resource: float(getattr(model.predict(unit).expected, resource))


def ends(model: CostModel, record: SweepRecord, resource: str) -> tuple[float, float, float]:
    """Return expected, low and high of all units of a record together, their errors being independent."""
    found = [model.predict(u) for u in record.units]
    low, mid, high = (
        np.array([float(getattr(getattr(p, end), resource)) for p in found])
        for end in ("low", "expected", "high")
    )
    total = float(mid.sum())
    return (
        total,
        total - float(np.linalg.norm(mid - low)),
        total + float(np.linalg.norm(high - mid)),
    )


def of_units(
    records: Sequence[SweepRecord],
    family: str,
    crossed: Mapping[tuple[str, str], Surprises],
) -> list[Row]:
    """Return the errors on units of the sweep, each asked of models that learned nine tenths without it.

    Args:
        records: of the sweep, of this family and others that it is like.
        family: "xc7" or "xcup".
        crossed: of `_learn_yosys.surprises`.
    """
    plain = expected(analytic.load(_device(family)))
    without: dict[str, Predict] = {}
    for known, out in left_out(records):
        learner = boosted([r for r in known if r.family == family])
        without |= {r.name: learner for r in out}
    rows = []
    own = [r for r in records if r.family == family]
    for group in dict.fromkeys(group_of(r) for r in sorted(own, key=kind_of)):
        kind = next(kind_of(r) for r in own if group_of(r) == group)
        for resource in LEARNED:
            found = crossed[kind, resource]
            asked = [r.family == family and group_of(r) == group for r in found.records]
            at = np.flatnonzero(asked)
            chosen = [found.records[i] for i in at]
            rows.append(
                Row(
                    split="10-fold",
                    group=group,
                    resource=resource,
                    records=len(chosen),
                    ours=_errors(np.abs(np.expm1(-found.error[at]))),
                    coverage=round(float(np.mean(found.inside(family)[at])), 3),
                    analytic=_of(chosen, resource, plain),
                    boosting=_errors(
                        [_wrong(r, resource, without[r.name]) for r in chosen],
                    ),
                )
            )
    return rows


def of_others(
    records: Sequence[SweepRecord], sweep: Sequence[SweepRecord], family: str, ours: CostModel
) -> list[Row]:
    """Return the errors on units of other layer shapes, and on whole designs.

    Args:
        records: of the splits "shapes" and "design".
        sweep: what was learned.
        family: "xc7" or "xcup".
        ours: the model that learned it.
    """
    plain = expected(analytic.load(_device(family)))
    without = boosted([r for r in sweep if r.family == family])
    rows = []
    groups: dict[tuple[str, str], list[SweepRecord]] = {}
    for r in records:
        if r.family == family:
            key = ("whole designs", "all") if r.split == "design" else ("other shapes", group_of(r))
            groups.setdefault(key, []).append(r)
    for (split, group), members in groups.items():
        for resource in SHOWN:
            used = [r for r in members if r.actual[resource]]
            if not used:
                continue
            inside = []
            for r in used:
                _, low, high = ends(ours, r, resource)
                inside.append(np.floor(low) <= r.actual[resource] <= np.ceil(high))
            rows.append(
                Row(
                    split=split,
                    group=group,
                    resource=resource,
                    records=len(used),
                    ours=_of(used, resource, expected(ours)),
                    coverage=round(float(np.mean(inside)), 3),
                    analytic=_of(used, resource, plain),
                    boosting=_of(used, resource, without),
                )
            )
    return rows


def shown(rows: Iterable[Row]) -> list[str]:
    """Return the lines of a table; errors in percent, median (90th percentile)."""
    head = f"{'':<14} {'units':<10} {'':<7} {'n':>4} {'yosys-rtl':>13} {'inside':>6}"
    lines = [f"{head} {'analytic':>13} {'boosting':>13}"]
    for r in rows:
        ours, plain, without = (
            f"{100 * e.median:5.1f} ({100 * e.p90:5.1f})" for e in (r.ours, r.analytic, r.boosting)
        )
        lines.append(
            f"{r.split:<14} {r.group:<10} {r.resource:<7} {r.records:>4} {ours:>13}"
            f" {100 * r.coverage:4.0f} % {plain:>13} {without:>13}"
        )
    return lines


def facts(rows: Iterable[Row]) -> dict[str, Any]:
    """Return what a model's file says about its held-out errors."""
    found: dict[str, Any] = {}
    for r in rows:
        found.setdefault(r.split, {}).setdefault(r.group, {})[r.resource] = {
            "records": r.records,
            "median_error": r.ours.median,
            "p90_error": r.ours.p90,
            "coverage": r.coverage,
        }
    return found


def _device(family: str) -> str:
    return next(device for device, name in FAMILIES.items() if name == family)


def _wrong(record: SweepRecord, resource: str, predict: Predict) -> float:
    total = sum(predict(u, resource) for u in record.units)
    return abs(total / record.actual[resource] - 1)


def _of(records: Sequence[SweepRecord], resource: str, predict: Predict) -> Errors:
    return _errors([_wrong(r, resource, predict) for r in records])


def _errors(sizes: Sequence[float] | Floats | npt.NDArray[Any]) -> Errors:
    median, p90 = np.quantile(np.asarray(sizes), (0.5, 0.9))
    return Errors(round(float(median), 4), round(float(p90), 4))
