"""From a network and a design to the chain of hardware units, converters and FIFOs included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from dse.compression import canonical, effective
from dse.errors import UsageError
from dse.ir.design import COMPUTES, MEMORIES, Compression, DesignPoint
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType, activation_type
from dse.ir.units import (
    DepthwiseUnit,
    Fifo,
    Ints,
    MatrixUnit,
    PoolUnit,
    ProductUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
    divisors,
    legal_folds,
)
from pruning._scheme import Structure

PLAIN_DEPTH = 2  # words of a stream that nothing asks more of (the default of hls::stream)


def element_types(network: Network, compressions: Mapping[str, Compression]) -> dict[str, IntType]:
    """Return the type of the elements that enter each layer."""
    types = {"input": network.input_type}
    result = {}
    for layer in network.layers:
        element = result[layer.name] = types[layer.inputs[0]]
        c = compressions.get(layer.name)
        bits = None if c is None else c.activation_bits
        types[layer.name] = layer.output_type(element) if bits is None else activation_type(bits)
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

    A convolution is a sliding window and a matrix or depthwise unit, a pointwise convolution and a dense
    layer a matrix unit, pooling a unit of its own.
    """
    if isinstance(layer, MaxPool2d):
        h, w, c = layer.input_shape
        return (PoolUnit(layer.name, h, w, c, layer.kernel, pe, element.bits),)
    if isinstance(layer, GlobalAveragePool):
        channels, sums = layer.input_shape[-1], layer.output_type(element)
        return (SumUnit(layer.name, layer.pixels, channels, pe, element.bits, sums.bits),)
    if not isinstance(layer, MatrixLayer) or structure is None or compression is None:
        msg = f"layer {layer.name!r} has no hardware unit ({type(layer).__name__})"
        raise UsageError(msg)
    build: Callable[..., ProductUnit] = partial(MatrixUnit, tiling=structure.tiling)
    if isinstance(layer, DepthwiseConv2d):
        build = DepthwiseUnit
    matrix = build(
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
    )
    if not isinstance(layer, Conv2d | DepthwiseConv2d) or not layer.windowed:
        return (matrix,)
    h, w, c = layer.input_shape
    window = SlidingWindowUnit(
        layer.name, h, w, c, layer.kernel, layer.stride, layer.padding, swu_simd, element.bits
    )
    return (window, matrix)


def connectors(
    layer: str, source: Ints, target: Ints, bits: Ints, elements: Ints, burst: Ints, room: Ints
) -> tuple[Fifo, WidthConverter, Fifo]:
    """Return what joins two units: a FIFO, a width converter and a second FIFO.

    Converter and first FIFO are built only where the widths differ; what the first would hold waits
    in the second where they agree.

    Args:
        layer: the layer that the target unit belongs to.
        source: elements per word of the source unit.
        target: elements per word of the target unit.
        bits: bits per element.
        elements: elements per frame.
        burst: source words that have to wait because they come in bursts (see `burst_words`).
        room: target words that have to wait because they are taken in bursts (see `vector_words`).
    """
    joined = np.where(np.asarray(source) == target, np.maximum(burst, room), room)
    return (
        Fifo(layer, burst, np.asarray(source) * np.asarray(bits)),
        WidthConverter(layer, source, target, bits, elements),
        Fifo(layer, joined, np.asarray(target) * np.asarray(bits)),
    )


def vector_words(matrix: ProductUnit, window: SlidingWindowUnit | None = None) -> Ints:
    """Words of FIFO in front of a matrix unit; a depthwise unit takes a word every cycle.

    The unit takes a vector in its first pass only. Where it makes more passes, the unit before
    works ahead meanwhile: there is room for one vector. A window unit that is done with a vector
    soon enough may as well wait; it loads its map all the same.

    Args:
        matrix: the unit.
        window: the window unit in front of it.
    """
    if not isinstance(matrix, MatrixUnit):
        return PLAIN_DEPTH
    passes = _passes(matrix)
    late = np.asarray(passes) > 1
    if window is not None:
        one_pass = matrix.cycles // matrix.vectors // passes
        first_pass = np.maximum(one_pass, matrix.mw // np.asarray(window.simd))
        waiting = matrix.vectors * (first_pass + (passes - 1) * one_pass)
        late = late & (waiting > np.maximum(window.cycles, matrix.cycles))
    words: Ints = np.where(late, np.maximum(matrix.mw // matrix.in_width, PLAIN_DEPTH), PLAIN_DEPTH)
    return words


def burst_words(before: Layer, source: Ints, target: Ints, *, window: bool, room: Ints) -> Ints:
    """Words of FIFO behind a unit, in words of the unit.

    Depthwise units and pools make bursts. Of a depthwise unit and of a global pool all words of a pixel
    come with the last input pixel that they sum: there is room for them. Of a max-pool all words of an
    output row come with the last input row of its windows. A window unit takes these as they come,
    unless they have to be cut into narrower ones first. Elsewhere a row of the pooled map waits, and
    two where two or more input rows are dropped between frames. Nothing waits here where a FIFO with
    room for a vector stands behind and that is enough.

    Args:
        before: the layer before.
        source: elements per word of its last unit.
        target: elements per word of the next unit.
        window: whether the next unit is a window unit.
        room: as in `connectors`.
    """
    channels = before.output_shape[-1]
    rows, pixels, taken = 1, 1, np.asarray(False)
    if isinstance(before, MaxPool2d):
        rows = 1 if before.input_shape[0] % before.kernel < 2 else 2
        pixels, taken = before.output_shape[1], np.asarray(window)
    elif not isinstance(before, DepthwiseConv2d | GlobalAveragePool):
        return PLAIN_DEPTH
    words = rows * pixels * (channels // np.asarray(source))
    # a vector is one row of a map at least, or else one pixel
    behind = (np.asarray(room) > PLAIN_DEPTH) & (np.asarray(room) * target >= pixels * channels)
    taken = (taken | behind) & (np.asarray(target) >= source)
    burst: Ints = np.where(taken, PLAIN_DEPTH, np.maximum(words, PLAIN_DEPTH))
    return burst


def layer_folds(
    layer: MatrixLayer, structure: Structure
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return all legal (PE, SIMD) pairs of an (effective) layer as two arrays of equal length."""
    if isinstance(layer, DepthwiseConv2d):
        pes = divisors(structure.mh)
        return pes, np.ones_like(pes)
    return legal_folds(structure.mh, structure.mw, structure.tiling)


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
    width: Ints = 0
    before: Layer | None = None
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
        window: SlidingWindowUnit | None = None
        for unit in parts:
            assert not isinstance(unit, WidthConverter | Fifo)
            into = unit.in_width
            room: Ints = PLAIN_DEPTH
            if isinstance(unit, ProductUnit):
                room = vector_words(unit, window)
            burst: Ints = PLAIN_DEPTH
            if before is not None and window is None:
                opens = isinstance(unit, SlidingWindowUnit)
                burst = burst_words(before, width, into, window=opens, room=room)
            if units:
                units += _built(*connectors(layer.name, width, into, bits, elements, burst, room))
            units.append(unit)
            width = unit.out_width
            if isinstance(unit, SlidingWindowUnit):
                window = unit
                elements = int(unit.words_written) * int(unit.simd)
        before = layer
    last = units[-1]
    assert isinstance(last, MatrixUnit)
    score = int(last.out_element_bits)
    units += _built(
        *connectors(last.layer, width, 1, score, network.classes, PLAIN_DEPTH, PLAIN_DEPTH)
    )
    return tuple(units)


def _built(first: Fifo, converter: WidthConverter, second: Fifo) -> list[Unit]:
    """Return those of the connectors that are built, with plain numbers."""
    parts: list[Unit] = []
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
            pes, simds = layer_folds(layer, s)
            if not np.any((pes == f.pe) & (simds == f.simd)):
                msg = (
                    f"layer {layer.name}: PE {f.pe} x SIMD {f.simd} is not legal for its"
                    f" {s.mh} x {s.mw} matrix; PE may be {_listed(pes)}, SIMD {_listed(simds)}"
                )
                raise UsageError(msg)
        if isinstance(layer, Conv2d | DepthwiseConv2d) and layer.padding >= layer.kernel:
            msg = (
                f"layer {layer.name}: padding must be less than the kernel, got {layer.padding} with"
                f" kernel {layer.kernel}; change the network"
            )
            raise UsageError(msg)
        channels = layer.input_shape[-1]
        word = f.swu_simd if layer.windowed else f.pe
        pooled = not isinstance(layer, MatrixLayer)
        if (layer.windowed or pooled) and (word < 1 or channels % word):
            msg = f"layer {layer.name}: {word} channels per word do not divide {channels} channels"
            raise UsageError(msg)


def _listed(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    return ", ".join(str(v) for v in np.unique(values))
