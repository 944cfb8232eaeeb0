"""Partial foldings ("labels") along a chain: one front for every state in which they may end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dse.search.dominance import Array, minima, thinned
from dse.search.fold import FORBIDDEN
from dse.search.steps import Step


@dataclass(frozen=True, slots=True)
class Labels:
    """N labels behind a layer.

    Attributes:
        out: `(N,)` width of the words that leave the layer, as its `Step` counts them.
        needs: `(N, 3)` of all layers up to it.
        parent: `(N,)` the label behind the layer before that it comes from.
        option: `(N,)` the option of the layer.
        slack: `(3,)` what thinning up to here may have cost (see `thinned`).
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
    bounds: Array,
    most: int,
) -> list[Labels]:
    """Return the labels behind every layer, ending with those of whole chains.

    Args:
        chain: the layers.
        options: of each layer those that may be chosen.
        exit_needs: `(O, 3)` what follows the last layer needs, by its output width.
        bounds: `(3,)` what a chain may need.
        most: labels that may stand behind a layer before they are thinned.

    Returns:
        One a layer. In the last one `out` is 0 and `needs` has `exit_needs` in it.
    """
    rest = _least(chain, options, exit_needs)
    start = np.zeros(1, dtype=np.int64)
    now = Labels(start, np.zeros_like(bounds)[None], start, start, np.zeros_like(bounds))
    result = []
    for i, (step, rows) in enumerate(zip(chain, options, strict=True)):
        now = _extended(now, step, rows)
        now = now.only(np.flatnonzero((now.needs + rest[i][now.out] <= bounds).all(axis=1)))
        if i + 1 == len(chain):
            needs = now.needs + exit_needs[now.out]
            now = Labels(np.zeros_like(now.out), needs, now.parent, now.option, now.slack)
        now = now.only(minima(now.out, now.needs))
        if i + 1 < len(chain):
            now = now.only(_unbeaten(now, step.behind))
        if len(now.out) > most:
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


def _least(chain: Sequence[Step], options: Sequence[Array], exit_needs: Array) -> list[Array]:
    """Return `(O, 3)` per layer: the least that what follows needs of each resource by itself."""
    rest = [exit_needs]
    for step, rows in zip(chain[:0:-1], options[:0:-1], strict=True):
        entered = np.full(step.joint.shape[1:], FORBIDDEN)
        np.minimum.at(entered, step.door[rows], step.needs[rows] + rest[-1][step.out[rows]])
        rest.append(np.minimum((step.joint + entered).min(axis=1), FORBIDDEN))
    return rest[::-1]
