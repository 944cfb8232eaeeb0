"""Partial foldings ("labels") of a network: one front for every state in which they may end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dse.folding.dominance import Array
from dse.folding.prices import Floats

ROUNDING = 1e-9  # of sums that are compared with a limit


@dataclass(frozen=True, slots=True)
class Cuts:
    """C limits on weighted sums of what a network needs: `needs @ weights.T <= bounds`.

    Attributes:
        weights: `(C, k)`, none negative.
        bounds: `(C,)`.
    """

    weights: Floats
    bounds: Floats

    def keep(self, needs: Array, rest: Floats) -> Array:
        """Return the rows of `(N, k)` needs that hold every limit with `(N, C)` still to come."""
        sums = needs @ self.weights.T + rest
        return np.flatnonzero((sums <= self.bounds * (1 + ROUNDING)).all(axis=1))


@dataclass(frozen=True, slots=True)
class Labels:
    """N labels behind a move (see `dse.folding.steps`).

    Attributes:
        held: `(N,)` what they hold of the blocks that they are in; 0 outside of blocks.
        out: `(N,)` width of the words that leave the layer, as its `Step` counts them.
        needs: `(N, k)` of all layers up to it.
        parent: `(N,)` the label behind the move before that it comes from.
        option: `(N,)` the option of the layer; 0 where the move is none through a layer.
        slack: `(k,)` what thinning up to here may have cost (see `thinned`).
    """

    held: Array
    out: Array
    needs: Array
    parent: Array
    option: Array
    slack: Array

    @staticmethod
    def start(resources: int) -> Labels:
        """Return the one label in front of a network."""
        zero = np.zeros(1, dtype=np.int64)
        nothing = np.zeros((1, resources), dtype=np.int64)
        return Labels(zero, zero, nothing, zero, zero, nothing[0])

    def __len__(self) -> int:
        return len(self.out)

    def only(self, rows: Array) -> Labels:
        """Return some of the labels."""
        return Labels(
            self.held[rows],
            self.out[rows],
            self.needs[rows],
            self.parent[rows],
            self.option[rows],
            self.slack,
        )

    def fewer(self, rows: Array, lost: Array) -> Labels:
        """Return some that stand for all, none being worse by more than is lost, `(k,)`."""
        return replace(self.only(rows), slack=self.slack + lost)

    def states(self) -> Array:
        """Return `(N,)`: labels in one state can be compared, whatever follows."""
        widths = int(self.out.max(initial=0)) + 1
        return self.held * widths + self.out

    def with_exit(self, needs: Array) -> Labels:
        """Return the labels of whole networks: `(O, k)` needs by width are added."""
        return replace(self, out=np.zeros_like(self.out), needs=self.needs + needs[self.out])
