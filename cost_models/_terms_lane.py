"""What fused residual activations are made of (dse.ir.units.LaneUnit), term by term.

No record of a synthesis stands behind these: adders and comparators take a LUT a bit, a multiplier of up
to 25 x 18 bits a DSP (AMD UG479, UG579), and the bands in `analytic.json` say "stated".
"""

from __future__ import annotations

import numpy as np

from cost_models import _finn
from cost_models._terms import SHALLOW, ZERO, Terms
from dse.ir.units import AveragePoolUnit, DuplicateUnit, LaneUnit

DSP_BITS = 25  # of the wider factor of a DSP; sums beyond it take a second one


def lane(unit: LaneUnit) -> Terms:
    """Terms of `pe` lanes: two multipliers (or shifters), two adders, a comparison, constants in LUTs.

    A sum has two bits more than the wider of its operands. A shifter takes half a LUT per bit and stage; a lane
    with negative constants negates, a LUT per bit. yosys made 145 and 452 flip-flops of 1 and 4 lanes (10-bit stream,
    11-bit sums, 8-bit constants), 94 and 384 LUTs.
    """
    pe, stream = np.asarray(unit.pe) * 1.0, np.asarray(unit.bits)
    dot, shortcut = np.asarray(unit.dot_bits), np.asarray(unit.shortcut_bits)
    constant = np.asarray(unit.constant_bits)
    total = np.maximum(stream, shortcut) + 2
    stages = np.ceil(np.log2(np.maximum(constant, 2)))
    stored = 2 * (1 + stages if unit.shifts else constant) + stream
    words = np.asarray(unit.channels) // unit.pe
    shifted = pe * (dot + constant + total) * (1 + stages / 2)
    # of hw_templates/rtl/residual_lane.v: scaled, base, two slopes, two sums, sloped, result
    registers = (dot + constant) + 3 * total + 2 * constant + (total + constant) + stream
    factors = np.ceil(dot / DSP_BITS) + np.ceil(total / DSP_BITS)
    return Terms(
        lut={
            "control": np.ones_like(pe),
            "add": pe * 2 * total,
            "clip": pe * stream,
            "shift": shifted * unit.shifts,
            "constants": _finn.lut_memory(pe * stored, words),
        },
        ff={"control": np.ones_like(pe), "word": pe * registers},
        dsp=pe * factors * (not unit.shifts),
        bram18=ZERO,
        uram=ZERO,
    )


def average_pool(unit: AveragePoolUnit) -> Terms:
    """Terms of an average-pooling unit: an adder, sums of a row of windows; a shift is free."""
    elements = np.asarray(unit.pe) * 1.0
    width = elements * (np.asarray(unit.bits) + 2 * np.log2(unit.kernel))
    depth = (unit.width // unit.kernel) * (np.asarray(unit.channels) // unit.pe)
    shallow = depth <= SHALLOW
    return Terms(
        lut={
            "control": np.ones_like(width),
            "add": width,
            "buffer": np.where(shallow, _finn.lut_memory(width, depth), 0.0),
        },
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=np.where(shallow, 0.0, _finn.bram18(width, depth)),
        uram=ZERO,
    )


def duplicate(unit: DuplicateUnit) -> Terms:
    """Terms of a unit that hands on every element twice: wires, a handshake and a register."""
    width = np.asarray(unit.pe) * np.asarray(unit.bits) * 1.0
    return Terms(
        lut={"control": np.ones_like(width)},
        ff={"control": np.ones_like(width), "word": width},
        dsp=ZERO,
        bram18=ZERO,
        uram=ZERO,
    )
