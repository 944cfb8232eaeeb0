"""All legal foldings of one layer, priced: the tables that `fold` chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from cost_models._model import CostModel
from dse.config.values import Knobs
from dse.errors import UsageError
from dse.folding.prices import Floats, priced
from dse.ir.design import EDGE_SKIPS, Compression, Folding
from dse.ir.edge_skip import Pooling
from dse.ir.hardware import RESOURCES
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.numbers import IntType
from dse.ir.units import (
    Fifo,
    Ints,
    MatrixUnit,
    ProductUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    Unit,
    WidthConverter,
    divisors,
)
from dse.lowering.edges import edge_skips
from dse.lowering.joints import PLAIN_DEPTH, connectors, vector_words
from dse.lowering.main_units import layer_folds, main_units
from dse.lowering.skipping import behind, room_words
from pruning._scheme import Structure

Array: TypeAlias = npt.NDArray[np.int64]

STREAM_BITS = 8192  # widest stream word that Vitis HLS builds (FINN issue 938)


@dataclass(frozen=True, eq=False)
class LayerOptions:
    """The options of one layer: every entry is a folding without memory and compute style.

    N entries, F foldings of the main unit (matrix, depthwise or pool), V styles of it. Resources have a last
    axis of `RESOURCES`. A door is what the layer before sees of an entry: the width of its input
    words, and how many of them the FIFO in front must hold.

    Attributes:
        fold: `(N,)` row of `pe` and `simd`.
        swu_simd: `(N,)` channels per word of the window unit; 0: there is none.
        cycles: `(N,)` of the slowest unit.
        fixed: `(N, 5)` resources of the window unit and of what joins it to the matrix unit.
        pe: `(F,)`; elements per output word too.
        simd: `(F,)`.
        edge_skip: `(F,)` index into EDGE_SKIPS.
        main_cycles: `(F,)` of the main unit alone.
        styles: V pairs of (memory, compute).
        main: `(V, F, 5)` resources of the main unit.
        doors: `(D, 2)` distinct doors: elements per input word, words of FIFO.
        outs: distinct widths of output words, ascending.
        door_index: `(N,)` index into `doors`.
        out_index: `(N,)` index into `outs`.
        out_bits: bits of an output element.
    """

    fold: Array
    swu_simd: Array
    cycles: Array
    fixed: Floats
    pe: Array
    simd: Array
    edge_skip: Array
    main_cycles: Array
    styles: tuple[tuple[str, str], ...]
    main: Floats
    doors: Array
    outs: Array
    door_index: Array
    out_index: Array
    out_bits: int

    def limit(self, target_cycles: float, step: int = 0) -> float:
        """Return the cycles that this layer may take where all aim at a common target.

        What cannot meet the target may take what its fastest folding takes. A step counts legal foldings of the
        main unit by their cycles: 1 is the next faster one than what the target allows, -1 the next slower.

        Args:
            target_cycles: cycles between frames.
            step: how many foldings faster; 0: the target itself.
        """
        fastest = float(self.cycles.min())
        if step == 0:
            return max(target_cycles, fastest)
        paces = np.unique(self.main_cycles)
        exact = max(int(np.searchsorted(paces, target_cycles, "right")) - 1, 0)
        return max(float(paces[min(max(exact - step, 0), len(paces) - 1)]), fastest)

    def folding(self, entry: int, style: int) -> Folding:
        """Return an entry in one of the styles."""
        row = self.fold[entry]
        memory, compute = self.styles[style]
        return Folding(
            int(self.pe[row]),
            int(self.simd[row]),
            int(self.swu_simd[entry]),
            memory,
            compute,
            EDGE_SKIPS[self.edge_skip[row]],
        )


@lru_cache(maxsize=1024)
def layer_options(
    layer: Layer,
    element: IntType,
    structure: Structure | None,
    compression: Compression | None,
    memories: tuple[str, ...],
    pins: Knobs,
    model: CostModel,
    sums: IntType | None = None,
    pooling: Pooling | None = None,
) -> LayerOptions:
    """Return the options of a layer.

    Args:
        layer: the layer as built, after pruning of the layers before it.
        element: type of its input elements.
        structure: what pruning left of its matrix; None for pooling.
        compression: None for pooling.
        memories: memory styles to choose from.
        pins: `pe`, `simd`, `memory`, `compute` and `edge_skip` are restricted to these values.
        model: prices the units; must be hashable (by identity will do).
        sums: what enters the second input of a fused sum.
        pooling: the max-pool that edge skipping may make use of.

    Raises:
        UsageError: none of the pinned values is legal, or the layer is too wide for any folding.
    """
    if structure is None or compression is None:
        pe, out_bits = divisors(layer.word_channels), layer.output_type(element).bits
        widest = max(element.bits, out_bits, 0 if sums is None else sums.bits)
        pe = pinned(layer.name, "pe", pe[pe * widest <= STREAM_BITS], pins.pe)
        *before, pool = main_units(layer, element, None, None, pe, 1, 0, "bram", "lut", sums)
        assert not isinstance(pool, WidthConverter | Fifo)
        row, cycles = np.arange(len(pe)), np.asarray(pool.cycles)
        fixed = np.zeros((len(pe), len(RESOURCES)))
        for window in before:
            joint = Fifo(layer.name, PLAIN_DEPTH, pe * element.bits)
            fixed += priced(window, model, pe.shape) + priced(joint, model, pe.shape)
            cycles = np.maximum(cycles, window.cycles)
        return LayerOptions(
            fold=row,
            swu_simd=np.zeros_like(pe),
            cycles=cycles,
            fixed=fixed,
            pe=pe,
            simd=np.ones_like(pe),
            edge_skip=np.zeros_like(pe),
            main_cycles=np.asarray(pool.cycles),
            styles=(("bram", "lut"),),
            main=priced(pool, model, pe.shape)[None],
            doors=np.stack([pe, np.full_like(pe, PLAIN_DEPTH)], axis=1),
            outs=np.asarray(pool.out_width),
            door_index=row,
            out_index=row,
            out_bits=out_bits,
        )
    assert isinstance(layer, MatrixLayer)
    pe, simd = _folds(layer, element, structure, compression, pins)
    modes = edge_skips(layer, element, structure, compression, pins.edge_skip)
    if modes != ("off",):  # what skips edges is not loaded
        memories = tuple(m for m in memories if m != "uram")
    styles = _styles(layer, element, structure, memories, pins)
    windows = divisors(layer.input_shape[-1]) if layer.windowed else np.zeros(1, dtype=np.int64)
    windows = windows[windows * element.bits <= STREAM_BITS]

    parts = []
    for mode in modes:

        def units(memory: str, compute: str, swu_simd: Array, mode: str = mode) -> tuple[Unit, ...]:
            folds = (pe, simd, swu_simd, memory, compute, sums, mode, pooling)
            return main_units(layer, element, structure, compression, *folds)

        matrices = [cast(ProductUnit, units(*style, windows)[-1]) for style in styles]
        front = units(*styles[0], windows[:, None])[0]
        opens = front if isinstance(front, SlidingWindowUnit) else None
        parts.append(_priced_mode(matrices, opens, windows, element.bits, len(pe), model))
    fixed, cycles, width, room = (
        np.concatenate([getattr(p, k) for p in parts], axis=1)
        for k in ("fixed", "cycles", "width", "room")
    )
    pe, simd = np.tile(pe, len(modes)), np.tile(simd, len(modes))
    entries = (len(windows), len(pe))
    doors, door_index = _distinct(width, room, entries)
    outs, out_index = np.unique(np.broadcast_to(pe, entries), return_inverse=True)
    return LayerOptions(
        fold=np.tile(np.arange(len(pe)), len(windows)),
        swu_simd=np.repeat(windows, len(pe)),
        cycles=cycles.ravel(),
        fixed=fixed.reshape(-1, len(RESOURCES)),
        pe=pe,
        simd=simd,
        edge_skip=np.repeat([EDGE_SKIPS.index(m) for m in modes], len(pe) // len(modes)),
        main_cycles=np.concatenate([p.main_cycles for p in parts]),
        styles=styles,
        main=np.concatenate([p.main for p in parts], axis=1),
        doors=doors,
        outs=outs,
        door_index=door_index,
        out_index=out_index.ravel(),
        out_bits=parts[0].out_bits,
    )


@dataclass(frozen=True, eq=False)
class _Mode:
    """All foldings of a matrix layer in one mode of edge skipping: W widths of windows by F of (PE, SIMD).

    Attributes:
        fixed: `(W, F, 5)` resources of the window unit and of what joins it to the matrix unit.
        cycles: `(W, F)` of the slowest unit.
        width: `(W, F)` elements per input word.
        room: `(W, F)` words of FIFO in front.
        main: `(V, F, 5)` resources of the matrix unit by style.
        main_cycles: `(F,)` of the matrix unit.
        out_bits: bits of an output element.
    """

    fixed: Floats
    cycles: Array
    width: Array
    room: Array
    main: Floats
    main_cycles: Array
    out_bits: int


def _priced_mode(
    matrices: Sequence[ProductUnit],
    window: SlidingWindowUnit | None,
    windows: Array,
    bits: int,
    folds: int,
    model: CostModel,
) -> _Mode:
    """Price the matrix unit in every style, the window unit of every width, and what joins them."""
    matrix = matrices[0]
    entries = (len(windows), folds)
    main_cycles = np.broadcast_to(np.asarray(matrix.cycles), (folds,))
    cycles = np.broadcast_to(main_cycles, entries)
    fixed = np.zeros((*entries, len(RESOURCES)))
    width: Ints = matrix.in_width
    room: Ints = vector_words(matrix)
    if window is not None:
        _, converter, fifo = connectors(
            window.layer,
            window.out_width,
            matrix.in_width,
            bits,
            window.words_written * window.simd,
            PLAIN_DEPTH,
            vector_words(matrix, window),
        )
        fixed = sum((priced(u, model, entries) for u in (window, converter, fifo)), fixed)
        cycles = np.maximum(cycles, window.cycles)
        width, room = windows[:, None], PLAIN_DEPTH
        if isinstance(window, SkippingWindowUnit):
            assert isinstance(matrix, MatrixUnit)
            room = room_words(window)
            *_, fill = added = behind(window, matrix)
            fixed = sum((priced(u, model, entries) for u in added), fixed)
            cycles = np.maximum(cycles, fill.cycles)
    return _Mode(
        fixed,
        cycles,
        np.broadcast_to(width, entries),
        np.broadcast_to(room, entries),
        np.stack([priced(m, model, (folds,)) for m in matrices]),
        main_cycles,
        int(matrix.out_element_bits),
    )


def pinned(layer: str, knob: str, legal: Array, values: Sequence[int] | None) -> Array:
    """Return the legal values among the pinned ones; all of them where nothing is pinned.

    Raises:
        UsageError: no pinned value is legal.
    """
    if values is None:
        return legal
    kept = legal[np.isin(legal, values)]
    if not len(kept):
        msg = (
            f"layer {layer}: {knob} must be one of {_listed(legal)}, got only {_listed(values)};"
            f" change or remove {knob} for this layer"
        )
        raise UsageError(msg)
    return kept


def _folds(
    layer: MatrixLayer,
    element: IntType,
    structure: Structure,
    compression: Compression,
    pins: Knobs,
) -> tuple[Array, Array]:
    """Return the (PE, SIMD) pairs that are legal, pinned, and whose words fit a stream.

    Raises:
        UsageError: the words of every legal pair are too wide, or no pinned value is legal.
    """
    pe, simd = layer_folds(layer, structure)
    (*_, unit) = main_units(layer, element, structure, compression, pe, simd, 1, "bram", "lut")
    matrix = cast(ProductUnit, unit)
    input_bits = np.asarray(matrix.in_width) * element.bits
    output_bits = np.asarray(pe * matrix.out_element_bits)
    fits = (input_bits <= STREAM_BITS) & (output_bits <= STREAM_BITS)
    if not fits.any():
        msg = (
            f"layer {layer.name}: words between layers must have {STREAM_BITS:,} bits at most, but its"
            f" smallest legal folding (for {structure.mw:,} inputs and {structure.mh:,} outputs) has"
            f" input words of {input_bits.min():,} and output words of {output_bits.min():,} bits; make"
            " the input of the layer smaller (less data.pad, pooling before it), or its blocks"
        )
        raise UsageError(msg)
    pe, simd = pe[fits], simd[fits]
    kept = np.isin(pe, pinned(layer.name, "pe", np.unique(pe), pins.pe))
    kept &= np.isin(simd, pinned(layer.name, "simd", np.unique(simd[kept]), pins.simd))
    return pe[kept], simd[kept]


def _styles(
    layer: MatrixLayer,
    element: IntType,
    structure: Structure,
    memories: tuple[str, ...],
    pins: Knobs,
) -> tuple[tuple[str, str], ...]:
    """Return (memory, compute) pairs. A 1-bit factor needs no multiplier, hence never a DSP."""
    usable = [m for m in memories if pins.memory is None or m in pins.memory]
    if not usable:
        msg = (
            f"layer {layer.name}: memory must be one of {', '.join(memories)},"
            f" got only {', '.join(pins.memory or ())}; change or remove memory for this layer"
        )
        raise UsageError(msg)
    computes = ["lut"]
    if min(structure.stored_weight_bits, element.bits) > 1:
        computes = [c for c in ("lut", "dsp") if pins.compute is None or c in pins.compute]
    return tuple((m, c) for m in usable for c in computes)


def _distinct(width: Ints, room: Ints, entries: tuple[int, int]) -> tuple[Array, Array]:
    """Return the distinct pairs of width and room, and which of them each entry has."""
    pairs = np.stack([np.broadcast_to(a, entries).ravel() for a in (width, room)], axis=1)
    key, index = np.unique(pairs[:, 0] * (pairs[:, 1].max() + 1) + pairs[:, 1], return_inverse=True)
    return np.stack(np.divmod(key, pairs[:, 1].max() + 1), axis=1), index


def _listed(values: Sequence[int] | Array) -> str:
    return ", ".join(str(v) for v in values)
