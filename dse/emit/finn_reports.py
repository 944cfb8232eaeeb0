"""Our prediction under the names of FINN's estimate reports (`report/`), for those who read these.

File names and keys are those that FINN's build writes (step_generate_estimate_reports). What stands in a row is
ours, and `ABOUT`, which design.json carries, says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from dse.ir.finn import nodes
from dse.ir.hardware import HardwareEstimate, LayerEstimate
from dse.ir.stages import Parallel, Stage, flat
from dse.ir.units import Fifo, ProductUnit, Unit, WidthConverter

FOLDER = "report"
BRAM18_BITS, URAM_BITS = 18_432, 294_912  # AMD UG573: 18 Kb and 288 Kb
ABOUT = {
    "kind": "predicted",
    "estimate_layer_cycles.json": "cycles per frame of every unit but FIFOs",
    "estimate_layer_resources.json": "a row is a layer: the node that it is named after, and the window unit, converters and"
    " FIFOs in front of it; efficiency is that of the weight memory",
    "estimate_network_performance.json": "as FINN defines it: the critical path adds up the cycles of its units, which overlap;"
    " the latency that is predicted is that of `estimate`",
    "op_and_param_counts.json": "what is executed and stored, without what was pruned; every threshold counts",
}


def finn_reports(
    stages: Sequence[Stage], estimate: HardwareEstimate, clock_mhz: float
) -> dict[PurePosixPath, str]:
    """Return the four files.

    Args:
        stages: the pipeline.
        estimate: its predicted cost.
        clock_mhz: target clock.
    """
    named = [(name, unit) for name, unit in nodes(flat(stages)) if not isinstance(unit, Fifo)]
    cycles = {name: int(unit.cycles) for name, unit in named}
    files = {
        "estimate_layer_cycles.json": cycles,
        "estimate_layer_resources.json": _resources(named, estimate),
        "estimate_network_performance.json": _performance(stages, cycles, clock_mhz),
        "op_and_param_counts.json": _counts(named),
    }
    return {
        PurePosixPath(FOLDER) / name: json.dumps(value, indent=2) + "\n"
        for name, value in files.items()
    }


def critical_path_cycles(stages: Sequence[Stage]) -> int:
    """Return the sum of the cycles of all units along the slowest path (FINN: dataflow_performance)."""
    total = 0
    for stage in stages:
        if isinstance(stage, Parallel):
            total += int(stage.fork.cycles) + int(stage.join.cycles)
            total += max(critical_path_cycles(branch) for branch in stage.branches)
        else:
            total += int(stage.cycles)
    return total


def _performance(
    stages: Sequence[Stage], cycles: Mapping[str, int], clock_mhz: float
) -> dict[str, Any]:
    slowest = max(cycles, key=lambda name: cycles[name])
    path = critical_path_cycles(stages)
    return {
        "critical_path_cycles": path,
        "max_cycles": cycles[slowest],
        "max_cycles_node_name": slowest,
        "estimated_throughput_fps": clock_mhz * 1e6 / cycles[slowest],
        "estimated_latency_ns": path * 1000.0 / clock_mhz,
    }


def _resources(
    named: Sequence[tuple[str, Unit]], estimate: HardwareEstimate
) -> dict[str, dict[str, float]]:
    main = {
        unit.layer: (name, unit) for name, unit in named if not isinstance(unit, WidthConverter)
    }
    rows = {main[e.name][0]: _row(e, main[e.name][1]) for e in estimate.layers if e.name in main}
    total = estimate.total.expected
    used = {"BRAM_18K": total.bram18, "LUT": total.lut, "URAM": total.uram, "DSP": total.dsp}
    return {**rows, "total": used}


def _row(e: LayerEstimate, unit: Unit) -> dict[str, float]:
    r = e.resources.expected
    memory = unit.memory if isinstance(unit, ProductUnit) else ""
    bits = e.weight_kib * 8192
    return {
        "BRAM_18K": r.bram18,
        "BRAM_efficiency": _share(bits, r.bram18 * BRAM18_BITS) if memory == "bram" else 1.0,
        "LUT": r.lut,
        "URAM": r.uram,
        "URAM_efficiency": _share(bits, r.uram * URAM_BITS) if memory == "uram" else 1.0,
        "DSP": r.dsp,
    }


def _share(used: float, capacity: float) -> float:
    return min(1.0, used / capacity) if capacity > 0 else 1.0


def _counts(named: Sequence[tuple[str, Unit]]) -> dict[str, dict[str, int]]:
    rows = {name: _count(unit) for name, unit in named if isinstance(unit, ProductUnit)}
    total: Counter[str] = Counter()
    for row in rows.values():
        total.update(row)
    return {**rows, "total": dict(total)}


def _count(unit: ProductUnit) -> dict[str, int]:
    small, large = sorted((int(unit.weight_bits), int(unit.input_bits)))
    row = {
        f"op_mac_{small}bx{large}b": int(unit.macs),
        f"param_weight_{int(unit.weight_bits)}b": int(unit.depth * unit.pe * unit.simd),
    }
    if unit.output_bits:
        thresholds = int(unit.mh) * (2 ** int(unit.output_bits) - 1)
        row[f"param_threshold_{int(unit.acc_bits)}b"] = thresholds
    return row
