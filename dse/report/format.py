"""Numbers as people read them: three significant digits, thousands separators, units."""

from __future__ import annotations

import math
from typing import Any

from dse.ir.metrics import METRICS, Metric
from dse.ir.record import Prediction

LABELS = {
    "accuracy": "Accuracy",
    "latency_us": "Latency",
    "throughput_fps": "Throughput",
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram18": "BRAM18",
    "uram": "URAM",
    "model_size_kib": "Weights",
    "utilisation": "Utilisation",
    "energy_mj": "Energy",
    "power_w": "Power",
    "lut_per_slr": "LUT per SLR",
    "ff_per_slr": "FF per SLR",
    "dsp_per_slr": "DSP per SLR",
    "bram18_per_slr": "BRAM18 per SLR",
    "uram_per_slr": "URAM per SLR",
}
PICKS = {
    "recommended": "Recommended",
    "most_accurate": "Most accurate",
    "fastest": "Fastest",
    "smallest": "Smallest",
    "baseline": "Baseline",
}
PASSED = "passed over"  # state of a trial: before training, for its predicted accuracy
BY_KEY: dict[str, Metric] = {m.key: m for m in METRICS.values()}
UNITS = {"accuracy": "%", "utilisation": "% of board", "latency_us": "µs"}


def number(value: float) -> str:
    """Return three significant digits: 41,700 and 3.10 and 0.0214."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = int(f"{value:.2e}".split("e")[1])  # after rounding: 9.999 is 10.0
    return f"{round(value, 2 - exponent):,.{max(0, 2 - exponent)}f}"


def count(value: float) -> str:
    """Return a count: whole below 1,000, above it to three significant digits."""
    return f"{round(value):,}" if abs(value) < 1000 else number(value)


def percent(fraction: float) -> str:
    """Return a share: 41 %, below ten 3.2 %."""
    value = 100 * fraction
    return f"{value:.0f} %" if abs(value) >= 9.95 or value == 0 else f"{value:.1f} %"


def accuracy(fraction: float) -> str:
    """Return an accuracy: 96.8 %."""
    return f"{100 * fraction:.1f} %"


def expected(prediction: Prediction) -> str:
    """Return a predicted accuracy with its interval."""
    low, high = 100 * prediction.low, 100 * prediction.high
    return f"{accuracy(prediction.accuracy)} expected ({low:.1f} to {high:.1f} %)"


def microseconds(value: float) -> str:
    """Return a latency in the unit that suits it."""
    if value < 1e3:
        return f"{number(value)} µs"
    return f"{number(value / 1e3)} ms" if value < 1e6 else f"{number(value / 1e6)} s"


def seconds(value: float) -> str:
    """Return a duration: 42 s, 3 min 31 s, 5 h 20 min."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(value: str) -> str:
    """Return an ISO 8601 time of UTC as people write it: 2026-03-01 10:03:31 UTC."""
    return value.replace("T", " ").replace("+00:00", "Z").replace("Z", " UTC")


def factor(value: float) -> str:
    """Return a ratio of at least 1: 2.4, 31, 5,200."""
    return f"{value:.1f}" if value < 9.95 else f"{float(f'{value:.2g}'):,.0f}"


def metric(key: str, value: float) -> str:
    """Return the value of a metric with its unit; counts have none."""
    if key == "accuracy":
        return accuracy(value)
    if key == "utilisation":
        return percent(value)
    if key == "latency_us":
        return microseconds(value)
    if key == "throughput_fps":
        return f"{number(value)} frames/s"
    if key == "model_size_kib":
        return f"{number(value)} KiB"
    if key in ("energy_mj", "power_w"):
        return scaled(value, BY_KEY[key].unit)
    return count(value)


def scaled(value: float, name: str) -> str:
    """Return an amount of mJ or W in the unit that suits it: 0.42 mJ, 420 µJ, 85 mW."""
    smaller = {"mJ": "µJ", "W": "mW"}[name]
    return f"{number(value * 1e3)} {smaller}" if value < 0.1 else f"{number(value)} {name}"


def unit(key: str) -> str:
    """Return the unit of a metric for column headers and axes; empty for counts."""
    return UNITS.get(key, BY_KEY[key].unit)


def label(key: str) -> str:
    """Return the name of a metric with its unit: Latency (µs)."""
    return f"{LABELS[key]} ({unit(key)})" if unit(key) else LABELS[key]


def shape(value: tuple[int, ...]) -> str:
    """Return a shape: 8x8x16."""
    return "x".join(map(str, value))


def block(value: tuple[int, int] | None) -> str:
    """Return a block: 8x16, or a dash where there is none."""
    return shape(value) if value else "-"


FILTERS: dict[str, Any] = {
    f.__name__: f
    for f in (
        accuracy,
        block,
        count,
        label,
        metric,
        microseconds,
        moment,
        number,
        percent,
        seconds,
        shape,
    )
}
