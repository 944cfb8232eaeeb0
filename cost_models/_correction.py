"""What synthesis reports say about the analytic prediction of one resource of one kind of unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cost_models._model import Floats
from cost_models._prior import Priced
from cost_models._process import NEW, Kernel, Points, Process

DIGITS = 5  # significant, of stored numbers


@dataclass(frozen=True, eq=False)
class Correction:
    """A correction `exp(mean)` with a 90 % interval `exp(mean +- reach * deviation)`.

    Attributes:
        process: predicts `log(actual / prior)`.
        axes: names of the axes of a place.
        terms: names of the terms of a share.
        targets: names of the targets, by number.
        reach: deviations that held 90 % of held-out records (normal: 1.645).
        reach_known: pairs of a number and the reach that held 90 % of records of a target of which
            so many others were known, ascending; empty where nobody tried.
    """

    process: Process
    axes: tuple[str, ...]
    terms: tuple[str, ...]
    targets: tuple[str, ...]
    reach: float
    reach_known: tuple[tuple[int, float], ...] = ()

    def reach_after(self, records: int) -> float:
        """Return the reach once so many records of the predicted target were learned."""
        if not self.reach_known:
            return self.reach
        counts, reaches = zip(*self.reach_known, strict=True)
        return float(np.interp(np.log(records), np.log(counts), reaches))

    def ends(self, unit: Priced, resource: str) -> tuple[Floats, Floats, Floats]:
        """Return expected, low and high of one resource, each of the unit's shape."""
        total = unit.totals[resource]
        place = unit.place.reshape(-1, len(self.axes))
        share = unit.shares[resource].reshape(-1, len(self.terms))
        mean, deviation = (v.reshape(total.shape) for v in self.process.at(place, share))
        return (
            total * np.exp(mean),
            total * np.exp(mean - self.reach * deviation),
            total * np.exp(mean + self.reach * deviation),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` is the inverse up to DIGITS digits."""
        p = self.process
        kernel = {
            **asdict(p.kernel),
            "lengths": dict(zip(self.axes, p.kernel.lengths, strict=True)),
        }
        rows = np.column_stack([p.values, p.noise, p.points.place, p.points.share])
        return {
            "kernel": {k: _short(v) for k, v in kernel.items()},
            "reach": _short(self.reach),
            "reach_known": [[n, _short(r)] for n, r in self.reach_known],
            "targets": list(self.targets),
            "predicted": None if p.predicted == NEW else p.predicted,
            "columns": ["target", "log_ratio", "noise", *self.axes, *self.terms],
            "support": [
                [int(t), *(_short(v) for v in row)]
                for t, row in zip(p.points.target, rows, strict=True)
            ],
        }

    @staticmethod
    def from_json(
        value: Mapping[str, Any], axes: Sequence[str], terms: Sequence[str]
    ) -> Correction:
        """Rebuild a correction; its columns may be in any order.

        Raises:
            ValueError: its columns are not the axes and terms of this version.
        """
        columns = ["target", "log_ratio", "noise", *axes, *terms]
        split = 3 + len(axes)
        given, needed = (_told_apart(list(c), split) for c in (value["columns"], columns))
        if sorted(given) != sorted(needed):
            msg = f"columns {', '.join(value['columns'])} where {', '.join(columns)} are needed"
            raise ValueError(msg)
        rows = np.array(value["support"], dtype=np.float64).reshape(-1, len(columns))
        rows = rows[:, [given.index(c) for c in needed]]
        points = Points(rows[:, 3:split], rows[:, split:], rows[:, 0].astype(np.int64))
        lengths = np.array([float(value["kernel"]["lengths"][a]) for a in axes])
        kernel = Kernel(**{**value["kernel"], "lengths": lengths})
        predicted = NEW if value["predicted"] is None else int(value["predicted"])
        return Correction(
            process=Process(kernel, points, rows[:, 1], rows[:, 2], predicted),
            axes=tuple(axes),
            terms=tuple(terms),
            targets=tuple(value["targets"]),
            reach=float(value["reach"]),
            reach_known=tuple((int(n), float(r)) for n, r in value.get("reach_known", ())),
        )


def _told_apart(columns: list[str], split: int) -> list[tuple[bool, str]]:
    """Tell axes from terms of the same name: those stand before column `split`."""
    return [(i >= split, c) for i, c in enumerate(columns)]


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _short(v) for k, v in value.items()}
    return float(f"{float(value):.{DIGITS}g}")
