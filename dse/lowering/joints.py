"""What joins two units: width converters, and FIFOs for the words that have to wait."""

from __future__ import annotations

from math import prod

import numpy as np

from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.layers._base import Layer
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.units import (
    Fifo,
    ForkUnit,
    Ints,
    MatrixUnit,
    ProductUnit,
    SlidingWindowUnit,
    WidthConverter,
)

PLAIN_DEPTH = 2  # words of a stream that nothing asks more of (the default of hls::stream)


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

    One that skips edges has room for vectors itself.

    The unit takes a vector in its first pass only. Where it makes more passes, the unit before
    works ahead meanwhile: there is room for one vector. A window unit that is done with a vector
    soon enough may as well wait; it loads its map all the same.

    Args:
        matrix: the unit.
        window: the window unit in front of it.
    """
    if isinstance(matrix, EdgeSkipUnit) or not isinstance(matrix, MatrixUnit):
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


def burst_words(
    before: Layer | None, source: Ints, target: Ints, *, window: bool, room: Ints
) -> Ints:
    """Words of FIFO behind a unit, in words of the unit.

    Depthwise units and pools make bursts. Of a depthwise unit, a global pool and a pool of overlapping
    windows all words of a pixel come with the last pixel of its window: there is room for them. Of a
    max-pool of a map all words of an
    output row come with the last input row of its windows. A window unit takes these as they come,
    unless they have to be cut into narrower ones first. Elsewhere a row of the pooled map waits, and
    two where two or more input rows are dropped between frames. Nothing waits here where a FIFO with
    room for a vector stands behind and that is enough.

    Args:
        before: the layer before; None: a fork, in front of which what comes in bursts has waited.
        source: elements per word of its last unit.
        target: elements per word of the next unit.
        window: whether the next unit is a window unit.
        room: as in `connectors`.
    """
    rows, pixels, taken = 1, 1, np.asarray(False)
    if isinstance(before, MaxPool2d) and not before.windowed:
        rows = 1 if before.input_shape[0] % before.kernel < 2 else 2
        pixels, taken = before.output_shape[1], np.asarray(window)
    elif not isinstance(before, DepthwiseConv2d | GlobalAveragePool | MaxPool2d):
        return PLAIN_DEPTH
    channels = before.output_shape[-1]
    words = rows * pixels * (channels // np.asarray(source))
    # a vector is one row of a map at least, or else one pixel
    behind = (np.asarray(room) > PLAIN_DEPTH) & (np.asarray(room) * target >= pixels * channels)
    taken = (taken | behind) & (np.asarray(target) >= source)
    burst: Ints = np.where(taken, PLAIN_DEPTH, np.maximum(words, PLAIN_DEPTH))
    return burst


def fork_units(before: Layer, width: Ints, bits: int) -> tuple[Fifo, ForkUnit]:
    """Return the fork behind a layer and the FIFO in front of it, where what comes in bursts waits.

    Args:
        before: the layer.
        width: elements per word that leaves it, and of the fork.
        bits: bits per element.
    """
    *pixels, channels = before.output_shape
    burst = burst_words(before, width, width, window=False, room=PLAIN_DEPTH)
    return (
        Fifo(before.name, burst, np.asarray(width) * bits),
        ForkUnit(before.name, prod(pixels), channels, width, bits),
    )


def _passes(matrix: MatrixUnit) -> Ints:
    t = matrix.tiling
    if t is None:
        return matrix.mh // matrix.pe
    _, n, _, _ = t.lanes(matrix.pe, matrix.simd)
    return matrix.mh // t.block_rows // n
