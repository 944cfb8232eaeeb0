"""When loops run that wait for each other's words, and for room where they write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dse.ir.loops import Array, Link, Loop, Times

SLACK = 0.5  # cycles: the times of words are whole, but where they are interpolated


@dataclass(frozen=True, slots=True)
class Wait:
    """Iterations of a loop that wait for those of another one.

    Attributes:
        at: where the port stands in its loop that is waited for.
        known: its words.
        target: the loop that waits.
        place: where the port stands there that waits.
        asked: the words that it waits for; negative ones are not waited for.
        late: cycles from one to the other.
    """

    at: slice
    known: Array
    target: int
    place: slice
    asked: Array
    late: float

    def ready(self, times: Times) -> Times:
        """Return from when on the target can run, given the times of the loop that it waits for."""
        passed = times[self.at]
        if self.asked is not self.known:
            passed = np.interp(self.asked, self.known, passed, left=-self.late)
        return passed + self.late

    def too_early(self, times: Sequence[Times], ready: Times) -> bool:
        """Return whether the target ran before it could."""
        return bool((ready > times[self.target][self.place] + SLACK).any())


def run_times(loops: Sequence[Loop], links: Sequence[Link], *, rooms: bool) -> list[Times]:
    """Return the cycles of what is followed of every loop: the earliest for which nobody waits too short.

    Loops are run in stream order, back, and so on, as long as there are some that ran too early. Where nothing
    waits for room, once is enough.

    Args:
        loops: in stream order.
        links: between them.
        rooms: whether what is written waits for room.

    Raises:
        ValueError: a word waits for itself, for a stream holds too few.
    """
    waits = _waits(loops, links, rooms=rooms)
    ready = [np.zeros(loop.iterations.size) for loop in loops]
    times = [np.full(loop.iterations.size, -np.inf) for loop in loops]
    end = _end(loops, links)
    turn, due = range(len(loops)), set(range(len(loops)))
    while due:
        for i in turn:
            if i in due:
                due.discard(i)
                times[i] = loops[i].run(ready[i])
                for wait in waits[i]:
                    now = ready[wait.target][wait.place] = wait.ready(times[i])
                    if wait.target not in due and wait.too_early(times, now):
                        due.add(wait.target)
        if times[-1][-1] > end:
            msg = "the streams of branches must hold what one of them is ahead, a word waits for itself"
            raise ValueError(msg)
        turn = turn[::-1]
    return times


def _end(loops: Sequence[Loop], links: Sequence[Link]) -> float:
    """Return a cycle by which all is done: if nothing ran side by side; twice that, for times are interpolated."""
    late = max((link.late for link in links), default=0) + 1
    return 2.0 * late * sum(float(loop.iterations.max()) + 1 for loop in loops)


def _waits(loops: Sequence[Loop], links: Sequence[Link], *, rooms: bool) -> list[list[Wait]]:
    """Return what waits for every loop: readers for its words, and writers for room."""
    waits: list[list[Wait]] = [[] for _ in loops]
    for link in links:
        (a, p), (b, q) = link.source, link.target
        source, target = loops[a].ports[p].words, loops[b].ports[q].words
        at, place = loops[a].bounds[p], loops[b].bounds[q]
        waits[a].append(Wait(at, source, b, place, target, 1.0 + link.late))
        if rooms and link.depth is not None and link.depth <= source[-1]:
            waits[b].append(Wait(place, target, a, at, source - link.depth, 1.0 - link.early))
    return waits
