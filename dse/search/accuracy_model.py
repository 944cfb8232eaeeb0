"""What accuracy an untrained compression is likely to reach, learnt from those that were trained.

A Gaussian process over the features of a compression. Its covariance is that of a linear model plus
that of a smooth local effect (rational quadratic: a squared exponential of many lengths at once) plus
noise. It sees accuracy as its number of correct bits, -log(error): half the error is as much near 90 %
as near 99 %. Its few settings are those of a grid with the largest evidence; the spread is widened
where it was too narrow for the trained compressions themselves, each left out in turn.

References:
    C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006:
    algorithm 2.1 (posterior), section 5.4.1 (evidence), section 5.4.2 (leaving one out).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dse.ir.record import Prediction

Floats = npt.NDArray[np.float64]

LEAST_ERROR = 0.005  # an accuracy of 1 on some hundred images is no accuracy of 1
INTERVAL = (
    1.645  # standard deviations to either end of a 90 % interval; 95 % lie below its upper end
)
LENGTHS = (0.15, 0.3, 0.6)  # root mean square distance of features over which local effects change
LINEAR = (0.2, 0.6, 0.9)  # share of the linear part in the variance
NOISE = (0.01, 0.05, 0.2)  # variance of the noise, in units of the rest
SLOPES = (
    10.0  # the linear part varies as much over the usual range of the features as the local one
)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Predictions of n compressions, on the scale of the model.

    Attributes:
        mean: `(n,)`.
        std: `(n,)`.
    """

    mean: Floats
    std: Floats

    def at(self, deviations: float) -> Floats:
        """Return the `(n,)` accuracies that lie so many standard deviations above the expected."""
        return _accuracy(self.mean + deviations * self.std)

    def __getitem__(self, i: int) -> Prediction:
        low, middle, high = (float(self.at(d)[i]) for d in (-INTERVAL, 0.0, INTERVAL))
        return Prediction(middle, low, high)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the covariance looks like: one of a grid."""

    length: float
    linear: float
    noise: float


SETTINGS = tuple(Setting(*values) for values in itertools.product(LENGTHS, LINEAR, NOISE))


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyModel:
    """Fitted to trained compressions; `fit` makes one."""

    x: Floats
    centre: float
    scale: float
    setting: Setting
    factor: Floats  # inverse of the Cholesky factor of the covariance
    weights: Floats
    widened: float

    @staticmethod
    def fit(
        x: Floats, accuracies: Sequence[float], settings: Sequence[Setting] = SETTINGS
    ) -> AccuracyModel:
        """Fit to `(n, d)` features and n accuracies, n at least 2, by the best of the settings."""
        y = bits(np.asarray(accuracies, dtype=np.float64))
        centre, scale = float(y.mean()), float(y.std()) or 1.0
        y = (y - centre) / scale
        best: tuple[float, Setting, Floats, Floats] | None = None
        for setting in settings:
            covariance = _covariance(x, x, setting) + setting.noise * np.eye(len(x))
            factor = np.linalg.inv(np.linalg.cholesky(covariance))
            whitened = factor @ y
            # with the best common variance, log evidence = -n/2 log(y' K^-1 y / n) - log|K| / 2 + const
            evidence = float(
                np.log(np.diag(factor)).sum()
                - len(x) / 2 * np.log(whitened @ whitened / len(x) + 1e-12)
            )
            if best is None or evidence > best[0]:
                best = evidence, setting, factor, whitened
        assert best is not None
        _, setting, factor, whitened = best
        weights = factor.T @ whitened
        precision = (factor * factor).sum(axis=0)
        left_out = weights / np.sqrt(precision)  # residual over its predicted deviation
        widened = float(np.sqrt(np.mean(left_out**2)))
        return AccuracyModel(x, centre, scale, setting, factor, weights, widened)

    def predict(self, x: Floats) -> Forecast:
        """Predict `(n, d)` features: what a training would measure, its noise included."""
        across = _covariance(x, self.x, self.setting)
        mean = across @ self.weights
        explained = ((across @ self.factor.T) ** 2).sum(axis=1)
        own = _variance(x, self.setting) + self.setting.noise
        std = np.sqrt(np.maximum(own - explained, 0.0)) * self.widened
        return Forecast(self.centre + self.scale * mean, self.scale * std)


def _covariance(a: Floats, b: Floats, s: Setting) -> Floats:
    """Return the `(n, m)` covariance of the noiseless values."""
    squares = (a * a).mean(axis=1)[:, None] + (b * b).mean(axis=1) - 2 * a @ b.T / a.shape[1]
    local = 1 / (1 + np.maximum(squares, 0.0) / (2 * s.length**2))
    linear = 1 + _centred(a) @ _centred(b).T / a.shape[1] * SLOPES
    return np.asarray(s.linear * linear + (1 - s.linear) * local)


def _variance(a: Floats, s: Setting) -> Floats:
    linear = 1 + (_centred(a) ** 2).mean(axis=1) * SLOPES
    return np.asarray(s.linear * linear + 1 - s.linear)


def _centred(a: Floats) -> Floats:
    return a - 0.5


def bits(accuracy: Floats) -> Floats:
    """Return accuracies as numbers of correct bits."""
    return np.asarray(-np.log(1 - accuracy + LEAST_ERROR))


def _accuracy(bits: Floats) -> Floats:
    return np.asarray(np.clip(1 + LEAST_ERROR - np.exp(-bits), 0.0, 1.0))
