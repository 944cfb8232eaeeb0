"""The hardware units of a streaming accelerator as they are built: what a cost model prices.

Fields that are numbers may also be integer arrays that broadcast against each other: then every
property is an array too, and one object stands for many foldings or designs. All widths are in
elements (not bits) unless the name says bits; all cycles are per frame at one word per cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = int | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tiling:
    """Balanced block column-row structure: each p x q block of the matrix keeps an r x c dense tile.

    Columns: any c of the q. Rows: one row of every residue class modulo r (r divides p), so that row
    `k` modulo `r` always belongs to the same PE lane and no output crossbar is needed.
    """

    block_rows: int  # p
    block_cols: int  # q
    kept_rows: int  # r
    kept_cols: int  # c

    @property
    def density(self) -> float:
        """Share of the weights that is kept."""
        return self.kept_rows * self.kept_cols / (self.block_rows * self.block_cols)

    def lanes(self, pe: Ints, simd: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Split (PE, SIMD) into (L, n, S, m).

        L row lanes in each of n block rows at once (n > 1 only with L = r), S kept columns in each of m
        block columns at once (m > 1 only with S = c and r = p: else lanes of several blocks would
        belong to different rows).
        """
        rows, cols = np.minimum(pe, self.kept_rows), np.minimum(simd, self.kept_cols)
        return rows, pe // rows, cols, simd // cols


@dataclass(frozen=True, slots=True)
class MatrixUnit:
    """Matrix-vector-threshold unit (FINN: MVAU): `vectors` products of an (mh, mw) matrix per frame.

    Dense: NF * SF cycles a vector, NF = mh/pe, SF = mw/simd; the input is read in the nf = 0 pass.
    Tiled: only kept tiles are executed; see `cycles`. 1 bit means bipolar {-1, +1}; a 1-bit matrix with
    1-bit inputs is XNOR and popcount.
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
    def macs(self) -> Ints:
        """Executed multiply-accumulates per frame."""
        return self.vectors * self.depth * self.pe * self.simd

    @property
    def popcount(self) -> Ints:
        """1 where the unit is XNOR-popcount: bipolar weights and inputs (not 1-bit inputs 0 and 1)."""
        bipolar = (np.asarray(self.weight_bits) == 1) & (np.asarray(self.input_bits) == 1)
        one: Ints = (bipolar & self.input_signed) * 1
        return one

    @property
    def acc_bits(self) -> Ints:
        """Bits of an accumulator that can never overflow: unsigned popcount, else signed sum."""
        weight = np.maximum(2 ** (np.asarray(self.weight_bits) - 1) - 1, 1)
        magnitude = np.where(
            np.asarray(self.input_bits) == 1,
            1,
            2 ** (np.asarray(self.input_bits) - (1 if self.input_signed else 0)),
        )
        bound = np.asarray(self.fan_in) * weight * magnitude
        signed = np.ceil(np.log2(bound + 1)) + 1
        count = np.ceil(np.log2(np.asarray(self.fan_in) + 1))
        bits: Ints = np.where(self.popcount == 1, count, signed).astype(np.int64)
        return bits

    @property
    def in_width(self) -> Ints:
        """Elements per input word: SIMD, or the whole block columns that a tiled step gathers from."""
        t = self.tiling
        if t is None:
            return self.simd
        _, _, _, m = t.lanes(self.pe, self.simd)
        return m * t.block_cols

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
class SlidingWindowUnit:
    """Sliding window (FINN: SWU, ConvolutionInputGenerator): a map in, k * k * C per pixel out.

    A ring of rows; every cycle a word is loaded where there is room and a word of a window is
    written where it is there, independently. Padding is written, never loaded or stored. Output
    order (ky, kx, channel).
    """

    layer: str
    height: int
    width: int
    channels: Ints
    kernel: int
    stride: int
    padding: int  # less than kernel
    simd: Ints  # divides channels
    bits: Ints

    @property
    def out_height(self) -> int:
        """Rows of the output map."""
        return (self.height + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def out_width_pixels(self) -> int:
        """Columns of the output map."""
        return (self.width + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def ring_rows(self) -> int:
        """Rows of the ring.

        At the border of two frames the last kernel rows of one and the first of the next wait side
        by side. With padding these are kernel - padding rows, which is enough where the rows
        between them are not used up faster than they come. So the pace is kept between two units
        as slow as this one; at stride 1 fewer rows do not do (tests/ir/test_timing.py).
        """
        border = self.stride == 1 and 2 * self.padding < self.kernel
        return 2 * (self.kernel - self.padding) if border else 2 * self.kernel

    @property
    def words_loaded(self) -> Ints:
        """Input words per frame."""
        return self.height * self.width * (self.channels // self.simd)

    @property
    def words_written(self) -> Ints:
        """Output words per frame."""
        pixels = self.out_height * self.out_width_pixels
        return pixels * self.kernel**2 * (self.channels // self.simd)

    @property
    def cycles(self) -> Ints:
        """Cycles per frame: those of the slower side; the next frame is loaded meanwhile."""
        return np.maximum(self.words_loaded, self.words_written)

    @property
    def fill_cycles(self) -> Ints:
        """Cycles that the first of many frames takes longer, its input being at hand.

        Word i is loaded in cycle i and can be written from cycle i + 1 on: writing is late by the
        largest lead of a load over the write that needs it. Every channel word and every column of
        a window has the same lead.
        """
        k, words = self.kernel, self.channels // self.simd
        y, x, ky = np.ogrid[: self.out_height, : self.out_width_pixels, :k]
        row = y * self.stride - self.padding + ky
        load = row * self.width + x * self.stride - self.padding
        write = (y * self.out_width_pixels + x) * k**2 + ky * k
        real = np.broadcast_to((row >= 0) & (row < self.height), write.shape)
        late: Ints = np.maximum(int((load - write)[real].max()) * words + 1, 0)
        whole: Ints = np.maximum(self.words_written + late, self.words_loaded)
        return whole - self.cycles

    @property
    def in_width(self) -> Ints:
        """Elements per input word."""
        return self.simd

    @property
    def out_width(self) -> Ints:
        """Elements per output word."""
        return self.simd


@dataclass(frozen=True, slots=True)
class PoolUnit:
    """Max-pooling with stride = kernel, `pe` channels per word."""

    layer: str
    height: int
    width: int
    channels: Ints
    kernel: int
    pe: Ints  # divides channels
    bits: Ints

    @property
    def cycles(self) -> Ints:
        """One cycle per input word."""
        return self.height * self.width * (self.channels // self.pe)

    @property
    def in_width(self) -> Ints:
        """Elements per input word."""
        return self.pe

    @property
    def out_width(self) -> Ints:
        """Elements per output word."""
        return self.pe


@dataclass(frozen=True, slots=True)
class WidthConverter:
    """Stream width converter (FINN: DWC); widths that do not divide each other go through their lcm."""

    layer: str  # the layer it stands in front of
    in_width: Ints
    out_width: Ints
    bits: Ints  # of one element
    elements: Ints  # per frame

    @property
    def cycles(self) -> Ints:
        """One cycle per word of the narrower side."""
        return self.elements // np.minimum(self.in_width, self.out_width)


@dataclass(frozen=True, slots=True)
class Fifo:
    """A FIFO of `depth` words of `width_bits` bits."""

    layer: str
    depth: Ints
    width_bits: Ints

    @property
    def cycles(self) -> Ints:
        """A FIFO never sets the pace."""
        return 0


Unit: TypeAlias = MatrixUnit | SlidingWindowUnit | PoolUnit | WidthConverter | Fifo


def divisors(n: int) -> npt.NDArray[np.int64]:
    """Return the divisors of `n`, ascending."""
    candidates = np.arange(1, n + 1)
    found: npt.NDArray[np.int64] = candidates[n % candidates == 0].astype(np.int64)
    return found


def legal_folds(
    mh: int, mw: int, tiling: Tiling | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return all legal (PE, SIMD) pairs of a matrix as two arrays of equal length.

    Dense: PE | mh, SIMD | mw, and SIMD >= mw / 1024 (HLS limit on the input buffer, FINN).
    Tiled: PE divides r, or is n * r with n | mh/p; SIMD divides c, or is m * c with m | mw/q and r = p.
    """
    if tiling is None:
        pes = divisors(mh)
        simds = divisors(mw)
        simds = simds[simds * 1024 >= mw]
    else:
        t = tiling
        rows, cols = divisors(t.kept_rows), divisors(t.kept_cols)
        pes = np.union1d(rows, t.kept_rows * divisors(mh // t.block_rows))
        simds = cols
        if t.kept_rows == t.block_rows:
            simds = np.union1d(cols, t.kept_cols * divisors(mw // t.block_cols))
    grid = np.meshgrid(pes, simds, indexing="ij")
    return grid[0].ravel(), grid[1].ravel()
