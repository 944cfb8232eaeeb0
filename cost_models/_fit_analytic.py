"""Fit the factors and bands of `analytic.py` to a table of synthesised FINN modules.

Run `python -m cost_models._fit_analytic finn_submodules.csv.gz` where the table is at hand; it
writes `coefficients/analytic.json` and prints the held-out errors. Only fitted numbers are stored,
never the data.

Every factor is the maximum a posteriori estimate under squared log error (by reweighting), not
negative, drawn to FINN's own factor (flip-flops, which FINN does not model: to 1 a bit) with the
weight of one record. A band is the 5th and 95th percentile of actual / predicted on records of
networks that the fit had not seen, or wider percentiles where that covers less than 90 % of a
network that had no part in the band either.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression

from cost_models import _finn, _terms
from cost_models._model import Floats
from cost_models._stated import UNMEASURED, borrowed
from cost_models.analytic import FORMAT, decompose
from dse.ir.units import Fifo, MatrixUnit, SlidingWindowUnit, Unit

OUTPUT = Path(__file__).parent / "coefficients" / "analytic.json"
SOURCE = (
    "post-synthesis utilisation of FINN modules (ArthurEly/hara: hierarchical Vivado reports,"
    " xc7z020 and xc7a200t, 10 ns); prior: FINN-R and the FINN compiler's resource estimates"
)
NOTE = (
    "predicted = sum of factor * term (cost_models/_terms.py); band: of actual / predicted on"
    " networks not fitted, covering 90 % of a further network; `stated`: no record, assumed"
)
COVERAGE = 0.9
TAILS = (0.05, 0.04, 0.03, 0.02, 0.01, 0.0)
PRIOR_RECORDS = 1.0  # what the prior of a factor counts, in records
ROUNDS = 10  # of reweighting; after 5 the factors move by less than 1 %
PRIOR: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "matrix": {
        "lut": {"control": _finn.CONTROL_LUT, "input_select": 0.25}
        | dict.fromkeys(
            ("multiply", "tree", "popcount", "accumulate", "compare", "thresholds"),
            _finn.LUT_PER_TERM,
        ),
        "ff": {"control": 200.0},
    },
    "window": {"lut": {"control": _finn.CONTROL_LUT}, "ff": {"control": 60.0}},
    "fifo": {"lut": {"control": 10.0}, "ff": {"control": 6.0}},
}
"""Factors before any record; a term that is not named has 1."""

TILED = {"lut": ("gather", "index", "accumulators"), "ff": ("index", "output")}
"""Terms that FINN has not: no record, factor 1."""

Row = Mapping[str, str]
Factors = dict[str, float]


@dataclass(frozen=True)
class Record:
    """One synthesised module: the network it is from, the unit it is, what it took."""

    network: str
    unit: Unit
    actual: Mapping[str, float]  # resource -> count, BRAM in blocks of 18 Kb


def records(rows: Sequence[Row]) -> dict[str, list[Record]]:
    """Return the distinct configurations of every kind of unit; repeats become their median.

    Left out are RTL matrix units, windows in parallel, FIFOs of unknown size, and matrix units for
    which the part had too few DSPs, so that some products went to LUTs after all.
    """
    readers: dict[str, Callable[[Row], Unit | None]] = {
        "matrix": _matrix,
        "window": _window,
        "fifo": _fifo,
    }
    found: dict[str, list[Record]] = {}
    for kind, read in readers.items():
        same: dict[tuple[str, Unit], list[Row]] = {}
        for row in rows:
            unit = read(row)
            if unit is not None:
                same.setdefault((row["model_id"], unit), []).append(row)
        group = [Record(n, unit, _actual(repeats)) for (n, unit), repeats in same.items()]
        found[kind] = [r for r in group if r.actual["dsp"] >= float(decomposed(r.unit).dsp)]
    return found


def _actual(rows: Sequence[Row]) -> dict[str, float]:
    columns = {"lut": ("LUT", 1), "ff": ("FF", 1), "dsp": ("DSP", 1), "bram18": ("BRAM36", 2)}
    return {
        resource: scale * float(np.median([float(r[column]) for r in rows]))
        for resource, (column, scale) in columns.items()
    }


def _matrix(row: Row) -> MatrixUnit | None:
    if row["op_type"] != "MVAU_hls":
        return None
    styles = {"block": "bram", "distributed": "lutram"}
    chosen = "bram" if float(row["BRAM36"]) else "lutram"  # `auto`: what the tool made of it
    return MatrixUnit(
        layer="",
        mh=_number(row["MH"]),
        mw=_number(row["MW"]),
        vectors=int(np.prod(json.loads(row["numInputVectors"]))),
        pe=_number(row["PE"]),
        simd=_number(row["SIMD"]),
        weight_bits=_bits(row["weightDataType"]),
        input_bits=_bits(row["inputDataType"]),
        input_signed=not row["inputDataType"].startswith("UINT"),
        output_bits=0 if float(row["noActivation"]) else _bits(row["outputDataType"]),
        memory=styles.get(row["ram_style"], chosen),
        compute="lut" if row["resType"] == "lut" or not float(row["DSP"]) else "dsp",
    )


def _window(row: Row) -> SlidingWindowUnit | None:
    if row["base_name"] != "ConvolutionInputGenerator" or float(row["parallel_window"]):
        return None
    height, width = json.loads(row["IFMDim"])
    return SlidingWindowUnit(
        layer="",
        height=height,
        width=width,
        channels=_number(row["IFMChannels"]),
        kernel=json.loads(row["ConvKernelDim"])[0],
        stride=json.loads(row["Stride"])[0],
        padding=0,
        simd=_number(row["SIMD"]),
        bits=_bits(row["inputDataType"]),
    )


def _fifo(row: Row) -> Fifo | None:
    if row["base_name"] != "StreamingFIFO" or not row["inWidth"] or not row["depth"]:
        return None
    width = _bytes(_number(row["inWidth"]))
    if float(row["FF"]) > 2 * (16 + width):  # `inWidth` is of an element, and words have several
        return None
    return Fifo("", _number(row["depth"]), width)


def _number(text: str) -> int:
    return int(float(text))


def _bits(name: str) -> int:
    return 1 if name == "BINARY" else int(name.lstrip("UINT"))


def _bytes(bits: int) -> int:
    return -(-bits // 8) * 8


def decomposed(unit: Unit) -> _terms.Terms:
    """Return the terms of a unit as FINN builds it.

    FINN pads the words of weight memories to bytes, and keeps the window's rows in LUTs at any
    depth.
    """
    terms = decompose(unit)[1]
    if isinstance(unit, MatrixUnit):
        word = int(unit.pe * unit.simd * unit.weight_bits)
        lut = {**terms.lut, "weights": terms.lut["weights"] * _bytes(word) / word}
        blocks = _finn.bram18(_bytes(word), unit.depth) * (unit.memory == "bram")
        return replace(terms, lut=lut, bram18=blocks)
    if isinstance(unit, SlidingWindowUnit):
        depth = unit.width * (unit.channels // unit.simd)
        rows = (unit.kernel + unit.stride) * _finn.lut_memory(unit.simd * unit.bits, depth)
        return replace(terms, lut={**terms.lut, "buffer": rows})
    return terms


def fit(
    parts: Sequence[Mapping[str, Floats]], actual: Floats, prior: Mapping[str, float]
) -> Factors:
    """Return the factors of the terms for records with `parts` and what they `actual`ly took."""
    names = list(parts[0])
    centre = np.array([prior.get(n, 1.0) for n in names])
    terms = np.array([[float(p[n]) for n in names] for p in parts])
    pull = np.sqrt(PRIOR_RECORDS)
    model = LinearRegression(positive=True, fit_intercept=False)
    predicted = actual
    for _ in range(ROUNDS):
        scale = np.sqrt(actual * predicted)
        model.fit(
            np.vstack([terms * centre / scale[:, None], pull * np.eye(len(names))]),
            np.concatenate([actual / scale, np.full(len(names), pull)]),
        )
        predicted = terms @ (centre * model.coef_)
    return {n: float(f"{v:.4g}") for n, v in zip(names, centre * model.coef_, strict=True)}


def predict(parts: Sequence[Mapping[str, Floats]], factors: Mapping[str, float]) -> Floats:
    """Return the predictions of fitted factors."""
    return np.array([sum(factors[n] * float(v) for n, v in p.items()) for p in parts])


def held_out(
    parts: Sequence[Mapping[str, Floats]],
    actual: Floats,
    networks: Sequence[str],
    prior: Mapping[str, float],
) -> Floats:
    """Return actual / predicted of every record, by a fit that has not seen its network."""
    ratio = np.ones(len(actual))
    for network in sorted(set(networks)):
        out = np.array([n == network for n in networks])
        factors = fit([p for p, o in zip(parts, out, strict=True) if not o], actual[~out], prior)
        ratio[out] = actual[out] / predict(
            [p for p, o in zip(parts, out, strict=True) if o], factors
        )
    return ratio


def band(ratio: Floats, networks: Sequence[str], tail: float) -> tuple[float, float]:
    """Return the band of actual / predicted without its tails, every network counting alike."""
    count = Counter(networks)
    weight = np.array([1.0 / count[n] for n in networks])
    low, high = np.quantile(ratio, (tail, 1 - tail), weights=weight, method="inverted_cdf")
    return float(f"{min(low, 1.0):.3f}"), float(f"{max(high, 1.0):.3f}")


def coverage(ratio: Floats, networks: Sequence[str], tail: float) -> float:
    """Return the mean over networks of the share inside the band made of the other networks."""
    inside = []
    for network in sorted(set(networks)):
        out = np.array([n == network for n in networks])
        low, high = band(ratio[~out], [n for n in networks if n != network], tail)
        inside.append(np.mean((low <= ratio[out]) & (ratio[out] <= high)))
    return round(float(np.mean(inside)), 3)


def banded(ratio: Floats, networks: Sequence[str]) -> dict[str, Any]:
    """Return the narrowest of some bands that covers 90 % of the networks it was not made of."""
    for tail in TAILS:
        if coverage(ratio, networks, tail) >= COVERAGE:
            break
    return {
        "band": band(ratio, networks, tail),
        "records": len(ratio),
        "networks": len(set(networks)),
        "held_out_error": round(float(np.mean(np.abs(1 / ratio - 1))), 3),
        "held_out_coverage": coverage(ratio, networks, tail),
    }


def fitted(group: Sequence[Record], kind: str, resource: str) -> dict[str, Any]:
    """Return what `analytic.json` says about one resource of one kind of unit."""
    networks = [r.network for r in group]
    parts = [getattr(decomposed(r.unit), resource) for r in group]
    actual = np.array([r.actual[resource] for r in group])
    prior = PRIOR[kind][resource]
    ratio = held_out(parts, actual, networks, prior)
    plain = predict(parts, {n: prior.get(n, 1.0) for n in parts[0]})
    return {
        "factors": fit(parts, actual, prior),
        **banded(ratio, networks),
        "prior_error": round(float(np.mean(np.abs(plain / actual - 1))), 3),
    }


def counted(group: Sequence[Record], resource: str) -> dict[str, Any]:
    """Return the same for DSPs or block RAM, which are counted without factors."""
    blocks = np.array([float(getattr(decomposed(r.unit), resource)) for r in group])
    used = [r for r, n in zip(group, blocks, strict=True) if n]
    ratio = np.array([r.actual[resource] for r in used]) / blocks[blocks > 0]
    return banded(ratio, [r.network for r in used])


def main(table: Path) -> None:
    """Fit, and write the coefficients."""
    with gzip.open(table, "rt", encoding="utf-8") as file:
        found = records(list(csv.DictReader(file)))
    kinds: dict[str, dict[str, Any]] = {k: dict(v) for k, v in UNMEASURED.items()}
    for kind, group in found.items():
        for resource in ("lut", "ff"):
            kinds[kind][resource] = fitted(group, kind, resource)
    for resource in ("dsp", "bram18"):
        kinds["matrix"][resource] = counted(found["matrix"], resource)
    for resource, names in TILED.items():
        kinds["matrix"][resource]["factors"] |= dict.fromkeys(names, 1.0)
    kinds |= borrowed(kinds["matrix"])
    stored = {"format": FORMAT, "source": SOURCE, "note": NOTE, "kinds": kinds}
    OUTPUT.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    for kind, resources in kinds.items():
        for resource, value in resources.items():
            print(f"{kind:10}{resource:7}", {k: v for k, v in value.items() if k != "factors"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
