"""How much of the hypervolume a compression is expected to add, before it is trained.

Accuracy is unknown, everything else is exact. So the objectives without accuracy span a box, and at
every place of the box the front has an accuracy: the best of the designs that are nowhere worse there.
A compression can raise it wherever one of its foldings is nowhere worse, by what its accuracy exceeds
it. The expected hypervolume improvement is the mean over the box of the expected excess: exact in
accuracy, sampled evenly over the rest.

Reference:
    M. Emmerich, K. Giannakoglou, B. Naujoks, "Single- and Multiobjective Evolutionary Optimization
    Assisted by Gaussian Random Field Metamodels", IEEE TEC 10(4), 2006 (expected improvement of the
    hypervolume).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dse.search.accuracy_model import Forecast

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PLACES = 1024
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)  # of the normal distribution


def spread_places(axes: int, count: int = PLACES) -> Floats:
    """Return `(count, axes)` places spread evenly over the unit box.

    Additive recurrence with the roots of x^(axes + 1) = x + 1 (M. Roberts, "The unreasonable
    effectiveness of quasirandom sequences", 2018).
    """
    root = 2.0
    for _ in range(50):
        root = (1 + root) ** (1 / (axes + 1))
    steps = root ** -np.arange(1.0, axes + 1)
    return np.asarray((0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0)


def covered(places: Floats, points: Floats) -> Bools:
    """Return at which of the `(s, k)` places one of the `(n, k)` points is nowhere worse (smaller is better)."""
    return np.asarray(np.all(points[None] <= places[:, None], axis=2).any(axis=1))


def best_accuracy(places: Floats, points: Floats, accuracies: Floats, floor: float) -> Floats:
    """Return `(s,)`: the best accuracy of the points that are nowhere worse than a place, at least `floor`."""
    reached = np.all(points[None] <= places[:, None], axis=2)
    return np.asarray(np.where(reached, accuracies, floor).max(axis=1, initial=floor))


def expected_gain(forecast: Forecast, reach: Sequence[Bools], best: Floats) -> Floats:
    """Return `(n,)` expected gains, as accuracy times the share of the box.

    Args:
        forecast: of n compressions.
        reach: for each of them the `(s,)` places that its foldings cover.
        best: `(s,)` accuracy of the front.
    """
    accuracies = np.stack([forecast.at(node) for node in NODES])  # (nodes, n)
    shares = WEIGHTS / WEIGHTS.sum()
    gains = [
        float(shares @ np.maximum(accuracies[:, i, None] - best[places], 0.0).sum(axis=1))
        for i, places in enumerate(reach)
    ]
    return np.array(gains) / len(best)


def gains_at(accuracies: Floats, reach: Sequence[Bools], best: Floats) -> Floats:
    """Return `(n,)` gains of compressions that have these accuracies."""
    gains = [
        float(np.maximum(a - best[places], 0.0).sum())
        for a, places in zip(accuracies.tolist(), reach, strict=True)
    ]
    return np.array(gains) / len(best)
