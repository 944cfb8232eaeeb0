"""Lowering: from the chain of units to the processes, streams and tables of the emitted project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dse.emit.tables import Table, matrix_tables
from dse.errors import UsageError
from dse.ir.accelerator import Accelerator
from dse.ir.units import (
    DepthwiseUnit,
    Fifo,
    MatrixUnit,
    PoolUnit,
    ProductUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
)

STREAM_LIMIT_BITS = 8192  # widest stream that HLS accepts, found by FINN (issue 938)
PLAIN_DEPTH = 2  # words of a stream that no FIFO of the pipeline stands for
SUFFIX = {
    SlidingWindowUnit: "window",
    MatrixUnit: "matrix",
    DepthwiseUnit: "depthwise",
    PoolUnit: "pool",
    SumUnit: "sum",
}
# the kernel of every unit without weights, and the fields that are its parameters
KERNELS: Mapping[type, tuple[str, tuple[str, ...]]] = {
    SlidingWindowUnit: (
        "sliding_window",
        ("height", "width", "channels", "kernel", "stride", "padding", "simd", "bits", "ring_rows"),
    ),
    PoolUnit: ("max_pool", ("height", "width", "channels", "kernel", "pe", "bits")),
    SumUnit: ("global_sum", ("pixels", "channels", "pe", "bits", "sum_bits")),
    WidthConverter: ("width_converter", ("in_width", "out_width", "bits", "elements")),
}


@dataclass(frozen=True)
class Stream:
    """A stream between two processes."""

    name: str
    word: str  # C++ type
    depth: int  # words


@dataclass(frozen=True)
class Process:
    """One function of the dataflow region."""

    name: str
    kernel: str  # function of hw_templates/kernels
    source: Stream
    target: Stream
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Module:
    """One unit of the pipeline as it is emitted.

    Attributes:
        name: of the unit; its parameters are the C++ struct `<name>_unit`.
        unit: what it is.
        traits: members of the struct.
        processes: its functions.
    """

    name: str
    unit: Unit
    traits: Mapping[str, int | bool]
    processes: tuple[Process, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the processes."""
        return tuple(t for p in self.processes for t in p.tables)

    @property
    def trips(self) -> tuple[str, ...]:
        """C++ expressions of the simulated loop trips of the processes; the largest is the pace."""
        own, rows = (
            f"dse::trips<{self.name}_unit>()",
            f"dse::trips<dse::RowsOf<{self.name}_unit>>()",
        )
        return (own,) if len(self.processes) == 1 else (own, rows)


@dataclass(frozen=True)
class Chain:
    """All modules in stream order; `fifos` names the stream that each FIFO of the pipeline became."""

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
        """All streams in stream order."""
        return (self.input, *(p.target for p in self.processes))

    @property
    def widest_bits(self) -> int:
        """Bits of the widest integer of the project: a stream word or the register of a converter."""
        return max(
            bits for m in self.modules for bits in (*_word_bits(m.unit), _register_bits(m.unit))
        )


def lower(units: tuple[Unit, ...], accelerator: Accelerator, names: Mapping[str, str]) -> Chain:
    """Return the processes of a pipeline.

    Args:
        units: of `dse.search.pipeline.pipeline`: FIFOs and converters behind every unit.
        accelerator: the integers of the matrix units.
        names: layer -> identifier.

    Raises:
        UsageError: a word is too wide for HLS, or the integers are not those of the design.
    """
    titles = _titles(units, names)
    source = start = Stream(f"{titles[0]}_in", f"ap_uint<{_word_bits(units[0])[0]}>", PLAIN_DEPTH)
    modules: list[Module] = []
    fifos: list[tuple[str, Fifo]] = []
    for i, unit in enumerate(units):
        if isinstance(unit, Fifo):
            continue
        behind = units[i + 1]
        word = f"ap_uint<{_checked(unit)}>"
        if isinstance(behind, Fifo):
            target = Stream(titles[i + 1], word, int(behind.depth))
            fifos.append((target.name, behind))
        else:
            target = Stream(f"{titles[i + 1]}_in", word, PLAIN_DEPTH)
        modules.append(_module(titles[i], unit, accelerator, source, target))
        source = target
    return Chain(tuple(modules), start, source, tuple(fifos))


def _titles(units: tuple[Unit, ...], names: Mapping[str, str]) -> list[str]:
    """Name every unit: a converter after the unit that it feeds, a FIFO after what reads it."""
    titles: list[str] = []
    fed = "output"
    for unit in reversed(units):
        if isinstance(unit, Fifo):
            titles.append(f"{titles[-1]}_in" if titles else "output")
        elif isinstance(unit, WidthConverter):
            titles.append(f"{fed}_width")
        else:
            fed = f"{names[unit.layer]}_{SUFFIX[type(unit)]}"
            titles.append(fed)
    return titles[::-1]


def _word_bits(unit: Unit) -> tuple[int, int]:
    """Bits of a word that enters the unit, and of one that leaves it."""
    assert not isinstance(unit, Fifo)
    entering = unit.input_bits if isinstance(unit, ProductUnit) else unit.bits
    leaving = unit.out_element_bits if isinstance(unit, ProductUnit | SumUnit) else unit.bits
    return int(unit.in_width) * int(entering), int(unit.out_width) * int(leaving)


def _register_bits(unit: Unit) -> int:
    return sum(_word_bits(unit)) if isinstance(unit, WidthConverter) else 0


def _checked(unit: Unit) -> int:
    """Return the bits of a word that leaves the unit."""
    entering, leaving = _word_bits(unit)
    if max(entering, leaving) > STREAM_LIMIT_BITS:
        msg = (
            f"layer {unit.layer}: a stream word must not be wider than {STREAM_LIMIT_BITS} bits, got"
            f" {max(entering, leaving)}; choose a smaller PE, SIMD or block for the layer"
        )
        raise UsageError(msg)
    return leaving


def _module(
    name: str, unit: Unit, accelerator: Accelerator, source: Stream, target: Stream
) -> Module:
    if isinstance(unit, ProductUnit):
        return _products(name, unit, accelerator, source, target)
    kernel, fields = KERNELS[type(unit)]
    traits: dict[str, int | bool] = {field: int(getattr(unit, field)) for field in fields}
    if isinstance(unit, PoolUnit | SumUnit):
        element = accelerator.input_type(unit.layer)
        # the largest of bipolar codes needs no sign, their sum does
        ordered = element.bipolar and isinstance(unit, PoolUnit)
        traits["is_signed"] = element.signed and not ordered
    return Module(name, unit, traits, (Process(name, kernel, source, target),))


def _products(
    name: str, unit: ProductUnit, accelerator: Accelerator, source: Stream, target: Stream
) -> Module:
    traits: dict[str, int | bool] = {
        "mh": int(unit.mh),
        "mw": int(unit.mw),
        "vectors": int(unit.vectors),
        "pe": int(unit.pe),
        "simd": int(unit.simd),
        "weight_bits": int(unit.weight_bits),
        "in_bits": int(unit.input_bits),
        "in_signed": unit.input_signed,
        "out_bits": int(unit.output_bits),
        "acc_bits": int(unit.acc_bits),
        "word_bits": int(unit.out_element_bits),
        "dsp": unit.compute == "dsp",
    }
    tables = matrix_tables(name, unit, accelerator.parameters[unit.layer])
    t = unit.tiling if isinstance(unit, MatrixUnit) else None
    if t is None:
        kernel = "matrix_unit" if isinstance(unit, MatrixUnit) else "depthwise_unit"
        return Module(name, unit, traits, (Process(name, kernel, source, target, tables),))
    traits |= {
        "block_rows": t.block_rows,
        "block_cols": t.block_cols,
        "kept_rows": t.kept_rows,
        "kept_cols": t.kept_cols,
    }
    sums = Stream(f"{name}_sums", f"dse::Tiles<{name}_unit>::Group", PLAIN_DEPTH)
    processes = (
        Process(name, "tiled_sums", source, sums, tables[:-1]),
        Process(f"{name}_rows", "tiled_rows", sums, target, tables[-1:]),
    )
    return Module(name, unit, traits, processes)
