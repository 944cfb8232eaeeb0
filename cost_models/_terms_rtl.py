"""What the Verilog units of hw_templates/rtl are made of: registers, adders and memories, term by term.

The counterpart of `_terms.py`, which follows FINN's HLS units. A term is a count of flip-flops or LUTs as it
follows from the Verilog; fitted factors say what a tool makes of it. Terms are never negative, none falls with
more bits, and "control" never vanishes. Blocks of DSP and RAM are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cost_models import _finn
from cost_models._rtl_parts import bank_luts, counter_bits, number, ram_luts
from cost_models._terms import SHALLOW, SRL_FIFO, ZERO, Terms
from cost_models._terms_rtl_matrix import matrix
from dse.ir.units import Fifo, PoolUnit, SlidingWindowUnit, WidthConverter


def window(unit: SlidingWindowUnit) -> Terms:
    """Terms of sliding_window: a ring of rows, and counters of rows, columns and addresses."""
    bits = number(unit.simd) * unit.bits
    words = np.asarray(unit.channels) // unit.simd
    depth = unit.ring_rows * unit.width * words
    shallow = unit.width * words <= SHALLOW
    counters = (
        5 * counter_bits(depth + 1)
        + 3 * counter_bits(unit.width * words + 1)
        + 6 * counter_bits(unit.height + 1)
    )
    return Terms(
        lut={
            "control": np.ones_like(bits * words),
            "counters": counters + 0 * bits,
            "blank": bits + 0.0 * words,
            "buffer": np.where(shallow, ram_luts(bits, depth), 0.0),
            "banks": np.where(shallow, bank_luts(bits, depth), 0.0),
        },
        ff={
            "control": np.ones_like(bits * words),
            "counters": counters + 0 * bits,
            "word": np.where(shallow, bits, 0.0),
        },
        dsp=ZERO,
        bram18=np.where(shallow, 0.0, _finn.bram18(bits, depth)),
        uram=ZERO,
    )


def pool(unit: PoolUnit) -> Terms:
    """Terms of max_pool: a comparator and a multiplexer per bit, a row of maxima in LUT RAM."""
    bits = number(unit.pe) * unit.bits
    depth = (unit.width // unit.kernel) * (np.asarray(unit.channels) // unit.pe)
    counters = (
        counter_bits(depth + 1)
        + counter_bits(unit.height + 1)
        + counter_bits(unit.width + 1)
        + 0 * bits
    )
    return Terms(
        lut={
            "control": np.ones_like(bits * depth),
            "counters": counters,
            "compare": bits + 0.0 * depth,
            "buffer": ram_luts(bits, depth),
            "banks": bank_luts(bits, depth),
        },
        ff={
            "control": np.ones_like(bits * depth),
            "counters": counters,
            "word": bits + 0.0 * depth,
        },
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def converter(unit: WidthConverter) -> Terms:
    """Terms of width_converter; all zero where the widths agree and nothing is built."""
    a, b, bits = np.asarray(unit.in_width), np.asarray(unit.out_width), number(unit.bits)
    common = np.gcd(a, b)
    into, out = a // common, b // common
    built = (a != b) * 1.0
    grow, cut = (into == 1) * built, (out == 1) * built
    both = built - np.maximum(grow, cut)
    room = np.where(grow > 0, out, np.where(cut > 0, into, into + out)) * common * bits * built
    held = counter_bits(room / common / np.maximum(bits, 1) + 1) * built
    return Terms(
        lut={
            "control": built + 0 * bits,
            "held": held,
            "cut": room * cut * (1 - 1 / into),  # the last unit is only loaded
            "merge": room * both,
            "shift": room * both * into * out / (into + out),
        },
        ff={"control": built + 0 * bits, "held": held, "register": room},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def fifo(unit: Fifo) -> Terms:
    """Terms of stream_fifo: LUT RAM, or block RAM beyond 256 words."""
    bits, depth = number(unit.width_bits), np.asarray(unit.depth)
    deep = depth > SRL_FIFO
    pointers = 2 * counter_bits(depth) + counter_bits(depth + 1) + 0 * bits
    return Terms(
        lut={
            "control": np.ones_like(bits * depth),
            "pointers": pointers,
            "storage": np.where(deep, 0.0, ram_luts(bits, depth)),
            "banks": np.where(deep, 0.0, bank_luts(bits, depth)),
        },
        ff={
            "control": np.ones_like(bits * depth),
            "pointers": pointers,
            "word": np.where(deep, 0.0, bits),
        },
        dsp=ZERO,
        bram18=np.where(deep, _finn.bram18(bits, depth), 0.0),
        uram=ZERO,
    )


TERMS: Mapping[str, Callable[[Any], Terms]] = {
    "matrix": matrix,
    "window": window,
    "pool": pool,
    "converter": converter,
    "fifo": fifo,
}
