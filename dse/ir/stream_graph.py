"""The loops of a pipeline, and the streams between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dse.ir.loops import Link, Loop
from dse.ir.stages import Parallel, Stage
from dse.ir.unit_loops import BETWEEN, unit_loops
from dse.ir.units import (
    Fifo,
    MatrixUnit,
    SkippingWindowUnit,
    Unit,
    WidthConverter,
)
from dse.ir.window_loops import whole


@dataclass(frozen=True, slots=True)
class Handshake:
    """How words pass from unit to unit; the default is that of a schedule, without any registers.

    Attributes:
        registers: cycles that a word spends in a unit, besides one.
        fifo: cycles that it spends in a FIFO, besides one.
        slots: words that a stream holds beside those of its FIFO.
        direct: words that a stream without a FIFO holds.
        at_once: whether a word that is taken from there makes room in the same cycle.
    """

    registers: Callable[[Unit], int] = lambda unit: 0
    fifo: int = 0
    slots: int = 0
    direct: int = BETWEEN
    at_once: bool = False


SCHEDULE = Handshake()


@dataclass(frozen=True, slots=True)
class End:
    """Where a stream begins that is read by what comes next.

    Attributes:
        loop: the loop that writes it; None: it is the input, which is always ready.
        port: of this loop.
        group: words that belong together: a pixel, a window, a vector.
        depth: words that it holds.
        late: cycles that a word takes, besides one.
        early: as of a `Link`.
    """

    loop: int | None = None
    port: int = 0
    group: int = 1
    depth: int = BETWEEN
    late: int = 0
    early: int = 0


@dataclass(frozen=True, slots=True)
class StreamGraph:
    """Loops in stream order, and the streams between them.

    Attributes:
        most: words of a stream that are followed.
        handshake: how words pass from unit to unit.
        loops: the loops; the last one writes the output at its last port.
        links: the streams, without the input and the output.
    """

    most: int
    handshake: Handshake = SCHEDULE
    loops: list[Loop] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def add(self, stages: Sequence[Stage], end: End) -> End:
        """Add stages behind an end; return the end behind them."""
        for stage in stages:
            if isinstance(stage, Fifo):
                end = self._fifo(stage, end)
            elif isinstance(stage, Parallel):
                end = self._block(stage, end)
            else:
                end = self._unit(stage, [end])
        return end

    def _fifo(self, fifo: Fifo, end: End) -> End:
        h = self.handshake
        depth, late = int(fifo.depth) + h.slots, end.late + h.fifo
        return replace(end, depth=depth, late=late, early=end.early - h.at_once)

    def _block(self, block: Parallel, end: End) -> End:
        if isinstance(block.fork, SkippingWindowUnit):
            return self.add(_unskipped(block, block.fork), end)
        fork = self._unit(block.fork, [end])
        outputs = (replace(fork, port=fork.port - 1), fork)
        pairs = zip(block.branches, outputs, strict=True)
        return self._unit(block.join, [self.add(branch, output) for branch, output in pairs])

    def _unit(self, unit: Unit, ends: Sequence[End]) -> End:
        """Add a unit that reads the streams of ends at its first ports; return its output."""
        parts, first = unit_loops(unit, ends[0].group, self.most), len(self.loops)
        self.loops.extend(parts.loops)
        for link in parts.links:
            (a, p), (b, q) = link.source, link.target
            self.links.append(replace(link, source=(first + a, p), target=(first + b, q)))
        for port, end in enumerate(ends):
            if end.loop is not None:
                source = end.loop, end.port
                self.links.append(Link(source, (first, port), end.depth, end.late, end.early))
        h, late = self.handshake, self.handshake.registers(unit)
        output = len(self.loops) - 1, len(self.loops[-1].ports) - 1
        # a unit whose output waits stands still, with what is on its way in its registers
        return End(*output, parts.group, h.direct, late, late + h.at_once)


def _unskipped(block: Parallel, window: SkippingWindowUnit) -> list[Stage]:
    """Return the units of a layer that skips positions as they are for a frame that keeps all of them."""
    stages: list[Stage] = [window]
    for stage in block.branches[0]:
        if isinstance(stage, WidthConverter):
            written = whole(window).words_written
            stages.append(replace(stage, elements=written * window.simd))
        elif isinstance(stage, MatrixUnit):
            stages.append(replace(stage, vectors=window.positions))
        else:
            stages.append(stage)
    return [*stages, block.join]
