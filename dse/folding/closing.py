"""The cheapest folding that fits, between the bound of the shadow prices and the cheapest one known.

What costs hardly more than the bound can be made of few options only: those through which some path costs no more at
shadow prices than what is aimed at. Labels (`dse.folding.labels`) along what is left count the cost and the
resources that have shadow prices, so few of them stand side by side. Nothing found: the aim is raised. Found within the
aim: nothing is cheaper. Found above it (what is left of a limit makes up for some cost): the aim is what it costs, and the
next labels decide. A resource that was not counted and then does not fit is counted from there on.
"""

from __future__ import annotations

from dataclasses import dataclass

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

AIMS = (2e-4, 2e-3, 2e-2, 0.2, 2.0, np.inf)  # shares above the bound
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
    counted = np.flatnonzero(shadow.shadow)
    aims = [shadow.bound * (1 + share) for share in AIMS]
    while aims and not known.proven:
        aim = min(aims[0], known.cost)
        best, exact = _cheapest(folder, target, price, shadow, counted, aim)
        if best is None:
            aims.pop(0)
            known = Closed(known.design, known.cost, aim if exact else known.bound)
            continue
        needs = folder.needs(best)
        broken = np.setdiff1d(np.flatnonzero(needs > shadow.limits), counted)
        if len(broken):  # what is counted keeps its limit, up to rounding
            counted = np.union1d(counted, broken)
            continue
        cost = float(price @ needs)
        if not exact and cost >= known.cost:
            break
        known = Closed(best, cost, min(aim, cost) if exact else known.bound)
        aims = [np.inf]
    return known


def _cheapest(
    folder: Folder, target: int, price: Floats, shadow: Shadow, counted: Array, aim: float
) -> tuple[DesignPoint | None, bool]:
    """Return the cheapest that keeps the limits counted and costs no more at shadow prices than is aimed at.

    Returns:
        It, or None; and whether labels were never thinned.
    """
    sums = np.concatenate([price[None] * COST, np.eye(len(RESOURCES))[counted]])
    moves, exit_needs = route(folder, sums), whole(folder.exit, sums)
    limits = shadow.limits[counted]
    at_shadow = np.append(1 / COST, shadow.shadow[counted])
    weights = np.concatenate([at_shadow[None], np.eye(len(sums))[1:]])
    cuts = Cuts(weights * UNIT, np.append(aim + shadow.at_limits, limits))
    options = [np.flatnonzero(m.cycles <= target) if isinstance(m, Step) else NONE for m in moves]
    options = within(moves, options, exit_needs, cuts)
    layers = [(m, rows) for m, rows in zip(moves, options, strict=True) if isinstance(m, Step)]
    if not all(len(rows) for _, rows in layers):
        return None, True
    options = [
        useful(m, NONE, rows) if isinstance(m, Step) else NONE
        for m, rows in zip(moves, options, strict=True)
    ]
    bounds = np.append(0, limits / UNIT).astype(np.int64)
    along = walk(moves, options, exit_needs, cuts, bounds, MOST)
    last = along[-1]
    exact = not last.slack.any()
    if not len(last):
        return None, exact
    (entry,), (style,) = picked(moves, along, last.needs[:, :1].argmin(axis=0))
    return folder.design(entry, style), exact
