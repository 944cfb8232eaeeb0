"""Units whose words are `pe` elements wide on every side."""

from __future__ import annotations

from dse.ir.product_units import Ints


class PeWide:
    """Base of such units: pools, sums, forks and joins of streams."""

    __slots__ = ()
    pe: Ints

    @property
    def in_width(self) -> Ints:
        """Elements per word of each input stream."""
        return self.pe

    @property
    def out_width(self) -> Ints:
        """Elements per word of each output stream."""
        return self.pe
