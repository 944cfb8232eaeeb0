"""Handshake of the Verilog units: what it adds to the latency; between frames it adds nothing.

`dse.ir.timing` lets a word that is written in one cycle be read in the next. In Verilog it has to pass
the registers of its unit and the FIFO behind, and these hold words, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from dse.ir.stages import Stage
from dse.ir.stream_graph import Handshake
from dse.ir.timing import latency_cycles
from dse.ir.units import LaneUnit, MatrixUnit, ProductUnit, Unit

LATE_SHARE = 0.02  # by which the first frame may come later or sooner than predicted
LANE = 3  # registers of hw_templates/rtl/residual_lane.v in front of its last


def rtl_latency_cycles(stages: Sequence[Stage]) -> int:
    """Return the cycles from the first input word to the last output word of one frame, in RTL."""
    return latency_cycles(stages, handshake=HANDSHAKE)


def registers(unit: Unit) -> int:
    """Return the cycles that a word spends in a unit beyond those that `dse.ir.timing` counts.

    A dense matrix unit shows a word 3 + tree + activation cycles after its last step, where the model
    counts 1: fetch, product, adder tree, accumulate, activation; so does a depthwise unit, without a
    tree. A tiled unit gathers and hands over besides; of the second, the model knows. All other units have the one output register that the
    model stands for (headers of hw_templates/rtl).
    """
    if isinstance(unit, LaneUnit):
        return LANE
    if not isinstance(unit, ProductUnit):
        return 0
    activation = 2 if unit.output_bits > 1 else 1
    gather = 1 if isinstance(unit, MatrixUnit) and unit.tiling is not None else 0
    return 2 + gather + tree_levels(unit) + activation


def tree_levels(unit: ProductUnit) -> int:
    """Return the registered levels of the adder tree of a PE: ceil(log4) of its terms.

    Terms are products, or counts of six matches each where matches are counted (dot_product.v).
    """
    terms = -(-int(unit.simd) // 6) if unit.popcount else int(unit.simd)
    return ((terms - 1).bit_length() + 1) // 2


# a word that enters hw_templates/rtl/stream_fifo.v leaves it two cycles later; the register of the FIFO and that of the
# unit in front hold a word each, and where there is no FIFO the latter is taken and filled in one cycle
HANDSHAKE = Handshake(registers, fifo=2, slots=2, direct=1, at_once=True)
