"""Fit `coefficients/yosys-rtl-*.json` to the sweep of Verilog units through yosys.

Run `python -m cost_models._fit_yosys`; the records are in `calibration_data/yosys-rtl.jsonl`. Units of the split
"sweep" are learned, of both families at once for xcup: there the records of xc7 are those of another target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cost_models import _fit_analytic, _sweep, _terms_rtl, learned
from cost_models._axes import axis_names
from cost_models._correction import Correction
from cost_models._fit_kernel import fitted
from cost_models._learn import NORMAL, Records, records_of
from cost_models._prior import VERILOG, priced
from cost_models._process import Kernel, Points, Process
from cost_models._sweep import SweepRecord
from cost_models.analytic import KINDS

FAMILIES = {"7series": "xc7", "ultrascale+": "xcup"}  # Board.family -> of yosys
LEARNED = ("lut", "ff")
COUNTED = ("dsp", "bram18", "uram")
FOLDS = 10
COVERAGE = 0.9
LENGTH = 3.0  # steps of an axis over which a local effect changes, before any record says
START = Kernel(
    lengths=np.zeros(0), local=0.02, shares=0.05, target=1e-3, target_shares=1e-3, noise=0.002
)
LEAST = 1.0  # a record counts as at least so many LUTs or flip-flops


def kind_of(record: SweepRecord) -> str:
    """Return the kind of a unit's record, as in `analytic.json`."""
    return KINDS[type(record.units[0])][0]


def factors(records: Sequence[SweepRecord]) -> dict[str, dict[str, Any]]:
    """Return what `LearnedModel.own` is: factors of the terms of every kind, fitted to records of one family."""
    found: dict[str, dict[str, Any]] = {}
    for kind, terms in _terms_rtl.TERMS.items():
        group = [r for r in records if kind_of(r) == kind]
        parts = [terms(r.units[0]) for r in group]
        found[kind] = {"terms": VERILOG, **{r: {"band": [1.0, 1.0]} for r in COUNTED}}
        for resource in LEARNED:
            actual = np.array([max(r.actual[resource], LEAST) for r in group])
            fitted_to = _fit_analytic.fit([getattr(p, resource) for p in parts], actual, {})
            found[kind][resource] = {"factors": fitted_to, "band": [0.5, 2.0]}
    return found


def to_learn(group: Sequence[SweepRecord], resource: str, kinds: Mapping[str, Any]) -> Records:
    """Return what there is to learn from records of one kind."""
    units = [priced(r.units[0], "dse", kinds) for r in group]
    return records_of(units, resource, np.array([max(r.actual[resource], LEAST) for r in group]))


def fit(
    records: Sequence[SweepRecord], kind: str, resource: str, kinds: Mapping[str, Any], family: str
) -> Correction:
    """Learn the correction of a resource of a kind of units.

    Args:
        records: of `family`, and of others that it is like.
        kind: as in `analytic.json`.
        resource: one of LEARNED.
        kinds: of `factors`.
        family: "xc7" or "xcup": what is going to be predicted.
    """
    group = [r for r in records if kind_of(r) == kind]
    found = to_learn(group, resource, kinds)
    targets = tuple(sorted({r.family for r in group} | {family}))
    points = Points(found.place, found.share, np.array([targets.index(r.family) for r in group]))
    axes, terms = axis_names(kind), tuple(kinds[kind][resource]["factors"])
    start = replace(START, lengths=np.full(len(axes), LENGTH))
    kernel = fitted(start, points, found.ratio)
    noise = np.full(len(found), kernel.noise)
    process = Process(kernel, points, found.ratio, noise, targets.index(family))
    return Correction(process, axes, terms, targets, NORMAL)


def main() -> None:
    """Fit, print what held-out records say, and write the models."""
    records = _sweep.read()
    for family, name in FAMILIES.items():
        names = ("xc7",) if name == "xc7" else ("xc7", name)
        own = [r for n in names for r in _sweep.chosen(records, n, "sweep")]
        kinds = factors(own)
        corrections = {
            kind: {r: fit(own, kind, r, kinds, name) for r in LEARNED} for kind in _terms_rtl.TERMS
        }
        model = learned.LearnedModel(
            family=family,
            name="yosys-rtl",
            builder="dse",
            facts={
                "tool": "yosys",
                "tool_version": ", ".join(sorted({r.tool.removeprefix("yosys ") for r in own})),
                "part": name,
                "stage": "synth",
                "records": len(own),
                "data_digest": digest(own),
            },
            corrections=corrections,
            own=kinds,
        )
        path = _sweep.TABLE.parents[1] / "coefficients" / learned.FILES["yosys-rtl"][family]
        path.write_text(learned.dumps(model), encoding="utf-8")


def digest(records: Iterable[SweepRecord]) -> str:
    """Hash of records."""
    lines = "\n".join(sorted(r.to_line() for r in records))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
