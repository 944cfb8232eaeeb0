"""FINN's own estimates: estimate_layer_resources, estimate_layer_cycles, estimate_network_performance."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._finn import is_layer_table, layers
from cost_models.reports._numbers import count, cycles, resources
from dse.ir.measurement import Measurement

NETWORK = ("critical_path_cycles", "max_cycles", "estimated_throughput_fps", "estimated_latency_ns")


def recognises(path: Path, head: str) -> bool:
    """Whether the keys are those of an estimate.

    A table of cycles has no keys but layer names, so there the file name is asked, too.
    """
    if is_layer_table(head):
        return '"BRAM_efficiency"' in head
    if path.name.endswith("estimate_layer_cycles.json"):
        return re.match(r'\s*\{\s*"[^"]+"\s*:\s*[\d"]', head) is not None
    return head.lstrip().startswith("{") and all(f'"{key}"' in head for key in NETWORK)


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return one measurement per layer ("total" is what FINN calls the sum), or the network's.

    Raises:
        ReportError: the file is damaged.
    """
    file = load(path)
    if path.name.endswith("estimate_layer_cycles.json"):
        return _cycles(file)
    value = file.json()
    if all(key in value for key in NETWORK):
        return (_network(file, value),)
    found = []
    for name, entry in layers(file).items():
        stated = resources(file, entry)
        if not stated:
            raise ReportError(file.name, f"resources of {name!r}", "none")
        found.append(file.measurement(name, "estimate", stated))
    return tuple(found)


def _cycles(file: ReportFile) -> tuple[Measurement, ...]:
    value = file.json()
    if not value:
        raise ReportError(file.name, "layers", "none")
    return tuple(
        file.measurement(name, "estimate", interval=cycles(file, f"cycles of {name!r}", v))
        for name, v in value.items()
    )


def _network(file: ReportFile, value: dict[str, Any]) -> Measurement:
    """Return the network; FINN leaves it without a name. The clock is the ratio of ns and cycles."""
    critical = cycles(file, "critical_path_cycles", value["critical_path_cycles"])
    nanoseconds = count(file, "estimated_latency_ns", value["estimated_latency_ns"])
    return file.measurement(
        "",
        "estimate",
        interval=cycles(file, "max_cycles", value["max_cycles"]),
        latency=critical,
        target_clock_ns=nanoseconds / critical[1] if critical[1] else None,
        extras={"throughput_fps": count(file, "throughput", value["estimated_throughput_fps"])},
    )
