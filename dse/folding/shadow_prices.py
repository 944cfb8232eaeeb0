"""Prices of the limits of a board, and with them a lower bound on the cost of what fits.

Whoever keeps within the limits b pays at least the least of (price + shadow) * needs, less shadow * b, for
any shadow prices that are not negative (Lagrangian relaxation): one shortest path. The best shadow prices are
found by column generation (Dantzig and Wolfe, 1960): of the paths known, the best mixture that keeps the limits
(a linear program) says, by its dual prices, what a limit is worth; the shortest path at these prices joins the mixture, until none
makes it cheaper. Then bound and mixture cost the same. With needs over the limits as the only cost, the same
finds out first whether any mixture keeps them; where none does, no folding fits.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from dse.folding.fold import Folder
from dse.folding.prices import Floats
from dse.ir.design import DesignPoint
from dse.ir.hardware import Resources

ROUNDS = 60  # paths at most; some ten are enough
NEAR = 1e-5  # share of the bound that a mixture may cost more, in the end
EQUAL = 1e-9  # share of a cost by which two differ by rounding only
BROKEN = 1e-9  # share of a limit that rounding may make of nothing
PENALTY = 1e3  # cost of a share of the board over the limits; a whole board costs about 1


@dataclass(frozen=True, eq=False)
class Shadow:
    """What the search found out.

    Attributes:
        impossible: nothing fits, and this is proven.
        design: the cheapest of the paths that fit; None: none did.
        cost: of the design; infinite where there is none.
        shadow: `(5,)` of `RESOURCES`: what a unit of each limit is worth.
        bound: whatever fits costs at least so much.
        limits: `(5,)`.
    """

    impossible: bool
    design: DesignPoint | None
    cost: float
    shadow: Floats
    bound: float
    limits: Floats

    @property
    def at_limits(self) -> float:
        """What the limits cost at shadow prices."""
        return float(self.shadow @ self.limits)


def shadow_prices(folder: Folder, limits: Resources, target: int, price: Floats) -> Shadow:
    """Search for the best bound on the cost of what fits.

    Args:
        folder: the priced options.
        limits: of each resource.
        target: cycles between frames, not below what every layer can do.
        price: `(5,)` what each resource costs.
    """
    paths = _Paths(folder, limits, target)
    paths.add(price)
    impossible = not paths.any_fits and _none_fits(paths)
    shadow, bound = np.zeros_like(price), -np.inf
    if not impossible:
        shadow, bound = _best(paths, price)
    costs = np.where(paths.fit, paths.needs @ price, np.inf)
    best = int(costs.argmin())
    return Shadow(
        impossible=impossible,
        design=paths.designs[best] if paths.fit[best] else None,
        cost=float(costs[best]),
        shadow=shadow,
        bound=bound,
        limits=paths.limits,
    )


class _Paths:
    """Shortest paths found so far. Shares are of limits, of what is not limited to nothing."""

    def __init__(self, folder: Folder, limits: Resources, target: int) -> None:
        self._folder, self._target = folder, target
        self.limits = np.array(astuple(limits))
        self.scale = np.where(self.limits > 0, self.limits, 1.0)
        self.designs: list[DesignPoint] = []
        self.needs = np.zeros((0, len(self.limits)))

    @property
    def fit(self) -> npt.NDArray[np.bool_]:
        """Which of them fit, `(n,)`."""
        return np.asarray((self.needs <= self.limits).all(axis=1))

    @property
    def any_fits(self) -> bool:
        return bool(self.fit.any())

    def add(self, weights: Floats) -> Floats:
        """Add the shortest path at some weights; return its needs, `(5,)`."""
        design = self._folder.least(self._target, weights)
        needs = self._folder.needs(design)
        self.designs.append(design)
        self.needs = np.concatenate([self.needs, needs[None]])
        return needs

    def mixture(self, price: Floats, penalty: float) -> tuple[float, Floats]:
        """Return the cost of the best mixture, which pays for what is over limits, and the shadow prices there."""
        count, limited = self.needs.shape
        shares = np.append(np.ones(count), np.zeros(limited))
        found = linprog(
            np.append(self.needs @ price, np.full(limited, penalty)),
            A_ub=np.hstack([(self.needs / self.scale).T, -np.eye(limited)]),
            b_ub=self.limits / self.scale,
            A_eq=shares[None],
            b_eq=[1.0],
        )
        prices = np.maximum(-found.ineqlin.marginals, 0.0)
        return float(found.fun), prices / self.scale


def _none_fits(paths: _Paths) -> bool:
    """Return whether it is proven that nothing fits: some weighted sum of any needs is above that of the limits."""
    nothing = np.zeros_like(paths.limits)
    for _ in range(ROUNDS):
        over, shadow = paths.mixture(nothing, 1.0)
        if over <= BROKEN:
            return False
        needs = paths.add(shadow)
        if shadow @ needs > (shadow @ paths.limits) * (1 + BROKEN):
            return True
        if paths.any_fits:
            return False
    return False


def _best(paths: _Paths, price: Floats) -> tuple[Floats, float]:
    """Return the best shadow prices, and the bound that they prove."""
    best, bound = np.zeros_like(price), float((paths.needs[0] @ price).min())
    for _ in range(ROUNDS):
        cost, shadow = paths.mixture(price, PENALTY)
        if cost - bound <= NEAR * abs(bound):
            break
        needs = paths.add(price + shadow)
        proven = float((price + shadow) @ needs - shadow @ paths.limits)
        if proven > bound:
            best, bound = shadow, proven
    return best, bound
