"""Cycles of a pipeline: between frames, and from first input to last output word."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dse.ir.stages import Parallel, Stage, flat
from dse.ir.stream_graph import SCHEDULE, End, Handshake, StreamGraph
from dse.ir.units import ForkUnit
from dse.ir.waiting import run_times

SAMPLES = 512  # words of a stream whose times are followed


def interval_cycles(stages: Sequence[Stage]) -> int:
    """Return the cycles between two frames: those of the slowest unit."""
    return max(int(unit.cycles) for unit in flat(stages))


def latency_cycles(
    stages: Sequence[Stage], most: int = SAMPLES, handshake: Handshake = SCHEDULE
) -> int:
    """Return the cycles from the first input word to the last output word of one frame.

    Every unit is a loop of one iteration a cycle that waits where an input word is missing, or room for
    an output word. Word j is read in iteration r(j), not before its time A(j), the cycle from which it
    can be read; word k is written in iteration w(k), not before B(k), the cycle from which there is
    room. So iteration i runs in cycle

        T(i) = i + max(0, max over r(j) <= i of A(j) - r(j), max over w(k) <= i of B(k) - w(k)).

    The word written there can be read from T(i) + 1 on, A of the loop behind; a stream of depth d has room
    for word k from the cycle after word k - d was read, B of the loop in front. These are the longest
    paths of a graph without circles, found by running the loops in stream order and back until no
    time changes (`dse.ir.waiting`). The input is always ready, the output always taken.

    Exact where no stream is longer than `most`; of longer ones so many words are followed and times
    between them interpolated. In a chain nothing waits for room in vain, so only where branches meet it is
    looked for. Where positions are skipped the frame is one that keeps them all, and windows wait for the last
    pixel that decides on them: an upper bound. Units are idle before the frame.

    Args:
        stages: of the pipeline.
        most: words of a stream that are followed.
        handshake: what a word meets between iterations: pipeline registers (`dse.emit.rtl_timing`). Not
            counted without.

    Raises:
        ValueError: the design never ends: a FIFO in front of a join is too shallow (`dse.lowering` builds none).
    """
    graph = StreamGraph(most, handshake)
    end = graph.add(stages, End())
    rooms = any(isinstance(s, Parallel) and isinstance(s.fork, ForkUnit) for s in stages)
    last = float(run_times(graph.loops, graph.links, rooms=rooms)[-1][-1])
    return math.ceil(last) + 1 + end.late
