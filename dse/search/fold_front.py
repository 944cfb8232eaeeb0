"""The whole Pareto front of foldings: cycles between frames against LUTs, block RAM and DSPs.

Targets are taken up one by one, fastest first. For each, labels (see `dse.search.labels`) go along
the chain: those at the output widths of a layer, plus what joins two layers, plus the options of
the next. Labels that cannot end within the limits, and labels that others beat however the chain
goes on, are dropped: both lose nothing, so the front is exact. Where more than `most` labels stand
side by side, they are thinned, and the front says what that may have cost (`Front.slack`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dse.ir.design import DesignPoint, LayerDesign
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.search.dominance import Array, minima
from dse.search.fold import Folder
from dse.search.labels import Cuts, labels, traced
from dse.search.options import Floats
from dse.search.steps import COLUMNS, COUNTED, UNIT, Step, steps, useful, whole

MOST = 3000  # labels that stand side by side before they are thinned
NOTHING = Resources()
UNTRADED = [i for i in range(len(RESOURCES)) if i not in COLUMNS]


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
            one that is no slower and needs no more LUTs, and at most so many BRAM18 and DSPs
            more. All zero where nothing was thinned: then the front is exact.
        refused: points left out because of flip-flops or UltraRAM, which are not traded but must fit.
            What they beat was lost with them: the front is exact only if there are none.
    """

    folder: Folder
    cycles: Array
    resources: Floats
    entry: Array
    style: Array
    slack: Resources
    refused: int

    def __len__(self) -> int:
        return len(self.cycles)

    @property
    def exact(self) -> bool:
        """Whether every point of the true front is here."""
        return self.slack == NOTHING and not self.refused

    def design(self, point: int) -> DesignPoint:
        """Return a point as a design."""
        f = self.folder
        rows = zip(f.names, f.options, self.entry[point], self.style[point], strict=True)
        return DesignPoint(
            tuple(
                (name, LayerDesign(f.compressions.get(name), o.folding(int(e), int(s))))
                for name, o, e, s in rows
            )
        )


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
    cuts: Cuts | None = None,
) -> Front:
    """Return the front of all foldings within limits.

    Args:
        folder: the priced options. Whether limits hold at expected values or at the upper ends of
            intervals is decided by the cost model that priced them (`at_upper_ends`).
        limits: of each resource.
        targets: the most cycles between frames, ascending: for each, foldings are added that are
            within it and that nothing found before beats. None: all there are.
        most: labels that may stand side by side; more: nearer to exact, and slower.
        cuts: more limits; only the part of the front that holds them is wanted.
    """
    allowed = np.array([getattr(limits, r) for r in RESOURCES])
    bounds = np.floor(allowed[COLUMNS] / UNIT).astype(np.int64)
    held = Cuts.of_each(bounds) if cuts is None else Cuts.of_each(bounds) + cuts
    chain, exit_needs = steps(folder), whole(folder.exit)
    options: list[Array] = [np.zeros(0, dtype=np.int64) for _ in chain]
    reached, refused = -1, 0
    front = np.zeros((0, len(COUNTED)), dtype=np.int64)
    slack = np.zeros(len(COUNTED), dtype=np.int64)
    found = [np.zeros((0, len(chain)), dtype=np.int64)]
    for target in candidates(folder) if targets is None else targets:
        admitted = [
            useful(step, kept, np.flatnonzero((step.cycles > reached) & (step.cycles <= target)))
            for step, kept in zip(chain, options, strict=True)
        ]
        same = all(map(np.array_equal, admitted, options))
        options, reached = admitted, target
        if same:
            continue
        along = labels(chain, options, exit_needs, held, bounds, most)
        slack = np.maximum(slack, along[-1].slack)
        needs = along[-1].needs
        every = np.concatenate([front, needs])
        gained = minima(np.zeros(len(every), dtype=np.int64), every) - len(front)
        gained = np.sort(gained[gained >= 0])
        choices = traced(along, gained)
        fits = (resources_of(folder, *picked(chain, choices)) <= allowed)[:, UNTRADED].all(axis=1)
        refused += int((~fits).sum())
        found.append(choices[fits])
        front = np.concatenate([front, needs[gained[fits]]])
    choices = np.concatenate(found)
    entry, style = picked(chain, choices)
    cycles = np.stack([s.cycles[c] for s, c in zip(chain, choices.T, strict=True)])
    spread = dict(zip(COUNTED, (slack * UNIT).tolist(), strict=True))
    return Front(
        folder=folder,
        cycles=np.maximum(cycles.max(axis=0), folder.classes),
        resources=resources_of(folder, entry, style),
        entry=entry,
        style=style,
        slack=Resources(**spread),
        refused=refused,
    )


def picked(chain: Sequence[Step], choices: Array) -> tuple[Array, Array]:
    """Return `(P, L)` entries and styles of `(P, L)` options of a chain's steps."""
    pairs = list(zip(chain, choices.T, strict=True))
    return (
        np.stack([step.entry[c] for step, c in pairs], axis=1),
        np.stack([step.style[c] for step, c in pairs], axis=1),
    )


def resources_of(folder: Folder, entry: Array, style: Array) -> Floats:
    """Return `(P, 5)` resources of foldings given as in `Front`."""
    total = np.zeros((len(entry), len(RESOURCES)))
    out: Array = np.zeros(0, dtype=np.int64)
    for i, o in enumerate(folder.options):
        rows = entry[:, i]
        total += o.fixed[rows] + o.main[style[:, i], o.fold[rows]]
        if i:
            total += folder.joints[i - 1][out, o.door_index[rows]]
        out = o.out_index[rows]
    return total + folder.exit[out]
