"""The cheapest folding that fits a board and meets a target, and the fastest that fits at all.

Whether anything fits is a shortest path with several limits. Weights on the resources are raised
where a limit is broken and lowered where there is room (a multiplicative subgradient search on the
Lagrangian dual): either one of the cheapest paths fits, or one of them is dearer than the limits
themselves, which proves that nothing fits. Which folding that fits is the cheapest is bounded by shadow prices
(`dse.folding.shadow_prices`). What is left open, labels decide (`fold_front`).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from itertools import pairwise

import numpy as np

from dse.errors import NoFeasibleDesignError
from dse.folding.fold import Folder, cost_weights
from dse.folding.fold_front import Front, candidates, fold_front
from dse.folding.labels import Cuts
from dse.folding.prices import Floats
from dse.folding.shadow_prices import shadow_prices
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, Resources

ROUNDS = 40  # of the search for weights; it ends earlier almost always
LAST = 4  # weights, the last ones tried, that cut labels off
RAISE = 1.5  # exponent: how fast weights follow what is over-used


@dataclass(frozen=True, eq=False)
class Fit:
    """A folding that fits.

    Attributes:
        design: the folding.
        cycles: between frames.
        proven: nothing that fits is better: cheaper at this target (`cheapest`), or faster
            (`fastest`). False where labels were thinned on the way.
    """

    design: DesignPoint
    cycles: int
    proven: bool


@dataclass(frozen=True, eq=False)
class _Dual:
    """What the search for weights found out.

    Attributes:
        design: the cheapest of the paths that fit; None: none did.
        cost: of the design.
        impossible: nothing fits, and this is proven.
        weights: `(n, 5)`, the weights tried.
        paths: the cheapest path at each of them.
    """

    design: DesignPoint | None
    cost: float
    impossible: bool
    weights: Floats
    paths: tuple[DesignPoint, ...]


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
    design = folder.solve(target_cycles, preference)
    if _fits(folder.resources(design), limits):
        return Fit(design, folder.cycles(design), proven=True)
    dual = _dual(folder, limits, target_cycles, price)
    if dual.impossible:
        return None
    dual = _between(folder, limits, dual, price)
    shadow = shadow_prices(folder, limits, target_cycles, price, (dual.design, dual.cost))
    if shadow.design is not None and shadow.proven:
        return Fit(shadow.design, folder.cycles(shadow.design), proven=True)
    cheaper = Cuts(shadow.prices[None], np.array([shadow.most]))
    front = _open(folder, limits, target_cycles, dual, cheaper)
    best, cost = shadow.design, shadow.cost
    if len(front):
        found = front.design(int((front.resources @ price).argmin()))
        if _cost(folder, found, price) < cost:
            best = found
    return None if best is None else Fit(best, folder.cycles(best), proven=front.exact)


def fastest(folder: Folder, limits: Resources, preference: float = 0.5) -> Fit | None:
    """Return the cheapest of the fastest foldings that fit; None where nothing fits."""
    targets = candidates(folder)
    price = cost_weights(folder.board, preference)
    proven = True
    low, high = -1, len(targets)  # nothing at `low` fits, something at `high` does
    while high - low > 1:
        middle = (low + high) // 2
        target = int(targets[middle])
        dual = _dual(folder, limits, target, price)
        if not dual.impossible:
            dual = _between(folder, limits, dual, price)
        fits = dual.design is not None
        if not fits and not dual.impossible:
            front = _open(folder, limits, target, dual)
            fits, proven = len(front) > 0, proven and (front.exact or len(front) > 0)
        low, high = (low, middle) if fits else (middle, high)
    if high == len(targets):
        return None
    fit = cheapest(folder, limits, int(targets[high]), preference)
    return None if fit is None else Fit(fit.design, fit.cycles, proven)


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


def _dual(folder: Folder, limits: Resources, target: int, price: Floats) -> _Dual:
    """Search for weights that prove or disprove that something fits."""
    bounds = np.array(astuple(limits))
    scale = np.where(bounds > 0, bounds, 1.0)
    weights = np.ones(len(RESOURCES)) / scale / len(RESOURCES)
    tried, paths, best, cost = [], [], None, np.inf
    for _ in range(ROUNDS):
        tried.append(weights)
        design = folder.least(target, weights)
        paths.append(design)
        needs = np.array(astuple(folder.resources(design)))
        if weights @ needs > (weights @ bounds) * (1 + 1e-9):
            return _Dual(None, np.inf, impossible=True, weights=np.array(tried), paths=tuple(paths))
        if (needs <= bounds).all():
            if float(price @ needs) < cost:
                best, cost = design, float(price @ needs)
            if len(tried) > ROUNDS // 4:
                break
        weights = weights * np.clip(needs / scale, 0.25, 4.0) ** RAISE + 1e-4 / scale
        weights = weights / (weights @ scale)
    return _Dual(best, cost, impossible=False, weights=np.array(tried), paths=tuple(paths))


def _between(folder: Folder, limits: Resources, dual: _Dual, price: Floats) -> _Dual:
    """Add the cheapest folding that fits among what lies between two of the paths tried in a row.

    Where many layers are alike, weights move all of them at once, from too much of one resource to too much
    of another. Between two paths lie the foldings that have the first layers of one and the rest of the other.
    """
    best, cost = dual.design, dual.cost
    for one, other in pairwise(dual.paths[-LAST:]):
        for n in range(len(one.layers) + 1):
            design = DesignPoint((*one.layers[:n], *other.layers[n:]))
            needs = folder.resources(design)
            own = float(price @ np.array(astuple(needs)))
            if own < cost and _fits(needs, limits):
                best, cost = design, own
    return replace(dual, design=best, cost=cost)


def _open(
    folder: Folder, limits: Resources, target: int, dual: _Dual, cheaper: Cuts | None = None
) -> Front:
    """Return the part of the front at one target that may still fit, and be cheaper."""
    weights = dual.weights[-LAST:]
    cuts = Cuts(weights, weights @ np.array(astuple(limits)))
    if cheaper is not None and np.isfinite(cheaper.bounds).all():
        cuts += cheaper
    return fold_front(folder, limits, [target], cuts=cuts)


def _fits(needs: Resources, limits: Resources) -> bool:
    return all(a <= b for a, b in zip(astuple(needs), astuple(limits), strict=True))


def _cost(folder: Folder, design: DesignPoint, price: Floats) -> float:
    return float(price @ np.array(astuple(folder.resources(design))))
