"""The true front of a tabulated space, and what a search has of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from search_tables import Row, compressions

from dse.ir.record import TrialRecord
from dse.search.offers import others
from dse.search.pareto import MARGIN, hypervolume, non_dominated, objective_point
from dse.search.score import metrics_of, violations
from dse.search.space import CYCLES, PREFERENCE, PREFERENCES, Range
from dse.search.study import Plan

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Truth:
    """All of a space.

    Attributes:
        table: trainings by compression digest.
        foldings: by compression digest the `(n, 2)` objectives without accuracy of its best foldings.
        low: `(3,)` best value of every objective on the true front; accuracy is the last.
        span: `(3,)` from there to the worst.
        volume: of the true front.
        designs: that were priced.
        front: designs on the true front.
    """

    table: dict[str, Row]
    foldings: dict[str, Floats]
    low: Floats
    span: Floats
    volume: float
    designs: int
    front: int

    def fraction(self, points: Floats) -> float:
        """Return the share of the true hypervolume that `(n, 3)` points dominate."""
        scaled = (points - self.low) / self.span
        return hypervolume(scaled, np.full(3, 1 + MARGIN)) / self.volume

    @property
    def training_seconds(self) -> float:
        """Of a training to the end, on a machine that did nothing else."""
        return float(
            np.quantile([r.short_seconds + r.full_seconds for r in self.table.values()], 0.1)
        )

    def of_compression(self, digest: str) -> Floats:
        """Return the `(n, 3)` points of a compression in all its foldings."""
        points = self.foldings[digest]
        return np.column_stack([points, np.full(len(points), -self.table[digest].accuracy)])


def point(p: Plan, record: TrialRecord) -> Floats:
    """Return the `(3,)` point of a trained record."""
    return np.append(objective_point(record.metrics, others(p)), -record.metrics["accuracy"])


def enumerate_truth(p: Plan, table: dict[str, Row]) -> Truth:
    """Price every folding that the space can express of every compression.

    A folding changes only where a cycle target passes the cycles of some option, so all targets
    that differ are tried, each with all preferences.
    """
    foldings: dict[str, Floats] = {}
    designs = 0
    target = next(k for k in p.space.knobs if k.name == CYCLES)
    assert isinstance(target, Range)
    for digest, (chosen, built) in compressions(p.space).items():
        folder = p.space.folder(built)
        cycles = np.unique(np.concatenate([o.cycles for o in folder.options]))
        wanted = np.unique(np.clip(cycles, target.low, target.high))
        found = {folder.solve(float(c), q) for c in wanted for q in PREFERENCES}
        first = folder.solve(float(wanted[-1]), 0.5)
        values = chosen | {CYCLES: float(wanted[-1]), PREFERENCE: 0.5}
        assert p.space.decode(values) == first, "the search would build something else"
        points = []
        for design in found:
            hardware = p.hardware(design)
            metrics = metrics_of(hardware, p.config.board)
            if all(v <= 0 for v in violations(p.constraints, metrics, hardware).values()):
                points.append(objective_point(metrics, others(p)))
        designs += len(found)
        kept = np.array(points).reshape(-1, 2)
        foldings[digest] = kept[non_dominated(kept)]
    every = np.concatenate(
        [np.column_stack([f, np.full(len(f), -table[d].accuracy)]) for d, f in foldings.items()]
    )
    best = every[non_dominated(every)]
    low, span = best.min(axis=0), np.ptp(best, axis=0)
    volume = hypervolume((best - low) / span, np.full(3, 1 + MARGIN))
    return Truth(table, foldings, low, span, volume, designs, len(best))
