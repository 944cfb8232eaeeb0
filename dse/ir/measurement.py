"""What a report of a tool states about one hardware instance, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["csynth", "synth", "route", "estimate", "simulation"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One instance of one report. What the report does not state is absent or None, never 0.

    Attributes:
        instance: module or hierarchical instance as the report names it: "conv3", "top/u0/conv3"; ""
            where the report does not name what it is about.
        kind: "csynth" (HLS estimate of its own RTL), "synth" (netlist before placement), "route" (placed
            or routed), "estimate" (a formula), "simulation" (cycles of an RTL simulation).
        resources: by the names of `dse.ir.hardware.RESOURCES`, only those the report states; BRAM in blocks
            of 18 Kb. Flip-flops include latches, which take the same sites.
        interval_cycles: cycles from one frame (or call) to the next; the worst case of a range.
        latency_cycles: cycles from the first input to the last output; the worst case of a range.
        clock_ns: period that was reached or is estimated.
        target_clock_ns: period that was asked for.
        tool: "vitis_hls 2023.2", "vivado 2020.1", "yosys 0.23"; "" where the report does not say.
        part: as the report spells it; "" where it does not say.
        source: name of the file, without folders.
        sha256: of the file.
        interval_cycles_min: the best case, where the report states a range.
        latency_cycles_min: the best case, where the report states a range.
        extras: other numbers the report states: "lutram" (LUTs used as memory), "srl" (LUTs used as
            shift registers), "estimated_lc" (logic cells, yosys), "throughput_fps".
    """

    instance: str
    kind: Kind
    resources: Mapping[str, float]
    interval_cycles: int | None
    latency_cycles: int | None
    clock_ns: float | None
    target_clock_ns: float | None
    tool: str
    part: str
    source: str
    sha256: str
    interval_cycles_min: int | None = None
    latency_cycles_min: int | None = None
    extras: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The instance without the path above it."""
        return self.instance.rsplit("/", 1)[-1]
