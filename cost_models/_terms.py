"""What a hardware unit is made of: named physical quantities, one function per kind of unit.

A term is a count of LUTs or flip-flops before a fitted factor; `analytic.json` has the factors.
Block RAM, DSP and URAM are counted exactly, their factor is 1. Terms are never negative and no
searched knob makes all of them vanish.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cost_models import _finn
from cost_models._model import Floats
from dse.ir.units import (
    AddUnit,
    ConcatUnit,
    DepthwiseUnit,
    Fifo,
    ForkUnit,
    MatrixUnit,
    PoolUnit,
    ProductUnit,
    SlidingWindowUnit,
    SumUnit,
    WidthConverter,
)

SHALLOW = 128  # words: up to here a small memory is built of LUTs (FINN: `wmem <= 128`)
SRL_FIFO = 256  # words: up to here a FIFO is built of shift registers (FINN: `impl_style = rtl`)


@dataclass(frozen=True, slots=True)
class Terms:
    """LUT and FF terms by name, and counted blocks."""

    lut: Mapping[str, Floats]
    ff: Mapping[str, Floats]
    dsp: Floats
    bram18: Floats
    uram: Floats


ZERO: Floats = np.float64(0.0) * np.ones(())


def matrix(unit: MatrixUnit) -> Terms:
    """Terms of a matrix-vector-threshold unit: FINN's, the input buffer, and all that tiles add."""
    own, extra = products(unit), _tiled(unit)
    input_bits = np.asarray(unit.in_width) * unit.input_bits
    vector = np.asarray(unit.mw) * unit.input_bits
    # models that were calibrated have the flip-flops in this order
    first = {name: own.ff[name] for name in ("control", "weights", "input_word")}
    return Terms(
        lut={
            **own.lut,
            "input_select": (vector - input_bits) * 1.0,
            "input_enable": vector / input_bits,
            **extra.lut,
        },
        ff={**first, "input_buffer": vector + 0.0 * np.asarray(unit.pe), **own.ff, **extra.ff},
        dsp=own.dsp,
        bram18=own.bram18 + extra.bram18,
        uram=own.uram,
    )


def depthwise(unit: DepthwiseUnit) -> Terms:
    """Terms of a depthwise unit: FINN's of its VVAU, which are those of an MVAU without input buffer.

    The sums of a vector wait in LUTs: mh / PE words of one accumulator for every PE.
    """
    own = products(unit)
    words = np.asarray(unit.mh) // unit.pe
    held = np.asarray(unit.pe) * unit.acc_bits * np.ceil(words / 32)
    return replace(own, lut={**own.lut, "accumulators": np.where(words > 1, held, 0.0)})


def products(unit: ProductUnit) -> Terms:
    """Terms of weights, products, sums and thresholds.

    An XNOR-popcount unit has one term for products and tree: FINN-R's P * Q * W * A.
    """
    p, q = np.asarray(unit.pe, dtype=np.float64), np.asarray(unit.simd)
    popcount = np.asarray(unit.popcount)
    acc, depth = np.asarray(unit.acc_bits), np.asarray(unit.depth)
    on_dsp = unit.compute == "dsp"
    finn = _finn.mvau_lut(
        unit.pe,
        unit.simd,
        unit.weight_bits,
        unit.input_bits,
        acc,
        unit.output_bits,
        np.ceil(np.asarray(unit.mh) / p),
        depth,
        lut_multipliers=not on_dsp,
        # one word is a constant: it is in no UltraRAM
        lut_weights=(unit.memory == "lutram") | ((unit.memory == "uram") & (depth <= 1)),
    )
    word = p * q * unit.weight_bits
    input_bits = np.asarray(unit.in_width) * unit.input_bits
    arithmetic = 1 - popcount
    return Terms(
        lut={
            "control": np.ones_like(p),
            "multiply": finn.multiply * arithmetic,
            "tree": finn.tree * arithmetic,
            "popcount": p * q * popcount,
            "accumulate": finn.accumulate,
            "compare": finn.compare,
            "thresholds": finn.thresholds,
            "weights": finn.weights,
        },
        ff={
            "control": np.ones_like(p),
            "weights": word,
            "input_word": input_bits * 1.0,
            "products": finn.tree * arithmetic,
            "popcount": p * q * popcount,
            "accumulate": finn.accumulate,
            "compare": finn.compare / np.maximum(acc, 1),
        },
        dsp=_finn.mvau_dsp(unit.pe, unit.simd, unit.weight_bits, unit.input_bits) * arithmetic
        if on_dsp
        else ZERO,
        bram18=_finn.bram18(word, depth) if unit.memory == "bram" else ZERO,
        uram=np.where(depth > 1, _finn.uram(word, depth), 0.0) if unit.memory == "uram" else ZERO,
    )


def _tiled(unit: MatrixUnit) -> Terms:
    """What balanced blocks add to a dense unit.

    Column gather: per lane a multiplexer of its candidates (q columns; fewer with runs) for every
    activation bit, a quarter LUT6 a candidate and bit. Index memories: column indices
    (`Tiling.index_memory`), and a row number per kept row. Accumulators: p / L words in each of the n * L lanes. Output
    registers: n * p sums.
    """
    t = unit.tiling
    if t is None:
        return Terms({}, {}, ZERO, ZERO, ZERO)
    rows, n, _, m = t.lanes(unit.pe, unit.simd)
    groups = np.asarray(unit.mh) // t.block_rows // n
    block_cols = np.asarray(unit.mw) // t.block_cols // m
    acc = np.asarray(unit.acc_bits)
    gather = n * np.asarray(unit.simd)
    indices, column_depth = t.index_memory(unit.mh, unit.mw, unit.pe, unit.simd)
    column_width = np.asarray(indices) * float(t.index_bits)
    row_width = n * t.kept_rows * np.ceil(np.log2(t.block_rows // t.kept_rows))
    row_depth = groups * block_cols
    in_lut = [
        unit.memory == "lutram" or column_depth <= SHALLOW,
        unit.memory == "lutram" or row_depth <= SHALLOW,
    ]
    memories = ((column_width, column_depth, in_lut[0]), (row_width, row_depth, in_lut[1]))
    lanes = n * np.asarray(rows)
    words = t.block_rows // np.asarray(rows)
    return Terms(
        lut={
            "gather": gather * np.asarray(unit.input_bits) * t.candidates(unit.simd) / 4,
            "index": sum(
                (np.where(shallow, _finn.lut_memory(w, d), 0.0) for w, d, shallow in memories),
                ZERO,
            ),
            "accumulators": np.where(words > 1, lanes * acc * np.ceil(words / 32), 0.0),
        },
        ff={
            "index": column_width + row_width,
            "output": n * t.block_rows * acc * 1.0,
        },
        dsp=ZERO,
        bram18=sum(
            (np.where(shallow, 0.0, _finn.bram18(w, d)) for w, d, shallow in memories), ZERO
        ),
        uram=ZERO,
    )


def window(unit: SlidingWindowUnit) -> Terms:
    """Terms of a sliding window: a ring of rows of (width * C / Q) words of Q * A bits.

    FINN's ring has kernel + stride rows and is filled again for every frame; ours is not.
    """
    width = np.asarray(unit.simd) * np.asarray(unit.bits) * 1.0
    depth = unit.width * (np.asarray(unit.channels) // unit.simd)
    buffers = unit.ring_rows
    return Terms(
        lut={
            "control": np.ones_like(width),
            "buffer": np.where(depth <= SHALLOW, buffers * _finn.lut_memory(width, depth), 0.0),
            "word": width,
        },
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=np.where(depth <= SHALLOW, 0.0, buffers * _finn.bram18(width, depth)),
        uram=ZERO,
    )


def pool(unit: PoolUnit) -> Terms:
    """Terms of a max-pooling unit: a comparator per bit, a row of partial maxima."""
    width = np.asarray(unit.pe) * np.asarray(unit.bits) * 1.0
    depth = (unit.width // unit.kernel) * (np.asarray(unit.channels) // unit.pe)
    return Terms(
        lut={
            "control": np.ones_like(width),
            "compare": width,
            "buffer": np.where(depth <= SHALLOW, _finn.lut_memory(width, depth), 0.0),
        },
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=np.where(depth <= SHALLOW, 0.0, _finn.bram18(width, depth)),
        uram=ZERO,
    )


def global_sum(unit: SumUnit) -> Terms:
    """Terms of a global pool: an adder per PE, the sums of all channels in LUTs."""
    width = np.asarray(unit.pe) * np.asarray(unit.sum_bits) * 1.0
    words = np.asarray(unit.channels) // unit.pe
    return Terms(
        lut={
            "control": np.ones_like(width),
            "add": width,
            "accumulators": np.where(words > 1, width * np.ceil(words / 32), 0.0),
        },
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def fork(unit: ForkUnit) -> Terms:
    """Terms of a fork: counters and handshakes, and a register for a word."""
    width = np.asarray(unit.pe) * np.asarray(unit.bits) * 1.0
    return Terms(
        lut={"control": np.ones_like(width)},
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def add(unit: AddUnit) -> Terms:
    """Terms of an adding unit: for every element a sum that cannot overflow, and its saturation.

    A LUT adds a bit (a carry chain: AMD UG474, UG574); a sum with a signed input has two bits more than
    they have, else one. A LUT cuts off a bit: it is 0 where the sum is negative, 1 where it overflows.
    """
    width = np.asarray(unit.pe) * np.asarray(unit.bits) * 1.0
    return Terms(
        lut={
            "control": np.ones_like(width),
            "add": width + np.asarray(unit.pe) * (2 if any(unit.signed) else 1),
            "clip": width,
        },
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def concat(unit: ConcatUnit) -> Terms:
    """Terms of a concatenating unit: a multiplexer of two words, and a counter of those of a pixel."""
    width = np.asarray(unit.pe) * np.asarray(unit.bits) * 1.0
    words = np.asarray(unit.first_channels) // unit.pe + np.asarray(unit.second_channels) // unit.pe
    return Terms(
        lut={
            "control": np.ones_like(width * words),
            "counter": np.ceil(np.log2(words)) + 0 * width,
            "select": width + 0.0 * words,
        },
        ff={"control": np.ones_like(width * words), "word": width + 0.0 * words},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def converter(unit: WidthConverter) -> Terms:
    """Terms of a width converter; all zero where the widths agree and nothing is built.

    Widths that do not divide each other: FINN converts twice, through their least common multiple.
    The unit here keeps in + out elements in one register and shifts them by multiples of the common
    divisor.
    """
    a, b, bits = np.asarray(unit.in_width), np.asarray(unit.out_width), np.asarray(unit.bits)
    narrow, wide, common = np.minimum(a, b), np.maximum(a, b), np.gcd(a, b)
    divides = common == narrow
    held = (a + b) * bits * 1.0
    plain = _finn.converter_lut(narrow, wide, bits)
    return Terms(
        lut={
            "register": np.where(divides, plain, held),
            "shift": np.where(divides, 0.0, held * np.ceil(np.log2(wide / common)) / 2),
        },
        ff={"register": np.where(divides, plain, held)},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def fifo(unit: Fifo) -> Terms:
    """Terms of a FIFO: pointers and shift registers, or block RAM beyond 256 words."""
    width, depth = np.asarray(unit.width_bits) * 1.0, np.asarray(unit.depth)
    deep = depth > SRL_FIFO
    return Terms(
        lut={
            "control": np.ones_like(width * depth),
            "pointers": 2 * np.ceil(np.log2(depth)) + 0 * width,
            "storage": np.where(deep, 0.0, np.ceil(depth / 32) * np.ceil(width / 2)),
        },
        ff={
            "control": np.ones_like(width * depth),
            "pointers": 2 * np.ceil(np.log2(depth)) + 0 * width,
            "word": width + 0.0 * depth,
        },
        dsp=ZERO,
        bram18=np.where(deep, _finn.bram18(width, depth), 0.0),
        uram=ZERO,
    )
