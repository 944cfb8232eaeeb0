"""What the units around a layer that skips positions are made of (`dse.ir.window_units`), term by term.

No record of a synthesis stands behind these (seeds: an adder tree and a comparator per pixel word, a mask FIFO, lines
of pixel sums): the bands in `analytic.json` say "stated".
"""

from __future__ import annotations

import numpy as np

from cost_models import _finn
from cost_models._model import Floats
from cost_models._terms import SHALLOW, ZERO, Terms, window
from dse.ir.units import FillUnit, SkippingWindowUnit


def skipping_window(unit: SkippingWindowUnit) -> Terms:
    """Terms of a sliding window, and of what decides on its positions.

    Each element of a word is compared with a constant and added up, a LUT a bit each; of the last span - 1 pixels of a
    column and of the last span - 1 columns the sums are kept and added to the next.
    """
    own, grid = window(unit), unit.grid
    bits, simd = np.asarray(unit.bits), np.asarray(unit.simd)
    total = np.ceil(
        np.log2(grid.span**2 * np.asarray(unit.channels) * (2.0 ** np.minimum(bits, 16) - 1) + 1)
    )
    kept = grid.span - 1
    line, depth = total * kept, grid.steps_wide
    shallow = depth <= SHALLOW
    return Terms(
        lut={
            **own.lut,
            "deviation": 2.0 * simd * bits,
            "sums": 2 * kept * total + 2 * total,
            "line": _finn.lut_memory(line, np.asarray(depth)) if shallow else 0 * line,
            "mask": 2.0 + np.ceil(unit.mask_depth / 32) + grid.cols / 16 + 0 * total,
        },
        ff={**own.ff, "sums": kept * total + 2 * total},
        dsp=ZERO,
        bram18=own.bram18 + (ZERO if shallow else _finn.bram18(line, np.asarray(depth))),
        uram=ZERO,
    )


def fill(unit: FillUnit) -> Terms:
    """Terms of a unit that puts constant pixels between computed ones: a multiplexer, and a memory of the pixel."""
    width: Floats = np.asarray(unit.pe) * np.asarray(unit.bits) * 1.0
    words = np.asarray(unit.channels) // unit.pe
    return Terms(
        lut={
            "control": np.ones_like(width),
            "select": width,
            "constants": _finn.lut_memory(width, words),
        },
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )
