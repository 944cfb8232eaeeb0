"""Labels from one end of a network to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dse.search.dominance import Array, minima, thinned
from dse.search.labels import Cuts, Labels
from dse.search.prices import Floats
from dse.search.steps import Fork, Move, Step

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
    now, result = Labels.start(len(bounds)), []
    for i, (move, rows) in enumerate(zip(moves, options, strict=True)):
        now = move.ahead(now, rows)
        if not isinstance(move, Fork):
            now = now.only(cuts.keep(now.needs, rest[i][now.held, now.out]))
            if i + 1 == len(moves):
                now = now.with_exit(exit_needs)
            now = now.only(minima(now.states(), now.needs))
            if i + 1 < len(moves):
                now = now.only(_unbeaten(now, move.behind))
            if len(now) > most and (now.needs[:, 2:].any() or len(now) > STAIRCASE * most):
                kept, lost = thinned(now.states(), now.needs, bounds, most)
                now = replace(now.only(kept), slack=now.slack + lost)
        result.append(now)
    return result


def traced(moves: Sequence[Move], along: Sequence[Labels], last: Array) -> Array:
    """Return the options `(P, L)` of the layers that lead to some of the last labels."""
    columns = []
    rows = last
    for move, behind in zip(reversed(moves), reversed(along), strict=True):
        if isinstance(move, Step):
            columns.append(behind.option[rows])
        rows = behind.parent[rows]
    return np.stack(columns[::-1], axis=1)


def least_sums(
    moves: Sequence[Move], options: Sequence[Array], exit_needs: Array, weights: Floats
) -> Floats:
    """Return `(C,)`: the least that a whole network needs of each sum weighted by `(C, k)`."""
    least: Floats = _least(moves, options, exit_needs, weights)[0][0, 0]
    return least


def _unbeaten(now: Labels, behind: Array) -> Array:
    """Return the labels that no label of another width beats, whatever follows.

    Of two that are equal in this sense both stay: each could claim to beat the other.
    """
    states, needs = [now.held * len(behind) + now.out], [now.needs]
    for width in np.unique(now.out):  # first themselves, so that of equal rows these are kept
        others = np.flatnonzero(now.out != width)
        states.append(now.held[others] * len(behind) + width)
        needs.append(now.needs[others] + behind[now.out[others], width])
    kept = minima(np.concatenate(states), np.concatenate(needs))
    return np.sort(kept[kept < len(now)])


def _least(
    moves: Sequence[Move], options: Sequence[Array], exit_needs: Array, weights: Floats
) -> list[Floats]:
    """Return `(held, O, C)` in front of every move and behind the last: the least of each sum to come."""
    rest = [(exit_needs @ weights.T)[None]]
    for move, rows in zip(reversed(moves), reversed(options), strict=True):
        rest.append(move.back(rest[-1], rows, weights))
    return rest[::-1]
