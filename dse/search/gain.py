"""How much of the hypervolume a compression is expected to add, before it is trained.

Accuracy is unknown, everything else is exact. So the objectives without accuracy span a box, and at
every place of the box the front is worth something: the accuracy of the best of the designs that are
nowhere worse there, or whether one of them holds the limit that accuracy has (`dse.search.worth`). A
compression can raise it wherever one of its foldings is nowhere worse, by what it is worth more. The
expected hypervolume improvement is the mean over the box of the expected excess: exact in accuracy,
sampled evenly over the rest.

Reference:
    M. Emmerich, K. Giannakoglou, B. Naujoks, "Single- and Multiobjective Evolutionary Optimization
    Assisted by Gaussian Random Field Metamodels", IEEE TEC 10(4), 2006 (expected improvement of the
    hypervolume).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PLACES = 1024


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


def best_worth(places: Floats, points: Floats, worths: Floats, floor: float) -> Floats:
    """Return `(s,)`: the most that a point that is nowhere worse than a place is worth, at least `floor`."""
    reached = np.all(points[None] <= places[:, None], axis=2)
    return np.asarray(np.where(reached, worths, floor).max(axis=1, initial=floor))


def expected_gain(values: Floats, odds: Floats, reach: Sequence[Bools], best: Floats) -> Floats:
    """Return `(n,)` expected gains, as worth times the share of the box.

    Args:
        values: `(q, n)` what n compressions may be worth (`dse.search.worth`).
        odds: `(q, n)` how likely each of it is.
        reach: for each of them the `(s,)` places that its foldings cover.
        best: `(s,)` worth of the front.
    """
    gains = [
        float(odds[:, i] @ np.maximum(values[:, i, None] - best[places], 0.0).sum(axis=1))
        for i, places in enumerate(reach)
    ]
    return np.array(gains) / len(best)


def gains_at(worths: Floats, reach: Sequence[Bools], best: Floats) -> Floats:
    """Return `(n,)` gains of compressions that are worth so much."""
    gains = [
        float(np.maximum(worth - best[places], 0.0).sum())
        for worth, places in zip(worths.tolist(), reach, strict=True)
    ]
    return np.array(gains) / len(best)
