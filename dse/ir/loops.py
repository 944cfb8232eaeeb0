"""A loop of one iteration a cycle that waits: for words that it reads, and for room for what it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.int64]
Times: TypeAlias = npt.NDArray[np.float64]

KEPT = 1024  # lists of words that are kept: some 8 KB each


@dataclass(frozen=True, slots=True)
class Port:
    """Where a stream ends or begins in a loop.

    Attributes:
        words: indices of the words that are followed; those that are written ascend.
        iterations: in which the loop reads or writes them.
    """

    words: Array
    iterations: Array


@dataclass(frozen=True)
class Loop:
    """What a loop waits for in which iteration. The loops of a unit are kept (`dse.ir.unit_loops`)."""

    ports: tuple[Port, ...]

    @cached_property
    def iterations(self) -> Times:
        """Those of all ports, one port after the other."""
        return np.concatenate([p.iterations for p in self.ports]).astype(np.float64)

    @cached_property
    def order(self) -> tuple[Array, Array]:
        """What sorts `iterations`, and for each of them the last place of its iteration among the sorted."""
        order = np.argsort(self.iterations, kind="stable")
        ends = np.searchsorted(self.iterations[order], self.iterations, side="right") - 1
        return order, ends

    @cached_property
    def bounds(self) -> tuple[slice, ...]:
        """Where every port stands in `iterations`."""
        ends = np.cumsum([p.iterations.size for p in self.ports]).tolist()
        return tuple(slice(*span) for span in zip([0, *ends[:-1]], ends, strict=True))

    def run(self, ready: Times) -> Times:
        """Return the cycles of `iterations`, given from when on each could run (`dse.ir.timing`)."""
        order, ends = self.order
        late = np.maximum.accumulate((ready - self.iterations)[order])[ends]
        return self.iterations + np.maximum(late, 0.0)


@dataclass(frozen=True, slots=True)
class Link:
    """A stream between two loops.

    Attributes:
        source: loop and port that write it.
        target: loop and port that read it.
        depth: words that it holds; None: nothing waits for room.
        late: cycles that a word takes, besides one.
        early: cycles by which a word is written before the one that follows when another made room for it: it
            has registers to pass.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    depth: int | None
    late: int = 0
    early: int = 0


@dataclass(frozen=True, slots=True)
class UnitLoops:
    """The loops of a unit in stream order, and the streams between them.

    The first ports of the first loop are the inputs, the last ports of the last one are the outputs.

    Attributes:
        loops: the loops.
        links: the streams; loops are counted within the unit.
        group: output words that belong together: a pixel, a window, a vector.
    """

    loops: tuple[Loop, ...]
    links: tuple[Link, ...]
    group: int


@lru_cache(maxsize=KEPT)
def followed(words: int, group: int, most: int) -> Array:
    """Return the indices of about `most` of so many words; all, where they are fewer.

    Streams that carry the same pixels follow the same of them, and the first and last word of
    each: what waits for a word of a pixel waits for its last one.

    Args:
        words: of a stream.
        group: words that belong together: a pixel, a window, a vector.
        most: how many to follow.
    """
    if words <= most:
        return np.arange(words)
    groups = words // group
    each = min(group, max(most // groups, 2))
    return (even(groups, most // 2)[:, None] * group + even(group, each)).ravel()


@lru_cache(maxsize=KEPT)
def even(count: int, most: int) -> Array:
    """Return at most `most` of so many indices, the first and the last included."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def single(
    read: tuple[Array, Callable[[Array], Array]],
    write: tuple[Array, Callable[[Array], Array]],
    group: int,
) -> UnitLoops:
    """Return a unit that is one loop, of words that it reads and writes and the iterations of a word."""
    ports = (Port(words, iteration(words)) for words, iteration in (read, write))
    return UnitLoops((Loop(tuple(ports)),), (), group)
