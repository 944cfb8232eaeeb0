"""Closed forms of FINN and FINN-R: resources of a dataflow accelerator, term by term.

Every function takes integers or arrays that broadcast. Symbols as in FINN: P = PE, Q = SIMD, W
weight bits, A activation (input) bits, B output bits, omega = words of the weight memory,
tmem = MH / P.

References:
    Blott et al., "FINN-R", ACM TRETS 11(3), 2018: LUT = 300 + 1.1 * P * Q * W * A, and its block
    RAM form.
    FINN compiler (BSD-3-Clause), `custom_op/fpgadataflow`, read in 2026: the terms of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cost_models._model import Floats
from dse.ir.units import Ints

Numbers: TypeAlias = Ints | Floats | float

CONTROL_LUT = 300.0  # FINN-R, measured on empty units
LUT_PER_TERM = 1.1  # FINN-R, calibrated on Vivado HLS
# bits and words of a BRAM18 in its native aspect ratios (AMD UG473, UG573)
BRAM18_WIDTHS = np.array([1.0, 2.0, 4.0, 9.0, 18.0, 36.0])
BRAM18_DEPTHS = np.array([16384.0, 8192.0, 4096.0, 2048.0, 1024.0, 512.0])


@dataclass(frozen=True, slots=True)
class MvauLut:
    """LUTs of a matrix-vector-threshold unit by what they are for, before FINN-R's factors.

    Attributes:
        multiply: products in LUTs.
        tree: adder trees that sum the products of one word.
        accumulate: accumulators.
        compare: threshold comparators.
        thresholds: threshold memory in LUTs.
        weights: weight memory in LUTs.
    """

    multiply: Floats
    tree: Floats
    accumulate: Floats
    compare: Floats
    thresholds: Floats
    weights: Floats

    @property
    def total(self) -> Floats:
        """FINN's `lut_estimation`, whole LUTs."""
        scaled = self.multiply + self.tree + self.accumulate + self.compare + self.thresholds
        return np.floor(CONTROL_LUT + LUT_PER_TERM * scaled + self.weights)


def mvau_lut(
    pe: Numbers,
    simd: Numbers,
    weight_bits: Numbers,
    input_bits: Numbers,
    acc_bits: Numbers,
    output_bits: Numbers,
    row_folds: Numbers,
    depth: Numbers,
    *,
    lut_multipliers: bool,
    lut_weights: bool | npt.NDArray[np.bool_],
) -> MvauLut:
    """Return the LUT terms of FINN's HLS matrix-vector unit.

    Args:
        pe: P.
        simd: Q.
        weight_bits: W.
        input_bits: A.
        acc_bits: bits of an accumulator.
        output_bits: B of the fused activation; 0 without one.
        row_folds: tmem, words of the threshold memory.
        depth: omega, words of the weight memory.
        lut_multipliers: products in LUTs, not in DSPs.
        lut_weights: weights in LUTs, not in block RAM.
    """
    p = np.asarray(pe, dtype=np.float64)
    w_a = np.asarray(weight_bits) + np.asarray(input_bits)
    steps = np.where(np.asarray(output_bits) == 0, 0, 2 ** np.asarray(output_bits) - 1)
    multiply = p * simd * (2 * np.ceil(w_a / 6) - 1) * w_a
    weights = p * simd * weight_bits * np.ceil(np.asarray(depth) / 64)
    return MvauLut(
        multiply=multiply * lut_multipliers,
        tree=p * w_a * (2 * np.asarray(simd) - 1),
        accumulate=p * acc_bits,
        compare=p * steps * acc_bits,
        thresholds=p * steps * acc_bits * np.ceil(np.asarray(row_folds) / 64),
        weights=weights * lut_weights,
    )


def mvau_acc_bits(
    mw: Numbers, weight_bits: Numbers, input_bits: Numbers, *, input_signed: bool
) -> Floats:
    """Return the accumulator bits that FINN's LUT estimate assumes where none are given."""
    alpha = np.log2(mw) + weight_bits + input_bits - 1 - input_signed
    bits: Floats = np.ceil(alpha + np.log2(1 + 2.0**-alpha) + 1)
    return bits


def mvau_dsp(pe: Numbers, simd: Numbers, weight_bits: Numbers, input_bits: Numbers) -> Floats:
    """DSP blocks of an HLS unit with `resType = dsp`: one a product of up to 48 bits."""
    w_a = np.asarray(weight_bits) + np.asarray(input_bits)
    blocks: Floats = np.asarray(pe) * np.asarray(simd) * np.ceil(w_a / 48)
    return blocks


def bram18(width: Numbers, depth: Numbers) -> Floats:
    """Blocks of 18 Kb for a memory of `depth` words of `width` bits, in their native aspect ratios.

    Widths of 36 bits exist only 512 deep. AMD UG473, UG573; the form is FINN's.
    """
    w, d = np.asarray(width, dtype=np.float64), np.asarray(depth, dtype=np.float64)
    shape = np.searchsorted(BRAM18_WIDTHS[:-1], w)  # the first that is wide enough, else the widest
    shape = shape - ((shape == len(BRAM18_WIDTHS) - 1) & (d > BRAM18_DEPTHS[-1]))
    across = np.ceil(np.maximum(w, 0.0) / BRAM18_WIDTHS[shape])
    blocks: Floats = np.ceil(d / BRAM18_DEPTHS[shape]) * across
    return blocks


def uram(width: Numbers, depth: Numbers) -> Floats:
    """Blocks of 288 Kb (4096 words of 72 bits; AMD UG573)."""
    return np.ceil(np.asarray(width) / 72) * np.ceil(np.asarray(depth) / 4096)


def lut_memory(width: Numbers, depth: Numbers) -> Floats:
    """LUTs of a read-only or single-port memory: one LUT6 holds 64 words of one bit."""
    return np.asarray(width) * np.ceil(np.asarray(depth) / 64)


def converter_lut(narrow: Numbers, wide: Numbers, bits: Numbers) -> Floats:
    """LUTs of a stream width converter whose widths divide: a counter and the wider register."""
    ratio = np.asarray(wide) / np.asarray(narrow)
    lut: Floats = np.where(ratio > 1, np.ceil(np.log2(ratio)) + np.asarray(wide) * bits, 0.0)
    return lut
