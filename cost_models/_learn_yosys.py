"""What the sweep of Verilog units through yosys teaches: factors of the terms, and corrections of their sum.

For xcup the records of xc7 are learned, too, as those of another target: what is common to both families is
known from many more of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression

from cost_models import _terms_rtl, learned
from cost_models._axes import axis_names
from cost_models._correction import Correction
from cost_models._fit_kernel import fitted
from cost_models._learn import NORMAL, Records, records_of, surprise
from cost_models._model import Floats
from cost_models._prior import BLOCKS, VERILOG, priced
from cost_models._process import Kernel, Numbers, Points, Process
from cost_models._sweep import SweepRecord
from cost_models._terms import ZERO, Terms
from cost_models.analytic import KINDS

FAMILIES = {"7series": "xc7", "ultrascale+": "xcup"}  # Board.family -> of yosys
LEARNED = ("lut", "ff")
COUNTED = ("dsp", "bram18", "uram")
FOLDS = 10
COVERAGE = 0.9
ROUNDS = 5
# of factors to 1, in records: flip-flops follow from the Verilog, LUTs also from what the tool makes of it
PULL = {"lut": 0.03, "ff": 0.1}
ENOUGH = 20  # records of a family that say alone how far its intervals reach
LEAST_REACH = 0.5  # an interval is no point, even where every record was foretold
LEAST = 1.0  # a record counts as at least so many LUTs or flip-flops
LENGTH = 3.0  # steps of an axis over which a local effect changes, before any record says
BITS = ("bits", "width_bits")  # axes along which it does not change: more bits never cost less
ENDLESS = 1e3
START = Kernel(
    lengths=np.zeros(0), local=0.02, shares=0.05, target=1e-3, target_shares=1e-3, noise=0.002
)


def kind_of(record: SweepRecord) -> str:
    """Return the kind of a unit's record, as in `analytic.json`."""
    return KINDS[type(record.units[0])][0]


def factors(records: Sequence[SweepRecord]) -> dict[str, dict[str, Any]]:
    """Return what `LearnedModel.own` is: factors of the terms of every kind that has records."""
    found: dict[str, dict[str, Any]] = {}
    for kind, terms in _terms_rtl.TERMS.items():
        group = [r for r in records if kind_of(r) == kind]
        parts = [terms(r.units[0]) for r in group]
        found[kind] = {"terms": VERILOG, **{r: {"band": band(group, parts, r)} for r in COUNTED}}
        for resource in LEARNED:
            columns = [getattr(p, resource) for p in parts]
            names = tuple(dict.fromkeys(n for c in columns for n in c))  # tiled units have more
            every = np.array([[float(c.get(n, ZERO)) for n in names] for c in columns])
            weights = _weights(every, _actual(group, resource), PULL[resource])
            found[kind][resource] = {"factors": dict(zip(names, weights, strict=True))}
    return found


def _weights(terms: Floats, actual: Floats, pull: float) -> list[float]:
    """Return factors of least relative error, not negative, pulled to 1.

    An error is relative to the geometric mean of both sides, so that twice and half are alike.

    Args:
        terms: `(n, terms)`.
        actual: `(n,)` what units took.
        pull: what the 1 of a factor counts, in records.
    """
    count = terms.shape[1]
    model = LinearRegression(positive=True, fit_intercept=False)
    predicted = actual
    for _ in range(ROUNDS):
        scale = np.sqrt(actual * predicted)
        model.fit(
            np.vstack([terms / scale[:, None], np.sqrt(pull) * np.eye(count)]),
            np.concatenate([actual / scale, np.full(count, np.sqrt(pull))]),
        )
        predicted = np.maximum(terms @ model.coef_, LEAST)
    return [float(f"{w:.4g}") for w in model.coef_]


def band(group: Sequence[SweepRecord], parts: Sequence[Terms], resource: str) -> list[float]:
    """Return the range of actual / counted blocks that holds 90 % of the records that have any."""
    pairs = [
        (r.actual.get(resource, 0.0), float(getattr(p, resource)))
        for r, p in zip(group, parts, strict=True)
    ]
    ratios = [actual / counted for actual, counted in pairs if counted]
    if not ratios:
        return [1.0, 1.0]
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(ratios, (tail, 1 - tail), method="inverted_cdf")
    return [round(min(float(low), 1.0), 3), round(max(float(high), 1.0), 3)]


def learn(
    records: Sequence[SweepRecord], kind: str, resource: str, kinds: Mapping[str, Any], family: str
) -> Correction:
    """Learn the correction of a resource of a kind of units.

    Args:
        records: of `family`, and of others that it is like.
        kind: as in `analytic.json`.
        resource: which.
        kinds: of `factors`.
        family: "xc7" or "xcup": what is going to be predicted.
    """
    group = [r for r in records if kind_of(r) == kind]
    found = to_learn(group, resource, kinds)
    targets = tuple(sorted({r.family for r in records}))
    points = Points(found.place, found.share, np.array([targets.index(r.family) for r in group]))
    axes, terms = axis_names(kind), tuple(kinds[kind][resource].get("factors", BLOCKS))
    lengths = np.array([ENDLESS if name in BITS else LENGTH for name in axes])
    kernel = fitted(replace(START, lengths=lengths), points, found.ratio)
    noise = np.full(len(found), kernel.noise)
    process = Process(kernel, points, found.ratio, noise, targets.index(family))
    return Correction(process, axes, terms, targets, NORMAL)


def to_learn(group: Sequence[SweepRecord], resource: str, kinds: Mapping[str, Any]) -> Records:
    """Return what there is to learn from records of one kind."""
    units = [priced(r.units[0], "dse", kinds) for r in group]
    return records_of(units, resource, _actual(group, resource))


def _actual(group: Sequence[SweepRecord], resource: str) -> Floats:
    return np.array([max(r.actual[resource], LEAST) for r in group])


def left_out(
    records: Sequence[SweepRecord],
) -> Iterator[tuple[list[SweepRecord], list[SweepRecord]]]:
    """Yield (learned, left out): every unit is left out once, in all families at once."""
    names = sorted({r.name for r in records})
    order = np.random.default_rng(0).permutation(len(names))
    for fold in range(FOLDS):
        out = {names[i] for i in order[fold::FOLDS]}
        yield [r for r in records if r.name not in out], [r for r in records if r.name in out]


@dataclass(frozen=True, slots=True)
class Surprises:
    """What models that had not seen them said about records of one kind and resource.

    Attributes:
        records: `n`, of all families.
        error: `(n,)` log(actual / predicted).
        scaled: `(n,)` the same in deviations of the prediction.
        fold: `(n,)` which of the FOLDS left it out.
    """

    records: tuple[SweepRecord, ...]
    error: Floats
    scaled: Floats
    fold: Numbers

    def reach(self, family: str, without: int | None = None) -> float:
        """Return the deviations that hold 90 % of the records of a family.

        Split conformal (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", Springer
        2005): of n sorted errors the one of rank ceil((n + 1) * 0.9). Where the family has fewer than ENOUGH
        records, those of other families count as the missing ones.

        Args:
            family: "xc7" or "xcup".
            without: a fold whose records do not count: none judges its own interval.
        """
        counts = self.fold != without
        own = np.array([r.family == family for r in self.records]) & counts
        others = ~own & counts
        missing = max(ENOUGH - int(own.sum()), 0)
        weight = own + others * (missing / max(int(others.sum()), 1))
        total = float(weight.sum())
        level = min(COVERAGE * (total + 1) / total, 1.0)
        sizes = np.abs(self.scaled)
        found = np.quantile(
            sizes[weight > 0], level, weights=weight[weight > 0], method="inverted_cdf"
        )
        return max(float(found), LEAST_REACH)

    def inside(self, family: str) -> npt.NDArray[np.bool_]:
        """`(n,)` whether each lies in an interval that the other folds gave its reach."""
        reaches = np.array([self.reach(family, f) for f in range(FOLDS)])
        return np.asarray(np.abs(self.scaled) <= reaches[self.fold])


def surprises(records: Sequence[SweepRecord]) -> dict[tuple[str, str], Surprises]:
    """Return what models say about records that they have not seen, by kind and resource.

    Every record is asked about as of its own family, of models that learned all families at once.
    """
    rows: dict[tuple[str, str], list[tuple[SweepRecord, float, float, int]]] = {}
    for fold, (known, out) in enumerate(left_out(records)):
        kinds = factors(known)
        for kind, resource in product(kinds, LEARNED):
            learned_by = learn(known, kind, resource, kinds, known[0].family)
            for target, family in enumerate(learned_by.targets):
                group = [r for r in out if kind_of(r) == kind and r.family == family]
                if group:
                    process = replace(learned_by.process, predicted=target)
                    asked = to_learn(group, resource, kinds)
                    error, scaled = surprise(replace(learned_by, process=process), asked)
                    rows.setdefault((kind, resource), []).extend(
                        (r, float(e), float(s), fold)
                        for r, e, s in zip(group, error, scaled, strict=True)
                    )
    return {
        key: Surprises(
            records=tuple(r[0] for r in found),
            error=np.array([r[1] for r in found]),
            scaled=np.array([r[2] for r in found]),
            fold=np.array([r[3] for r in found]),
        )
        for key, found in rows.items()
    }


def model(
    records: Sequence[SweepRecord], family: str, reaches: Mapping[tuple[str, str], float]
) -> learned.LearnedModel:
    """Return the model of a family, without what it says about itself.

    Args:
        records: of the sweep, of this family and others that it is like.
        family: `Board.family`.
        reaches: (kind, resource) -> deviations of a 90 % interval; a normal variable's where there is none.
    """
    kinds = factors(records)
    corrections = {
        kind: {
            r: replace(
                learn(records, kind, r, kinds, FAMILIES[family]),
                reach=reaches.get((kind, r), NORMAL),
            )
            for r in LEARNED
        }
        for kind in kinds
    }
    return learned.LearnedModel(family, "yosys-rtl", "dse", {}, corrections, kinds)
