"""Lowering: from the units of a pipeline to the processes, streams and tables of the emitted project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dse.emit.chain import BIT, PLAIN_DEPTH, TOKENS, Chain, Module, Process, Stream, word_bits
from dse.emit.lanes import lane_tables, lane_traits
from dse.emit.loading import loading_chain
from dse.emit.skipping import gated, skipping_module
from dse.emit.tables import matrix_tables
from dse.errors import UsageError
from dse.ir.accelerator import Accelerator
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.layers._base import MatrixLayer
from dse.ir.stages import Parallel, Stage, flat
from dse.ir.units import (
    AddUnit,
    AveragePoolUnit,
    ConcatUnit,
    DepthwiseUnit,
    DuplicateUnit,
    Fifo,
    FillUnit,
    ForkUnit,
    LaneUnit,
    MatrixUnit,
    PoolUnit,
    ProductUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
)

STREAM_LIMIT_BITS = 8192  # widest stream that HLS accepts, found by FINN (issue 938)
SUFFIX = {
    SlidingWindowUnit: "window",
    SkippingWindowUnit: "window",
    FillUnit: "fill",
    MatrixUnit: "matrix",
    EdgeSkipUnit: "matrix",
    DepthwiseUnit: "depthwise",
    PoolUnit: "pool",
    SumUnit: "sum",
    ForkUnit: "fork",
    AddUnit: "add",
    ConcatUnit: "concat",
    LaneUnit: "lane",
    AveragePoolUnit: "pool",
    DuplicateUnit: "duplicate",
}
# the kernel of every unit without weights, and the fields that are its parameters
KERNELS: Mapping[type, tuple[str, tuple[str, ...]]] = {
    SlidingWindowUnit: (
        "sliding_window",
        ("height", "width", "channels", "kernel", "stride", "padding", "simd", "bits", "ring_rows"),
    ),
    PoolUnit: ("max_pool", ("height", "width", "channels", "kernel", "pe", "bits")),
    AveragePoolUnit: ("average_pool", ("height", "width", "channels", "kernel", "pe", "bits")),
    SumUnit: ("global_sum", ("pixels", "channels", "pe", "bits", "sum_bits")),
    ForkUnit: ("stream_fork", ("pixels", "channels", "pe", "bits")),
    DuplicateUnit: ("stream_duplicate", ("pixels", "channels", "pe", "bits")),
    AddUnit: ("stream_add", ("pixels", "channels", "pe", "bits")),
    ConcatUnit: (
        "stream_concat",
        ("pixels", "first_channels", "second_channels", "pe", "bits"),
    ),
    WidthConverter: ("width_converter", ("in_width", "out_width", "bits", "elements")),
}


def lower(stages: Sequence[Stage], accelerator: Accelerator, names: Mapping[str, str]) -> Chain:
    """Return the processes of a pipeline.

    Every stream is named after the unit that reads it, a converter after the unit that it feeds.

    Args:
        stages: of `dse.lowering.pipeline.pipeline`: FIFOs and converters behind every unit.
        accelerator: the integers of the matrix units.
        names: layer -> identifier.

    Raises:
        UsageError: a word is too wide for HLS, or the integers are not those of the design.
    """
    *_, last, behind = flat(stages)
    assert isinstance(behind, Fifo)
    output = Stream("output", f"ap_uint<{_checked(last)}>", int(behind.depth))
    lowering = _Lowering(accelerator, names)
    begin = lowering.series(stages, _Input(output, "output_width"))
    modules, fifos = loading_chain(lowering.modules[::-1]), tuple(lowering.fifos[::-1])
    return Chain(modules, begin.stream, output, fifos)


@dataclass(frozen=True)
class _Input:
    """An input of a unit: the stream that it reads, and what a converter in front of it is called."""

    stream: Stream
    converter: str
    tokens: Stream | None = None  # in front of every vector of `stream`, and at the end of a frame


@dataclass(frozen=True)
class _Lowering:
    """Modules and FIFOs found so far, from the last to the first: names come from the reader."""

    accelerator: Accelerator
    names: Mapping[str, str]
    modules: list[Module] = field(default_factory=list)
    fifos: list[tuple[str, Fifo]] = field(default_factory=list)

    def series(self, stages: Sequence[Stage], end: _Input, vectors: int = 0) -> _Input:
        """Lower stages that write to `end`, and return what they read.

        vectors: those that a frame is expected to have, where it depends on the image how many there are.
        """
        for i, stage in reversed(list(enumerate(stages))):
            if isinstance(stage, Fifo):
                self.fifos.append((end.stream.name, stage))
                continue
            before = stages[i - 1] if i else None
            depth = int(before.depth) if isinstance(before, Fifo) else PLAIN_DEPTH
            if isinstance(stage, Parallel):
                end = self._parallel(stage, end, depth)
            else:
                title = self._title(stage, end)
                read = _input(title, stage, depth)
                if vectors:
                    read = replace(read, tokens=Stream(f"{title}_tokens", BIT, TOKENS, counts=True))
                self._add(title, stage, (read,), (end,), vectors)
                end = read
        return end

    def _parallel(self, parts: Parallel, end: _Input, depth: int) -> _Input:
        title = self._title(parts.join, end)
        joined = []
        for port, branch in enumerate(parts.branches):
            last = branch[-1]
            assert isinstance(last, Fifo)
            joined.append(_input(title, parts.join, int(last.depth), port))
        self._add(title, parts.join, tuple(joined), (end,))
        second = self.series(parts.branches[1], joined[1])
        vectors = parts.fork.kept if isinstance(parts.fork, SkippingWindowUnit) else 0
        first = self.series(parts.branches[0], joined[0], vectors)
        title = self._title(parts.fork, end)
        read = _input(title, parts.fork, depth)
        self._add(title, parts.fork, (read,), (first, second), vectors)
        return read

    def _title(self, unit: Unit, end: _Input) -> str:
        if isinstance(unit, WidthConverter):
            return end.converter
        return f"{self.names[unit.layer]}_{SUFFIX[type(unit)]}"

    def _add(
        self,
        title: str,
        unit: Unit,
        read: tuple[_Input, ...],
        written: tuple[_Input, ...],
        vectors: int = 0,
    ) -> None:
        _checked(unit)
        module = _module(title, unit, self.accelerator, _streams(read), _streams(written))
        self.modules.append(gated(module, vectors) if vectors else module)


def _input(title: str, unit: Unit, depth: int, port: int | None = None) -> _Input:
    """Return an input of the unit `title`; `depth`: of the FIFO in front of it."""
    name = "" if port is None else str(port)
    word = f"ap_uint<{word_bits(unit, port or 0)[0]}>"
    return _Input(Stream(f"{title}_in{name}", word, depth), f"{title}_width{name}")


def _streams(inputs: tuple[_Input, ...]) -> tuple[Stream, ...]:
    """Return the streams of some inputs, and behind them those of their tokens."""
    return *(x.stream for x in inputs), *(x.tokens for x in inputs if x.tokens is not None)


def _checked(unit: Unit) -> int:
    """Return the bits of a word that leaves the unit."""
    entering, leaving = word_bits(unit, int(isinstance(unit, LaneUnit)))  # its sums are wider
    if max(entering, leaving) > STREAM_LIMIT_BITS:
        msg = (
            f"layer {unit.layer}: a stream word must not be wider than {STREAM_LIMIT_BITS} bits, got"
            f" {max(entering, leaving)}; choose a smaller PE, SIMD or block for the layer"
        )
        raise UsageError(msg)
    return leaving


def _module(
    name: str,
    unit: Unit,
    accelerator: Accelerator,
    sources: tuple[Stream, ...],
    targets: tuple[Stream, ...],
) -> Module:
    if isinstance(unit, ProductUnit):
        return _products(name, unit, accelerator, sources, targets)
    if isinstance(unit, LaneUnit):
        lane = accelerator.lanes[unit.layer]
        tables = lane_tables(name, unit, lane)
        process = Process(name, "residual_lane", sources, targets, tables)
        return Module(name, unit, lane_traits(unit, lane), (process,))
    if isinstance(unit, SkippingWindowUnit | FillUnit):
        return skipping_module(name, unit, accelerator, sources, targets)
    kernel, fields = KERNELS[type(unit)]
    traits: dict[str, int | bool] = {field: int(getattr(unit, field)) for field in fields}
    if isinstance(unit, PoolUnit | SumUnit):
        element = accelerator.input_type(unit.layer)
        # the largest of bipolar codes needs no sign, their sum does
        ordered = element.bipolar and isinstance(unit, PoolUnit)
        traits["is_signed"] = element.signed and not ordered
    if isinstance(unit, AddUnit):
        traits |= dict(zip(("first_signed", "second_signed"), unit.signed, strict=True))
    return Module(name, unit, traits, (Process(name, kernel, sources, targets),))


def _products(
    name: str,
    unit: ProductUnit,
    accelerator: Accelerator,
    sources: tuple[Stream, ...],
    targets: tuple[Stream, ...],
) -> Module:
    layer = accelerator.network[unit.layer]
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
        "out_signed": isinstance(layer, MatrixLayer) and layer.signed,
        "acc_bits": int(unit.acc_bits),
        "word_bits": int(unit.out_element_bits),
        "dsp": unit.compute == "dsp",
    }
    tables = matrix_tables(name, unit, accelerator.parameters[unit.layer])
    if isinstance(unit, EdgeSkipUnit):
        traits |= _edge_traits(unit)
        return Module(
            name, unit, traits, (Process(name, "edge_skip_unit", sources, targets, tables),)
        )
    t = unit.tiling if isinstance(unit, MatrixUnit) else None
    if t is None:
        kernel = "matrix_unit" if isinstance(unit, MatrixUnit) else "depthwise_unit"
        return Module(name, unit, traits, (Process(name, kernel, sources, targets, tables),))
    traits |= {
        "block_rows": t.block_rows,
        "block_cols": t.block_cols,
        "kept_rows": t.kept_rows,
        "kept_cols": t.kept_cols,
        "positions": t.positions,
        "run": t.run,
    }
    sums = Stream(f"{name}_sums", f"dse::Tiles<{name}_unit>::Group", PLAIN_DEPTH)
    processes = (
        Process(name, "tiled_sums", sources, (sums,), tables[:-1]),
        Process(f"{name}_rows", "tiled_rows", (sums,), targets, tables[-1:]),
    )
    return Module(name, unit, traits, processes)


def _edge_traits(unit: EdgeSkipUnit) -> dict[str, int | bool]:
    pool = unit.pooling
    return {
        "lockstep": unit.mode == "lockstep",
        "held": unit.held_vectors,
        "pool": 0 if pool is None else pool.kernel,
        "pool_height": 0 if pool is None else pool.height,
        "pool_width": 0 if pool is None else pool.width,
    }
