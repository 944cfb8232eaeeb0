"""A Gaussian process over units: what `log(actual / prior)` is likely to be, and how sure we are.

The correction of a unit has four parts, all normal around 0:

* weights of the prior's terms, common to all targets: `share . w`. A term that no record tested
  keeps a wide weight, so the interval of a unit made of it is wide;
* a smooth local effect of where the unit lies among its like, with a rational quadratic covariance:
  a squared exponential of many lengths at once;
* an offset of the target (one network, tool version or part), again with weights of the terms:
  this is what a few reports of a new target pin down;
* noise.

References:
    C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006,
    algorithm 2.1 (posterior by Cholesky), equation 4.19 with alpha = 1 (rational quadratic) and
    section 5.4 (evidence).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cost_models._model import Floats

Numbers = npt.NDArray[np.int64]
NEW = -1  # a target of which there is no record


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Variances of the parts of a correction, and how far local effects reach.

    Attributes:
        lengths: `(axes,)` distance over which the local effect changes.
        local: variance of the local effect.
        shares: variance of a term's weight, common to all targets.
        target: variance of a target's offset.
        target_shares: variance of a target's own weight of a term.
        noise: variance of a record.
        own: factor on both target variances for the target that is predicted: how unlike the other
            targets it is.
    """

    lengths: Floats
    local: float
    shares: float
    target: float
    target_shares: float
    noise: float
    own: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Units as the process sees them.

    Attributes:
        place: `(n, axes)`.
        share: `(n, terms)`.
        target: `(n,)` numbers of targets.
    """

    place: Floats
    share: Floats
    target: Numbers

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | Numbers) -> Points:
        return Points(self.place[chosen], self.share[chosen], self.target[chosen])

    def of(self, target: int) -> Points:
        """Return the same units as built for another target."""
        return Points(self.place, self.share, np.full(len(self), target))

    @staticmethod
    def joined(first: Points, second: Points) -> Points:
        """Return the points of both."""
        return Points(
            np.concatenate([first.place, second.place]),
            np.concatenate([first.share, second.share]),
            np.concatenate([first.target, second.target]),
        )


def covariance(kernel: Kernel, a: Points, b: Points, predicted: int) -> Floats:
    """Return the `(len(a), len(b))` covariances of corrections, without noise.

    `predicted` is the target whose variances `kernel.own` scales.
    """
    x, y = a.place / kernel.lengths, b.place / kernel.lengths
    distance = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
    alike = a.share @ b.share.T
    own = np.where(a.target == predicted, kernel.own, 1.0)[:, None]
    same = own * (a.target[:, None] == b.target)
    result: Floats = (
        kernel.local / (1 + np.maximum(distance, 0.0) / 2)
        + kernel.shares * alike
        + same * (kernel.target + kernel.target_shares * alike)
    )
    return result


@dataclass(frozen=True, eq=False)
class Process:
    """A Gaussian process that knows some corrections.

    Attributes:
        kernel: its covariance.
        points: `n` units that were measured; none is allowed.
        values: `(n,)` their `log(actual / prior)`.
        noise: `(n,)` variances of the values.
        predicted: the target that is predicted; NEW where none of the points is of it.
    """

    kernel: Kernel
    points: Points
    values: Floats
    noise: Floats
    predicted: int = NEW

    @cached_property
    def _solved(self) -> tuple[Floats, Floats]:
        """The inverse of the Cholesky factor, and the weights of the points."""
        k = covariance(self.kernel, self.points, self.points, self.predicted)
        factor = np.linalg.cholesky(k + np.diag(self.noise))
        inverse = np.linalg.inv(factor)
        return inverse, inverse.T @ (inverse @ self.values)

    def at(self, place: Floats, share: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the corrections of `m` new units.

        Args:
            place: `(m, axes)`.
            share: `(m, terms)`.

        Returns:
            Two arrays `(m,)`; the deviation includes the noise of a record.
        """
        k = self.kernel
        weight = k.shares + k.own * k.target_shares
        variance = k.local + k.own * k.target + k.noise + weight * (share**2).sum(axis=1)
        if not len(self.points):
            return np.zeros(len(place)), np.sqrt(variance)
        inverse, weights = self._solved
        cross = self._cross(place, share)
        half = inverse @ cross
        known = np.einsum("nm,nm->m", half, half)
        return weights @ cross, np.sqrt(np.maximum(variance - known, k.noise))

    def _cross(self, place: Floats, share: Floats) -> Floats:
        """Return `(n, m)` as `covariance` of the points and new units would, in fewer passes.

        1 + distance / 2 is one product of matrices, weighted shares are another.
        """
        left, right = self._factors
        y = place / self.kernel.lengths
        ones = np.ones(len(y))
        result: Floats = left @ np.stack([*y.T, (y**2).sum(axis=1) / 2, ones])
        np.divide(self.kernel.local, result, out=result)
        result += right @ np.stack([*share.T, ones])
        return result

    @cached_property
    def _factors(self) -> tuple[Floats, Floats]:
        """What the points bring to `_cross`: `(n, axes + 2)` and `(n, terms + 1)`."""
        k = self.kernel
        x = self.points.place / k.lengths
        ones = np.ones((len(x), 1))
        same = (self.points.target == self.predicted)[:, None] * k.own
        left = np.hstack([-x, ones, 1 + (x**2).sum(axis=1, keepdims=True) / 2])
        shares = (k.shares + same * k.target_shares) * self.points.share
        return left, np.hstack([shares, same * k.target])

    def evidence(self, added: Points, values: Floats) -> float:
        """Return the log probability that the process gives to new records of the predicted target.

        Args:
            added: `n` units.
            values: `(n,)` their corrections.
        """
        own = added.of(self.predicted)
        k = covariance(self.kernel, own, own, self.predicted)
        residual = values
        if len(self.points):
            inverse, weights = self._solved
            cross = covariance(self.kernel, self.points, own, self.predicted)
            half = inverse @ cross
            k, residual = k - half.T @ half, values - weights @ cross
        factor = np.linalg.cholesky(k + self.kernel.noise * np.eye(len(added)))
        scaled = np.linalg.solve(factor, residual)
        return float(
            -0.5 * scaled @ scaled
            - np.log(np.diag(factor)).sum()
            - 0.5 * len(added) * np.log(2 * np.pi)
        )
