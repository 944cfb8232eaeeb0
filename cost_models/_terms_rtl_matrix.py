"""Terms of the matrix units of hw_templates/rtl; see `_terms_rtl.py`."""

from __future__ import annotations

import numpy as np

from cost_models import _finn
from cost_models._model import Floats
from cost_models._rtl_parts import (
    adder_tree,
    bank_luts,
    count_luts,
    counter_bits,
    distinct_columns,
    number,
    product_luts,
    ram_luts,
    table_blocks,
    table_luts,
)
from cost_models._terms import SHALLOW, ZERO, Terms
from dse.ir.units import MatrixUnit

CASCADE = 3  # products whose sum yosys builds inside of DSP blocks
RARE = 16  # of all sums that an accumulator holds, about one in so many is likely


def matrix(unit: MatrixUnit) -> Terms:
    """Terms of matrix_unit, and of tiled_matrix_unit where there are tiles."""
    word, depth = number(unit.pe) * unit.simd * unit.weight_bits, np.asarray(unit.depth)
    # one word is a constant, whatever memory was asked for
    in_luts = (depth <= 1) | (unit.memory == "lutram")
    in_blocks = (depth > 1) & (unit.memory == "bram")
    parts = [_products(unit), _activation(unit)]
    parts.append(_dense(unit) if unit.tiling is None else _tiled(unit))
    return Terms(
        lut={
            "control": np.ones_like(word),
            "weights": np.where(in_luts, table_luts(word, depth), 0.0),
            **{name: v for part in parts for name, v in part.lut.items()},
        },
        ff={
            "control": np.ones_like(word),
            "weights": np.where(in_luts, distinct_columns(word, depth), 0.0),
            **{name: v for part in parts for name, v in part.ff.items()},
        },
        dsp=parts[0].dsp,
        bram18=np.where(in_blocks, table_blocks(word, depth), 0.0) + parts[-1].bram18,
        uram=np.where(depth > 1, _finn.uram(word, depth), 0.0) * (unit.memory == "uram"),
    )


def _products(unit: MatrixUnit) -> Terms:
    """Terms of dot_product of all lanes, the registers of its inputs among them.

    DSP blocks take in registers before and behind them, and the adders of a few products, so these have terms
    of their own.
    """
    wb, ib = number(unit.weight_bits), number(unit.input_bits)
    lanes = number(unit.simd) * _different_rows(unit)
    counted = np.asarray(unit.popcount) * 1.0  # matches
    signed = (1 - counted) * ((wb == 1) | (ib == 1))  # by a sign: no product
    on_dsp = _on_dsp(unit)
    in_luts = 1 - counted - signed - on_dsp
    term = np.where(ib == 1, wb, np.where(wb == 1, ib + 1, wb + ib))
    sixes = np.ceil(number(unit.simd) / 6)
    tree = adder_tree(np.where(counted, sixes, unit.simd), np.where(counted, 3, term))
    pe = number(unit.pe)
    in_dsp = on_dsp * (number(unit.simd) <= CASCADE)
    inputs = _read_bits(unit)
    return Terms(
        lut={
            "multiply": lanes * in_luts * product_luts(wb, ib),
            "negate": lanes * signed * term,
            "match": counted * lanes,
            "count": counted * pe * count_luts(unit.simd),
            "pairs": pe * tree.pairs * (1 - in_dsp),
            "tree": pe * tree.more * (1 - in_dsp),
            "dsp_sums": pe * (tree.pairs + tree.more) * in_dsp,
        },
        ff={
            "input": inputs * (1 - on_dsp),
            "products": lanes * np.where(counted, 1, term) * (1 - on_dsp),
            "tree": pe * tree.ff * (1 - in_dsp),
            "dsp_input": inputs * on_dsp,
            "dsp_products": lanes * term * on_dsp,
            "dsp_sums": pe * tree.ff * in_dsp,
        },
        dsp=pe * unit.simd * on_dsp,
        bram18=ZERO,
        uram=ZERO,
    )


def _on_dsp(unit: MatrixUnit) -> Floats:
    """1 where products are made by DSP blocks: with one bit on either side there is none."""
    several = (number(unit.weight_bits) > 1) & (number(unit.input_bits) > 1)
    result: Floats = np.where(several, float(unit.compute == "dsp"), 0.0)
    return result


def _different_rows(unit: MatrixUnit) -> Floats:
    """Rows in parallel whose products with an input are built apart.

    Weights in LUTs are logic to yosys: of few words, some rows have the same ones, and share their product.
    """
    depth = number(unit.depth)
    in_luts = (depth <= 1) | (unit.memory == "lutram")
    kinds = 2.0 ** np.minimum(depth * unit.weight_bits, 60)
    pe = number(unit.pe)
    result: Floats = np.where(in_luts, -kinds * np.expm1(pe * np.log1p(-1 / kinds)), pe)
    return result


def _read_bits(unit: MatrixUnit) -> Floats:
    """Bits of the registers between the input and the products."""
    t = unit.tiling
    if t is None:
        return number(unit.simd) * unit.input_bits
    _, n, _, _ = t.lanes(unit.pe, unit.simd)
    bits: Floats = (number(unit.in_width) + number(n) * unit.simd) * unit.input_bits
    return bits


def _activation(unit: MatrixUnit) -> Terms:
    """Terms of activation: thresholds, or the numbers of weights that raw counts need."""
    pe, ob = number(unit.pe), number(unit.output_bits)
    raw = (ob == 0) & (np.asarray(unit.popcount) == 0)
    bits = number(unit.acc_bits) + 1
    # more thresholds than there are sums to tell apart coincide; few sums are near the largest
    sums = 2**bits / RARE
    entries = np.where(ob == 0, 1, -sums * np.expm1(-(2**ob - 1) / sums))
    table = np.where(raw, 0.0, pe * entries * bits)
    words = np.asarray(unit.mh) // np.asarray(unit.pe)
    constant = (words == 1) | (ob == 0)  # all rows have as many weights
    table_words = np.where(constant, 1, words)
    return Terms(
        lut={
            "thresholds": table_luts(table, table_words),
            "compare": np.where(constant, 0.0, table),
            "compare_constant": np.where(constant, pe * bits * _constants(entries) * ~raw, 0.0),
            "ladder": np.where(ob > 1, pe * (2**ob - 1), 0.0),
        },
        ff={
            "thresholds": distinct_columns(table, table_words),
            "output": pe * np.asarray(unit.out_element_bits),
            "ladder": np.where(ob > 1, pe * (2**ob - 1), 0.0),
        },
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )


def _constants(entries: Floats) -> Floats:
    """LUTs per bit of a sum to compare it with constants, as yosys 0.70 builds 1 and 15 of them."""
    return 0.4 + 0.15 * entries


def _dense(unit: MatrixUnit) -> Terms:
    """What a dense unit has around its products: the vector that is kept, counters, accumulators."""
    pe, acc = number(unit.pe), number(unit.acc_bits)
    nf, sf = np.asarray(unit.mh) // unit.pe, np.asarray(unit.mw) // unit.simd
    bits = number(unit.simd) * unit.input_bits
    again = nf > 1
    in_dsp = _on_dsp(unit) * (number(unit.simd) == 1)  # nothing between product and accumulator
    sums, adders = pe * acc, np.where(sf > 1, 2 * pe * acc, 0.0)  # or 0, plus the product
    return Terms(
        lut={
            "accumulate": adders * (1 - in_dsp),
            "dsp_accumulate": adders * in_dsp,
            "kept": np.where(again, ram_luts(bits, sf), 0.0),
            "banks": np.where(again, bank_luts(bits, sf), 0.0),
            "select": np.where(again, bits, 0.0),
            "counters": counter_bits(sf) * 2 + counter_bits(nf * sf),
        },
        ff={
            "kept": np.where(again & (sf == 1), bits, 0.0),
            "accumulate": sums * (1 - in_dsp),
            "dsp_accumulate": sums * in_dsp,
            "counters": counter_bits(sf) * 2 + counter_bits(nf * sf) + counter_bits(nf),
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
    pe, simd, acc = number(unit.pe), number(unit.simd), number(unit.acc_bits)
    groups, block_cols = unit.mh // t.block_rows // n, unit.mw // t.block_cols // m
    steps = (t.kept_rows // rows) * (t.kept_cols // cols)
    bits = m * t.block_cols * number(unit.input_bits)
    again = groups * steps > 1
    slots = t.block_rows // rows
    indices, column_words = t.index_memory(unit.mh, unit.mw, unit.pe, unit.simd)
    column = np.asarray(indices) * max(1.0, t.index_bits)
    classes = t.block_rows // t.kept_rows
    choice = pe * np.ceil(np.log2(classes))
    choice_words = groups * block_cols * (t.kept_rows // rows)
    shallow = [
        (words <= SHALLOW) | (unit.memory == "lutram") for words in (column_words, choice_words)
    ]
    memories = list(zip((column, choice), (column_words, choice_words), shallow, strict=True))
    gathered = n * simd * unit.input_bits
    counters = (
        counter_bits(groups * block_cols * steps)
        + 2 * counter_bits(block_cols * steps)
        + counter_bits(slots)
    )
    return Terms(
        lut={
            "accumulate": np.where(block_cols * steps > 1, pe * acc, 0.0),
            "kept": np.where(again, ram_luts(bits, block_cols), 0.0),
            "banks": np.where(again, bank_luts(bits, block_cols), 0.0),
            "select": np.where(again, bits, 0.0),
            "gather": gathered * t.candidates(unit.simd) / 4,
            "index": sum((np.where(s, table_luts(w, d), 0.0) for w, d, s in memories), ZERO),
            "slots": np.where(slots > 1, pe * acc * slots / 4, 0.0),
            "leave": n * t.block_rows * acc * 1.0,
            "counters": counters,
        },
        ff={
            "kept": np.where(again & (block_cols == 1), bits, 0.0),
            "accumulate": pe * slots * acc,
            "index": sum((np.where(s, distinct_columns(w, d), 0.0) for w, d, s in memories), ZERO),
            "leave": n * t.block_rows * acc * 1.0,
            "counters": counters,
        },
        dsp=ZERO,
        bram18=sum((np.where(s, 0.0, table_blocks(w, d)) for w, d, s in memories), ZERO),
        uram=ZERO,
    )
