"""The cheapest folding that fits, between the bound of the shadow prices and the cheapest one known.

What costs hardly more than the bound can be made of few options only: those through which some path costs no more at
shadow prices than what is aimed at. Labels (`dse.folding.labels`) along what is left count the cost and the
resources that have shadow prices, so few of them stand side by side. Nothing found: the aim is raised. Found within the
aim: nothing is cheaper. Found above it (what is left of a limit makes up for some cost): the aim is raised, to what it costs
at most. A resource that was not counted and then does not fit is counted from there on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dse.folding.dominance import Array
from dse.folding.fold import Folder
from dse.folding.labels import Cuts
from dse.folding.prices import Floats
from dse.folding.route import route, useful, whole
from dse.folding.shadow_prices import EQUAL, Shadow
from dse.folding.steps import UNIT, Step
from dse.folding.walk import picked, walk, within
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES

AIMS = (2e-4, 2e-3, 6e-3, 2e-2, 6e-2, 0.2, 2.0, np.inf)  # shares above the bound
MOST = 2000  # labels that stand side by side before they are thinned
COST = 1e6  # costs are counted in whole `UNIT / COST`
NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Closed:
    """What is known in the end.

    Attributes:
        design: the cheapest folding found that fits; None: none was found.
        cost: of it; infinite where there is none.
        bound: nothing that fits costs less; infinite: nothing fits.
    """

    design: DesignPoint | None
    cost: float
    bound: float

    @property
    def proven(self) -> bool:
        """Whether nothing that fits is cheaper, or nothing fits."""
        return self.cost <= self.bound * (1 + EQUAL)


def close(folder: Folder, target: int, price: Floats, shadow: Shadow) -> Closed:
    """Close the gap between bound and cost, as far as labels need not be thinned.

    Args:
        folder: the priced options.
        target: cycles between frames.
        price: `(5,)` what each resource costs, not all of them nothing.
        shadow: of the limits, at this target and price.
    """
    known = Closed(shadow.design, shadow.cost, shadow.bound)
    chains = _Chains(folder, target, price, shadow, np.flatnonzero(shadow.shadow))
    aims = [shadow.bound * (1 + share) for share in AIMS]
    while aims and not known.proven:
        aim = min(aims[0], known.cost)
        best, exact = chains.cheapest(aim)
        if best is None:
            aims.pop(0)
            known = replace(known, bound=aim) if exact else known
            continue
        needs = folder.needs(best)
        broken = np.setdiff1d(np.flatnonzero(needs > shadow.limits), chains.counted)
        if len(broken):  # what is counted keeps its limit, up to rounding
            counted = np.union1d(chains.counted, broken)
            chains = _Chains(folder, target, price, shadow, counted)
            continue
        cost = float(price @ needs)
        if not exact and cost >= known.cost:
            break
        if cost > aim:
            aims.pop(0)
        if cost < known.cost:
            known = replace(known, design=best, cost=cost)
        if exact:
            known = replace(known, bound=min(aim, cost))
    return known


class _Chains:
    """What may be chained up: all options of every layer at a target, their cost and some resources counted."""

    def __init__(
        self, folder: Folder, target: int, price: Floats, shadow: Shadow, counted: Array
    ) -> None:
        self._folder, self._shadow, self.counted = folder, shadow, counted
        sums = np.concatenate([price[None] * COST, np.eye(len(RESOURCES))[counted]])
        self._moves, self._exit = route(folder, sums), whole(folder.exit, sums)
        self._options = [
            np.flatnonzero(m.cycles <= target) if isinstance(m, Step) else NONE for m in self._moves
        ]
        self._limits = shadow.limits[counted]
        at_shadow = np.append(1 / COST, shadow.shadow[counted])
        self._weights = np.concatenate([at_shadow[None], np.eye(len(sums))[1:]]) * UNIT

    def cheapest(self, aim: float) -> tuple[DesignPoint | None, bool]:
        """Return the cheapest that keeps the limits counted and costs no more at shadow prices than is aimed at.

        Returns:
            It, or None; and whether labels were never thinned.
        """
        cuts = Cuts(self._weights, np.append(aim + self._shadow.at_limits, self._limits))
        moves = self._moves
        options = within(moves, self._options, self._exit, cuts)
        layers = zip(moves, options, strict=True)
        if not all(len(rows) for move, rows in layers if isinstance(move, Step)):
            return None, True
        options = [
            useful(m, NONE, rows) if isinstance(m, Step) else NONE
            for m, rows in zip(moves, options, strict=True)
        ]
        bounds = np.append(0, self._limits / UNIT).astype(np.int64)
        along = walk(moves, options, self._exit, cuts, bounds, MOST)
        last = along[-1]
        exact = not last.slack.any()
        if not len(last):
            return None, exact
        (entry,), (style,) = picked(moves, along, last.needs[:, :1].argmin(axis=0))
        return self._folder.design(entry, style), exact
