"""The metrics of a design: one table for study file, driver, report and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name in study.yaml, its key (with unit) in records and JSON, and how to show it."""

    name: str
    key: str
    unit: str  # for tables and axes; "" for counts
    direction: Direction
    log: bool  # scaled logarithmically when objectives are compared
    known_after: Literal["estimate", "training"]


METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", "accuracy", "fraction", "maximize", False, "training"),
        Metric("latency", "latency_us", "us", "minimize", True, "estimate"),
        Metric("throughput", "throughput_fps", "frames/s", "maximize", True, "estimate"),
        Metric("lut", "lut", "", "minimize", False, "estimate"),
        Metric("ff", "ff", "", "minimize", False, "estimate"),
        Metric("bram18", "bram18", "", "minimize", False, "estimate"),
        Metric("uram", "uram", "", "minimize", False, "estimate"),
        Metric("dsp", "dsp", "", "minimize", False, "estimate"),
        Metric("model_size", "model_size_kib", "KiB", "minimize", True, "estimate"),
        Metric("utilisation", "utilisation", "fraction", "minimize", False, "estimate"),
    )
}
ALIASES = {"bram": "bram18"}
