"""Whole designs: sums of units, with intervals, of networks that were left out.

A design is one build of the module table: its matrix units, window units and those FIFOs whose
size the table states. Converters and other FIFOs have no parameters there, and no model can price
units without any; they are in neither sum. Builds that ran out of DSPs are left out.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cost_models import _fit_analytic
from cost_models._correction import Correction
from cost_models._fit_analytic import Record
from cost_models._model import Floats
from cost_models._prior import Priced, priced
from cost_models._process import Numbers

OTHERS = ("window", "fifo")
RANKED = 16  # designs that are put in order
DRAWS = 20
Ends = tuple[Floats, Floats, Floats]


@dataclass(frozen=True)
class Design:
    """A build: rows of its units in the records of their kind, and what they took together."""

    network: str
    rows: Mapping[str, tuple[int, ...]]
    actual: Mapping[str, float]

    @property
    def matrix(self) -> Numbers:
        """Rows of its matrix units."""
        return np.array(self.rows["matrix"])


def designs_of(table: Path, found: Mapping[str, Sequence[Record]]) -> list[Design]:
    """Return the distinct builds of a table; `found` are its records, as `_fit_finn.modules` says."""
    row_of = {
        kind: {(r.network, r.unit): i for i, r in enumerate(group)} for kind, group in found.items()
    }
    readers: dict[str, tuple[str, Callable[[Mapping[str, str]], object]]] = {
        "MVAU": ("matrix", _fit_analytic._matrix),
        "ConvolutionInputGenerator": ("window", _fit_analytic._window),
        "StreamingFIFO": ("fifo", _fit_analytic._fifo),
    }
    units: dict[tuple[str, ...], dict[str, list[int]]] = {}
    taken: dict[tuple[str, ...], dict[str, float]] = {}
    starved = set()
    with gzip.open(table, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            kind, read = readers.get(row["base_name"], ("", lambda _: None))
            unit = read(row)
            if unit is None:
                continue
            build = (row["model_id"], row["session"], row["run_name"])
            number = row_of[kind].get((row["model_id"], unit))  # type: ignore[arg-type]
            if number is None:
                starved.add(build)
                continue
            units.setdefault(build, {}).setdefault(kind, []).append(number)
            sums = taken.setdefault(build, dict.fromkeys(("lut", "ff", "dsp", "bram18"), 0.0))
            columns = {"lut": "LUT", "ff": "FF"}
            if kind == "matrix":
                columns |= {"dsp": "DSP", "bram18": "BRAM36"}
            for resource, column in columns.items():
                sums[resource] += float(row[column]) * (2 if resource == "bram18" else 1)
    distinct = {
        (build[0], tuple((k, tuple(sorted(v))) for k, v in sorted(rows.items()))): build
        for build, rows in units.items()
        if build not in starved and "matrix" in rows
    }
    return [
        Design(network, dict(rows), taken[build]) for (network, rows), build in distinct.items()
    ]


def other_ends(
    found: Mapping[str, Sequence[Record]], network: str, resource: str
) -> dict[str, Ends]:
    """Return kind -> ends of windows and FIFOs, by factors and bands that know only other networks."""
    result = {}
    for kind in OTHERS:
        parts = [getattr(_fit_analytic.decomposed(r.unit), resource) for r in found[kind]]
        actual = np.array([r.actual[resource] for r in found[kind]])
        names = [r.network for r in found[kind]]
        own = np.array([n == network for n in names])
        kept = [p for p, o in zip(parts, own, strict=True) if not o]
        seen = [n for n in names if n != network]
        start = _fit_analytic.PRIOR[kind][resource]
        factors = _fit_analytic.fit(kept, actual[~own], start)
        ratio = _fit_analytic.held_out(kept, actual[~own], seen, start)
        low, high = _fit_analytic.banded(ratio, seen)["band"]
        expected = _fit_analytic.predict(parts, factors)
        result[kind] = (expected, expected * low, expected * high)
    return result


def matrix_ends(model: Correction, units: Sequence[Priced], resource: str) -> Ends:
    """Return expected, low and high of matrix units."""
    ends = [model.ends(u, resource) for u in units]
    expected, low, high = (np.array([float(e[i]) for e in ends]) for i in range(3))
    return expected, low, high


def matrix_units(group: Sequence[Record], kinds: Mapping[str, object]) -> list[Priced]:
    """Return matrix units as the prior of a fold sees them."""
    return [priced(r.unit, "finn", kinds) for r in group]


def summed(designs: Sequence[Design], ends: Mapping[str, Ends]) -> Floats:
    """Return `(designs, 3)`: the ends of units added up."""
    return np.array(
        [
            [
                sum(ends[k][end][list(rows)].sum() for k, rows in d.rows.items() if k in ends)
                for end in range(3)
            ]
            for d in designs
        ]
    )


def ranks(guess: Floats, truth: Floats) -> float:
    """Return the mean rank correlation of some designs at a time."""
    found = []
    for seed in range(DRAWS):
        drawn = np.random.default_rng(seed).permutation(len(truth))[:RANKED]
        order = [v[drawn].argsort().argsort() for v in (guess, truth)]
        found.append(np.asarray(np.corrcoef(order))[0, 1])
    return float(np.mean(found))
