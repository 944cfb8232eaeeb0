"""What the cost model is measured against: FINN's formula, and regressions with and without the prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cost_models import _finn, _fit_analytic
from cost_models._axes import AXES
from cost_models._fit_analytic import Record
from cost_models._learn import Records
from cost_models._model import Floats
from cost_models._process import Numbers
from dse.ir.units import MatrixUnit, Unit

Learner = Callable[[], object]
LEARNERS: Mapping[str, Learner] = {
    "ridge": lambda: make_pipeline(StandardScaler(), Ridge(1.0)),
    "boosting": lambda: GradientBoostingRegressor(n_estimators=150, max_depth=3, random_state=0),
}


def features(unit: Unit) -> list[float]:
    """What a regression gets: the axes of our model; of matrix units also sizes and bits, in logarithms."""
    axes = [float(v) for v in AXES[type(unit)](unit).values()]
    if not isinstance(unit, MatrixUnit):
        return axes
    numbers = (unit.mh, unit.mw, unit.weight_bits, unit.input_bits, 1 + unit.output_bits)
    return [*axes, *(float(np.log2(n)) for n in numbers)]


def finn_formula(record: Record, resource: str) -> float:
    """FINN's own estimate; it has none for flip-flops. Of windows and FIFOs: our terms, its factors."""
    u = record.unit
    if not isinstance(u, MatrixUnit):
        if resource == "ff":
            return float("nan")
        kind = type(u).__name__.replace("SlidingWindowUnit", "window").lower()
        terms = getattr(_fit_analytic.decomposed(u), resource)
        start = _fit_analytic.PRIOR[kind][resource]
        return float(sum(start.get(n, 1.0) * float(v) for n, v in terms.items()))
    if resource == "lut":
        lut = u.compute == "lut"
        acc = _finn.mvau_acc_bits(u.mw, u.weight_bits, u.input_bits, input_signed=u.input_signed)
        terms = _finn.mvau_lut(
            u.pe, u.simd, u.weight_bits, u.input_bits, acc, u.output_bits, u.mh // u.pe, u.depth,
            lut_multipliers=lut, lut_weights=u.memory == "lutram",
        )  # fmt: skip
        return float(terms.total)
    if resource == "dsp":
        on = u.compute == "dsp"
        return on * float(_finn.mvau_dsp(u.pe, u.simd, u.weight_bits, u.input_bits))
    if resource == "bram18":
        blocks = _finn.bram18(u.pe * u.simd * u.weight_bits, u.depth)
        return float(blocks) * (u.memory == "bram")
    return float("nan")


def plain(
    group: Sequence[Record], resource: str, train: Numbers, test: Numbers, learner: Learner
) -> Floats:
    """Return what a regression of log(actual) on features, without prior, predicts."""
    x = np.array([features(r.unit) for r in group])
    y = np.log(np.maximum([r.actual[resource] for r in group], 0.5))
    model = learner()
    model.fit(x[train], y[train])  # type: ignore[attr-defined]
    predicted: Floats = np.exp(model.predict(x[test]))  # type: ignore[attr-defined]
    return predicted


def on_prior(known: Records, asked: Records, learner: Learner) -> Floats:
    """Return the logarithm of actual / prior that another learner in our model's place predicts."""
    model = learner()
    model.fit(np.hstack([known.place, known.share]), known.ratio)  # type: ignore[attr-defined]
    found: Floats = model.predict(np.hstack([asked.place, asked.share]))  # type: ignore[attr-defined]
    return found
