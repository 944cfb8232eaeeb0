"""Fit `coefficients/vivado-finn.json` to a table of synthesised FINN modules.

Run `python -m cost_models._fit_finn finn_submodules.csv.gz` where the table is at hand. Stored are
fitted variances, and means of neighbouring records, never the records.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cost_models import _fit_analytic, analytic, learned
from cost_models._condense import condensed
from cost_models._correction import Correction
from cost_models._fit_analytic import Record
from cost_models._fit_kernel import fitted
from cost_models._learn import Records, blank, records_of, surprise
from cost_models._learn import learned as learned_from
from cost_models._model import Floats
from cost_models._prior import priced, prior
from cost_models._process import Points, Process

OUTPUT = Path(__file__).parent / "coefficients" / "vivado-finn.json"
FAMILY = analytic.URAM_FAMILIES[0]  # any: the factors are the same
KIND = "matrix"
RESOURCES = ("lut", "ff")  # DSPs and block RAM are counted right by the prior
CLUSTERS = 0.4  # per record
COVERAGE = 0.9
KNOWN = (3, 6, 12, 25, 50)  # records of a network that are given to see how the others lie
ASKED = 0.7  # of a network's records that are given at most
DRAWS = 8  # random choices of them
FACTS: Mapping[str, Any] = {
    "tool": "vivado",
    "tool_version": "not recorded in the source",
    "part": "xc7z020clg400-1 or xc7a200tsbg484-1 (not recorded per module)",
    "clock_ns": 10.0,
    "source": "post-synthesis utilisation of FINN modules, from hierarchical Vivado reports"
    " (github.com/ArthurEly/hara); only fitted numbers are stored",
}


@dataclass(frozen=True)
class Fold:
    """Records of networks that were learned, and those of one network that was not."""

    network: str
    correction: Correction
    records: Records
    rows: Sequence[int]  # which records of the table


def modules(table: Path) -> dict[str, list[Record]]:
    """Return the distinct units of the table by kind."""
    with gzip.open(table, "rt", encoding="utf-8") as file:
        return _fit_analytic.records(list(csv.DictReader(file)))


def factors(group: Sequence[Record], resource: str) -> dict[str, Any]:
    """Return the analytic factors that a group of records alone would give."""
    kinds = {k: dict(v) for k, v in prior(FAMILY).kinds.items()}
    terms = [getattr(_fit_analytic.decomposed(r.unit), resource) for r in group]
    actual = np.array([r.actual[resource] for r in group])
    found = _fit_analytic.fit(terms, actual, _fit_analytic.PRIOR[KIND][resource])
    stored = kinds[KIND][resource]
    kinds[KIND][resource] = {**stored, "factors": {**stored["factors"], **found}}
    return kinds


def to_learn(group: Sequence[Record], resource: str, kinds: Mapping[str, Any]) -> Records:
    """Return what there is to learn from a group of records."""
    units = [priced(r.unit, "finn", kinds) for r in group]
    return records_of(units, resource, np.array([r.actual[resource] for r in group]))


def fit(group: Sequence[Record], resource: str, kinds: Mapping[str, Any]) -> Correction:
    """Learn the correction of a resource from records of several networks."""
    found = to_learn(group, resource, kinds)
    networks = sorted({r.network for r in group})
    target = np.array([networks.index(r.network) for r in group])
    points = Points(found.place, found.share, target)
    empty = blank(KIND, resource)
    kernel = fitted(empty.process.kernel, points, found.ratio)
    process = Process(kernel, *condensed(points, found.ratio, kernel, CLUSTERS))
    return replace(empty, process=process, targets=tuple(networks))


def folds(group: Sequence[Record], resource: str, left_out: Sequence[set[str]]) -> Iterator[Fold]:
    """Learn from all networks but some, in turn; the analytic factors too have not seen them."""
    for networks in left_out:
        seen = [r for r in group if r.network not in networks]
        kinds = factors(seen, resource)
        correction = fit(seen, resource, kinds)
        for network in sorted(networks):
            rows = [i for i, r in enumerate(group) if r.network == network]
            records = to_learn([group[i] for i in rows], resource, kinds)
            yield Fold(network, correction, records, rows)


def one_out(group: Sequence[Record]) -> list[set[str]]:
    """Return every network alone."""
    return [{n} for n in sorted({r.network for r in group})]


def bits_out(group: Sequence[Record]) -> list[set[str]]:
    """Return the networks of each activation width, "W4" and the like: a width not seen before."""
    names = sorted({r.network for r in group})
    return [{n for n in names if n[-2:] == end} for end in sorted({n[-2:] for n in names})]


def reach(surprises: Sequence[Floats]) -> float:
    """Return the deviations that hold 90 % of held-out records, every network counting alike."""
    size = np.abs(np.concatenate(surprises))
    weight = np.concatenate([np.full(len(s), 1 / len(s)) for s in surprises])
    return float(np.quantile(size, COVERAGE, weights=weight, method="inverted_cdf"))


def tried(held: Sequence[Fold]) -> dict[int, dict[str, Floats]]:
    """Return number of records -> network -> surprises of its others once so many were learned."""
    found: dict[int, dict[str, Floats]] = {n: {} for n in KNOWN}
    for fold in held:
        size = len(fold.records)
        for count in (n for n in KNOWN if n <= ASKED * size):
            surprises = []
            for seed in range(DRAWS):
                drawn = np.random.default_rng(seed).permutation(size)
                after = learned_from(fold.correction, fold.records[drawn[:count]], fold.network)
                surprises.append(surprise(after, fold.records[drawn[count:]])[1])
            found[count][fold.network] = np.concatenate(surprises)
    return found


def reach_known(
    trials: Mapping[int, Mapping[str, Floats]], without: str = ""
) -> tuple[tuple[int, float], ...]:
    """Return `Correction.reach_known` as all networks but one say."""
    kept = {n: [s for k, s in found.items() if k != without] for n, found in trials.items()}
    return tuple((n, reach(s)) for n, s in kept.items() if s)


def crossed(held: Sequence[Fold]) -> list[Fold]:
    """Give every fold the reaches that the other networks say: none judges its own interval."""
    scaled = {f.network: surprise(f.correction, f.records)[1] for f in held}
    trials = tried(held)
    return [
        replace(
            fold,
            correction=replace(
                fold.correction,
                reach=reach([s for n, s in scaled.items() if n != fold.network]),
                reach_known=reach_known(trials, fold.network),
            ),
        )
        for fold in held
    ]


def summary(held: Sequence[Fold]) -> dict[str, float]:
    """Return error and coverage on networks left out, every network counting alike."""
    errors, inside = [], []
    for fold in crossed(held):
        error, scaled = surprise(fold.correction, fold.records)
        errors.append(np.abs(np.expm1(-error)))
        inside.append(float(np.mean(np.abs(scaled) <= fold.correction.reach)))
    return {
        "mean_error": round(float(np.mean([e.mean() for e in errors])), 3),
        "median_error": round(float(np.mean([np.median(e) for e in errors])), 3),
        "coverage": round(float(np.mean(inside)), 3),
    }


def main(table: Path) -> None:
    """Fit, print what the held-out networks say, and write the model."""
    group = modules(table)[KIND]
    corrections, held_out = {}, {}
    for resource in RESOURCES:
        network = list(folds(group, resource, one_out(group)))
        width = list(folds(group, resource, bits_out(group)))
        surprises = [surprise(f.correction, f.records)[1] for f in (*network, *width)]
        reached = reach(surprises)
        correction = fit(group, resource, prior(FAMILY).kinds)
        known = reach_known(tried(network))
        corrections[resource] = replace(correction, reach=reached, reach_known=known)
        held_out[resource] = {
            "network": summary(network),
            "activation_width": summary(width),
        }
        print(resource, f"reach {reached:.2f}", known, held_out[resource])
    digest = hashlib.sha256(table.read_bytes()).hexdigest()[:16]
    model = learned.LearnedModel(
        family=FAMILY,
        name=learned.SHIPPED,
        builder="finn",
        facts={
            **FACTS,
            "data_digest": digest,
            "records": len(group),
            "networks": sorted({r.network for r in group}),
            "held_out": held_out,
        },
        corrections={KIND: corrections},
    )
    OUTPUT.write_text(learned.dumps(model), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
