"""The front of a running search, kept up to date trial by trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dse.config.values import Objective
from dse.ir.record import TrialRecord
from dse.search.pareto import (
    MARGIN,
    Floats,
    exclusive,
    hypervolume,
    objective_matrix,
    objective_point,
)


class GrowingFront:
    """The feasible records that no other dominates, and the hypervolume they have gained.

    Adding a record compares it with the front only. The hypervolume is that of
    `dse.search.pareto.hypervolume_history` after its last record; it is computed when it is asked for.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        """Start with no record."""
        self._objectives = tuple(objectives)
        m = len(self._objectives)
        self._members: list[TrialRecord] = []
        self._points = np.empty((0, m))  # of the members
        self._low, self._high = np.full(m, np.inf), np.full(m, -np.inf)  # of all feasible records
        # every point that was on the front when it came, and how many trials had finished by then
        self._entered: list[tuple[int, Floats]] = []
        self._volume, self._counted = 0.0, 0  # of the first `_counted` of them

    def add(self, record: TrialRecord, finished: int) -> None:
        """Take up a feasible record, the `finished`th of the study."""
        point = objective_matrix((record,), self._objectives)[0]
        if np.any(point < self._low) or np.any(point > self._high):
            self._low, self._high = np.minimum(self._low, point), np.maximum(self._high, point)
            self._counted = 0  # another box: what was counted in the old one is void
        no_worse = np.all(self._points <= point, axis=1)
        if np.any(no_worse & np.any(self._points < point, axis=1)):
            return
        if not no_worse.any():  # an equal point stays beside the older one, but gains nothing
            self._entered.append((finished, point))
        kept = ~(np.all(self._points >= point, axis=1) & np.any(self._points > point, axis=1))
        self._members = [r for r, keep in zip(self._members, kept, strict=True) if keep]
        self._members.append(record)
        self._points = np.vstack([self._points[kept], point])

    def covers(self, metrics: Mapping[str, float]) -> bool:
        """Whether a member is no worse in any objective than these metrics, by key."""
        point = objective_point(metrics, self._objectives)
        return bool(np.any(np.all(self._points <= point, axis=1)))

    def __len__(self) -> int:
        return len(self._members)

    def records(self) -> tuple[TrialRecord, ...]:
        """Return the members, best first objective first."""
        order = sorted(
            range(len(self)), key=lambda i: (*self._points[i].tolist(), self._members[i].id)
        )
        return tuple(self._members[i] for i in order)

    def volume(self) -> float:
        """Return the share of the box of all feasible records that the front dominates."""
        points, reference = self._scaled(self._points)
        if not self._counted and points.size:
            self._volume = hypervolume(points, reference) / float(np.prod(reference))
        elif not self._counted:  # no record, or all of them equal
            self._volume = float(bool(self._entered))
        else:
            self._volume += sum(self._gain(i) for i in range(self._counted, len(self._entered)))
        self._counted = len(self._entered)
        return min(self._volume, 1.0)

    def gain(self, since: int) -> float:
        """Return how much the volume has grown since `since` trials had finished, in today's box."""
        first = len(self._entered)
        while first and self._entered[first - 1][0] > since:
            first -= 1
        return sum(self._gain(i) for i in range(first, len(self._entered)))

    def _gain(self, index: int) -> float:
        """Return what an entered point added to those before it."""
        points, reference = self._scaled(np.array([p for _, p in self._entered[: index + 1]]))
        if not points.shape[1]:
            return 1.0 if index == 0 else 0.0
        return exclusive(points[-1], points[:-1], reference) / float(np.prod(reference))

    def _scaled(self, points: Floats) -> tuple[Floats, Floats]:
        """Scale to the box; an objective without a range is left out."""
        span = self._high - self._low
        wide = span > 0
        scaled = (points - self._low)[:, wide] / span[wide]
        return scaled, np.full(int(wide.sum()), 1.0 + MARGIN)
