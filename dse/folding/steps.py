"""The moves of a label along a network: through a layer, and into and over the blocks of a residual one.

A network is walked in stream order. In front of a block, the width of the words at its fork is held while the
first branch is walked. At the end of the branch the door of the join is chosen and held instead, and the walk
goes back to the fork, for the second branch. At the join what is held is what it is entered by. So both
branches agree on both of their ends, and the walk is a path along a chain in all other respects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dse.folding.dominance import Array
from dse.folding.labels import Labels
from dse.folding.prices import Floats

UNIT = 1e-6  # needs are whole multiples of it, so that sums and ties do not depend on rounding


@dataclass(frozen=True, eq=False)
class Step:
    """Through one layer: N options, each a folding with memory and compute style.

    Options lead from one of D doors to one of O output widths (see `LayerOptions`). `before` and
    `behind` say how much more it takes at most, joints included, to enter by one door instead of
    another, and to leave with one width instead of another: with them options are compared
    that begin or end differently.

    Attributes:
        cycles: `(N,)`.
        door: `(N,)`.
        out: `(N,)`.
        needs: `(N, k)` of the resources that count, in `UNIT`.
        entry: `(N,)` row of `LayerOptions`.
        style: `(N,)` row of `LayerOptions.styles`.
        joint: `(outs in front, D, k)`; of a join what leads to its second input; zero for the first layer.
        before: `(D, D, k)`, `[a, b]`: by `a` instead of `b`.
        behind: `(O, O, k)`.
        holding: `(H, H, k)`, the same for what labels hold; None outside of blocks.
        closes: it is a join: its door is held already, and no longer behind it.
    """

    cycles: Array
    door: Array
    out: Array
    needs: Array
    entry: Array
    style: Array
    joint: Array
    before: Array
    behind: Array
    holding: Array | None
    closes: bool

    def ahead(self, labels: Labels, options: Array) -> Labels:
        """Return all labels behind: every one at each of the doors, with every option there."""
        parts = []
        doors = self.joint.shape[1]
        around = labels.held // doors if self.closes else labels.held
        rows = np.arange(len(labels))
        for door in np.unique(self.door[options]):
            own = options[self.door[options] == door]
            if self.closes:
                rows = np.flatnonzero(labels.held % doors == door)
            arriving = labels.needs[rows] + self.joint[labels.out[rows], door]
            needs = arriving[:, None] + self.needs[own]
            parts.append(
                (
                    np.repeat(around[rows], len(own)),
                    np.tile(self.out[own], len(rows)),
                    needs.reshape(-1, needs.shape[-1]),
                    np.repeat(rows, len(own)),
                    np.tile(own, len(rows)),
                )
            )
        held, out, needs, parent, option = (np.concatenate(p) for p in zip(*parts, strict=True))
        return Labels(held, out, needs, parent, option, labels.slack)

    def back(self, rest: Floats, options: Array, weights: Floats) -> Floats:
        """Return `(held, outs in front, C)`: the least of C sums from in front of the layer on.

        Args:
            rest: `(held, O, C)` from behind it on.
            options: those that may be chosen.
            weights: `(C, k)`.
        """
        entered = (self._table(options, weights) + rest[:, None]).min(axis=2)  # (held, doors, C)
        joint = self.joint @ weights.T
        found: Floats
        if self.closes:
            found = entered[:, :, None] + joint.swapaxes(0, 1)
            return found.reshape(-1, *found.shape[2:])
        found = (joint + entered[:, None]).min(axis=2)
        return found

    def onward(self, past: Floats, options: Array, weights: Floats) -> Floats:
        """Return `(held, O, C)`: the least of C sums up to behind the layer.

        Args:
            past: `(held, outs in front, C)` up to in front of it.
            options: those that may be chosen.
            weights: `(C, k)`.
        """
        table = self._table(options, weights)
        found: Floats = (self._entered(past, weights)[:, :, None] + table).min(axis=1)
        return found

    def within(
        self, past: Floats, rest: Floats, options: Array, weights: Floats, bounds: Floats
    ) -> Array:
        """Return the options that are part of something that keeps each of C sums within its bound.

        Args:
            past: as in `onward`.
            rest: as in `back`.
            options: some of the layer.
            weights: `(C, k)`.
            bounds: `(C,)`.
        """
        around = self._entered(past, weights)[:, :, None] + rest[:, None]  # (held, doors, O, C)
        sums = self.needs[options] @ weights.T
        sums += around.min(axis=0)[self.door[options], self.out[options]]
        kept: Array = options[(sums <= bounds).all(axis=1)]
        return kept

    def _table(self, options: Array, weights: Floats) -> Floats:
        """Return `(doors, O, C)`: the least of each sum of the options between a door and a width."""
        doors, outs = self.joint.shape[1], len(self.behind)
        least = np.full((doors * outs, len(weights)), np.inf)
        place = self.door[options] * outs + self.out[options]
        np.minimum.at(least, place, self.needs[options] @ weights.T)
        return least.reshape(doors, outs, -1)

    def _entered(self, past: Floats, weights: Floats) -> Floats:
        """Return `(held behind, doors, C)`: the least of each sum up to the doors."""
        joint = self.joint @ weights.T
        found: Floats
        if self.closes:
            by_door = past.reshape(-1, joint.shape[1], *past.shape[1:])
            found = (by_door + joint.swapaxes(0, 1)).min(axis=2)
            return found
        found = (past[:, :, None] + joint).min(axis=1)
        return found


@dataclass(frozen=True, eq=False)
class Fork:
    """Into a block.

    Attributes:
        widths: how many widths the words in front of it may have.
    """

    widths: int

    def ahead(self, labels: Labels, options: Array) -> Labels:
        """Return the labels, as many, that hold the width they are at."""
        del options
        rows = np.arange(len(labels))
        held = labels.held * self.widths + labels.out
        return Labels(held, labels.out, labels.needs, rows, np.zeros_like(rows), labels.slack)

    def back(self, rest: Floats, options: Array, weights: Floats) -> Floats:
        """Return `(held, widths, C)` of `(held * widths, widths, C)`, as in `Step.back`."""
        del options, weights
        by_fork = rest.reshape(-1, self.widths, self.widths, rest.shape[-1])
        return by_fork.diagonal(axis1=1, axis2=2).swapaxes(1, 2)

    def onward(self, past: Floats, options: Array, weights: Floats) -> Floats:
        """Return `(held * widths, widths, C)` of `(held, widths, C)`, as in `Step.onward`."""
        del options
        held = np.full((len(past), self.widths, self.widths, len(weights)), np.inf)
        same = np.arange(self.widths)
        held[:, same, same] = past
        return held.reshape(-1, self.widths, len(weights))


@dataclass(frozen=True, eq=False)
class Turn:
    """From the end of the first branch of a block back to the fork.

    Attributes:
        joint: `(outs of the branch, doors of the join, k)` from the branch to the first input of the join.
        behind: `(widths, widths, k)`: to begin the second branch with one width of the fork instead of another.
        holding: `(doors, doors, k)`: to hold one door instead of another.
        direct: the second branch is empty, the join follows.
    """

    joint: Array
    behind: Array
    holding: Array
    direct: bool

    def ahead(self, labels: Labels, options: Array) -> Labels:
        """Return all labels at the fork again: every one with each door of the join."""
        del options
        widths, doors = len(self.behind), self.joint.shape[1]
        rows = np.repeat(np.arange(len(labels)), doors)
        door = np.tile(np.arange(doors), len(labels))
        return Labels(
            labels.held[rows] // widths * doors + door,
            labels.held[rows] % widths,
            labels.needs[rows] + self.joint[labels.out[rows], door],
            rows,
            np.zeros_like(rows),
            labels.slack,
        )

    def back(self, rest: Floats, options: Array, weights: Floats) -> Floats:
        """Return `(held * widths, outs of the branch, C)` of `(held * doors, widths, C)`, as in `Step.back`."""
        del options
        widths, doors = len(self.behind), self.joint.shape[1]
        turned = rest.reshape(-1, doors, widths, len(weights)).swapaxes(1, 2)
        found: Floats = (self.joint @ weights.T + turned[:, :, None]).min(axis=3)
        return found.reshape(-1, *found.shape[2:])

    def onward(self, past: Floats, options: Array, weights: Floats) -> Floats:
        """Return `(held * doors, widths, C)` of `(held * widths, outs of the branch, C)`, as in `Step.onward`."""
        del options
        widths, doors = len(self.behind), self.joint.shape[1]
        found: Floats = (past[:, :, None] + self.joint @ weights.T).min(axis=1)
        turned = found.reshape(-1, widths, doors, len(weights)).swapaxes(1, 2)
        return turned.reshape(-1, widths, len(weights))


Move: TypeAlias = Step | Fork | Turn
