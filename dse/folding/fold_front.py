"""The whole Pareto front of foldings: cycles between frames against LUTs, block RAM and DSPs.

Targets are taken up one by one, fastest first. For each, labels (see `dse.folding.labels`) go along
the chain: those at the output widths of a layer, plus what joins two layers, plus the options of
the next. Labels that cannot end within the limits, and labels that others beat however the chain
goes on, are dropped: both lose nothing, so the front is exact. Where more than `most` labels stand
side by side, they are thinned, and the front says what that may have cost (`Front.slack`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dse.folding.dominance import Array, minima
from dse.folding.fold import Folder
from dse.folding.fold_gap import LUT_SHARE, proven_slack
from dse.folding.labels import ROUNDING, Cuts, Labels
from dse.folding.prices import Floats
from dse.folding.route import route, useful, whole
from dse.folding.steps import UNIT, Move, Step
from dse.folding.walk import picked, walk
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, Board, Resources

MOST = 1000  # labels that stand side by side before they are thinned
NOTHING = Resources()
TRADED = tuple(RESOURCES.index(r) for r in ("lut", "bram18", "dsp"))
FITTING = (
    *TRADED,
    *(RESOURCES.index(r) for r in ("ff", "uram")),
)  # not traded, but they have to fit


@dataclass(frozen=True, eq=False)
class Front:
    """Foldings of which none is better in everything, fastest first.

    P points of L layers. A folding is worse only if another one needs no more cycles, LUTs, BRAM18
    and DSPs, and less of one of them. All resources are as the folder's cost model prices them.

    Attributes:
        folder: solver whose options `entry` and `style` refer to.
        cycles: `(P,)` between frames.
        resources: `(P, 5)` of `RESOURCES`.
        entry: `(P, L)` rows of the layers' options.
        style: `(P, L)` rows of their styles.
        slack: no folding within the limits less `slack` was missed by more than it: the front has
            one that is no slower, and needs at most so many BRAM18 and DSPs more. All zero where
            nothing was thinned: then the front is exact.
        lut_share: and at most so much more LUTs, as a share.
    """

    folder: Folder
    cycles: Array
    resources: Floats
    entry: Array
    style: Array
    slack: Resources
    lut_share: float

    def __len__(self) -> int:
        return len(self.cycles)

    @property
    def exact(self) -> bool:
        """Whether every point of the true front is here."""
        return self.slack == NOTHING and not self.lut_share

    def design(self, point: int) -> DesignPoint:
        """Return a point as a design."""
        return self.folder.design(self.entry[point], self.style[point])


def usable(board: Board, reserve: Resources = NOTHING) -> Resources:
    """Return what a design may use of a board: its usable share of all but `reserve`."""
    return Resources(
        *(
            board.usable_share.get(r, 1.0) * (getattr(board.resources, r) - getattr(reserve, r))
            for r in RESOURCES
        )
    )


def candidates(folder: Folder) -> Array:
    """Return all numbers of cycles between frames that a folding may have, ascending."""
    fastest, _ = folder.targets()
    cycles = np.unique(np.concatenate([o.cycles for o in folder.options]))
    return np.unique(np.maximum(cycles, fastest))


def fold_front(
    folder: Folder,
    limits: Resources,
    targets: Iterable[int] | None = None,
    most: int = MOST,
) -> Front:
    """Return the front of all foldings within limits.

    Args:
        folder: the priced options. Whether limits hold at expected values or at the upper ends of
            intervals is decided by the cost model that priced them (`at_upper_ends`).
        limits: of each resource.
        targets: the most cycles between frames, ascending: for each, foldings are added that are
            within it and that nothing found before beats. None: all there are.
        most: labels that may stand side by side; more: nearer to exact, and slower.
    """
    allowed = np.array([getattr(limits, r) for r in RESOURCES])
    cuts = Cuts(np.eye(len(RESOURCES)), allowed)
    plain, fitting = _Route(folder, TRADED, cuts, most), _Route(folder, FITTING, cuts, most)
    front = np.zeros((0, len(TRADED)), dtype=np.int64)
    found = [(np.zeros((0, len(folder.options)), dtype=np.int64),) * 2]
    slack, lut_share = np.zeros(len(RESOURCES)), 0.0
    last: _Ends | None = None
    for target in candidates(folder) if targets is None else targets:
        ends = plain.ends(target)
        gained = _gained(front, ends.needs)
        picked = ends.picked(gained)
        if not _fit(folder, picked, allowed):
            # what did not fit for its flip-flops or UltraRAM may have beaten what does: they count as well
            ends = fitting.ends(target)
            gained = _gained(front, ends.needs[:, : len(TRADED)])
            picked = ends.picked(gained)
        front = np.concatenate([front, ends.needs[gained, : len(TRADED)]])
        found.append(picked)
        if ends.slack.any() and ends is not last:
            lost, share = ends.missed(front)
            slack, lut_share = np.maximum(slack, lost), max(lut_share, share)
        last = ends
    entry, style = (np.concatenate(f) for f in zip(*found, strict=True))
    cycles = np.stack([o.cycles[e] for o, e in zip(folder.options, entry.T, strict=True)])
    return Front(
        folder=folder,
        cycles=np.maximum(cycles.max(axis=0), folder.classes),
        resources=resources_of(folder, entry, style),
        entry=entry,
        style=style,
        slack=Resources(*slack.tolist()),
        lut_share=lut_share,
    )


def _gained(front: Array, needs: Array) -> Array:
    """Return the rows of needs that neither the front nor another row beats, ascending."""
    every = np.concatenate([front, needs])
    kept = minima(np.zeros(len(every), dtype=np.int64), every)
    return np.sort(kept[kept >= len(front)]) - len(front)


def _fit(folder: Folder, picked: tuple[Array, Array], allowed: Floats) -> bool:
    return bool((resources_of(folder, *picked) <= allowed * (1 + ROUNDING)).all())


@dataclass(frozen=True, eq=False)
class _Ends:
    """What whole networks need, `(n, k)`, and how they came about."""

    moves: Sequence[Move]
    options: Sequence[Array]
    exit: Array
    limits: Array  # (k,)
    columns: Sequence[int]  # the resources counted
    along: Sequence[Labels]

    @property
    def slack(self) -> Floats:
        """What thinning may have cost, `(5,)`."""
        return self._of_all(self.along[-1].slack)

    def missed(self, front: Array) -> tuple[Floats, float]:
        """Return what may have been missed, `(5,)`, with what share more LUTs; the tighter of two proofs."""
        of = len(TRADED)
        proven = proven_slack(self.moves, self.options, self.exit, front, self.limits[:of])
        thinning = self.along[-1].slack[:of]
        if proven is None or (thinning <= proven).all():
            return self.slack, 0.0
        return self._of_all(proven), LUT_SHARE

    def _of_all(self, needs: Array | Floats) -> Floats:
        result = np.zeros(len(RESOURCES))
        result[list(self.columns[: len(needs)])] = needs * UNIT
        return result

    @property
    def needs(self) -> Array:
        return self.along[-1].needs

    def picked(self, rows: Array) -> tuple[Array, Array]:
        """Return `(rows, L)` entries and styles."""
        return picked(self.moves, self.along, rows)


class _Route:
    """A route that counts some resources; the options of its layers grow with the target."""

    def __init__(self, folder: Folder, columns: tuple[int, ...], cuts: Cuts, most: int) -> None:
        counted = np.eye(len(RESOURCES))[list(columns)]
        self._moves = route(folder, counted)
        self._exit = whole(folder.exit, counted)
        self._columns, self._most = list(columns), most
        # a sum without what is not counted still stays below what the sum with it does
        self._cuts = Cuts(cuts.weights[:, self._columns] * UNIT, cuts.bounds)
        self._options = [np.zeros(0, dtype=np.int64) for _ in self._moves]
        self._reached = -1
        self._ends: _Ends | None = None

    def ends(self, target: int) -> _Ends:
        """Return all that is worth having within a target, which must not be below the last one."""
        admitted = list(self._options)
        for i, move in enumerate(self._moves):
            if isinstance(move, Step):
                new = np.flatnonzero((move.cycles > self._reached) & (move.cycles <= target))
                admitted[i] = useful(move, admitted[i], new) if len(new) else admitted[i]
        same = all(map(np.array_equal, admitted, self._options))
        self._options, self._reached = admitted, target
        if same and self._ends is not None:
            return self._ends
        limits = (self._cuts.bounds[self._columns] / UNIT).astype(np.int64)
        along = walk(self._moves, admitted, self._exit, self._cuts, limits, self._most)
        self._ends = _Ends(self._moves, admitted, self._exit, limits, self._columns, along)
        return self._ends


def resources_of(folder: Folder, entry: Array, style: Array) -> Floats:
    """Return `(P, 5)` resources of foldings given as in `Front`."""
    total = np.zeros((len(entry), len(RESOURCES)))
    for o, rows, styles in zip(folder.options, entry.T, style.T, strict=True):
        total += o.fixed[rows] + o.main[styles, o.fold[rows]]
    for joint in folder.joints:
        source, target = folder.options[joint.source], folder.options[joint.target]
        outs = source.out_index[entry[:, joint.source]]
        total += joint.resources[outs, target.door_index[entry[:, joint.target]]]
    return total + folder.exit[folder.options[-1].out_index[entry[:, -1]]]
