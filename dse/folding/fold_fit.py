"""The cheapest folding that fits a board and meets a target, and the fastest that fits at all.

Which is a shortest path with several limits. Shadow prices of the limits bound the cost of what fits from below, or prove
that nothing fits (`dse.folding.shadow_prices`); labels close what is left open between the bound and the cheapest that is
known to fit (`dse.folding.closing`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.errors import NoFeasibleDesignError
from dse.folding.closing import Closed, close
from dse.folding.fold import Folder, cost_weights
from dse.folding.fold_front import candidates
from dse.folding.prices import Floats
from dse.folding.shadow_prices import shadow_prices
from dse.ir.design import DesignPoint
from dse.ir.hardware import Resources


@dataclass(frozen=True, eq=False)
class Fit:
    """A folding that fits.

    Attributes:
        design: the folding.
        cycles: between frames.
        proven: nothing that fits is better: cheaper at this target (`cheapest`), or faster
            (`fastest`). False where labels were thinned on the way.
        gap: of `cheapest`: what fits may cost less by this share at most; 0 where it is proven.
    """

    design: DesignPoint
    cycles: int
    proven: bool
    gap: float = 0.0


def cheapest(
    folder: Folder, limits: Resources, target_cycles: int, preference: float = 0.5
) -> Fit | None:
    """Return the folding with the least cost among those that fit and meet a target.

    Cost is `cost_weights` times resources. None where no folding was found.

    Raises:
        NoFeasibleDesignError: a layer cannot be so fast on any board.
    """
    _require_possible(folder, target_cycles)
    price = cost_weights(folder.board, preference)
    found = _closed(folder, limits, target_cycles, price)
    if found.design is None:
        return None
    gap = 0.0 if found.proven else 1 - found.bound / found.cost
    return Fit(found.design, folder.cycles(found.design), found.proven, gap)


def fastest(folder: Folder, limits: Resources, preference: float = 0.5) -> Fit | None:
    """Return the cheapest of the fastest foldings that fit; None where nothing fits."""
    targets = candidates(folder)
    price = cost_weights(folder.board, preference)
    proven = True
    low, high = -1, len(targets)  # nothing at `low` fits, something at `high` does
    best: DesignPoint | None = None
    while high - low > 1:
        middle = (low + high) // 2
        found = _closed(folder, limits, int(targets[middle]), price)
        if found.design is None:
            low, proven = middle, proven and found.proven
        else:
            high, best = middle, found.design
    return None if best is None else Fit(best, folder.cycles(best), proven)


def _closed(folder: Folder, limits: Resources, target: int, price: Floats) -> Closed:
    shadow = shadow_prices(folder, limits, target, price)
    if shadow.impossible:
        return Closed(None, np.inf, np.inf)
    return close(folder, target, price, shadow)


def bottleneck(folder: Folder) -> tuple[str, int]:
    """Return the layer that bounds the speed on any board, and the fewest cycles it can do with."""
    least = [int(o.cycles.min()) for o in folder.options]
    slowest = int(np.argmax(least))
    if folder.classes > least[slowest]:
        return folder.names[-1], folder.classes
    return folder.names[slowest], least[slowest]


def _require_possible(folder: Folder, target_cycles: int) -> None:
    name, cycles = bottleneck(folder)
    if cycles > target_cycles:
        msg = (
            f"{target_cycles:,} cycles between frames must be possible for every layer, but {name}"
            f" needs {cycles:,} at least, however it is folded; ask for {cycles:,} or more, or drop"
            " pins of this layer"
        )
        raise NoFeasibleDesignError(msg)
