"""What a pipeline is: units one behind the other, and branches side by side between a fork and a join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dse.ir.units import AddUnit, ConcatUnit, FillUnit, ForkUnit, SkippingWindowUnit, Unit


@dataclass(frozen=True, slots=True)
class Parallel:
    """Two branches that begin in one fork and end in one join.

    Attributes:
        fork: hands every word to both branches.
        branches: what stands between fork and join, FIFOs included; the first one leads to the first input of
            the join. A branch has at least one FIFO, its last unit.
        join: reads a word of both, or a pixel of each in turn.

    A layer that skips positions is one, too: its window unit is the fork, the first branch computes the
    positions that are kept, the second one hands on the mask, and a fill unit joins them.
    """

    fork: ForkUnit | SkippingWindowUnit
    branches: tuple[Stages, Stages]
    join: AddUnit | ConcatUnit | FillUnit


Stage: TypeAlias = Unit | Parallel
Stages: TypeAlias = tuple[Stage, ...]


def flat(stages: Sequence[Stage]) -> tuple[Unit, ...]:
    """Return all units in stream order: a fork, its first branch, its second one, the join."""
    units: list[Unit] = []
    for stage in stages:
        if isinstance(stage, Parallel):
            first, second = stage.branches
            units += [stage.fork, *flat(first), *flat(second), stage.join]
        else:
            units.append(stage)
    return tuple(units)
