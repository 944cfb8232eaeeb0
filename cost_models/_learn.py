"""Learning a correction from records, and what new records of a target do to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from cost_models._axes import axis_names
from cost_models._condense import condensed
from cost_models._correction import Correction
from cost_models._model import Floats
from cost_models._prior import BLOCKS, Priced, term_names
from cost_models._process import NEW, Kernel, Numbers, Points, Process

NORMAL = 1.645  # deviations that hold 90 % of a normal variable
SHARES = 0.1  # FINN-R's factors, fitted on other units, are off by this (sd 0.3) and more
OWN = (1.0, 4.0, 16.0, 64.0)  # how many times as unlike the others a new target may be
NOISE = (1.0, 4.0, 16.0)  # how many times as noisy its records may be
DOUBT = 0.2  # half the inverse variance of log(OWN) and log(NOISE) before any record: sd 1.6
SUPPORT = 300  # records of a target that are kept one by one


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Measured units of one kind as one resource of them is learned.

    Attributes:
        place: `(n, axes)`.
        share: `(n, terms)`.
        ratio: `(n,)` logarithms of actual / prior.
    """

    place: Floats
    share: Floats
    ratio: Floats

    def __len__(self) -> int:
        return len(self.ratio)

    def __getitem__(self, chosen: Numbers) -> Records:
        return Records(self.place[chosen], self.share[chosen], self.ratio[chosen])

    def points(self, target: int) -> Points:
        """Return the units as built for a target."""
        return Points(self.place, self.share, np.full(len(self), target))


def records_of(units: Sequence[Priced], resource: str, actual: Floats) -> Records:
    """Return what there is to learn from single units that took `actual` of a resource.

    Counted blocks are compared with half a block on either side, so that none at all is a number.
    All units need a prior that is not 0.
    """
    totals = np.array([float(u.totals[resource]) for u in units])
    half = 0.5 if units[0].shares[resource].shape[-1] == len(BLOCKS) else 0.0
    return Records(
        np.stack([u.place for u in units]),
        np.stack([u.shares[resource] for u in units]),
        np.log((actual + half) / (totals + half)),
    )


def blank(kind: str, resource: str) -> Correction:
    """Return the correction of a resource of which nothing was learned: 1, and not sure.

    Lengths and variances are those that FINN's matrix units were found to have, rounded.
    """
    axes, terms = axis_names(kind), term_names(kind, resource)
    kernel = Kernel(
        lengths=np.full(len(axes), 3.0),
        local=0.02,
        shares=SHARES,
        target=0.005,
        target_shares=0.01,
        noise=0.001,
    )
    none = Points(np.zeros((0, len(axes))), np.zeros((0, len(terms))), np.zeros(0, dtype=np.int64))
    process = Process(kernel, none, np.zeros(0), np.zeros(0))
    return Correction(process, axes, terms, (), NORMAL)


def learned(correction: Correction, records: Records, target: str) -> Correction:
    """Return what a correction becomes by records of the target that is to be predicted.

    How unlike the other targets it is, and how noisy, is what makes its records most probable.

    Args:
        correction: of the base model; if that was calibrated, the target goes on being the same.
        records: of the target.
        target: its name, where the correction has none yet.
    """
    old = correction.process
    known = old.predicted != NEW
    number = old.predicted if known else len(correction.targets)
    points, values = records.points(number), records.ratio

    def tried(own: float, noise: float) -> tuple[float, Process]:
        kernel = replace(old.kernel, own=old.kernel.own * own, noise=old.kernel.noise * noise)
        process = replace(old, kernel=kernel, predicted=number)
        doubt = DOUBT * (np.log(own) ** 2 + np.log(noise) ** 2)
        return process.evidence(points, values) - doubt, process

    _, best = max((tried(*scales) for scales in product(OWN, NOISE)), key=lambda t: t[0])
    noise = np.full(len(records), best.kernel.noise)
    if len(records) > SUPPORT:
        points, values, noise = condensed(points, values, best.kernel, SUPPORT / len(records))
    process = replace(
        best,
        points=Points.joined(old.points, points),
        values=np.concatenate([old.values, values]),
        noise=np.concatenate([old.noise, noise]),
    )
    targets = correction.targets if known else (*correction.targets, target)
    reach = correction.reach_after(len(records))
    return replace(correction, process=process, targets=targets, reach=reach, reach_known=())


def surprise(correction: Correction, records: Records) -> tuple[Floats, Floats]:
    """Return `(n,)` errors in the logarithm, and the same in deviations of the prediction."""
    mean, deviation = correction.process.at(records.place, records.share)
    error = records.ratio - mean
    return error, error / deviation
