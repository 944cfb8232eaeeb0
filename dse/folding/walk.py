"""Labels from one end of a network to the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dse.folding.cells import rounded, thinned
from dse.folding.dominance import Array, minima, surely_beaten
from dse.folding.labels import ROUNDING, Cuts, Labels
from dse.folding.prices import Floats
from dse.folding.steps import Fork, Move, Step, Turn

FINER = 4  # sizes of cells: a quarter as large
MANY = 500  # rows that are compared roughly
ROUGH = 3  # times as many labels as are kept: worth rounding before they are compared
STAIRCASE = 20  # times as many labels may stand where only two resources are needed


def walk(
    moves: Sequence[Move],
    options: Sequence[Array],
    exit_needs: Array,
    cuts: Cuts,
    bounds: Array,
    most: int,
) -> list[Labels]:
    """Return the labels behind every move, ending with those of whole networks.

    Args:
        moves: along the network.
        options: of each layer those that may be chosen; nothing where a move is none through a layer.
        exit_needs: `(O, k)` what follows the last layer needs, by its output width.
        cuts: limits that whole networks must hold.
        bounds: `(k,)` of each resource; thinning goes by shares of them.
        most: labels that may stand behind a move before they are thinned; `STAIRCASE` times as
            many where only two resources are needed.

    Returns:
        One a move. In the last one `out` is 0 and `needs` has `exit_needs` in it.
    """
    rest = _least(moves, options, exit_needs, cuts.weights)[1:]
    now, result, level = Labels.start(len(bounds)), [], 0
    for i, (move, rows) in enumerate(zip(moves, options, strict=True)):
        now = move.ahead(now, rows)
        if not isinstance(move, Fork):
            now = now.only(cuts.keep(now.needs, rest[i][now.held, now.out]))
            last = i + 1 == len(moves)
            if last:
                now = now.with_exit(exit_needs)
            if not last and level > FINER and _crowded(now, ROUGH * most):
                # there will be thinning anyway: finer cells first, so that less is compared
                now = now.fewer(*rounded(now.states(), now.needs, bounds, level - FINER))
            else:
                now = now.only(minima(now.states(), now.needs))
            if not last:
                now = now.only(_unbeaten(now, move))
            if not last and _crowded(now, most) and not (isinstance(move, Turn) and move.direct):
                *fewer, level = thinned(now.states(), now.needs, bounds, most, level)
                now = now.fewer(*fewer)
        result.append(now)
    return result


def picked(moves: Sequence[Move], along: Sequence[Labels], last: Array) -> tuple[Array, Array]:
    """Return which entries and styles of the layers lead to some of the last labels, `(P, L)` each."""
    entries, styles = [], []
    rows = last
    for move, behind in zip(reversed(moves), reversed(along), strict=True):
        if isinstance(move, Step):
            entries.append(move.entry[behind.option[rows]])
            styles.append(move.style[behind.option[rows]])
        rows = behind.parent[rows]
    return np.stack(entries[::-1], axis=1), np.stack(styles[::-1], axis=1)


def within(
    moves: Sequence[Move], options: Sequence[Array], exit_needs: Array, cuts: Cuts
) -> list[Array]:
    """Return the options that are part of some network that holds each of the limits, one at a time."""
    rest = _least(moves, options, exit_needs, cuts.weights)
    past = np.zeros((1, 1, len(cuts.bounds)))
    bounds = cuts.bounds * (1 + ROUNDING)
    kept = []
    for move, rows, behind in zip(moves, options, rest[1:], strict=True):
        inside = rows
        if isinstance(move, Step):
            inside = move.within(past, behind, rows, cuts.weights, bounds)
        kept.append(inside)
        past = move.onward(past, inside, cuts.weights)
    return kept


def least_sums(
    moves: Sequence[Move], options: Sequence[Array], exit_needs: Array, weights: Floats
) -> Floats:
    """Return `(C,)`: the least that a whole network needs of each sum weighted by `(C, k)`."""
    least: Floats = _least(moves, options, exit_needs, weights)[0][0, 0]
    return least


def _crowded(now: Labels, most: int) -> bool:
    return len(now) > most and bool(now.needs[:, 2:].any() or len(now) > STAIRCASE * most)


def _unbeaten(now: Labels, move: Step | Turn) -> Array:
    """Return the labels that no label in another state beats, whatever follows."""
    widths = len(move.behind)
    kept = _not_beaten(now.held, now.out, now.needs, move.behind)
    if move.holding is not None:
        around, own = np.divmod(now.held[kept], len(move.holding))
        same = around * widths + now.out[kept]
        kept = kept[_not_beaten(same, own, now.needs[kept], move.holding)]
    return kept


def _not_beaten(same: Array, own: Array, needs: Array, instead: Array) -> Array:
    """Return the rows that none beats of those that differ in one part of their state; of many rows, a few more.

    Of two that are equal in this sense both stay: each could claim to beat the other.

    Args:
        same: `(N,)` the part of the state that must not differ.
        own: `(N,)` the other part.
        needs: `(N, k)`.
        instead: `(n, n, k)`: how much more at most one `own` takes instead of another.
    """
    states, moved = _in_others(same, own, needs, instead)
    itself = same * len(instead) + own
    if len(own) > MANY and needs.shape[1] == 3:
        return np.flatnonzero(~surely_beaten(itself, needs, states, moved))
    # first themselves, so that of equal rows these are kept
    kept = minima(np.concatenate([itself, states]), np.concatenate([needs, moved]))
    return np.sort(kept[kept < len(own)])


def _in_others(same: Array, own: Array, needs: Array, instead: Array) -> tuple[Array, Array]:
    """Return every row in each other state that there is, as `_not_beaten` counts them, and what it needs there at most."""
    there = np.unique(own)
    row, state = np.nonzero(own[:, None] != there)
    state = there[state]
    return same[row] * len(instead) + state, needs[row] + instead[own[row], state]


def _least(
    moves: Sequence[Move], options: Sequence[Array], exit_needs: Array, weights: Floats
) -> list[Floats]:
    """Return `(held, O, C)` in front of every move and behind the last: the least of each sum to come."""
    rest = [(exit_needs @ weights.T)[None]]
    for move, rows in zip(reversed(moves), reversed(options), strict=True):
        rest.append(move.back(rest[-1], rows, weights))
    return rest[::-1]
