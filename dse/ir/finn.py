"""The folding in the format of FINN's `folding_config.json`."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dse.errors import UsageError
from dse.ir.design import DesignPoint, Folding
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.loading import loaded
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

RAM_STYLE = {"bram": "block", "lutram": "distributed", "uram": "ultra"}
# FINN names a node after its type and counts each type
NODE = {
    MatrixUnit: "MVAU_hls",
    EdgeSkipUnit: "MVAU_hls",
    DepthwiseUnit: "VVAU_hls",
    SlidingWindowUnit: "ConvolutionInputGenerator_hls",
    SkippingWindowUnit: "ConvolutionInputGenerator_hls",
    FillUnit: "ConstantFill_hls",  # FINN has no such node
    PoolUnit: "StreamingMaxPool_hls",
    SumUnit: "GlobalAccPool_hls",
    ForkUnit: "DuplicateStreams_hls",
    AddUnit: "AddStreams_hls",
    ConcatUnit: "StreamingConcat_hls",
    LaneUnit: "FusedResidual_hls",  # FINN has no such node
    AveragePoolUnit: "QuantAvgPool2d_hls",
    DuplicateUnit: "DuplicateChannels_hls",  # nor this one
    WidthConverter: "StreamingDataWidthConverter_hls",
    Fifo: "StreamingFIFO_rtl",
}
POOL_OF_WINDOWS = "Pool_hls"  # where windows overlap, behind a ConvolutionInputGenerator


def folding_config(units: tuple[Unit, ...]) -> dict[str, dict[str, Any]]:
    """Return the folding of a pipeline: "MVAU_hls_0": {"PE": ..., "SIMD": ...} and so on.

    Weights are constants of the unit ("internal_embedded"), or in UltraRAM and loaded. What FINN has no word for, the tiles of a pruned
    unit and whether it skips edges, is left out; design.json has it.
    """
    return {"Defaults": {}, **{name: _attributes(unit) for name, unit in nodes(units)}}


def nodes(units: tuple[Unit, ...]) -> Iterator[tuple[str, Unit]]:
    """Yield every unit with the name that FINN gives its node: type and count along the stream."""
    counted: Counter[str] = Counter()
    for unit, kind in _nodes(units):
        yield f"{kind}_{counted[kind]}", unit
        counted[kind] += 1


def _nodes(units: tuple[Unit, ...]) -> Iterator[tuple[Unit, str]]:
    windows = set()
    for unit in units:
        behind = isinstance(unit, PoolUnit) and unit.layer in windows
        yield unit, POOL_OF_WINDOWS if behind else NODE[type(unit)]
        if isinstance(unit, SlidingWindowUnit):
            windows.add(unit.layer)


def _attributes(unit: Unit) -> dict[str, Any]:
    if isinstance(unit, ProductUnit):
        return {
            "PE": int(unit.pe),
            "SIMD": int(unit.simd),
            "ram_style": RAM_STYLE[unit.memory],
            "resType": unit.compute,
            # FINN streams weights that are no constants into the unit
            "mem_mode": "internal_decoupled" if loaded(unit) else "internal_embedded",
            "runtime_writeable_weights": int(loaded(unit)),
        }
    if isinstance(unit, SlidingWindowUnit):
        return {"SIMD": int(unit.simd), "parallel_window": 0, "ram_style": "auto"}
    if isinstance(unit, PoolUnit | SumUnit | ForkUnit | AddUnit | ConcatUnit | FillUnit):
        return {"PE": int(unit.pe)}
    if isinstance(unit, WidthConverter):
        bits = int(unit.bits)
        return {"inWidth": int(unit.in_width) * bits, "outWidth": int(unit.out_width) * bits}
    return {"depth": int(unit.depth), "impl_style": "rtl"}


# FINN has renamed its nodes, and adds the back end to the type: MVAU_hls_0, MatrixVectorActivation_0
NAME = re.compile(r"([A-Za-z]+[A-Za-z0-9]*?)(?:_Batch)?(_hls|_rtl)?_(\d+)")
RENAMED = {
    "MatrixVectorActivation": "MVAU",
    "StreamingFCLayer": "MVAU",
    "VectorVectorActivation": "VVAU",
    "Vector_Vector_Activate": "VVAU",
}
MEMORY = {style: memory for memory, style in RAM_STYLE.items()} | {"auto": "bram"}


def read_folding(
    config: Mapping[str, Any], design: DesignPoint, units: tuple[Unit, ...]
) -> DesignPoint:
    """Return a design folded as a FINN folding configuration says.

    Nodes are matched by type and count along the stream. FINN counts the two back ends of a type apart; where a file
    has both, nodes stand in the order of the stream, as FINN writes them. What FINN does not fold apart follows its
    units: a window unit without a node of its own has the SIMD of its matrix unit as far as its
    channels allow, a pool or a sum without one takes all channels at once. `ram_style` "auto" counts
    as block RAM and `resType` "auto" as LUTs. Converters and FIFOs follow from the rest.

    Args:
        config: the JSON values of the file.
        design: any legal design with the compressions wanted.
        units: its pipeline.

    Raises:
        UsageError: the file is no folding, or lacks a node that this network has, or has more. Whether the
            values are legal is checked where the design is used.
    """
    if not isinstance(config, Mapping) or not all(isinstance(v, Mapping) for v in config.values()):
        msg = 'a FINN folding must be a JSON object of nodes like "MVAU_hls_0": {"PE": 4}; got another'
        raise UsageError(msg)
    nodes = _read_nodes(config)
    counted: Counter[str] = Counter()
    folds: dict[str, Folding] = {}
    windows: dict[str, SlidingWindowUnit] = {}
    said: dict[str, int] = {}
    for unit, title in _nodes(units):
        if isinstance(
            unit, WidthConverter | Fifo | ForkUnit | FillUnit
        ):  # these follow from the others
            continue
        kind = title.rpartition("_")[0]
        number = counted[kind]
        node = nodes.get((kind, number), {})
        counted[kind] += 1
        if isinstance(unit, SlidingWindowUnit):
            windows[unit.layer] = unit
            if "SIMD" in node:
                said[unit.layer] = _integer(node, "SIMD", f"{kind}_{number}")
        elif isinstance(unit, ProductUnit):
            folds[unit.layer] = _product(node, f"{kind}_{number}", unit, design)
        elif "PE" in node:
            folds[unit.layer] = Folding(_integer(node, "PE", f"{kind}_{number}"))
        elif isinstance(unit, ConcatUnit):
            folds[unit.layer] = Folding(math.gcd(unit.first_channels, unit.second_channels))
        else:
            folds[unit.layer] = Folding(int(unit.channels))
    for kind in ("MVAU", "VVAU"):
        held = sum(k == kind for k, _ in nodes)
        if held > counted[kind]:
            msg = (
                f"a folding for this network must have {counted[kind]} {kind} nodes, one per such layer;"
                f" the file has {held}: is it of another network?"
            )
            raise UsageError(msg)
    for layer, window in windows.items():
        if design[layer].compression is None:
            continue  # a pool: its windows come in its own words
        simd = said.get(layer, math.gcd(int(window.channels), folds[layer].simd))
        folds[layer] = replace(folds[layer], swu_simd=simd)
    return DesignPoint(tuple((n, replace(d, folding=folds[n])) for n, d in design.layers))


def _read_nodes(config: Mapping[str, Any]) -> dict[tuple[str, int], Mapping[str, Any]]:
    """Return the nodes of a file by type and count, whatever their back end."""
    found: dict[str, list[tuple[str, int, Mapping[str, Any]]]] = {}
    for key, value in config.items():
        matched = NAME.fullmatch(key)
        if matched is not None:
            name, back_end, number = matched.groups()
            kind = RENAMED.get(name, name)
            found.setdefault(kind, []).append((back_end or "", int(number), value))
    nodes = {}
    for kind, rows in found.items():
        mixed = len({back_end for back_end, *_ in rows}) > 1
        for place, (_, number, value) in enumerate(rows):
            nodes[kind, place if mixed else number] = value
    return nodes


def _product(node: Mapping[str, Any], name: str, unit: ProductUnit, design: DesignPoint) -> Folding:
    missing = [key for key in ("PE", "SIMD") if key not in node]
    if missing:
        msg = (
            f"a folding for this network must have {' and '.join(missing)} of {name} (layer"
            f" {unit.layer}); the file has not: is it of another network?"
        )
        raise UsageError(msg)
    style = str(node.get("ram_style", "auto"))
    if style not in MEMORY:
        msg = f"ram_style of {name} must be one of {', '.join(MEMORY)}, got {style!r}; change it"
        raise UsageError(msg)
    # a 1-bit factor needs no multiplier, so FINN's resType says nothing there
    binary = min(int(unit.weight_bits), int(unit.input_bits)) == 1
    compute = "dsp" if node.get("resType") == "dsp" and not binary else "lut"
    pe, simd = _integer(node, "PE", name), _integer(node, "SIMD", name)
    return Folding(pe, simd, 0, MEMORY[style], compute)


def _integer(node: Mapping[str, Any], key: str, name: str) -> int:
    value = node[key]
    if type(value) is not int or value < 1:
        msg = f"{key} of {name} must be a whole number from 1, got {value!r}; change it"
        raise UsageError(msg)
    return value
