"""Prices of the limits of a board, and with them a lower bound on the cost of what fits.

Whoever keeps within the limits b pays at least the least of (price + shadow) * needs, less shadow * b, for
any shadow prices that are not negative (Lagrangian relaxation): one shortest path. The best shadow prices are
searched by subgradient steps as long as what is known to fit is dearer than the bound (Polyak, 1969).
Of partial foldings, those are worth going on with that stay below the cost known at these prices.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from dse.folding.fold import Folder
from dse.folding.prices import Floats
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, Resources

STEPS = 25
EQUAL = 1e-9  # share of a cost by which two differ by rounding only
PATIENCE = 4  # steps without a better bound, then they are halved
GUESS = 1.05  # times the bound: the cost to aim at while nothing that fits is known


@dataclass(frozen=True, eq=False)
class Shadow:
    """What the search found out.

    Attributes:
        design: the cheapest that is known to fit; None: nothing is.
        cost: of the design.
        prices: `(5,)` of `RESOURCES`: price + shadow.
        bound: whatever fits costs at least so much.
        at_limits: what the limits cost at shadow prices.
    """

    design: DesignPoint | None
    cost: float
    prices: Floats
    bound: float
    at_limits: float

    @property
    def proven(self) -> bool:
        """Whether nothing that fits is cheaper than the design."""
        return self.cost <= self.bound + EQUAL * abs(self.bound)

    @property
    def most(self) -> float:
        """Return what a cheaper folding needs at most at `prices`; infinite where nothing is known to fit."""
        return self.cost + self.at_limits


def shadow_prices(
    folder: Folder,
    limits: Resources,
    target: int,
    price: Floats,
    known: tuple[DesignPoint | None, float],
) -> Shadow:
    """Search for the best bound on the cost of what fits.

    Args:
        folder: the priced options.
        limits: of each resource.
        target: cycles between frames.
        price: `(5,)` what each resource costs.
        known: a design that fits, or None, and its cost, or infinity.
    """
    bounds = np.array(astuple(limits))
    scale = np.where(bounds > 0, bounds, 1.0)
    shadow = np.zeros(len(RESOURCES))
    best = Shadow(*known, price, -np.inf, 0.0)
    pace, since = 1.0, 0
    for _ in range(STEPS):
        design = folder.least(target, price + shadow)
        needs = np.array(astuple(folder.resources(design)))
        at_limits = float(shadow @ bounds)
        bound = float((price + shadow) @ needs) - at_limits
        since += 1
        if bound > best.bound:
            best = Shadow(best.design, best.cost, price + shadow, bound, at_limits)
            since = 0
        own = float(price @ needs)
        if own < best.cost and (needs <= bounds).all():
            best = Shadow(design, own, best.prices, best.bound, best.at_limits)
        if since == PATIENCE:
            pace, since = pace / 2, 0
        over = np.where((shadow > 0) | (needs > bounds), (needs - bounds) / scale, 0.0)
        if best.proven or not over.any():
            break
        aim = min(best.cost, best.bound * GUESS)
        shadow = np.maximum(shadow + pace * (aim - bound) / (over @ over) * over / scale, 0.0)
    return best
