"""What the Verilog units of hw_templates/rtl are made of: registers, adders and memories, term by term.

The counterpart of `_terms.py`, which follows FINN's HLS units. A term is a count of flip-flops or LUTs as it
follows from the Verilog; fitted factors say what a tool makes of it. Terms are never negative, none falls with
more bits, and "control" never vanishes. Blocks of DSP and RAM are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cost_models import _finn
from cost_models._model import Floats
from cost_models._terms import SHALLOW, SRL_FIFO, ZERO, Terms
from dse.ir.units import Fifo, MatrixUnit, PoolUnit, SlidingWindowUnit, WidthConverter

ROM_WORDS = 64  # of one bit in a LUT6
RAM_WORDS, RAM_BITS, RAM_LUTS = 32, 6, 4  # RAM32M: one write, one read port (AMD UG474, table 2-3)
RARE = 16  # of all sums that an accumulator holds, about one in so many is likely
LEVELS = 7  # of adder_tree, four terms each: enough for 4**7 products


def matrix(unit: MatrixUnit) -> Terms:
    """Terms of matrix_unit, and of tiled_matrix_unit where there are tiles."""
    pe, simd = _number(unit.pe), _number(unit.simd)
    wb, ib = _number(unit.weight_bits), _number(unit.input_bits)
    popcount, on_dsp = np.asarray(unit.popcount), unit.compute == "dsp"
    depth = np.asarray(unit.depth)
    word = pe * simd * wb
    # one word is a constant, whatever memory was asked for
    in_luts = np.where(depth > 1, unit.memory == "lutram", True)
    signs = (wb == 1) | (ib == 1)
    term = np.where(ib == 1, wb, np.where(wb == 1, ib + 1, wb + ib))
    soft = 1 - popcount if not on_dsp else (1 - popcount) * signs
    six = np.ceil(simd / 6)
    tree = _tree(np.where(popcount, six, simd), np.where(popcount, 3, term))
    products = pe * simd * soft * (1 - signs)
    rows, columns = np.minimum(wb, ib), np.maximum(wb, ib)
    activation = _activation(unit)
    around = _dense(unit) if unit.tiling is None else _tiled(unit)
    return Terms(
        lut={
            "control": np.ones_like(pe),
            "partial": products * 2 * (rows - 2).clip(0) * columns,
            "multiply": products * (wb + ib),
            "negate": pe * simd * term * soft * signs,
            "match": pe * (simd + 3 * six) * popcount,
            "pairs": pe * tree.pairs,
            "tree": pe * tree.more,
            "weights": np.where(in_luts, _rom(word, depth), 0.0),
            **activation.lut,
            **around.lut,
        },
        ff={
            "control": np.ones_like(pe),
            "weights": np.where(in_luts, _distinct(word, depth), 0.0),
            "products": pe
            * simd
            * np.where(popcount, 1, term * (soft + (1 - popcount - soft) / 2)),
            "tree": pe * tree.ff,
            **activation.ff,
            **around.ff,
        },
        dsp=pe * simd * (1 - popcount) * (1 - signs) * on_dsp,
        bram18=np.where(in_luts, 0.0, _finn.bram18(word, depth)) * (unit.memory == "bram")
        + around.bram18,
        uram=_finn.uram(word, depth) * (unit.memory == "uram") * (depth > 1),
    )


def _activation(unit: MatrixUnit) -> Terms:
    """Terms of activation: thresholds, or the numbers of weights that raw counts need."""
    pe, ob = _number(unit.pe), _number(unit.output_bits)
    raw = (ob == 0) & (np.asarray(unit.popcount) == 0)
    bits = _number(unit.acc_bits) + 1
    # more thresholds than there are sums to tell apart coincide; few sums are near the largest
    sums = 2**bits / RARE
    entries = np.where(ob == 0, 1, -sums * np.expm1(-(2**ob - 1) / sums))
    table = np.where(raw, 0.0, pe * entries * bits)
    words = np.asarray(unit.mh) // np.asarray(unit.pe)
    constant = words == 1
    return Terms(
        lut={
            "thresholds": _rom(table, words),
            "compare": np.where(constant, 0.0, table),
            "compare_constant": np.where(constant, table / np.sqrt(entries), 0.0),
            "ladder": np.where(ob > 1, pe * (2**ob - 1), 0.0),
        },
        ff={
            "thresholds": _distinct(table, words),
            "output": pe * np.asarray(unit.out_element_bits),
            "ladder": np.where(ob > 1, pe * (2**ob - 1), 0.0),
        },
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def _dense(unit: MatrixUnit) -> Terms:
    """What a dense unit has around its products: the vector that is kept, counters, accumulators."""
    pe, acc = _number(unit.pe), _number(unit.acc_bits)
    nf, sf = np.asarray(unit.mh) // unit.pe, np.asarray(unit.mw) // unit.simd
    bits = _number(unit.simd) * unit.input_bits
    again = nf > 1
    return Terms(
        lut={
            "accumulate": np.where(sf > 1, pe * acc, 0.0),
            "kept": np.where(again, _ram(bits, sf), 0.0),
            "select": np.where(again, bits, 0.0),
            "counters": _width(sf) * 2 + _width(nf * sf),
        },
        ff={
            "kept": np.where(again & (sf == 1), bits, 0.0),
            "input": bits,
            "accumulate": pe * acc,
            "counters": _width(sf) * 2 + _width(nf * sf) + _width(nf),
        },
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def _tiled(unit: MatrixUnit) -> Terms:
    """What balanced blocks add: gather, index memories, accumulators of all rows, the way out."""
    t = unit.tiling
    assert t is not None
    rows, n, cols, m = (np.asarray(v) for v in t.lanes(unit.pe, unit.simd))
    pe, simd, acc = _number(unit.pe), _number(unit.simd), _number(unit.acc_bits)
    groups, block_cols = unit.mh // t.block_rows // n, unit.mw // t.block_cols // m
    steps = (t.kept_rows // rows) * (t.kept_cols // cols)
    bits = m * t.block_cols * _number(unit.input_bits)
    again = groups * steps > 1
    slots = t.block_rows // rows
    column = n * simd * max(1, int(np.ceil(np.log2(t.block_cols))))
    column_words = groups * block_cols * (t.kept_cols // cols)
    classes = t.block_rows // t.kept_rows
    choice = pe * np.ceil(np.log2(classes))
    choice_words = groups * block_cols * (t.kept_rows // rows)
    shallow = [
        (words <= SHALLOW) | (unit.memory == "lutram") for words in (column_words, choice_words)
    ]
    memories = list(zip((column, choice), (column_words, choice_words), shallow, strict=True))
    gathered = n * simd * unit.input_bits
    counters = _width(groups * block_cols * steps) + 2 * _width(block_cols * steps) + _width(slots)
    return Terms(
        lut={
            "accumulate": np.where(block_cols * steps > 1, pe * acc, 0.0),
            "kept": np.where(again, _ram(bits, block_cols), 0.0),
            "select": np.where(again, bits, 0.0),
            "gather": gathered * t.block_cols / 4,
            "index": sum((np.where(s, _rom(w, d), 0.0) for w, d, s in memories), ZERO),
            "slots": np.where(slots > 1, pe * acc * slots / 4, 0.0),
            "leave": n * t.block_rows * acc * 1.0,
            "counters": counters,
        },
        ff={
            "kept": np.where(again & (block_cols == 1), bits, 0.0),
            "input": bits + gathered,
            "accumulate": pe * slots * acc,
            "index": sum((np.where(s, _distinct(w, d), 0.0) for w, d, s in memories), ZERO),
            "leave": n * t.block_rows * acc * 1.0,
            "counters": counters,
        },
        dsp=ZERO,
        bram18=sum((np.where(s, 0.0, _finn.bram18(w, d)) for w, d, s in memories), ZERO),
        uram=ZERO,
    )


def window(unit: SlidingWindowUnit) -> Terms:
    """Terms of sliding_window: a ring of rows, and counters of rows, columns and addresses."""
    bits = _number(unit.simd) * unit.bits
    words = np.asarray(unit.channels) // unit.simd
    depth = unit.ring_rows * unit.width * words
    shallow = unit.width * words <= SHALLOW
    counters = (
        5 * _width(depth + 1) + 3 * _width(unit.width * words + 1) + 6 * _width(unit.height + 1)
    )
    return Terms(
        lut={
            "control": np.ones_like(bits * words),
            "counters": counters + 0 * bits,
            "blank": bits + 0.0 * words,
            "buffer": np.where(shallow, _ram(bits, depth), 0.0),
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
    bits = _number(unit.pe) * unit.bits
    depth = (unit.width // unit.kernel) * (np.asarray(unit.channels) // unit.pe)
    counters = _width(depth + 1) + _width(unit.height + 1) + _width(unit.width + 1) + 0 * bits
    return Terms(
        lut={
            "control": np.ones_like(bits * depth),
            "counters": counters,
            "compare": bits + 0.0 * depth,
            "buffer": _ram(bits, depth),
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
    a, b, bits = np.asarray(unit.in_width), np.asarray(unit.out_width), _number(unit.bits)
    common = np.gcd(a, b)
    into, out = a // common, b // common
    built = (a != b) * 1.0
    grow, cut = (into == 1) * built, (out == 1) * built
    both = built - np.maximum(grow, cut)
    room = np.where(grow > 0, out, np.where(cut > 0, into, into + out)) * common * bits * built
    held = _width(room / common / np.maximum(bits, 1) + 1) * built
    return Terms(
        lut={
            "control": built + 0 * bits,
            "held": held,
            "cut": room * cut,
            "shift": room * both * np.ceil(np.log2(np.maximum(into + out, 2))),
        },
        ff={"control": built + 0 * bits, "held": held, "register": room},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def fifo(unit: Fifo) -> Terms:
    """Terms of stream_fifo: LUT RAM, or block RAM beyond 256 words."""
    bits, depth = _number(unit.width_bits), np.asarray(unit.depth)
    deep = depth > SRL_FIFO
    pointers = 2 * _width(depth) + _width(depth + 1) + 0 * bits
    return Terms(
        lut={
            "control": np.ones_like(bits * depth),
            "pointers": pointers,
            "storage": np.where(deep, 0.0, _ram(bits, depth)),
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


def _number(value: Any) -> Floats:
    return np.asarray(value, dtype=np.float64)


def _width(count: Any) -> Floats:
    """Bits of a counter of `count` values; nothing where there is one."""
    return np.ceil(np.log2(np.maximum(_number(count), 1)))


def _distinct(width: Any, words: Any) -> Floats:
    """Registers of a word from a table of few words: equal columns are built once.

    Of `width` random columns of `words` bits, N (1 - (1 - 1/N)^width) differ, N = 2^words; the two constant
    ones take no register. One word is a constant.
    """
    kinds = 2.0 ** np.minimum(_number(words), 60)
    found = -kinds * np.expm1(_number(width) * np.log1p(-1 / kinds))
    result: Floats = np.where(_number(words) > 1, found * (1 - 2 / kinds), 0.0)
    return result


def _rom(width: Any, words: Any) -> Floats:
    """LUTs of a table of constants: 64 words of a bit each."""
    return _distinct(width, words) * np.maximum(_number(words) / ROM_WORDS, 1.0)


def _ram(width: Any, words: Any) -> Floats:
    """LUTs of a memory with a write and a read port; one word is a register."""
    blocks = np.ceil(_number(words) / RAM_WORDS)
    result: Floats = np.where(
        _number(words) > 1, RAM_LUTS * np.ceil(_number(width) / RAM_BITS) * blocks, 0.0
    )
    return result


@dataclass(frozen=True, slots=True)
class _Tree:
    """Bits of an adder tree.

    Attributes:
        pairs: of adders of two numbers.
        more: of adders of three and four, in LUTs.
        ff: of registers.
    """

    pairs: Floats
    more: Floats
    ff: Floats


def _tree(terms: Any, bits: Any) -> _Tree:
    """Return the sizes of adder_tree over `terms` numbers of `bits` bits.

    Every level adds four at a time. Two numbers take one LUT a bit; every further one is first compressed with
    two others to two, which takes two LUTs a bit (yosys: `maccmap`).
    """
    left, size = _number(terms), _number(bits)
    pairs = adders = ff = np.zeros_like(left * size)
    for _ in range(LEVELS):
        more = left > 1
        grown = size + np.where(left > 2, 2, 1)
        fours, rest = left // 4, left % 4
        pairs = pairs + np.where(more & (rest == 2), grown, 0.0)
        adders = adders + np.where(more, (5 * fours + 3 * (rest == 3)) * grown, 0.0)
        left = np.where(more, np.ceil(left / 4), left)
        ff = ff + np.where(more, left * grown, 0.0)
        size = np.where(more, grown, size)
    return _Tree(pairs, adders, ff)
