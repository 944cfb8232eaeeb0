"""What held-out records say about a model before and after it saw the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from cost_models._correction import Correction
from cost_models._learn import NORMAL, Records, learned, surprise
from cost_models._model import Floats

FOLDS = 10  # at most
LEAST = 3  # distinct records below which nothing can be held out and judged
PRIOR_SURPRISES = 20  # what the base model's interval counts, in records
LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors |predicted / actual - 1| over records, and the share of them inside the interval."""

    mean: float
    median: float
    p90: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was learned about one resource of one kind of unit.

    Attributes:
        kind: of unit, "matrix".
        resource: "lut".
        records: distinct configurations.
        before: of the base model, which saw none of the records.
        after: every record by a model that saw only other designs or configurations; None where
            there are too few records to hold any out.
        gain: mean fall of the error |log(predicted / actual)|.
        gain_error: its standard error.
        too_sure: whether clearly fewer of the records than 90 % lie inside the base's interval.
    """

    kind: str
    resource: str
    records: int
    before: Errors
    after: Errors | None
    gain: float = 0.0
    gain_error: float = 0.0
    too_sure: bool = False

    @property
    def improved(self) -> bool:
        """Whether the held-out records show an improvement: a gain above its standard error."""
        return self.after is not None and self.gain > self.gain_error

    @property
    def widened(self) -> bool:
        """Whether only the interval is mended: the base is kept, its errors are as they are."""
        return self.too_sure and not self.improved


def judged(
    kind: str,
    resource: str,
    base: Correction,
    before: tuple[Floats, npt.NDArray[np.bool_]],
    records: Records,
    designs: npt.NDArray[np.int64],
) -> tuple[Verdict, Correction, Correction]:
    """Learn, and judge by records left out.

    Args:
        kind: of unit.
        resource: which.
        base: what the base model knows.
        before: `(n,)` errors in the logarithm, and `(n,)` booleans inside the interval, of the base
            model.
        records: `n` distinct ones.
        designs: `(n,)` number of the design each is from; designs are held out whole.

    Returns:
        The verdict; the correction that learned from all records; and the base's own with the
        interval that the records ask for, its expected values being the same.
    """
    n = len(records)
    same = replace(base, reach=reach_of(base.reach, surprise(base, records)[1]))
    first = errors_of(before[0], float(np.mean(before[1])))
    if n < LEAST:
        return Verdict(kind, resource, n, first, None), learned(base, records, kind), same
    error, scaled = np.zeros(n), np.zeros(n)
    for out in left_out(designs):
        seen = learned(base, records[np.flatnonzero(~out)], kind)
        error[out], scaled[out] = surprise(seen, records[np.flatnonzero(out)])
    final = learned(base, records, kind)
    reach = reach_of(final.reach, scaled)
    fall = np.abs(before[0]) - np.abs(error)
    after = errors_of(error, float(np.mean(np.abs(scaled) <= reach)))
    verdict = Verdict(
        kind,
        resource,
        n,
        first,
        after,
        gain=float(fall.mean()),
        gain_error=float(fall.std(ddof=1) / np.sqrt(n)),
        too_sure=bool(first.coverage < LEVEL - np.sqrt(LEVEL * (1 - LEVEL) / n)),
    )
    return verdict, replace(final, reach=reach), same


def left_out(designs: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield masks of what to leave out, up to FOLDS; single records where there are few designs."""
    groups = designs if len(np.unique(designs)) >= LEAST else np.arange(len(designs))
    numbers = np.unique(groups, return_inverse=True)[1]
    for fold in range(min(FOLDS, numbers.max() + 1)):
        yield numbers % FOLDS == fold


def reach_of(base: float, scaled: Floats) -> float:
    """Return how many deviations the 90 % interval spans (split conformal prediction).

    Few records cannot tell; so the base model's interval counts as PRIOR_SURPRISES normal records.

    Args:
        base: reach of the base model.
        scaled: `(n,)` held-out errors in deviations.

    References:
        V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", Springer 2005:
        the quantile of rank ceil((n + 1) * level).
    """
    normal = NormalDist()
    steps = (np.arange(PRIOR_SURPRISES) + 0.5) / PRIOR_SURPRISES
    usual = np.array([normal.inv_cdf(0.5 + s / 2) for s in steps]) * base / NORMAL
    sizes = np.sort(np.concatenate([usual, np.abs(scaled)]))
    rank = int(np.ceil((len(sizes) + 1) * LEVEL))
    return float(sizes[min(rank, len(sizes)) - 1])


def errors_of(error: Floats, coverage: float) -> Errors:
    """Return the errors of predictions whose logarithm is too small by `error`."""
    size = np.abs(np.expm1(-error))
    return Errors(
        float(size.mean()), float(np.median(size)), float(np.quantile(size, LEVEL)), coverage
    )
