"""Units around the windows of a convolution: all windows, or those of the positions that are computed.

As in `dse.ir.units`, fields that are numbers may be arrays that broadcast against each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.ir.mask_grid import MaskGrid
from dse.ir.pe_wide import PeWide
from dse.ir.product_units import Ints


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
class SkippingWindowUnit(SlidingWindowUnit):
    """A sliding window that leaves out the windows of skipped positions; two streams leave it.

    In front of the ring a mask is decided, a bit for every tile of the output (`dse.ir.spatial`): a step
    a cycle, for every word of the map and for every pixel of padding that a tile waits for. Windows of kept
    positions are written as they are by a sliding window, a skipped position takes one cycle. The second
    stream hands on the mask.
    """

    tile: int  # positions that a tile is high and wide
    keep: float  # share of the positions that is kept, as the design asks for

    @property
    def grid(self) -> MaskGrid:
        """The tiles and what they look at."""
        return MaskGrid(self.height, self.width, self.kernel, self.stride, self.padding, self.tile)

    @property
    def positions(self) -> int:
        """Output pixels."""
        return self.out_height * self.out_width_pixels

    @property
    def kept(self) -> int:
        """Positions that are computed per frame, as the design asks for."""
        return kept_positions(self.positions, self.keep)

    @property
    def ring_rows(self) -> int:
        """Rows of the ring: a tile is decided with all its rows loaded."""
        # zero-argument super() does not work in a dataclass with slots
        return SlidingWindowUnit.ring_rows.__get__(self) + (self.tile - 1) * self.stride  # type: ignore[no-any-return]

    @property
    def words_written(self) -> Ints:
        """Output words per frame."""
        return self.kept * self.kernel**2 * (self.channels // self.simd)

    @property
    def mask_cycles(self) -> Ints:
        """Cycles per frame that deciding takes: one for a word of the map or a pixel of padding."""
        return self.words_loaded + self.grid.padded_pixels

    @property
    def cycles(self) -> Ints:
        """Cycles per frame: those of the slower of deciding and writing."""
        return np.maximum(self.mask_cycles, self.words_written + self.positions - self.kept)

    @property
    def decided_after(self) -> int:
        """Cycles that deciding on a tile waits, at most, after the first word of its last row of pixels.

        Of a tile of several rows of positions, the first one waits for the pixels of the last.
        """
        rows = (self.tile - 1) * self.stride
        words = int(self.channels // self.simd)
        return (rows * self.width + self.grid.span) * words + rows * self.grid.span + 4

    @property
    def mask_depth(self) -> int:
        """Bits that wait between deciding and writing: two rows of tiles."""
        return max(16, 2 * self.grid.cols)


@dataclass(frozen=True, slots=True)
class FillUnit(PeWide):
    """Puts the pixels of skipped positions, all the same, between those that were computed.

    It reads words of the computed pixels and a bit for every tile, and writes a word a cycle.
    """

    layer: str
    height: int
    width: int
    channels: Ints
    pe: Ints  # divides channels
    bits: Ints  # of an element
    tile: int

    @property
    def cycles(self) -> Ints:
        """One cycle per word."""
        return self.height * self.width * (self.channels // self.pe)


def kept_positions(positions: int, keep: float) -> int:
    """Return how many of so many positions a design that asks for a share keeps, at most; at least one."""
    return max(1, int(positions * keep + 1e-9))
