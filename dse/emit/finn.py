"""The folding in the format of FINN's `folding_config.json`."""

from __future__ import annotations

from collections import Counter
from typing import Any

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

RAM_STYLE = {"bram": "block", "lutram": "distributed", "uram": "ultra"}
# FINN names a node after its type and counts each type
NODE = {
    MatrixUnit: "MVAU_hls",
    DepthwiseUnit: "VVAU_hls",
    SlidingWindowUnit: "ConvolutionInputGenerator_hls",
    PoolUnit: "StreamingMaxPool_hls",
    SumUnit: "GlobalAccPool_hls",
    WidthConverter: "StreamingDataWidthConverter_hls",
    Fifo: "StreamingFIFO_rtl",
}


def folding_config(units: tuple[Unit, ...]) -> dict[str, dict[str, Any]]:
    """Return the folding of a pipeline: "MVAU_hls_0": {"PE": ..., "SIMD": ...} and so on.

    Weights are constants of the unit ("internal_embedded"). What FINN has no word for, the tiles of a pruned
    unit, is left out; design.json has it.
    """
    counted: Counter[str] = Counter()
    result: dict[str, dict[str, Any]] = {"Defaults": {}}
    for unit in units:
        node = NODE[type(unit)]
        result[f"{node}_{counted[node]}"] = _attributes(unit)
        counted[node] += 1
    return result


def _attributes(unit: Unit) -> dict[str, Any]:
    if isinstance(unit, ProductUnit):
        return {
            "PE": int(unit.pe),
            "SIMD": int(unit.simd),
            "ram_style": RAM_STYLE[unit.memory],
            "resType": unit.compute,
            "mem_mode": "internal_embedded",
            "runtime_writeable_weights": 0,
        }
    if isinstance(unit, SlidingWindowUnit):
        return {"SIMD": int(unit.simd), "parallel_window": 0, "ram_style": "auto"}
    if isinstance(unit, PoolUnit | SumUnit):
        return {"PE": int(unit.pe)}
    if isinstance(unit, WidthConverter):
        bits = int(unit.bits)
        return {"inWidth": int(unit.in_width) * bits, "outWidth": int(unit.out_width) * bits}
    return {"depth": int(unit.depth), "impl_style": "rtl"}
