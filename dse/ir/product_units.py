"""Units that multiply and add: matrix units, dense or tiled, and depthwise units.

As in `dse.ir.units`, fields that are numbers may be arrays that broadcast against each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = int | npt.NDArray[np.int64]

KEPT = 4096  # accumulators whose bits are kept


@dataclass(frozen=True, slots=True)
class Tiling:
    """Balanced block column-row structure: each p x q block of the matrix keeps an r x c dense tile.

    Columns: any c of the q. Rows: one row of every residue class modulo r (r divides p), so that row
    `k` modulo `r` always belongs to the same PE lane and no output crossbar is needed.

    Where whole kernels or whole runs of channels are kept, the column choice says less, and is stored
    once: `positions` and `run` are above 1 only with r = p.
    """

    block_rows: int  # p
    block_cols: int  # q
    kept_rows: int  # r
    kept_cols: int  # c
    positions: int = 1  # equal parts of the columns in which the choice is the same; divides mw/q
    run: int = 1  # kept columns are whole aligned runs of so many; divides q and c

    @property
    def density(self) -> float:
        """Share of the weights that is kept."""
        return self.kept_rows * self.kept_cols / (self.block_rows * self.block_cols)

    @property
    def index_bits(self) -> int:
        """Bits of one column index: which of the q/run runs of a block."""
        return (self.block_cols // self.run - 1).bit_length()

    def candidates(self, simd: Ints) -> Ints:
        """Return the columns of a block among which a lane chooses.

        Lane s of S sees every S-th column where it is a part of a run, every run-th where it spans runs.
        """
        return self.block_cols // np.minimum(np.minimum(simd, self.kept_cols), self.run)

    def index_memory(self, mh: Ints, mw: Ints, pe: Ints, simd: Ints) -> tuple[Ints, Ints]:
        """Return (indices per word, words) of the memory of column indices.

        A word serves n block rows for the steps that stay in one run, once for all groups of block
        columns after which the choice repeats (`period`).
        """
        _, n, width, m = self.lanes(pe, simd)
        words = (mh // self.block_rows // n) * self.period(mw, simd)
        words = words * (self.kept_cols // np.maximum(width, self.run))
        return n * m * np.maximum(1, width // self.run), words

    def period(self, mw: Ints, simd: Ints) -> Ints:
        """Return after how many groups of m block columns the choice of columns repeats."""
        _, _, _, m = self.lanes(1, simd)
        part = mw // self.block_cols // self.positions
        return part // np.gcd(part, m)

    def lanes(self, pe: Ints, simd: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Split (PE, SIMD) into (L, n, S, m).

        L row lanes in each of n block rows at once (n > 1 only with L = r), S kept columns in each of m
        block columns at once (m > 1 only with S = c and r = p: else lanes of several blocks would
        belong to different rows).
        """
        rows, cols = np.minimum(pe, self.kept_rows), np.minimum(simd, self.kept_cols)
        return rows, pe // rows, cols, simd // cols


@dataclass(frozen=True, slots=True)
class ProductUnit(ABC):
    """`vectors` times the `mh` sums of `mw` products each, with thresholds behind them, per frame.

    Each cycle adds `simd` products to each of `pe` sums. 1 bit means bipolar {-1, +1}; 1-bit weights
    with 1-bit inputs are XNOR and popcount.
    """

    layer: str
    mh: Ints
    mw: Ints
    vectors: Ints
    pe: Ints
    simd: Ints
    weight_bits: Ints  # as stored
    input_bits: Ints
    input_signed: bool  # True also for bipolar
    output_bits: Ints  # 0: no thresholds, the accumulators are the output
    memory: str
    compute: str

    @property
    @abstractmethod
    def in_width(self) -> Ints:
        """Elements per input word."""

    @property
    def cycles(self) -> Ints:
        """Cycles per frame: vectors * (mh / pe) * (mw / simd) (FINN-R)."""
        return self.vectors * (self.mh // self.pe) * (self.mw // self.simd)

    @property
    def depth(self) -> Ints:
        """Words of the weight memory: one for every executed step of a vector."""
        return (self.mh // self.pe) * (self.mw // self.simd)

    @property
    def fan_in(self) -> Ints:
        """Largest number of weights that one output sums."""
        return self.mw

    @property
    def macs(self) -> Ints:
        """Executed multiply-accumulates per frame."""
        return self.vectors * self.depth * self.pe * self.simd

    @property
    def popcount(self) -> Ints:
        """1 where the unit is XNOR-popcount: bipolar weights and inputs (not 1-bit inputs 0 and 1)."""
        return _popcount(self.weight_bits, self.input_bits, input_signed=self.input_signed)

    @property
    def acc_bits(self) -> Ints:
        """Bits of an accumulator that can never overflow: unsigned popcount, else signed sum."""
        n, w, a, signed = self.fan_in, self.weight_bits, self.input_bits, self.input_signed
        if isinstance(n, int) and isinstance(w, int) and isinstance(a, int):
            return _kept_acc_bits(n, w, a, input_signed=signed)  # all prices of a layer ask for it
        return _acc_bits(n, w, a, input_signed=signed)

    @property
    def out_width(self) -> Ints:
        """Elements per output word."""
        return self.pe

    @property
    def out_element_bits(self) -> Ints:
        """Bits of one output element: the activation, or the signed sum where there is none."""
        raw = self.acc_bits + np.asarray(self.popcount)  # a raw popcount leaves as 2 * pop - N
        bits: Ints = np.where(np.asarray(self.output_bits) == 0, raw, self.output_bits)
        return bits


@dataclass(frozen=True, slots=True)
class MatrixUnit(ProductUnit):
    """Matrix-vector-threshold unit (FINN: MVAU): `vectors` products of an (mh, mw) matrix per frame.

    Dense: NF * SF cycles a vector, NF = mh/pe, SF = mw/simd; the input is read in the nf = 0 pass.
    Tiled: only kept tiles are executed; see `cycles`.
    """

    tiling: Tiling | None = None

    @property
    def cycles(self) -> Ints:
        """Cycles per frame.

        Dense: vectors * NF * SF (FINN-R). Tiled: per group of n block rows the larger of the executed
        steps (mw/q/m)(r/L)(c/S) and the p/L output words.
        """
        t = self.tiling
        if t is None:
            return self.vectors * (self.mh // self.pe) * (self.mw // self.simd)
        rows, n, cols, m = t.lanes(self.pe, self.simd)
        steps = (self.mw // t.block_cols // m) * (t.kept_rows // rows) * (t.kept_cols // cols)
        groups = self.mh // t.block_rows // n
        return self.vectors * groups * np.maximum(steps, t.block_rows // rows)

    @property
    def depth(self) -> Ints:
        """Words of the weight memory: one for every executed step of a vector."""
        t = self.tiling
        if t is None:
            return (self.mh // self.pe) * (self.mw // self.simd)
        kept = (self.mh // t.block_rows * t.kept_rows) * (self.mw // t.block_cols * t.kept_cols)
        return kept // (self.pe * self.simd)

    @property
    def fan_in(self) -> Ints:
        """Largest number of weights that one output sums."""
        t = self.tiling
        return self.mw if t is None else self.mw // t.block_cols * t.kept_cols

    @property
    def in_width(self) -> Ints:
        """Elements per input word: SIMD, or the whole block columns that a tiled step gathers from."""
        t = self.tiling
        if t is None:
            return self.simd
        _, _, _, m = t.lanes(self.pe, self.simd)
        return m * t.block_cols


@dataclass(frozen=True, slots=True)
class DepthwiseUnit(ProductUnit):
    """Depthwise convolution (FINN: VVAU): mh channels with mw = kernel * kernel weights each.

    It takes windows in the order of the window unit, (ky, kx, channel): every cycle `pe` channels of
    one pixel, each added to the sum of its channel. So all sums of a vector wait in a memory, and its
    mh / pe output words leave with its last pixel. `simd` is 1: a window unit hands out one pixel of
    a window per cycle, with all its channels at best; more products per channel would wait for it.
    """

    @property
    def in_width(self) -> Ints:
        """Elements per input word: a channel for every PE."""
        return self.pe


def _popcount(weight_bits: Ints, input_bits: Ints, *, input_signed: bool) -> Ints:
    bipolar = (np.asarray(weight_bits) == 1) & (np.asarray(input_bits) == 1)
    one: Ints = (bipolar & input_signed) * 1
    return one


def _acc_bits(fan_in: Ints, weight_bits: Ints, input_bits: Ints, *, input_signed: bool) -> Ints:
    weight = np.maximum(2 ** (np.asarray(weight_bits) - 1) - 1, 1)
    codes = 2 ** (np.asarray(input_bits) - (1 if input_signed else 0))
    magnitude = np.where(np.asarray(input_bits) == 1, 1, codes)
    bound = np.asarray(fan_in) * weight * magnitude
    signed = np.ceil(np.log2(bound + 1)) + 1
    count = np.ceil(np.log2(np.asarray(fan_in) + 1))
    popcount = _popcount(weight_bits, input_bits, input_signed=input_signed)
    bits: Ints = np.where(popcount == 1, count, signed).astype(np.int64)
    return bits


@lru_cache(maxsize=KEPT)
def _kept_acc_bits(fan_in: int, weight_bits: int, input_bits: int, *, input_signed: bool) -> Ints:
    return _acc_bits(fan_in, weight_bits, input_bits, input_signed=input_signed)
