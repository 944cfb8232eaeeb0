"""From a network and a design to the hardware units, forks, joins, converters and FIFOs included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dse.compression import canonical, effective
from dse.errors import UsageError
from dse.ir.design import COMPUTES, EDGE_SKIPS, MEMORIES, DesignPoint, LayerDesign
from dse.ir.edge_skip import pooling_behind
from dse.ir.graph import Block, Series, series
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import Parallel, Stage, Stages
from dse.ir.units import (
    AddUnit,
    ConcatUnit,
    Fifo,
    Ints,
    MatrixUnit,
    ProductUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    WidthConverter,
)
from dse.lowering.branches import waiting_words
from dse.lowering.edges import check_edge_skip
from dse.lowering.joints import PLAIN_DEPTH, burst_words, connectors, fork_units, vector_words
from dse.lowering.main_units import element_types, layer_folds, main_units, sum_types
from dse.lowering.skipping import behind, room_words
from pruning._scheme import Structure


def pipeline(network: Network, design: DesignPoint) -> Stages:
    """Return all units of a design in stream order, with every converter and FIFO that is built.

    The input stream carries words as wide as the first unit takes; a last converter hands out the class scores one per
    word. A fork has the words of the unit in front of it.

    Raises:
        UsageError: the design is illegal for the network; the message names layer, value and legal values.
    """
    check(network, design)
    built, structures = effective(network, design.compressions)
    lowering = _Lowering(
        dict(design.layers),
        element_types(network, design.compressions),
        sum_types(network, design.compressions),
        structures,
        built,
    )
    stages, end = lowering.series(series(built), None)
    last = stages[-1]
    assert end is not None
    assert isinstance(last, MatrixUnit)
    score = int(last.out_element_bits)
    stages += _built(
        *connectors(last.layer, end.width, 1, score, network.classes, PLAIN_DEPTH, PLAIN_DEPTH)
    )
    return tuple(stages)


@dataclass(frozen=True, slots=True)
class _End:
    """Where units go on: behind a layer, or behind a fork (None), in words of so many elements."""

    layer: Layer | None
    width: Ints


@dataclass(frozen=True, slots=True)
class _Lowering:
    """A design on its way to units."""

    designs: Mapping[str, LayerDesign]
    types: Mapping[str, IntType]
    sums: Mapping[str, IntType]
    structures: Mapping[str, Structure]
    built: Network

    def series(self, parts: Series, end: _End | None) -> tuple[list[Stage], _End | None]:
        """Return the units of layers and blocks, and where they end; None: the begin of the network."""
        stages: list[Stage] = []
        for part in parts:
            if isinstance(part, Block):
                assert end is not None  # nothing else has an output that could be forked
                own, end = self._block(part, end)
            else:
                own, end = self._layer(part, end)
            stages += own
        return stages, end

    def _layer(self, layer: Layer, before: _End | None) -> tuple[list[Stage], _End]:
        d, element = self.designs[layer.name], self.types[layer.name]
        f = d.folding
        parts = main_units(
            layer,
            element,
            self.structures.get(layer.name),
            d.compression,
            f.pe,
            f.simd,
            f.swu_simd,
            f.memory,
            f.compute,
            None,
            f.edge_skip,
            pooling_behind(self.built, layer),
        )
        stages: list[Stage] = []
        elements = int(np.prod(layer.input_shape))
        window: SlidingWindowUnit | None = None
        for unit in parts:
            assert not isinstance(unit, WidthConverter | Fifo)
            into = unit.in_width
            room: Ints = PLAIN_DEPTH
            if isinstance(unit, ProductUnit):
                room = vector_words(unit, window)
            elif isinstance(unit, SkippingWindowUnit):
                room = room_words(unit)
            burst: Ints = PLAIN_DEPTH
            if before is not None:
                if window is None:
                    opens = isinstance(unit, SlidingWindowUnit)
                    burst = burst_words(before.layer, before.width, into, window=opens, room=room)
                joined = connectors(
                    layer.name, before.width, into, element.bits, elements, burst, room
                )
                stages += _built(*joined)
            stages.append(unit)
            before = _End(layer, unit.out_width)
            if isinstance(unit, SlidingWindowUnit):
                window = unit
                elements = int(unit.words_written) * int(unit.simd)
        if isinstance(window, SkippingWindowUnit):
            stages = _skipping(stages, window)
        assert before is not None
        return stages, before

    def _block(self, block: Block, before: _End) -> tuple[list[Stage], _End]:
        """Return a FIFO, and fork, branches and join behind it."""
        join, width = block.join, before.width
        element, pe = self.types[join.name], self.designs[join.name].folding.pe
        bits = (element.bits, self.sums.get(join.name, element).bits)
        fifo, fork = fork_units(block.source, int(width), self._forked(block))
        branches = []
        for port, branch in enumerate(block.branches):
            stages, end = self.series(branch, _End(None, width))
            assert end is not None
            room = waiting_words(block, port, pe)
            out = int(np.prod(join.shape_of(port)))
            held = burst_words(end.layer, end.width, pe, window=False, room=room)
            stages += _built(*connectors(join.name, end.width, pe, bits[port], out, held, room))
            branches.append(tuple(stages))
        (unit,) = main_units(
            *(join, element, None, None, pe, 1, 0, MEMORIES[0], COMPUTES[0]),
            self.sums.get(join.name),
        )
        assert isinstance(unit, AddUnit | ConcatUnit)
        return [
            _plain(fifo),
            Parallel(fork, (branches[0], branches[1]), unit),
        ], _End(join, pe)

    def _forked(self, block: Block) -> int:
        """Return the bits of the elements that the fork of a block hands on."""
        reader = next((branch[0] for branch in block.branches if branch), block.join)
        assert isinstance(reader, Layer)  # the outputs of a fork are not forked again
        return self.types[reader.name].bits


def _skipping(stages: list[Stage], window: SkippingWindowUnit) -> list[Stage]:
    """Return the units of a layer that skips positions: those of one that does not, and what is behind."""
    at, matrix = stages.index(window), stages[-1]
    assert isinstance(matrix, MatrixUnit)
    results, mask, fill = behind(window, matrix)
    computed = (*stages[at + 1 :], _plain(results))
    return [*stages[:at], Parallel(window, (computed, (_plain(mask),)), fill)]


def _built(first: Fifo, converter: WidthConverter, second: Fifo) -> list[Stage]:
    """Return those of the connectors that are built, with plain numbers."""
    parts: list[Stage] = []
    if int(converter.in_width) != int(converter.out_width):
        if int(first.depth) > PLAIN_DEPTH:
            parts.append(_plain(first))
        widths = int(converter.in_width), int(converter.out_width)
        parts.append(replace(converter, in_width=widths[0], out_width=widths[1]))
    return [*parts, _plain(second)]


def _plain(fifo: Fifo) -> Fifo:
    return Fifo(fifo.layer, int(fifo.depth), int(fifo.width_bits))


def check(network: Network, design: DesignPoint) -> None:
    """Raise UsageError where the design is not a legal, canonical design of the network."""
    names = [layer.name for layer in network.layers]
    if [n for n, _ in design.layers] != names:
        msg = f"a design must list the layers {', '.join(names)} in this order"
        raise UsageError(msg)
    for name, d in design.layers:
        if (d.compression is not None) != network[name].is_matrix:
            verb = "needs a" if network[name].is_matrix else "has no weights and takes no"
            msg = f"layer {name} {verb} compression, got {d.compression}"
            raise UsageError(msg)
        for kind, value, known in (
            ("memory", d.folding.memory, MEMORIES),
            ("compute", d.folding.compute, COMPUTES),
            ("edge_skip", d.folding.edge_skip, EDGE_SKIPS),
        ):
            if value not in known:
                msg = f"layer {name}: {kind} must be one of {', '.join(known)}, got {value!r}"
                raise UsageError(msg)
    if canonical(network, design.compressions) != design.compressions:
        msg = "the compression of the design is not canonical; pass it through `canonical` first"
        raise UsageError(msg)
    built, structures = effective(network, design.compressions)
    types, designs = element_types(network, design.compressions), dict(design.layers)
    for layer in built.layers:
        f = designs[layer.name].folding
        if f.edge_skip != "off":
            if f.memory == "uram":
                msg = (
                    f"layer {layer.name}: a unit that skips edges must have its weights in bram or lutram,"
                    " got memory `uram`; take another memory, or edge_skip off"
                )
                raise UsageError(msg)
            check_edge_skip(
                layer,
                types[layer.name],
                structures.get(layer.name),
                designs[layer.name].compression,
            )
        if isinstance(layer, MatrixLayer):
            s = structures[layer.name]
            pes, simds = layer_folds(layer, s)
            if not np.any((pes == f.pe) & (simds == f.simd)):
                msg = (
                    f"layer {layer.name}: PE {f.pe} x SIMD {f.simd} is not legal for its"
                    f" {s.mh} x {s.mw} matrix; PE may be {_listed(pes)}, SIMD {_listed(simds)}"
                )
                raise UsageError(msg)
        padded = Conv2d | DepthwiseConv2d | MaxPool2d
        if isinstance(layer, padded) and layer.padding >= layer.kernel:
            msg = (
                f"layer {layer.name}: padding must be less than the kernel, got {layer.padding} with"
                f" kernel {layer.kernel}; change the network"
            )
            raise UsageError(msg)
        pooled = not isinstance(layer, MatrixLayer)
        word = f.pe if pooled else f.swu_simd
        channels = layer.word_channels
        if (layer.windowed or pooled) and (word < 1 or channels % word):
            msg = f"layer {layer.name}: {word} channels per word do not divide {channels} channels"
            raise UsageError(msg)


def _listed(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    return ", ".join(str(v) for v in np.unique(values))
