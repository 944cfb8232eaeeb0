"""The tiles of output positions that are computed or skipped together, and what decides on them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MaskGrid:
    """Tiles of `tile` x `tile` output positions of a convolution over a (height, width) map.

    A tile is decided by the pixels that its windows cover: `span` x `span` of them, `step` apart from those of
    the next tile. What lies outside the map counts nothing.
    """

    height: int
    width: int
    kernel: int
    stride: int
    padding: int
    tile: int

    @property
    def span(self) -> int:
        """Pixels that the windows of a tile are high and wide together."""
        return self.kernel + (self.tile - 1) * self.stride

    @property
    def step(self) -> int:
        """Pixels from one tile to the next."""
        return self.tile * self.stride

    @property
    def out_height(self) -> int:
        """Rows of the output map."""
        return (self.height + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Columns of the output map."""
        return (self.width + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def rows(self) -> int:
        """Rows of tiles; the last one may be cut off."""
        return -(-self.out_height // self.tile)

    @property
    def cols(self) -> int:
        """Columns of tiles; the last one may be cut off."""
        return -(-self.out_width // self.tile)

    @property
    def steps_high(self) -> int:
        """Rows that are walked through: those of the map, and padding below that tiles reach into."""
        return max(self.height, (self.rows - 1) * self.step - self.padding + self.span)

    @property
    def steps_wide(self) -> int:
        """Columns that are walked through."""
        return max(self.width, (self.cols - 1) * self.step - self.padding + self.span)

    @property
    def padded_pixels(self) -> int:
        """Pixels below and to the right of the map that are walked through."""
        return self.steps_high * self.steps_wide - self.height * self.width
