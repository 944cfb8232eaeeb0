"""Dynamic spatial pruning: which output positions of a convolution are computed, image by image.

Reconstructed from the abstract of Fu et al. (ICCAD 2022); the predictor is ours. Every pixel of a map is compared
with a reference pixel: the sum over the channels of |code - reference|, in a binary map the number of bits that
differ. A tile of output positions is computed where the sum over all pixels that its windows cover reaches a
threshold; elsewhere every channel has a constant code. With a threshold of 1 a position is skipped where its
window shows nothing but the reference, and the constants can be what a computation would give: nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dse.ir.graph import Block, series
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.mask_grid import MaskGrid
from dse.ir.network import Network
from dse.ir.numbers import IntType

Integers = npt.NDArray[np.integer]
Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SpatialMask:
    """What decides on the positions of a layer, and what stands where nothing is computed.

    Attributes:
        reference: `(channels,)` values of an input pixel.
        least: a tile is computed where the deviations of its pixels add up to this or more.
        constants: `(mh,)` output codes of a skipped position, from 0 on; a bipolar one is its bit.
        tile: positions that a tile is high and wide.
    """

    reference: Integers
    least: int
    constants: Integers
    tile: int

    def keeps(self, x: npt.NDArray[np.float64], layer: Conv2d, element: IntType) -> Bits:
        """Return which positions are computed, `(n, OH, OW)`.

        Args:
            x: `(n, H, W, C)` input values.
            layer: the layer.
            element: type of its input elements.
        """
        grid = grid_of(layer, self.tile)
        tiles = window_sums(deviations(x, self.reference, element), grid) >= self.least
        return positions(tiles, grid)

    def arrays(self) -> dict[str, Integers]:
        """Return all of it as named arrays; `from_arrays` is the inverse."""
        return {
            "spatial_reference": self.reference.astype(np.int64),
            "spatial_constants": self.constants.astype(np.int64),
            "spatial_rule": np.array([self.least, self.tile]),
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, Integers], layer: str) -> SpatialMask | None:
        """Rebuild the mask of a layer from the arrays of an accelerator; None where it has none."""
        if f"{layer}.spatial_rule" not in arrays:
            return None
        least, tile = (int(v) for v in arrays[f"{layer}.spatial_rule"])
        reference, constants = (
            arrays[f"{layer}.spatial_{what}"].astype(np.int64)
            for what in ("reference", "constants")
        )
        return SpatialMask(reference, least, constants, tile)


def grid_of(layer: Conv2d, tile: int) -> MaskGrid:
    """Return the tiles of a layer."""
    h, w, _ = layer.input_shape
    return MaskGrid(h, w, layer.kernel, layer.stride, layer.padding, tile)


def deviations(
    x: npt.NDArray[np.float64], reference: Integers, element: IntType
) -> npt.NDArray[np.int64]:
    """Return how far each pixel of `(n, H, W, C)` is from the reference: `(n, H, W)` sums over channels."""
    found: npt.NDArray[np.int64] = np.abs(x - reference).sum(axis=-1).astype(np.int64)
    return found // 2 if element.bipolar else found


def window_sums(pixels: npt.NDArray[np.int64], grid: MaskGrid) -> npt.NDArray[np.int64]:
    """Return for `(n, H, W)` pixels the sums over what each tile covers, `(n, rows, cols)`."""
    p = grid.padding
    below, right = grid.steps_high - grid.height, grid.steps_wide - grid.width
    x = np.pad(pixels, ((0, 0), (p, below), (p, right)))
    view = np.lib.stride_tricks.sliding_window_view(x, (grid.span, grid.span), axis=(1, 2))
    sums: npt.NDArray[np.int64] = view[:, :: grid.step, :: grid.step].sum(axis=(3, 4))
    return sums[:, : grid.rows, : grid.cols]


def positions(tiles: Bits, grid: MaskGrid) -> Bits:
    """Return the positions of `(n, rows, cols)` tiles, `(n, OH, OW)`."""
    spread = tiles.repeat(grid.tile, axis=1).repeat(grid.tile, axis=2)
    return spread[:, : grid.out_height, : grid.out_width]


def refusal(network: Network, layer: Layer) -> str | None:
    """Return why positions of a layer cannot be skipped; None: they can."""
    if not isinstance(layer, Conv2d) or not layer.windowed:
        return "only convolutions with a sliding window have positions to skip"
    if not layer.activation:
        return "it has no activation, and class scores are never constant"
    if any(_holds(part, layer) for part in series(network) if isinstance(part, Block)):
        return "it stands in a branch of a residual block, whose FIFOs are sized for an even pace"
    return None


def _holds(block: Block, layer: MatrixLayer) -> bool:
    return any(
        _holds(part, layer) if isinstance(part, Block) else part.name == layer.name
        for branch in block.branches
        for part in branch
    )
