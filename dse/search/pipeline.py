"""From a network and a design to the chain of hardware units, converters and FIFOs included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dse.compression import canonical, effective
from dse.errors import UsageError
from dse.ir.design import COMPUTES, MEMORIES, Compression, DesignPoint
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType, activation_type
from dse.ir.units import (
    Fifo,
    Ints,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    Unit,
    WidthConverter,
    legal_folds,
)
from pruning._scheme import Structure

STREAM_DEPTH = 2  # words of a stream that nothing asks more of (the default of hls::stream)


def element_types(network: Network, compressions: Mapping[str, Compression]) -> dict[str, IntType]:
    """Return the type of the elements that enter each layer."""
    types = {"input": network.input_type}
    result = {}
    for layer in network.layers:
        result[layer.name] = types[layer.inputs[0]]
        c = compressions.get(layer.name)
        bits = None if c is None else c.activation_bits
        types[layer.name] = result[layer.name] if bits is None else activation_type(bits)
    return result


def main_units(
    layer: Layer,
    element: IntType,
    structure: Structure | None,
    compression: Compression | None,
    pe: Ints,
    simd: Ints,
    swu_simd: Ints,
    memory: str,
    compute: str,
) -> tuple[Unit, ...]:
    """Return the units of one (effective) layer; foldings may be arrays.

    A convolution is a sliding window and a matrix unit, a dense layer a matrix unit, pooling a pool unit.
    """
    if isinstance(layer, MaxPool2d):
        h, w, c = layer.input_shape
        return (PoolUnit(layer.name, h, w, c, layer.kernel, pe, element.bits),)
    if not isinstance(layer, MatrixLayer) or structure is None or compression is None:
        msg = f"layer {layer.name!r} has no hardware unit ({type(layer).__name__})"
        raise UsageError(msg)
    matrix = MatrixUnit(
        layer=layer.name,
        mh=structure.mh,
        mw=structure.mw,
        vectors=layer.vectors,
        pe=pe,
        simd=simd,
        weight_bits=structure.stored_weight_bits,
        input_bits=element.bits,
        input_signed=element.signed,
        output_bits=compression.activation_bits or 0,
        memory=memory,
        compute=compute,
        tiling=structure.tiling,
    )
    if not isinstance(layer, Conv2d):
        return (matrix,)
    h, w, c = layer.input_shape
    window = SlidingWindowUnit(
        layer.name, h, w, c, layer.kernel, layer.stride, layer.padding, swu_simd, element.bits
    )
    return (window, matrix)


def connectors(
    layer: str, source: Ints, target: Ints, bits: Ints, elements: Ints, depth: Ints
) -> tuple[WidthConverter, Fifo]:
    """Return what joins two units: a width converter (free where the widths agree) and a FIFO.

    Args:
        layer: the layer that the target unit belongs to.
        source: elements per word of the source unit.
        target: elements per word of the target unit.
        bits: bits per element.
        elements: elements per frame.
        depth: FIFO words.
    """
    converter = WidthConverter(layer, source, target, bits, elements)
    return converter, Fifo(layer, depth, np.asarray(target) * np.asarray(bits))


def vector_fifo_depth(window: SlidingWindowUnit, matrix: MatrixUnit) -> Ints:
    """Words of FIFO between a window unit and its matrix unit.

    The matrix unit takes a vector in its first pass only. A window unit that writes a vector more slowly than that
    pass lasts must work ahead during the other passes, so it gets room for one vector; else 2 words do.
    """
    words = matrix.mw // matrix.in_width
    first_pass = matrix.cycles // matrix.vectors // np.maximum(1, _passes(matrix))
    slow = np.asarray(matrix.mw) // np.asarray(window.simd) > first_pass
    depth: Ints = np.where(slow, np.maximum(words, STREAM_DEPTH), STREAM_DEPTH)
    return depth


def _passes(matrix: MatrixUnit) -> Ints:
    t = matrix.tiling
    if t is None:
        return matrix.mh // matrix.pe
    _, n, _, _ = t.lanes(matrix.pe, matrix.simd)
    return matrix.mh // t.block_rows // n


def pipeline(network: Network, design: DesignPoint) -> tuple[Unit, ...]:
    """Return all units of a design in stream order, with every converter and FIFO that is built.

    The input stream carries words as wide as the first unit takes; a last converter hands out the class scores one per
    word.

    Raises:
        UsageError: the design is illegal for the network; the message names layer, value and legal values.
    """
    check(network, design)
    built, structures = effective(network, design.compressions)
    types = element_types(network, design.compressions)
    units: list[Unit] = []
    width: Ints | None = None
    for layer in built.layers:
        d = design[layer.name]
        f = d.folding
        parts = main_units(
            layer,
            types[layer.name],
            structures.get(layer.name),
            d.compression,
            f.pe,
            f.simd,
            f.swu_simd,
            f.memory,
            f.compute,
        )
        bits = types[layer.name].bits
        elements = int(np.prod(layer.input_shape))
        depth: Ints = STREAM_DEPTH
        for unit in parts:
            assert not isinstance(unit, WidthConverter | Fifo)
            if width is not None:
                units += _built(
                    *connectors(layer.name, width, unit.in_width, bits, elements, depth)
                )
            units.append(unit)
            width = unit.out_width
            if isinstance(unit, SlidingWindowUnit):
                matrix = parts[1]
                assert isinstance(matrix, MatrixUnit)
                elements = int(matrix.mw) * int(matrix.vectors)
                depth = vector_fifo_depth(unit, matrix)
    last = units[-1]
    assert isinstance(last, MatrixUnit)
    assert width is not None
    units += _built(
        *connectors(last.layer, width, 1, int(last.out_element_bits), network.classes, STREAM_DEPTH)
    )
    return tuple(units)


def _built(converter: WidthConverter, fifo: Fifo) -> list[Unit]:
    plain = Fifo(fifo.layer, int(fifo.depth), int(fifo.width_bits))
    if int(converter.in_width) == int(converter.out_width):
        return [plain]
    return [
        replace(converter, in_width=int(converter.in_width), out_width=int(converter.out_width)),
        plain,
    ]


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
        ):
            if value not in known:
                msg = f"layer {name}: {kind} must be one of {', '.join(known)}, got {value!r}"
                raise UsageError(msg)
    if canonical(network, design.compressions) != design.compressions:
        msg = "the compression of the design is not canonical; pass it through `canonical` first"
        raise UsageError(msg)
    built, structures = effective(network, design.compressions)
    for layer in built.layers:
        f = design[layer.name].folding
        if isinstance(layer, MatrixLayer):
            s = structures[layer.name]
            pes, simds = legal_folds(s.mh, s.mw, s.tiling)
            if not np.any((pes == f.pe) & (simds == f.simd)):
                msg = (
                    f"layer {layer.name}: PE {f.pe} x SIMD {f.simd} is not legal for its"
                    f" {s.mh} x {s.mw} matrix; PE may be {_listed(pes)}, SIMD {_listed(simds)}"
                )
                raise UsageError(msg)
        channels = layer.input_shape[-1]
        word = f.swu_simd if isinstance(layer, Conv2d) else f.pe
        if isinstance(layer, Conv2d | MaxPool2d) and (word < 1 or channels % word):
            msg = f"layer {layer.name}: {word} channels per word do not divide {channels} channels"
            raise UsageError(msg)


def _listed(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    return ", ".join(str(v) for v in np.unique(values))
