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
from dse.ir.design import Compression, Folding
from dse.ir.hardware import RESOURCES
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.numbers import IntType
from dse.ir.units import MatrixUnit, SlidingWindowUnit, Unit, divisors, legal_folds
from dse.search.pipeline import connectors, main_units, vector_fifo_depth
from pruning._scheme import Structure

Floats: TypeAlias = npt.NDArray[np.float64]
Array: TypeAlias = npt.NDArray[np.int64]

STREAM_BITS = 8192  # widest stream word that Vitis HLS builds (FINN issue 938)


@dataclass(frozen=True, eq=False)
class LayerOptions:
    """The options of one layer: every entry is a folding without memory and compute style.

    N entries, F foldings of the main unit (matrix or pool), V styles of it. Resources have a last
    axis of `RESOURCES`.

    Attributes:
        fold: `(N,)` row of `pe` and `simd`.
        swu_simd: `(N,)` channels per word of the window unit; 0: there is none.
        cycles: `(N,)` of the slowest unit.
        fixed: `(N, 5)` resources of the window unit and of what joins it to the matrix unit.
        pe: `(F,)`; elements per output word too.
        simd: `(F,)`.
        main_cycles: `(F,)` of the main unit alone.
        styles: V pairs of (memory, compute).
        main: `(V, F, 5)` resources of the main unit.
        ins: distinct widths of input words, ascending.
        outs: distinct widths of output words, ascending.
        in_index: `(N,)` index into `ins`.
        out_index: `(N,)` index into `outs`.
        out_bits: bits of an output element.
    """

    fold: Array
    swu_simd: Array
    cycles: Array
    fixed: Floats
    pe: Array
    simd: Array
    main_cycles: Array
    styles: tuple[tuple[str, str], ...]
    main: Floats
    ins: Array
    outs: Array
    in_index: Array
    out_index: Array
    out_bits: int

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
) -> LayerOptions:
    """Return the options of a layer.

    Args:
        layer: the layer as built, after pruning of the layers before it.
        element: type of its input elements.
        structure: what pruning left of its matrix; None for pooling.
        compression: None for pooling.
        memories: memory styles that the board has.
        pins: `pe`, `simd`, `memory` and `compute` are restricted to these values.
        model: prices the units; must be hashable (by identity will do).

    Raises:
        UsageError: none of the pinned values is legal.
    """
    channels = layer.input_shape[-1]
    if structure is None or compression is None:
        pe = pinned(layer.name, "pe", divisors(channels), pins.pe)
        pe = pe[pe * element.bits <= STREAM_BITS]
        (pool,) = main_units(layer, element, None, None, pe, 1, 0, "bram", "lut")
        row = np.arange(len(pe))
        return LayerOptions(
            fold=row,
            swu_simd=np.zeros_like(pe),
            cycles=np.asarray(pool.cycles),
            fixed=np.zeros((len(pe), len(RESOURCES))),
            pe=pe,
            simd=np.ones_like(pe),
            main_cycles=np.asarray(pool.cycles),
            styles=(("bram", "lut"),),
            main=priced(pool, model, pe.shape)[None],
            ins=pe,
            outs=pe,
            in_index=row,
            out_index=row,
            out_bits=element.bits,
        )
    assert isinstance(layer, MatrixLayer)
    pe, simd = _folds(layer, element, structure, compression, pins)
    styles = _styles(layer, element, structure, memories, pins)
    windows = divisors(channels) if isinstance(layer, Conv2d) else np.zeros(1, dtype=np.int64)
    windows = windows[windows * element.bits <= STREAM_BITS]

    def units(memory: str, compute: str, swu_simd: Array) -> tuple[Unit, ...]:
        return main_units(
            layer, element, structure, compression, pe, simd, swu_simd, memory, compute
        )

    matrices = [cast(MatrixUnit, units(*style, windows)[-1]) for style in styles]
    matrix = matrices[0]
    entries = (len(windows), len(pe))
    cycles = np.broadcast_to(np.asarray(matrix.cycles), entries)
    fixed = np.zeros((*entries, len(RESOURCES)))
    in_widths = np.broadcast_to(np.asarray(matrix.in_width), entries)
    if isinstance(layer, Conv2d):
        window = cast(SlidingWindowUnit, units(*styles[0], windows[:, None])[0])
        depth = vector_fifo_depth(window, matrix)
        joint = connectors(
            layer.name,
            window.out_width,
            matrix.in_width,
            element.bits,
            structure.mw * layer.vectors,
            depth,
        )
        fixed = sum((priced(u, model, entries) for u in (window, *joint)), fixed)
        cycles = np.maximum(cycles, window.cycles)
        in_widths = np.broadcast_to(windows[:, None], entries)
    ins, in_index = np.unique(in_widths, return_inverse=True)
    outs, out_index = np.unique(np.broadcast_to(pe, entries), return_inverse=True)
    return LayerOptions(
        fold=np.tile(np.arange(len(pe)), len(windows)),
        swu_simd=np.repeat(windows, len(pe)),
        cycles=cycles.ravel(),
        fixed=fixed.reshape(-1, len(RESOURCES)),
        pe=pe,
        simd=simd,
        main_cycles=np.asarray(matrix.cycles),
        styles=styles,
        main=np.stack([priced(m, model, pe.shape) for m in matrices]),
        ins=ins,
        outs=outs,
        in_index=in_index.ravel(),
        out_index=out_index.ravel(),
        out_bits=int(matrix.out_element_bits),
    )


@lru_cache(maxsize=1024)
def joint_resources(
    sources: tuple[int, ...],
    targets: tuple[int, ...],
    bits: int,
    elements: int,
    depth: int,
    model: CostModel,
) -> Floats:
    """Return what joins two layers, `(sources, targets, 5)`, for all pairs of word widths."""
    pair = connectors(
        "", np.array(sources)[:, None], np.array(targets)[None, :], bits, elements, depth
    )
    shape = (len(sources), len(targets))
    return priced(pair[0], model, shape) + priced(pair[1], model, shape)


def priced(unit: Unit, model: CostModel, shape: tuple[int, ...]) -> Floats:
    """Return the expected resources of a unit, `(*shape, 5)`."""
    expected = model.predict(unit).expected
    return np.stack(
        [np.broadcast_to(getattr(expected, r), shape) for r in RESOURCES], axis=-1
    ).astype(np.float64)


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
    """Return the (PE, SIMD) pairs that are legal, pinned, and whose words fit a stream."""
    pe, simd = legal_folds(structure.mh, structure.mw, structure.tiling)
    (*_, unit) = main_units(layer, element, structure, compression, pe, simd, 1, "bram", "lut")
    matrix = cast(MatrixUnit, unit)
    fits = (np.asarray(matrix.in_width) * element.bits <= STREAM_BITS) & (
        pe * matrix.out_element_bits <= STREAM_BITS
    )
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
            f"layer {layer.name}: memory must be one of {', '.join(memories)} on this board,"
            f" got only {', '.join(pins.memory or ())}; change or remove memory for this layer"
        )
        raise UsageError(msg)
    computes = ["lut"]
    if min(structure.stored_weight_bits, element.bits) > 1:
        computes = [c for c in ("lut", "dsp") if pins.compute is None or c in pins.compute]
    return tuple((m, c) for m in usable for c in computes)


def _listed(values: Sequence[int] | Array) -> str:
    return ", ".join(str(v) for v in values)
