"""Where a unit lies among its like: the axes along which a correction changes smoothly.

Counts are on a logarithmic scale of base 2, so that a doubling is one step; styles are 0 or 1.
Bit widths are no axes: they act through the terms of the prior alone, so that more bits never cost
less, and widths that no record had are predicted better (docs/cost-models.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cost_models._model import Floats
from dse.ir.edge_skip import EdgeSkipUnit
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
    SkippingWindowUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    WidthConverter,
)


def _log(value: Any) -> Floats:
    return np.log2(np.asarray(value, dtype=np.float64))


def _matrix(unit: MatrixUnit) -> dict[str, Any]:
    t = unit.tiling
    row_folds = np.asarray(unit.mh) / unit.pe
    return {
        "pe": _log(unit.pe),
        "simd": _log(unit.simd),
        "column_folds": _log(np.asarray(unit.depth) / row_folds),
        "lutram": float(unit.memory == "lutram"),
        "uram": float(unit.memory == "uram"),
        "dsp": float(unit.compute == "dsp"),
        "popcount": unit.popcount,
        "tiled": float(t is not None),
        "sparsity": 0.0 if t is None else -_log(t.density),
    }


def _window(unit: SlidingWindowUnit) -> dict[str, Any]:
    return {
        "simd": _log(unit.simd),
        "words": _log(np.asarray(unit.channels) // unit.simd),
        "width": _log(unit.width),
        "kernel": _log(unit.kernel),
        "bits": _log(unit.bits),
    }


def _pool(unit: PoolUnit) -> dict[str, Any]:
    return {
        "pe": _log(unit.pe),
        "words": _log(np.asarray(unit.channels) // unit.pe),
        "width": _log(unit.width),
        "bits": _log(unit.bits),
    }


def _converter(unit: WidthConverter) -> dict[str, Any]:
    return {
        "in_width": _log(unit.in_width),
        "out_width": _log(unit.out_width),
        "bits": _log(unit.bits),
    }


def _fifo(unit: Fifo) -> dict[str, Any]:
    return {"depth": _log(unit.depth), "width_bits": _log(unit.width_bits)}


def _depthwise(unit: DepthwiseUnit) -> dict[str, Any]:
    return {
        "pe": _log(unit.pe),
        "words": _log(np.asarray(unit.mh) // unit.pe),
        "pixels": _log(unit.mw),
        "lutram": float(unit.memory == "lutram"),
        "uram": float(unit.memory == "uram"),
        "dsp": float(unit.compute == "dsp"),
        "popcount": unit.popcount,
    }


def _global_sum(unit: SumUnit) -> dict[str, Any]:
    return {"pe": _log(unit.pe), "words": _log(np.asarray(unit.channels) // unit.pe)}


def _fork(unit: ForkUnit) -> dict[str, Any]:
    return {"width_bits": _log(np.asarray(unit.pe) * unit.bits)}


def _add(unit: AddUnit) -> dict[str, Any]:
    return {"pe": _log(unit.pe)}


def _concat(unit: ConcatUnit) -> dict[str, Any]:
    words = np.asarray(unit.first_channels) // unit.pe + np.asarray(unit.second_channels) // unit.pe
    return {"width_bits": _log(np.asarray(unit.pe) * unit.bits), "words": _log(words)}


def _lane(unit: LaneUnit) -> dict[str, Any]:
    return {"pe": _log(unit.pe), "shifts": float(unit.shifts)}


def _fill(unit: FillUnit) -> dict[str, Any]:
    return {"pe": _log(unit.pe), "words": _log(np.asarray(unit.channels) // unit.pe)}


AXES: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    MatrixUnit: _matrix,
    EdgeSkipUnit: _matrix,
    DepthwiseUnit: _depthwise,
    SlidingWindowUnit: _window,
    SkippingWindowUnit: _window,
    FillUnit: _fill,
    PoolUnit: _pool,
    SumUnit: _global_sum,
    ForkUnit: _fork,
    AddUnit: _add,
    ConcatUnit: _concat,
    LaneUnit: _lane,
    AveragePoolUnit: _pool,
    DuplicateUnit: _fork,
    WidthConverter: _converter,
    Fifo: _fifo,
}

_EXAMPLES: Mapping[str, Unit] = {  # a unit of every kind: only the names of its axes matter
    "matrix": MatrixUnit("", 4, 4, 1, 1, 1, 1, 1, True, 1, "bram", "lut"),
    "edge_skip": EdgeSkipUnit("", 4, 4, 1, 1, 1, 1, 1, True, 1, "bram", "lut"),
    "depthwise": DepthwiseUnit("", 4, 4, 1, 1, 1, 1, 1, True, 1, "bram", "lut"),
    "window": SlidingWindowUnit("", 4, 4, 1, 1, 1, 0, 1, 1),
    "skipping_window": SkippingWindowUnit("", 4, 4, 1, 1, 1, 0, 1, 1, 1, 0.5),
    "fill": FillUnit("", 4, 4, 1, 1, 1, 1),
    "pool": PoolUnit("", 4, 4, 1, 2, 1, 1),
    "global_sum": SumUnit("", 4, 1, 1, 1, 3),
    "fork": ForkUnit("", 1, 1, 1, 1),
    "add": AddUnit("", 1, 1, 1, 2, (False, True)),
    "concat": ConcatUnit("", 1, 1, 1, 1, 1),
    "lane": LaneUnit("", 1, 1, 1, 8, (True, True), 8, 8, 8, False),
    "average_pool": AveragePoolUnit("", 4, 4, 1, 2, 1, 1),
    "duplicate": DuplicateUnit("", 1, 1, 1, 1),
    "converter": WidthConverter("", 1, 2, 1, 2),
    "fifo": Fifo("", 2, 1),
}


def axis_names(kind: str) -> tuple[str, ...]:
    """Return the axes of a kind of unit, in the order of a place."""
    example = _EXAMPLES[kind]
    return tuple(AXES[type(example)](example))
