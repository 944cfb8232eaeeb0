"""What a layer that skips positions has besides its window and its matrix unit.

Work comes in bursts: background is skipped at once, then many positions follow that take their time. The unit in front
keeps its even pace, and what it hands over meanwhile has to wait. FIFOs are sized for a frame whose kept
positions lie side by side, the worst that a share of kept positions can be.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from dse.ir.units import Fifo, FillUnit, Ints, MatrixUnit, SkippingWindowUnit
from dse.lowering.joints import PLAIN_DEPTH


def waiting_pixels(window: SkippingWindowUnit) -> int:
    """Return the pixels of the map that wait in front of the window unit, at most.

    Pixels come evenly over a frame. A run of all kept positions, a share k of the map, takes the whole frame to
    compute; when it is done, a share 1 - k of the pixels of a frame has come that was not looked at yet.
    """
    return ceil((1 - window.keep) * window.height * window.width)


def room_words(window: SkippingWindowUnit) -> Ints:
    """Return the words of FIFO in front of the window unit."""
    words: Ints = np.maximum(waiting_pixels(window) * (window.channels // window.simd), PLAIN_DEPTH)
    return words


def behind(window: SkippingWindowUnit, matrix: MatrixUnit) -> tuple[Fifo, Fifo, FillUnit]:
    """Return a FIFO of computed pixels, one of the mask, and the unit that reads both.

    Where pixels are handed on at an even pace, a share 1 - k of the kept ones waits for skipped ones that come
    before them. The mask of a whole frame has room: a bit for every tile.
    """
    layer, channels = window.layer, matrix.mh
    waiting = ceil((1 - window.keep) * window.kept)
    words: Ints = np.maximum(waiting * (channels // np.asarray(matrix.pe)), PLAIN_DEPTH)
    bits, grid = matrix.output_bits, window.grid
    word_bits = (np.asarray(matrix.pe) * bits).astype(np.int64)
    return (
        Fifo(layer, words, word_bits),
        Fifo(layer, max(grid.rows * grid.cols, PLAIN_DEPTH), 1),
        FillUnit(layer, grid.out_height, grid.out_width, channels, matrix.pe, bits, window.tile),
    )
