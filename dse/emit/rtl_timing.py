"""What pipeline registers of the Verilog units add to the latency; between frames they add nothing.

`dse.ir.timing` lets a word that is written in one cycle be read in the next. In Verilog it has to pass
the registers of its unit and the FIFO behind, which shifts all later words by as many cycles.
"""

from __future__ import annotations

from collections.abc import Sequence

from dse.ir.stages import Parallel, Stage
from dse.ir.timing import latency_cycles
from dse.ir.units import Fifo, LaneUnit, MatrixUnit, ProductUnit, SkippingWindowUnit

FIFO = 2  # cycles from entering hw_templates/rtl/stream_fifo.v to leaving it
LATE_SHARE = 0.02  # the predicted latency leaves out how units wait for each other
# where branches meet, one may wait for room in the FIFO of the other and hold up what both come from: the most
# of several hundred simulated random designs (tests/ir/test_residual_timing.py, decision 21)
LATE_SHARE_OF_BRANCHES = 0.15
LANE = 3  # registers of hw_templates/rtl/residual_lane.v in front of its last


def rtl_latency_cycles(stages: Sequence[Stage]) -> int:
    """Return the cycles from the first input word to the last output word of one frame, in RTL."""
    return latency_cycles(stages) + sum(registers(stage) for stage in stages)


def late_share(stages: Sequence[Stage]) -> float:
    """Return by which share of itself the first frame may come later than the predicted latency."""
    meets = any(
        isinstance(s, Parallel) and not isinstance(s.fork, SkippingWindowUnit) for s in stages
    )
    return LATE_SHARE_OF_BRANCHES if meets else LATE_SHARE


def registers(stage: Stage) -> int:
    """Return the cycles that a word spends in a unit beyond those that `dse.ir.timing` counts.

    A dense matrix unit shows a word 3 + tree + activation cycles after its last step, where the model
    counts 1: fetch, product, adder tree, accumulate, activation; so does a depthwise unit, without a
    tree. A tiled unit gathers and hands over besides; of the second, the model knows. All other units have the one output register that the
    model stands for (headers of hw_templates/rtl). Of two branches the one with more registers counts,
    which is the one that a join waits for, but where a branch that computes less is late by its window.
    """
    if isinstance(stage, Parallel):
        return max(sum(registers(s) for s in branch) for branch in stage.branches)
    if isinstance(stage, Fifo):
        return FIFO
    if isinstance(stage, LaneUnit):
        return LANE
    if not isinstance(stage, ProductUnit):
        return 0
    activation = 2 if stage.output_bits > 1 else 1
    gather = 1 if isinstance(stage, MatrixUnit) and stage.tiling is not None else 0
    return 2 + gather + tree_levels(stage) + activation


def tree_levels(unit: ProductUnit) -> int:
    """Return the registered levels of the adder tree of a PE: ceil(log4) of its terms.

    Terms are products, or counts of six matches each where matches are counted (dot_product.v).
    """
    terms = -(-int(unit.simd) // 6) if unit.popcount else int(unit.simd)
    return ((terms - 1).bit_length() + 1) // 2
