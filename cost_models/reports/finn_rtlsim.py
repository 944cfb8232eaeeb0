"""FINN's rtlsim_performance.json: cycles of an RTL simulation of the whole accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._numbers import count, cycles
from dse.ir.measurement import Measurement

KEYS = ("cycles", "latency_cycles", "N", "throughput[images/s]")


def recognises(path: Path, head: str) -> bool:
    """Whether the keys are those of a simulation."""
    return all(f'"{key}"' in head for key in KEYS)


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the one measurement; FINN leaves the accelerator without a name.

    Raises:
        ReportError: the file is damaged, or the simulation ran into its time limit.
    """
    file = load(path)
    value = file.json()
    for key in KEYS:
        if key not in value:
            raise ReportError(file.name, f"the key {key!r}", "none")
    if value.get("TIMEOUT"):
        raise ReportError(file.name, "a simulation that finished", "TIMEOUT")
    megahertz = count(file, "fclk[mhz]", value["fclk[mhz]"]) if "fclk[mhz]" in value else 0
    throughput = count(file, "throughput[images/s]", value["throughput[images/s]"])
    interval = _interval(file, value)
    return (
        file.measurement(
            "",
            "simulation",
            interval=(interval, interval),
            latency=cycles(file, "latency_cycles", value["latency_cycles"]),
            target_clock_ns=1000 / megahertz if megahertz else None,
            extras={"throughput_fps": throughput},
        ),
    )


def _interval(file: ReportFile, value: dict[str, Any]) -> int | None:
    """Return the cycles per frame without the filling of the pipeline: (cycles - latency) / (N - 1).

    It is not known where a single frame was simulated.
    """
    frames = count(file, "N", value["N"])
    total = count(file, "cycles", value["cycles"])
    first = count(file, "latency_cycles", value["latency_cycles"])
    if frames < 2:
        return None
    if total < first:
        raise ReportError(
            file.name, "at least latency_cycles in all", f"{total:g} of {first:g} cycles"
        )
    return round((total - first) / (frames - 1))
