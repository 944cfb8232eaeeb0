"""The cheapest mixture of some points that keeps limits: a linear program, solved by the simplex method.

As many shares as there are limits and one more are above zero at most, so every step solves a system of that
size (the revised simplex method, Dantzig 1953). What a limit is worth at the best mixture are its dual prices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.folding.prices import Floats

STEPS = (
    200  # many times what is needed; prices of an unfinished mixture are good for a bound as well
)
GREEDY = 100  # steps to what gains most; then to the first that gains, which ends for certain (Bland, 1977)
TINY = 1e-10  # what rounding makes of zero, needs and costs being of the size of 1


@dataclass(frozen=True, eq=False)
class Mixture:
    """The best mixture.

    Attributes:
        cost: of the mixture, with what it pays for breaking limits.
        prices: `(m,)` of a unit of each limit, none negative.
    """

    cost: float
    prices: Floats


def best_mixture(costs: Floats, needs: Floats, limits: Floats, penalty: float) -> Mixture:
    """Return the cheapest mixture of n points that need at most m limits, or pay for what is over.

    Args:
        costs: `(n,)`.
        needs: `(n, m)`.
        limits: `(m,)`, none negative.
        penalty: cost of a unit over a limit.
    """
    n, m = needs.shape
    # columns: shares of the points, what is left of each limit, what is over it; rows: limits, sum of shares
    table = np.zeros((m + 1, n + 2 * m))
    table[:m] = np.concatenate([needs.T, np.eye(m), -np.eye(m)], axis=1)
    table[m, :n] = 1.0
    cost = np.concatenate([costs, np.zeros(m), np.full(m, penalty)])
    right = np.append(limits, 1.0)
    first = int((costs + penalty * np.maximum(needs - limits, 0.0).sum(axis=1)).argmin())
    basis = np.append(n + np.arange(m) + m * (needs[first] > limits), first)
    for step in range(STEPS):
        inverse = np.linalg.inv(table[:, basis])
        dual = cost[basis] @ inverse
        gain = dual @ table - cost
        gain[basis] = 0.0
        enters = int(gain.argmax() if step < GREEDY else (gain > TINY).argmax())
        if gain[enters] <= TINY:
            break
        change = inverse @ table[:, enters]
        steep = np.flatnonzero(change > TINY)
        ratio = (inverse[steep] @ right) / change[steep]
        leaves = steep[np.flatnonzero(ratio <= ratio.min() + TINY)]
        basis[leaves[basis[leaves].argmin()]] = enters
    return Mixture(float(dual @ right), np.maximum(-dual[:m], 0.0))
