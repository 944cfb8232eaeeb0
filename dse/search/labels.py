"""Partial foldings ("labels") along a chain: one front for every state in which they may end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dse.search.dominance import Array, minima, thinned
from dse.search.prices import Floats
from dse.search.steps import Step

STAIRCASE = 20  # times as many labels may stand where only two resources are needed
ROUNDING = 1e-9  # of sums that are compared with a limit


@dataclass(frozen=True, slots=True)
class Cuts:
    """C limits on weighted sums of what a chain needs: `needs @ weights.T <= bounds`.

    Attributes:
        weights: `(C, k)`, none negative.
        bounds: `(C,)`.
    """

    weights: Floats
    bounds: Floats

    def __add__(self, other: Cuts) -> Cuts:
        return Cuts(
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.bounds, other.bounds]),
        )

    def keep(self, needs: Array, rest: Floats) -> Array:
        """Return the rows of `(N, k)` needs that hold every limit with `(N, C)` still to come."""
        sums = needs @ self.weights.T + rest
        return np.flatnonzero((sums <= self.bounds * (1 + ROUNDING)).all(axis=1))


@dataclass(frozen=True, slots=True)
class Labels:
    """N labels behind a layer.

    Attributes:
        out: `(N,)` width of the words that leave the layer, as its `Step` counts them.
        needs: `(N, k)` of all layers up to it.
        parent: `(N,)` the label behind the layer before that it comes from.
        option: `(N,)` the option of the layer.
        slack: `(k,)` what thinning up to here may have cost (see `thinned`).
    """

    out: Array
    needs: Array
    parent: Array
    option: Array
    slack: Array

    def only(self, rows: Array) -> Labels:
        """Return some of the labels."""
        return Labels(
            self.out[rows], self.needs[rows], self.parent[rows], self.option[rows], self.slack
        )


def labels(
    chain: Sequence[Step],
    options: Sequence[Array],
    exit_needs: Array,
    cuts: Cuts,
    bounds: Array,
    most: int,
) -> list[Labels]:
    """Return the labels behind every layer, ending with those of whole chains.

    Args:
        chain: the layers.
        options: of each layer those that may be chosen.
        exit_needs: `(O, k)` what follows the last layer needs, by its output width.
        cuts: limits that whole chains must hold.
        bounds: `(k,)` of each resource; thinning goes by shares of them.
        most: labels that may stand behind a layer before they are thinned; `STAIRCASE` times as
            many where only two resources are needed.

    Returns:
        One a layer. In the last one `out` is 0 and `needs` has `exit_needs` in it.
    """
    rest = _least(chain, options, exit_needs, cuts.weights)
    start = np.zeros(1, dtype=np.int64)
    now = Labels(start, np.zeros_like(bounds)[None], start, start, np.zeros_like(bounds))
    result = []
    for i, (step, rows) in enumerate(zip(chain, options, strict=True)):
        now = _extended(now, step, rows)
        now = now.only(cuts.keep(now.needs, rest[i][now.out]))
        if i + 1 == len(chain):
            needs = now.needs + exit_needs[now.out]
            now = Labels(np.zeros_like(now.out), needs, now.parent, now.option, now.slack)
        now = now.only(minima(now.out, now.needs))
        if i + 1 < len(chain):
            now = now.only(_unbeaten(now, step.behind))
        if len(now.out) > most and (now.needs[:, 2:].any() or len(now.out) > STAIRCASE * most):
            kept, lost = thinned(now.out, now.needs, bounds, most)
            few = now.only(kept)
            now = Labels(few.out, few.needs, few.parent, few.option, now.slack + lost)
        result.append(now)
    return result


def traced(along: Sequence[Labels], last: Array) -> Array:
    """Return the options `(P, L)` that lead to some of the last labels."""
    columns = []
    rows = last
    for behind in reversed(along):
        columns.append(behind.option[rows])
        rows = behind.parent[rows]
    return np.stack(columns[::-1], axis=1)


def _extended(before: Labels, step: Step, options: Array) -> Labels:
    """Return all labels behind a layer: every one at each of its doors, with every option there."""
    parts = []
    for door in np.unique(step.door[options]):
        own = options[step.door[options] == door]
        arriving = before.needs + step.joint[before.out, door]
        first = minima(np.zeros(len(arriving), dtype=np.int64), arriving)
        needs = arriving[first][:, None] + step.needs[own]
        parts.append(
            (
                np.tile(step.out[own], len(first)),
                needs.reshape(-1, needs.shape[-1]),
                np.repeat(first, len(own)),
                np.tile(own, len(first)),
            )
        )
    out, needs, parent, option = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Labels(out, needs, parent, option, before.slack)


def _unbeaten(now: Labels, behind: Array) -> Array:
    """Return the labels that no label of another width beats, whatever follows.

    Of two that are equal in this sense both stay: each could claim to beat the other.
    """
    out, needs = [now.out], [now.needs]  # first, so that of equal rows these are kept
    for width in np.unique(now.out):
        others = np.flatnonzero(now.out != width)
        out.append(np.full(len(others), width))
        needs.append(now.needs[others] + behind[now.out[others], width])
    kept = minima(np.concatenate(out), np.concatenate(needs))
    return np.sort(kept[kept < len(now.out)])


def least_sums(
    chain: Sequence[Step], options: Sequence[Array], exit_needs: Array, weights: Floats
) -> Floats:
    """Return `(C,)`: the least that a whole chain needs of each sum weighted by `(C, k)`."""
    behind = _least(chain, options, exit_needs, weights)[0]
    rows = options[0]
    total: Floats = (chain[0].needs[rows] @ weights.T + behind[chain[0].out[rows]]).min(axis=0)
    return total


def _least(
    chain: Sequence[Step], options: Sequence[Array], exit_needs: Array, weights: Floats
) -> list[Floats]:
    """Return `(O, C)` per layer: the least of each weighted sum that what follows needs."""
    rest = [exit_needs @ weights.T]
    for step, rows in zip(chain[:0:-1], options[:0:-1], strict=True):
        entered = np.full((step.joint.shape[1], len(weights)), np.inf)
        np.minimum.at(
            entered, step.door[rows], step.needs[rows] @ weights.T + rest[-1][step.out[rows]]
        )
        rest.append((step.joint @ weights.T + entered).min(axis=1))
    return rest[::-1]
