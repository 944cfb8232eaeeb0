"""What a pipeline becomes in the emitted project: streams, processes and modules in stream order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dse.emit.tables import Table
from dse.ir.units import (
    Fifo,
    FillUnit,
    LaneUnit,
    ProductUnit,
    SkippingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
)

PLAIN_DEPTH = 2  # words of a stream that no FIFO of the pipeline stands for
TOKENS = 4  # of a stream of them: two vectors and an end of a frame may wait
BIT = "ap_uint<1>"


@dataclass(frozen=True)
class Stream:
    """A stream between two processes."""

    name: str
    word: str  # C++ type
    depth: int  # words
    counts: bool = False  # says how many vectors there are; Verilog units need not know


@dataclass(frozen=True)
class Loading:
    """Where the weights of a unit come from that are loaded.

    Attributes:
        source: stream of words of the load stream.
        target: of the next such unit; None: this is the last one.
        words: that the unit takes.
        behind: words that it hands on.
    """

    source: Stream
    target: Stream | None
    words: int
    behind: int

    @property
    def ports(self) -> tuple[tuple[str, Stream], ...]:
        """Argument and stream, in the order of the arguments."""
        sides = (("load", self.source), ("pass", self.target))
        return tuple((name, stream) for name, stream in sides if stream is not None)


@dataclass(frozen=True)
class Process:
    """One function of the dataflow region."""

    name: str
    kernel: str  # function of hw_templates/kernels
    sources: tuple[Stream, ...]
    targets: tuple[Stream, ...]
    tables: tuple[Table, ...] = ()
    loading: Loading | None = None

    @property
    def ports(self) -> tuple[tuple[str, Stream], ...]:
        """Argument and stream of what frames pass, in the order of the arguments."""
        sides = (("in", self.sources), ("out", self.targets))
        return tuple(
            (side if len(streams) == 1 else f"{side}{i}", stream)
            for side, streams in sides
            for i, stream in enumerate(streams)
        )

    @property
    def all_ports(self) -> tuple[tuple[str, Stream], ...]:
        """The same, and behind them those of weights that are loaded."""
        return self.ports if self.loading is None else self.ports + self.loading.ports


@dataclass(frozen=True)
class Module:
    """One unit of the pipeline as it is emitted.

    Attributes:
        name: of the unit; its parameters are the C++ struct `<name>_unit`.
        unit: what it is.
        traits: members of the struct.
        processes: its functions.
        vectors: those that a frame is expected to have, where it depends on the image how many there are; else 0.
    """

    name: str
    unit: Unit
    traits: Mapping[str, int | bool]
    processes: tuple[Process, ...]
    vectors: int = 0

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the processes."""
        return tuple(t for p in self.processes for t in p.tables)

    @property
    def loading(self) -> Loading | None:
        """How its weights are loaded; None where they are constants."""
        return self.processes[0].loading

    @property
    def trips(self) -> tuple[str, ...]:
        """C++ expressions of the simulated loop trips of the processes; the largest is the pace."""
        second = "WindowsOf" if isinstance(self.unit, SkippingWindowUnit) else "RowsOf"
        own, other = (
            f"dse::trips<{self.name}_unit>()",
            f"dse::trips<dse::{second}<{self.name}_unit>>()",
        )
        return (own,) if len(self.processes) == 1 else (own, other)


@dataclass(frozen=True)
class Chain:
    """All modules in stream order; `fifos` names the stream that each FIFO of the pipeline became.

    A fork stands before its branches, the first one before the second, and a join behind them.
    """

    modules: tuple[Module, ...]
    input: Stream
    output: Stream
    fifos: tuple[tuple[str, Fifo], ...]

    @property
    def processes(self) -> tuple[Process, ...]:
        """All processes in stream order."""
        return tuple(p for m in self.modules for p in m.processes)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """All streams in stream order, those of weights last."""
        loads = (loading.source for loading in self.loads)
        return (self.input, *(s for p in self.processes for s in p.targets), *loads)

    @property
    def loads(self) -> tuple[Loading, ...]:
        """How weights are loaded, in the order in which units take their words; often not at all."""
        return tuple(m.loading for m in self.modules if m.loading is not None)

    @property
    def widest_bits(self) -> int:
        """Bits of the widest integer of the project: a stream word or the register of a converter."""
        return max(
            bits for m in self.modules for bits in (*word_bits(m.unit), register_bits(m.unit))
        )


def word_bits(unit: Unit, port: int = 0) -> tuple[int, int]:
    """Bits of a word that enters the unit at a port, and of one that leaves it."""
    assert not isinstance(unit, Fifo)
    entering = unit.input_bits if isinstance(unit, ProductUnit) else unit.bits
    if isinstance(unit, FillUnit) and port:
        return 1, int(unit.pe) * int(unit.bits)
    if isinstance(unit, LaneUnit):
        entering = unit.dot_bits if port else unit.shortcut_bits
    leaving = unit.out_element_bits if isinstance(unit, ProductUnit | SumUnit) else unit.bits
    return int(unit.in_width) * int(entering), int(unit.out_width) * int(leaving)


def register_bits(unit: Unit) -> int:
    """Bits of the register of a converter; of no other unit."""
    return sum(word_bits(unit)) if isinstance(unit, WidthConverter) else 0
