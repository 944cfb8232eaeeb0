"""The metrics of a design: one table for study file, driver, report and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dse.ir.hardware import RESOURCES

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name in study.yaml, its key (with unit) in records and JSON, and how to show it."""

    name: str
    key: str
    unit: str  # for tables and axes; "" for counts
    direction: Direction
    log: bool  # scaled logarithmically when objectives are compared


METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", "accuracy", "fraction", "maximize", False),
        Metric("latency", "latency_us", "us", "minimize", True),
        Metric("throughput", "throughput_fps", "frames/s", "maximize", True),
        Metric("energy", "energy_mj", "mJ", "minimize", True),
        Metric("power", "power_w", "W", "minimize", True),
        Metric("lut", "lut", "", "minimize", False),
        Metric("ff", "ff", "", "minimize", False),
        Metric("bram18", "bram18", "", "minimize", False),
        Metric("uram", "uram", "", "minimize", False),
        Metric("dsp", "dsp", "", "minimize", False),
        Metric("model_size", "model_size_kib", "KiB", "minimize", True),
        Metric("utilisation", "utilisation", "fraction", "minimize", False),
        *(Metric(f"{r} per slr", f"{r}_per_slr", "", "minimize", False) for r in RESOURCES),
    )
}
PER_SLR = {f"{r} per slr": r for r in RESOURCES}  # of the fullest die; limits, no objectives
UPPER_ENDS = {
    m: f"{METRICS[m].key}_high" for m in ("energy", "power", *PER_SLR)
}  # metric -> key of the upper end of its interval, which limits are compared with
ALIASES = {"bram": "bram18"}
