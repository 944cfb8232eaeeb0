"""Units as instances of the Verilog modules in hw_templates/rtl: which module, with which parameters."""

from __future__ import annotations

from math import gcd

from cost_models._terms import SHALLOW, SRL_FIFO
from dse.emit.lanes import lane_memory
from dse.emit.rtl_instance import Instance, Parameters
from dse.emit.rtl_memory import group_memories, matrix_memories
from dse.ir.accelerator import MatrixParameters
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.finn import RAM_STYLE
from dse.ir.lanes import LaneParameters
from dse.ir.units import (
    AddUnit,
    AveragePoolUnit,
    ConcatUnit,
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


def instance(
    name: str, unit: Unit, integers: MatrixParameters | None = None, *, is_signed: bool = False
) -> Instance:
    """Return the instance of one unit.

    Args:
        name: of the unit.
        unit: what it is.
        integers: of a matrix or depthwise unit, which always needs them.
        is_signed: the codes that a matrix or depthwise unit gives and the elements that a pooling unit
            compares are two's complement; those that a global pool adds up may be bipolar, too.
    """
    if isinstance(unit, Fifo):
        return _fifo(name, unit)
    if isinstance(unit, EdgeSkipUnit):
        assert integers is not None
        return _edge_skip(name, unit, integers)
    if isinstance(unit, ProductUnit):
        assert integers is not None
        return _products(name, unit, integers, signed=is_signed)
    bits = int(unit.bits)
    in_bits, out_bits = int(unit.in_width) * bits, int(unit.out_width) * bits
    assert not isinstance(unit, SkippingWindowUnit | FillUnit)  # need their masks
    if isinstance(unit, SlidingWindowUnit):
        kind, parameters = "sliding_window", _window(unit)
    elif isinstance(unit, PoolUnit):
        kind = "average_pool" if isinstance(unit, AveragePoolUnit) else "max_pool"
        parameters = _pool(unit, signed=is_signed)
    elif isinstance(unit, SumUnit):
        kind, parameters = "global_sum", _sum(unit, signed=is_signed)
        out_bits = int(unit.out_width) * int(unit.sum_bits)
    elif isinstance(unit, DuplicateUnit):
        kind, parameters = "stream_duplicate", {"PE": int(unit.pe), "BITS": bits}
    elif isinstance(unit, ForkUnit):
        kind, parameters = "stream_fork", {"WIDTH": in_bits}
    elif isinstance(unit, AddUnit):
        kind, parameters = "stream_add", _add(unit)
    elif isinstance(unit, ConcatUnit):
        kind, parameters = "stream_concat", _concat(unit)
    else:
        kind, parameters = "width_converter", _converter(unit)
    return Instance(name, unit, kind, parameters, {}, in_bits, out_bits)


def lane_instance(name: str, unit: LaneUnit, lane: LaneParameters) -> Instance:
    """Return the instance of a fused residual activation.

    Raises:
        UsageError: the constants are not those of such a unit.
    """
    pe, bits = int(unit.pe), int(unit.bits)
    file = f"{name}_constants.hex"
    parameters: Parameters = {
        "PE": pe,
        "WORDS": int(unit.channels // unit.pe),
        "BITS": bits,
        "SHORTCUT_BITS": int(unit.shortcut_bits),
        "DOT_BITS": int(unit.dot_bits),
        "CONSTANT_BITS": int(unit.constant_bits),
        "POWERS": int(unit.shifts),
        "SHIFT": lane.shift,
        "SLOPE_SHIFT": lane.slope_shift,
        "SHORTCUT_SHIFT": lane.shortcut_shift,
        "CONSTANTS": file,
    }
    memories = {file: lane_memory(unit, lane)}
    entering = pe * int(unit.dot_bits)
    return Instance(name, unit, "residual_lane", parameters, memories, entering, pe * bits)


def _products(
    name: str, unit: ProductUnit, integers: MatrixParameters, *, signed: bool
) -> Instance:
    texts = matrix_memories(unit, integers)
    names = {what: f"{name}_{what}.hex" for what in texts}
    matrix = isinstance(unit, MatrixUnit)
    shape = ("MH", "MW") if matrix else ("CHANNELS", "POSITIONS")
    parameters: dict[str, int | str] = {
        shape[0]: int(unit.mh),
        shape[1]: int(unit.mw),
        "PE": int(unit.pe),
        **({"SIMD": int(unit.simd)} if matrix else {}),
        "WEIGHT_BITS": int(unit.weight_bits),
        "IN_BITS": int(unit.input_bits),
        "IN_SIGNED": int(unit.input_signed),
        "ACC_BITS": int(unit.acc_bits),
        "OUT_BITS": int(unit.output_bits),
        "OUT_SIGNED": int(signed),
        "WORD_BITS": int(unit.out_element_bits),
        "USE_DSP": "yes" if unit.compute == "dsp" else "no",
        # one word is a constant, whatever memory was asked for
        "MEMORY": RAM_STYLE[unit.memory] if unit.depth > 1 else "distributed",
    }
    t = unit.tiling if isinstance(unit, MatrixUnit) else None
    if t is not None:
        rows, n, _, m = t.lanes(unit.pe, unit.simd)
        tiles = (unit.mh // t.block_rows // n) * (unit.mw // t.block_cols // m)
        _, column_words = t.index_memory(unit.mh, unit.mw, unit.pe, unit.simd)
        parameters |= {
            "BLOCK_ROWS": t.block_rows,
            "BLOCK_COLS": t.block_cols,
            "KEPT_ROWS": t.kept_rows,
            "KEPT_COLS": t.kept_cols,
            "POSITIONS": t.positions,
            "RUN": t.run,
            "COLUMN_MEMORY": _index_style(unit, int(column_words)),
            "CHOICE_MEMORY": _index_style(unit, int(tiles) * (t.kept_rows // int(rows))),
        }
    return Instance(
        name=name,
        unit=unit,
        module="depthwise_unit"
        if not matrix
        else "matrix_unit"
        if t is None
        else "tiled_matrix_unit",
        parameters=parameters | {what.upper(): file for what, file in names.items()},
        memories={names[what]: text for what, text in texts.items()},
        in_bits=int(unit.in_width) * int(unit.input_bits),
        out_bits=int(unit.out_width) * int(unit.out_element_bits),
        has_weights=True,
    )


def _edge_skip(name: str, unit: EdgeSkipUnit, integers: MatrixParameters) -> Instance:
    pool = unit.pooling
    texts = group_memories(unit, integers)
    return Instance(
        name=name,
        unit=unit,
        module="edge_skip_unit",
        parameters={
            "MH": int(unit.mh),
            "MW": int(unit.mw),
            "PE": int(unit.pe),
            "SIMD": int(unit.simd),
            "LOCKSTEP": int(unit.mode == "lockstep"),
            "HELD": unit.held_vectors,
            "POOL": 0 if pool is None else pool.kernel,
            "POOL_HEIGHT": 1 if pool is None else pool.height,
            "POOL_WIDTH": 1 if pool is None else pool.width,
            "ACC_BITS": int(unit.acc_bits),
            "MEMORY": RAM_STYLE[unit.memory] if unit.depth > 1 else "distributed",
            "WEIGHTS": f"{name}_weights",
            "ROWS": f"{name}_rows",
        },
        memories={f"{name}_{what}.hex": text for what, text in texts.items()},
        in_bits=int(unit.in_width),
        out_bits=int(unit.out_width),
    )


def _index_style(unit: ProductUnit, depth: int) -> str:
    return "distributed" if unit.memory == "lutram" else _style(depth, SHALLOW)


def _style(depth: int, shallow: int) -> str:
    """Return the kind of memory that the cost models count for so many words."""
    return "distributed" if depth <= shallow else "block"


def ring_memory(unit: SlidingWindowUnit | SkippingWindowUnit) -> str:
    """Return the kind of memory of the ring of a window unit, by the words of a row, as the cost models do."""
    return _style(unit.width * int(unit.channels // unit.simd), SHALLOW)


def _window(unit: SlidingWindowUnit) -> Parameters:
    return {
        "HEIGHT": unit.height,
        "WIDTH": unit.width,
        "WORDS": int(unit.channels // unit.simd),
        "KERNEL": unit.kernel,
        "STRIDE": unit.stride,
        "PADDING": unit.padding,
        "BITS": int(unit.simd) * int(unit.bits),
        "RING_ROWS": int(unit.ring_rows),
        "MEMORY": ring_memory(unit),
    }


def _pool(unit: PoolUnit, *, signed: bool) -> Parameters:
    return {
        "HEIGHT": unit.height,
        "WIDTH": unit.width,
        "WORDS": int(unit.channels // unit.pe),
        "KERNEL": unit.kernel,
        "PE": int(unit.pe),
        "BITS": int(unit.bits),
        "IS_SIGNED": int(signed),
    }


def _sum(unit: SumUnit, *, signed: bool) -> Parameters:
    return {
        "PIXELS": unit.pixels,
        "WORDS": int(unit.channels // unit.pe),
        "PE": int(unit.pe),
        "BITS": int(unit.bits),
        "IS_SIGNED": int(signed),
        "SUM_BITS": int(unit.sum_bits),
    }


def _add(unit: AddUnit) -> Parameters:
    first, second = unit.signed
    return {
        "PE": int(unit.pe),
        "BITS": int(unit.bits),
        "SIGNED0": int(first),
        "SIGNED1": int(second),
    }


def _concat(unit: ConcatUnit) -> Parameters:
    return {
        "PE": int(unit.pe),
        "BITS": int(unit.bits),
        "WORDS0": int(unit.first_channels // unit.pe),
        "WORDS1": int(unit.second_channels // unit.pe),
    }


def _converter(unit: WidthConverter) -> Parameters:
    a, b = int(unit.in_width), int(unit.out_width)
    common = gcd(a, b)
    return {"IN": a // common, "OUT": b // common, "BITS": common * int(unit.bits)}


def _fifo(name: str, unit: Fifo) -> Instance:
    bits, depth = int(unit.width_bits), int(unit.depth)
    parameters: Parameters = {"WIDTH": bits, "DEPTH": depth, "MEMORY": _style(depth, SRL_FIFO)}
    return Instance(name, unit, "stream_fifo", parameters, {}, bits, bits)
