"""The chain as steps of a multi-criteria path: what every layer can be, without what is never best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dse.search.dominance import Array, minima
from dse.search.fold import Folder
from dse.search.prices import Floats

UNIT = 1e-6  # needs are whole multiples of it, so that sums and ties do not depend on rounding


@dataclass(frozen=True, eq=False)
class Step:
    """One layer: N options, each a folding with memory and compute style.

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
        joint: `(outs of the layer before, D, k)`; zero for the first layer.
        before: `(D, D, k)`, `[a, b]`: by `a` instead of `b`.
        behind: `(O, O, k)`.
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


def whole(resources: Floats, columns: Sequence[int]) -> Array:
    """Return some columns of `(..., 5)` resources in whole `UNIT`s."""
    return np.rint(resources[..., columns] / UNIT).astype(np.int64)


def steps(folder: Folder, columns: Sequence[int]) -> tuple[Step, ...]:
    """Return the steps of a chain, counting some columns of `RESOURCES`."""
    first = np.zeros((1, len(folder.options[0].doors), len(columns)), dtype=np.int64)
    joints = [whole(j.resources, columns) for j in folder.joints]
    joints = [first, *joints, whole(folder.exit, columns)[:, None]]
    result = []
    for o, joint, following in zip(folder.options, joints, joints[1:], strict=False):
        styles, entries = len(o.styles), len(o.fold)
        entry = np.tile(np.arange(entries), styles)
        result.append(
            Step(
                cycles=o.cycles[entry],
                door=o.door_index[entry],
                out=o.out_index[entry],
                needs=whole(o.fixed + o.main[:, o.fold], columns).reshape(-1, len(columns)),
                entry=entry,
                style=np.repeat(np.arange(styles), entries),
                joint=joint,
                before=(joint[:, :, None] - joint[:, None]).max(axis=0),
                behind=(following[:, None] - following[None]).max(axis=2),
            )
        )
    return tuple(result)


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
