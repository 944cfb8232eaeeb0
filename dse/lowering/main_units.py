"""From a layer to its own hardware units, and the types of the elements between layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt

from dse.compression import effective
from dse.errors import UsageError
from dse.ir.design import COMPUTES, MEMORIES, Compression
from dse.ir.edge_skip import EdgeSkipUnit, Pooling
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.duplicate import Duplicate
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType, activation_type
from dse.ir.units import (
    AddUnit,
    AveragePoolUnit,
    ConcatUnit,
    DepthwiseUnit,
    DuplicateUnit,
    Ints,
    LaneUnit,
    MatrixUnit,
    PoolUnit,
    ProductUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    divisors,
    legal_folds,
)
from pruning._scheme import Structure


def element_types(network: Network, compressions: Mapping[str, Compression]) -> dict[str, IntType]:
    """Return the type of the elements that enter each layer; of a join those of its first input."""
    types = _output_types(network, compressions)
    return {layer.name: types[layer.inputs[0]] for layer in network.layers}


def sum_types(network: Network, compressions: Mapping[str, Compression]) -> dict[str, IntType]:
    """Return the type of the sums that enter each fused sum, its second input."""
    fused = [layer for layer in network.layers if isinstance(layer, FusedAdd)]
    if not fused:
        return {}
    types = _output_types(network, compressions)
    return {layer.name: types[layer.inputs[1]] for layer in fused}


def _output_types(network: Network, compressions: Mapping[str, Compression]) -> dict[str, IntType]:
    """Return the type of the elements that leave the input and each layer."""
    types = {"input": network.input_type}
    structures = effective(network, compressions)[1]
    for layer in network.layers:
        element = types[layer.inputs[0]]
        if not isinstance(layer, MatrixLayer):
            types[layer.name] = layer.output_type(element)
            continue
        c = compressions[layer.name]
        if c.activation_bits is not None:
            types[layer.name] = activation_type(c.activation_bits, signed=layer.signed)
        else:
            structure = structures[layer.name]
            *_, unit = main_units(layer, element, structure, c, 1, 1, 1, MEMORIES[0], COMPUTES[0])
            assert isinstance(unit, ProductUnit)
            types[layer.name] = IntType(int(unit.out_element_bits), signed=True)
    return types


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
    sums: IntType | None = None,
    edge_skip: str = "off",
    pooling: Pooling | None = None,
) -> tuple[Unit, ...]:
    """Return the units of one (effective) layer; foldings may be arrays. `pooling`: of `pooling_behind`.

    A convolution is a sliding window and a matrix or depthwise unit, a pointwise convolution and a dense
    layer a matrix unit, pooling and adding a unit of its own; where pools overlap, behind a sliding window.
    Where positions are skipped, the matrix unit has the vectors of the others, and more units stand behind
    (`dse.lowering.skipping`).
    `sums`: what enters the second input of a fused sum.
    """
    if isinstance(layer, FusedAdd):
        assert sums is not None
        *pixels, channels = layer.input_shape
        return (
            LaneUnit(
                layer.name,
                prod(pixels),
                channels,
                pe,
                layer.stream_bits,
                layer.signed,
                element.bits,
                sums.bits,
                layer.constant_bits,
                layer.shifts,
            ),
        )
    if isinstance(layer, Duplicate):
        *pixels, channels = layer.input_shape
        return (DuplicateUnit(layer.name, prod(pixels), channels, pe, element.bits),)
    if isinstance(layer, Add):
        *pixels, channels = layer.input_shape
        return (AddUnit(layer.name, prod(pixels), channels, pe, element.bits, layer.signed),)
    if isinstance(layer, Concat):
        *pixels, channels = layer.input_shape
        return (
            ConcatUnit(layer.name, prod(pixels), channels, layer.second_channels, pe, element.bits),
        )
    if isinstance(layer, MaxPool2d):
        h, w, c = layer.input_shape
        k, bits = layer.kernel, element.bits
        if not layer.windowed:
            pool = AveragePoolUnit if isinstance(layer, AveragePool2d) else PoolUnit
            return (pool(layer.name, h, w, c, k, pe, bits),)
        # windows one below the other are a map of one window per row, in which they do not overlap
        rows = prod(layer.output_shape[:2]) * k
        return (
            SlidingWindowUnit(layer.name, h, w, c, k, layer.step, layer.padding, pe, bits),
            PoolUnit(layer.name, rows, k, c, k, pe, bits),
        )
    if isinstance(layer, GlobalAveragePool):
        channels, sums = layer.input_shape[-1], layer.output_type(element)
        return (SumUnit(layer.name, layer.pixels, channels, pe, element.bits, sums.bits),)
    if not isinstance(layer, MatrixLayer) or structure is None or compression is None:
        msg = f"layer {layer.name!r} has no hardware unit ({type(layer).__name__})"
        raise UsageError(msg)
    build: Callable[..., ProductUnit] = partial(MatrixUnit, tiling=structure.tiling)
    if isinstance(layer, DepthwiseConv2d):
        build = DepthwiseUnit
    elif edge_skip != "off":
        build = partial(EdgeSkipUnit, mode=edge_skip, pooling=pooling)
    window: SlidingWindowUnit | None = None
    vectors = layer.vectors
    if isinstance(layer, Conv2d | DepthwiseConv2d) and layer.windowed:
        h, w, c = layer.input_shape
        shape = (layer.name, h, w, c, layer.kernel, layer.stride, layer.padding)
        window = SlidingWindowUnit(*shape, swu_simd, element.bits)
        if compression.spatial_keep < 1:
            tile, keep = compression.spatial_tile, compression.spatial_keep
            window = SkippingWindowUnit(*shape, swu_simd, element.bits, tile, keep)
            vectors = window.kept
    matrix = build(
        layer=layer.name,
        mh=structure.mh,
        mw=structure.mw,
        vectors=vectors,
        pe=pe,
        simd=simd,
        weight_bits=structure.stored_weight_bits,
        input_bits=element.bits,
        input_signed=element.signed,
        output_bits=compression.activation_bits or 0,
        memory=memory,
        compute=compute,
    )
    return (matrix,) if window is None else (window, matrix)


def layer_folds(
    layer: MatrixLayer, structure: Structure
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return all legal (PE, SIMD) pairs of an (effective) layer as two arrays of equal length."""
    if isinstance(layer, DepthwiseConv2d):
        pes = divisors(structure.mh)
        return pes, np.ones_like(pes)
    return legal_folds(structure.mh, structure.mw, structure.tiling)
