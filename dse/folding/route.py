"""The route of labels along a network: its moves in stream order, and the options of its layers worth having."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dse.folding.dominance import Array, minima
from dse.folding.fold import Folder
from dse.folding.prices import Floats
from dse.folding.steps import UNIT, Fork, Move, Step, Turn
from dse.ir.graph import Block, Series


def whole(resources: Floats, sums: Floats) -> Array:
    """Return sums of `(..., 5)` resources in whole `UNIT`s, `(..., k)`; weights are `(k, 5)`."""
    return np.rint(resources @ sums.T / UNIT).astype(np.int64)


def route(folder: Folder, sums: Floats) -> tuple[Move, ...]:
    """Return the moves along a network, counting k sums of `RESOURCES`, weights `(k, 5)`."""
    return tuple(_Route(folder, sums).along(folder.parts))


def useful(step: Step, kept: Array, new: Array) -> Array:
    """Return the options worth having among those kept so far and new ones, ascending.

    An option is dropped where another one takes no more in any resource whatever stands before and
    behind. That comparison is transitive, so what was dropped once stays dropped.
    """
    rows = np.concatenate([kept, new])
    rows = np.sort(
        rows[minima(step.door[rows] * len(step.behind) + step.out[rows], step.needs[rows])]
    )
    door, out, needs = step.door[rows], step.out[rows], step.needs[rows]
    instead = step.before[door[:, None], door] + step.behind[out[:, None], out]
    no_worse = (needs[:, None] + instead <= needs).all(axis=2)
    index = np.arange(len(rows))
    beats = no_worse & (~no_worse.T | (index[:, None] < index))  # of equal ones the first
    np.fill_diagonal(beats, val=False)
    best: Array = rows[~beats.any(axis=0)]
    return best


class _Route:
    """What lies in front of and behind every layer of a folder, in whole units."""

    def __init__(self, folder: Folder, sums: Floats) -> None:
        self._folder, self._sums = folder, sums
        self._place = {name: i for i, name in enumerate(folder.names)}
        self._joints = {(j.target, j.port): whole(j.resources, sums) for j in folder.joints}
        self._exit = whole(folder.exit, sums)

    def along(self, parts: Series, holding: Array | None = None) -> Iterable[Move]:
        """Yield the moves through parts, `holding` being what it takes to hold one thing instead of another."""
        for part in parts:
            place = self._place[part.join.name if isinstance(part, Block) else part.name]
            if isinstance(part, Block):
                source = self._place[part.source.name]
                second = _more([self._joints[self._second(part)]])
                yield Fork(len(self._folder.options[source].outs))
                yield from self.along(part.branches[0], second)
                join = self._step(place, self._joints[place, 1], holding, closes=True)
                by_door = _more_by_door(join)
                yield Turn(self._joints[place, 0], second, by_door, direct=not part.branches[1])
                yield from self.along(part.branches[1], by_door)
                yield join
            else:
                doors = len(self._folder.options[place].doors)
                start = np.zeros((1, doors, len(self._sums)), dtype=np.int64)
                joint = self._joints.get((place, 0), start)
                yield self._step(place, joint, holding, closes=False)

    def _second(self, block: Block) -> tuple[int, int]:
        """Return where the second branch begins: the layer, and which of its inputs."""
        branch = block.branches[1]
        if not branch:
            return self._place[block.join.name], 1
        first = branch[0]
        assert not isinstance(first, Block)
        return self._place[first.name], 0

    def _step(self, place: int, joint: Array, holding: Array | None, *, closes: bool) -> Step:
        o = self._folder.options[place]
        styles, entries = len(o.styles), len(o.fold)
        entry = np.tile(np.arange(entries), styles)
        needs = whole(o.fixed + o.main[:, o.fold], self._sums)
        entered = [j for key, j in self._joints.items() if key[0] == place] or [joint]
        left = [self._joints[j.target, j.port] for j in self._folder.joints if j.source == place]
        return Step(
            cycles=o.cycles[entry],
            door=o.door_index[entry],
            out=o.out_index[entry],
            needs=needs.reshape(-1, len(self._sums)),
            entry=entry,
            style=np.repeat(np.arange(styles), entries),
            joint=joint,
            before=_more([j.swapaxes(0, 1) for j in entered]),
            behind=_more(left or [self._exit[:, None]]),
            holding=holding,
            closes=closes,
        )


def _more(joints: Sequence[Array]) -> Array:
    """Return `(n, n, k)` of joints `(n, m, k)`: how much more one row takes than another one at most."""
    more: Array = np.sum([(j[:, None] - j[None]).max(axis=2) for j in joints], axis=0)
    return more


def _more_by_door(join: Step) -> Array:
    """Return `(D, D, k)`: how much more it takes at most to enter a join, of one option a door, by one instead of another."""
    needs, out = np.zeros_like(join.needs), np.zeros_like(join.out)
    needs[join.door], out[join.door] = join.needs, join.out
    behind = join.behind[out[:, None], out]
    return _more([join.joint.swapaxes(0, 1)]) + needs[:, None] - needs + behind
