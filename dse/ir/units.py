"""The hardware units of a streaming accelerator as they are built: what a cost model prices.

Fields that are numbers may also be integer arrays that broadcast against each other: then every
property is an array too, and one object stands for many foldings or designs. All widths are in
elements (not bits) unless the name says bits; all cycles are per frame at one word per cycle.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dse.ir.pe_wide import PeWide
from dse.ir.product_units import DepthwiseUnit, Ints, MatrixUnit, ProductUnit, Tiling
from dse.ir.window_units import FillUnit, SkippingWindowUnit, SlidingWindowUnit

__all__ = [
    "AddUnit",
    "AveragePoolUnit",
    "ConcatUnit",
    "DepthwiseUnit",
    "DuplicateUnit",
    "Fifo",
    "FillUnit",
    "ForkUnit",
    "Ints",
    "LaneUnit",
    "MatrixUnit",
    "PoolUnit",
    "ProductUnit",
    "SkippingWindowUnit",
    "SlidingWindowUnit",
    "SumUnit",
    "Tiling",
    "Unit",
    "WidthConverter",
    "divisors",
    "legal_folds",
    "parameters",
]

KEPT = 4096  # lists of divisors and of foldings that are kept: a search asks for few, and often


@dataclass(frozen=True, slots=True)
class PoolUnit(PeWide):
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


@dataclass(frozen=True, slots=True)
class AveragePoolUnit(PoolUnit):
    """Average-pooling with stride = kernel, a power of two: sums in place of maxima, and a shift."""


@dataclass(frozen=True, slots=True)
class SumUnit(PeWide):
    """Global average-pooling (FINN: GlobalAccPool): the sum of every channel, `pe` per word.

    The sums wait in a memory and leave with the last pixel.
    """

    layer: str
    pixels: int
    channels: Ints
    pe: Ints  # divides channels
    bits: Ints  # of an input element
    sum_bits: Ints  # of an output element

    @property
    def cycles(self) -> Ints:
        """One cycle per input word."""
        return self.pixels * (self.channels // self.pe)

    @property
    def out_element_bits(self) -> Ints:
        """Bits of a sum."""
        return self.sum_bits


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


@dataclass(frozen=True, slots=True)
class ForkUnit(PeWide):
    """Hands every word to two streams (FINN: DuplicateStreams), when both have room."""

    layer: str  # the layer whose output it is
    pixels: int
    channels: Ints
    pe: Ints  # divides channels
    bits: Ints  # of an element

    @property
    def cycles(self) -> Ints:
        """One cycle per word."""
        return self.pixels * (self.channels // self.pe)


@dataclass(frozen=True, slots=True)
class AddUnit(PeWide):
    """Adds the words of two streams and saturates (FINN: AddStreams, then Thresholding).

    Every element becomes `clip(a + b, 0, 2**bits - 1)`.
    """

    layer: str
    pixels: int
    channels: Ints
    pe: Ints  # divides channels
    bits: Ints  # of an element of either input and of the output
    signed: tuple[bool, bool]  # whether the elements of the first and of the second input are

    @property
    def cycles(self) -> Ints:
        """One cycle per word."""
        return self.pixels * (self.channels // self.pe)


@dataclass(frozen=True, slots=True)
class ConcatUnit(PeWide):
    """Hands out a pixel of one stream, then one of the other (FINN: StreamingConcat)."""

    layer: str
    pixels: int
    first_channels: Ints
    second_channels: Ints
    pe: Ints  # divides both
    bits: Ints  # of an element

    @property
    def cycles(self) -> Ints:
        """One cycle per output word."""
        words = self.first_channels // self.pe + self.second_channels // self.pe
        return self.pixels * words


@dataclass(frozen=True, slots=True)
class LaneUnit(AddUnit):
    """Fused residual activation (FuseBNN): `pe` lanes of two multiplications, two additions, a comparison.

    Its inputs are the residual stream and the sums of a product; `bits` are of an output element.
    """

    shortcut_bits: Ints
    dot_bits: Ints
    constant_bits: Ints
    shifts: bool  # constants are powers of two: shifters instead of multipliers


@dataclass(frozen=True, slots=True)
class DuplicateUnit(ForkUnit):
    """Hands on every element of a word twice; nothing is stored."""

    @property
    def out_width(self) -> Ints:
        """Elements per output word."""
        return 2 * self.pe


Unit: TypeAlias = (
    ProductUnit
    | SlidingWindowUnit
    | FillUnit
    | PoolUnit
    | SumUnit
    | ForkUnit
    | AddUnit
    | ConcatUnit
    | WidthConverter
    | Fifo
)


def parameters(unit: Unit) -> dict[str, Any]:
    """Return the fields of a unit; those of later versions only where they say something.

    So units that earlier versions had keep their digests.
    """
    values = asdict(unit)
    tiling = values.get("tiling")
    if tiling is not None:
        values["tiling"] = {
            k: v for k, v in tiling.items() if v != 1 or k not in ("positions", "run")
        }
    return values


@lru_cache(maxsize=KEPT)
def divisors(n: int) -> npt.NDArray[np.int64]:
    """Return the divisors of `n`, ascending; nobody can write to what is returned."""
    candidates = np.arange(1, n + 1)
    found: npt.NDArray[np.int64] = candidates[n % candidates == 0].astype(np.int64)
    found.setflags(write=False)
    return found


@lru_cache(maxsize=KEPT)
def legal_folds(
    mh: int, mw: int, tiling: Tiling | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return all legal (PE, SIMD) pairs of a matrix as two arrays of equal length that nobody can write to.

    Dense: PE | mh, SIMD | mw, and SIMD >= mw / 1024 (HLS limit on the input buffer, FINN).
    Tiled: PE divides r, or is n * r with n | mh/p; SIMD divides c, is a part or a multiple of a run,
    or is m * c with m | mw/q and r = p.
    """
    if tiling is None:
        pes = divisors(mh)
        simds = divisors(mw)
        simds = simds[simds * 1024 >= mw]
    else:
        t = tiling
        rows, cols = divisors(t.kept_rows), divisors(t.kept_cols)
        pes = np.union1d(rows, t.kept_rows * divisors(mh // t.block_rows))
        simds = cols = cols[(t.run % cols == 0) | (cols % t.run == 0)]
        if t.kept_rows == t.block_rows:
            simds = np.union1d(cols, t.kept_cols * divisors(mw // t.block_cols))
    pe, simd = (side.ravel() for side in np.meshgrid(pes, simds, indexing="ij"))
    pe.setflags(write=False)
    simd.setflags(write=False)
    return pe, simd
