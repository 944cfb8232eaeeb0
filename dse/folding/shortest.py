"""Shortest paths through a network of layers and blocks: (min, +) products of small tables.

A layer leads from doors to output widths. A chain is a path. Of a block, every branch is a table of the
cheapest way from each width of the fork to each door of the join; both branches are taken, so the tables
of a block add up, and then it is one step from the widths in front of it to the doors of its join.
Exact, as a search of all combinations (tests/folding/test_fold.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dse.ir.graph import Block, Series
from dse.ir.layers._base import Layer

Array: TypeAlias = npt.NDArray[np.int64]

FORBIDDEN = np.int64(2**60)  # more than any cost, and several of them still add up


@dataclass(frozen=True, eq=False)
class Costs:
    """What the entries of a layer cost, `(N,)`, `FORBIDDEN` at most; their doors and output widths."""

    entry: Array
    door: Array
    out: Array
    doors: int
    outs: int

    def table(self) -> Array:
        """Return the cheapest entry from each door to each output width, `(doors, outs)`."""
        flat = np.full(self.doors * self.outs, FORBIDDEN)
        np.minimum.at(flat, self.door * self.outs + self.out, self.entry)
        return flat.reshape(self.doors, self.outs)


@dataclass(frozen=True, eq=False)
class Graph:
    """A network whose entries and joints have costs.

    Attributes:
        layers: of every layer.
        joints: (layer, which of its inputs) -> `(outs of the layer before, doors)`.
        exit: `(outs of the last layer,)`.
    """

    layers: Mapping[str, Costs]
    joints: Mapping[tuple[str, int], Array]
    exit: Array

    def cheapest(self, parts: Series) -> dict[str, int]:
        """Return the entry of every layer on the cheapest path."""
        steps, end = self._run(parts, None)
        chosen: dict[str, int] = {}
        self._trace(steps, 0, int((end[0] + self.exit).argmin()), chosen)
        return chosen

    def _run(self, parts: Series, end: Array | None) -> tuple[list[_Step], Array]:
        """Return the steps through some parts, and the least costs at their end.

        Args:
            parts: layers and blocks in a row.
            end: `(S, widths)` least costs from S starts to where they begin; None: at the input.
        """
        steps = []
        for part in parts:
            step = self._step(part, end)
            end = plus(step.arrival, self.layers[step.name].table())
            steps.append(step)
        assert end is not None
        return steps, end

    def _step(self, part: Layer | Block, before: Array | None) -> _Step:
        if isinstance(part, Block):
            assert before is not None
            branches = [self._branch(part, port, before.shape[1]) for port in range(2)]
            tables = [plus(b.end, self.joints[part.join.name, p]) for p, b in enumerate(branches)]
            joint = np.minimum(tables[0] + tables[1], FORBIDDEN)
            return _Step(part.join.name, before, joint, plus(before, joint), tuple(branches))
        if before is None:
            start = np.zeros((1, self.layers[part.name].doors), dtype=np.int64)
            return _Step(part.name, None, start, start, ())
        joint = self.joints[part.name, 0]
        return _Step(part.name, before, joint, plus(before, joint), ())

    def _branch(self, block: Block, port: int, widths: int) -> _Branch:
        start = np.where(np.eye(widths, dtype=bool), np.int64(0), FORBIDDEN)
        branch = block.branches[port]
        if not branch:
            return _Branch([], start)
        return _Branch(*self._run(branch, start))

    def _trace(self, steps: list[_Step], start: int, width: int, chosen: dict[str, int]) -> None:
        """Add the entries of the cheapest path from a start to a width at the end of some steps."""
        for step in reversed(steps):
            layer = self.layers[step.name]
            through = np.where(
                layer.out == width, layer.entry + step.arrival[start][layer.door], 4 * FORBIDDEN
            )
            entry = chosen[step.name] = int(through.argmin())
            door = int(layer.door[entry])
            if step.before is None:
                return
            width = int((step.before[start] + step.joint[:, door]).argmin())
            for port, branch in enumerate(step.branches):
                behind = branch.end[width] + self.joints[step.name, port][:, door]
                self._trace(branch.steps, width, int(behind.argmin()), chosen)


@dataclass(frozen=True, eq=False)
class _Branch:
    """The steps of a branch, and the cheapest way from each width of the fork to each at its end."""

    steps: list[_Step]
    end: Array


@dataclass(frozen=True, eq=False)
class _Step:
    """A layer, or a block and its join.

    Attributes:
        name: of the layer or join.
        before: `(S, widths)` least costs up to it; None at the input.
        joint: `(widths, doors)` what lies between.
        arrival: `(S, doors)` least costs up to its doors.
        branches: of a block.
    """

    name: str
    before: Array | None
    joint: Array
    arrival: Array
    branches: tuple[_Branch, ...]


def plus(a: Array, b: Array) -> Array:
    """Return the (min, +) product of `(n, m)` and `(m, k)`."""
    least: Array = (a[:, :, None] + b[None]).min(axis=1)
    return np.minimum(least, FORBIDDEN)
