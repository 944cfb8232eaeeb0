"""Many records as fewer that stand for them: means of neighbours of one target."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from cost_models._model import Floats
from cost_models._process import Kernel, Numbers, Points

SEED = 0  # of the clustering: the same records give the same means


def condensed(
    points: Points, values: Floats, kernel: Kernel, share: float
) -> tuple[Points, Floats, Floats]:
    """Return the means of clusters of records.

    Args:
        points: `n` units.
        values: `(n,)` their corrections.
        kernel: says what is near.
        share: clusters per record of a target, 0..1.

    Returns:
        `m` points, their `(m,)` values, and the `(m,)` variances of those: that of a mean, the
        spread of the cluster being noise too.
    """
    found: list[tuple[Points, float, float]] = []
    for target in np.unique(points.target):
        own = np.flatnonzero(points.target == target)
        scaled = np.column_stack(
            [points.place[own] / kernel.lengths, points.share[own] / np.sqrt(kernel.shares)]
        )
        count = max(1, round(share * len(own)))
        means = KMeans(count, n_init=2, random_state=SEED).fit(scaled)
        labels = _without_singles(means.labels_, means.transform(scaled))
        for label in np.unique(labels):
            part = own[labels == label]
            mean = Points(
                points.place[part].mean(axis=0, keepdims=True),
                points.share[part].mean(axis=0, keepdims=True),
                np.array([target]),
            )
            spread = kernel.noise + float(np.var(values[part]))
            found.append((mean, float(values[part].mean()), spread / len(part)))
    joined = Points(
        np.concatenate([p.place for p, _, _ in found]),
        np.concatenate([p.share for p, _, _ in found]),
        np.concatenate([p.target for p, _, _ in found]),
    )
    return joined, np.array([v for _, v, _ in found]), np.array([s for _, _, s in found])


def _without_singles(labels: Numbers, distances: Floats) -> Numbers:
    """Give members of clusters of one to their next nearest: a mean must not be a record.

    Args:
        labels: `(n,)` cluster of every record.
        distances: `(n, clusters)` from the centres.
    """
    single = np.flatnonzero(np.bincount(labels)[labels] == 1)
    kept = np.bincount(labels, minlength=distances.shape[1]) > 1
    result = labels.copy()
    if kept.any():
        result[single] = np.where(kept, distances[single], np.inf).argmin(axis=1)
    return result
