"""What a unit has beside its UltraRAM: the registers and counters that its weights are loaded through.

hw_templates/rtl/loaded_memory.v, in yosys 0.70 for xcup: the flip-flops exactly as counted here, the LUTs within
some of them; memories of 16 x 9000 to 144 x 5000 bits. No correction of a learned model is about them: they are
added to what a model says about the rest of the unit, and taken off what a report says before it is learned from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cost_models._model import Floats, ResourceArrays, UnitPrediction
from dse.ir.loading import WORD_BITS
from dse.ir.units import ProductUnit, Unit

ROWS = 4096  # words of a block (AMD UG573)
CONTROL_LUT, CONTROL_FF = 16.0, 4.0
BAND = (0.5, 2.0)  # stated: what loads the C++ was never synthesised


def with_loading(said: UnitPrediction, unit: Unit) -> UnitPrediction:
    """Return a prediction of a unit with what its loading takes, where its weights are in UltraRAM."""
    if not isinstance(unit, ProductUnit) or unit.memory != "uram":
        return said
    lut, ff = loader(unit)
    low, high = BAND
    return UnitPrediction(
        _more(said.expected, lut, ff),
        _more(said.low, low * lut, low * ff),
        _more(said.high, high * lut, high * ff),
    )


def without_loading(reported: float, resource: str, unit: Unit) -> float:
    """Return what a unit of ours took of a resource besides its loading, 1 at least where it took any."""
    if not isinstance(unit, ProductUnit) or unit.memory != "uram" or resource not in ("lut", "ff"):
        return reported
    lut, ff = loader(unit)
    return max(reported - float(lut if resource == "lut" else ff), min(reported, 1.0))


def loader(unit: ProductUnit) -> tuple[Floats, Floats]:
    """Return LUTs and flip-flops: a word in the making, one that is handed on, counters; 0 for one word.

    More than ROWS words are selected among blocks, three more for a LUT6 and bit.
    """
    depth = np.asarray(unit.depth, dtype=np.float64)
    width = np.asarray(unit.pe * unit.simd * unit.weight_bits, dtype=np.float64)
    parts, blocks = np.ceil(width / WORD_BITS), np.ceil(depth / ROWS)
    making = np.where(parts > 1, parts * WORD_BITS, width)
    counters = np.ceil(np.log2(depth)) + np.ceil(np.log2(parts))
    ff = making + WORD_BITS + counters + CONTROL_FF + np.ceil(np.log2(blocks))
    lut = CONTROL_LUT + width * np.ceil((blocks - 1) / 3)
    return np.where(depth > 1, lut, 0.0), np.where(depth > 1, ff, 0.0)


def _more(resources: ResourceArrays, lut: Floats, ff: Floats) -> ResourceArrays:
    return replace(resources, lut=resources.lut + lut, ff=resources.ff + ff)
