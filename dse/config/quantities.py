"""Numbers with units: `100 MHz`, `15 min`, `70 %`, `110 k`; the unit is part of the value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from dse.config.source import Span
from dse.config.tree import Scalar

AMOUNT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", re.DOTALL)
UNIT = re.compile(r"(?:%|/|[^\W\d])\D*")  # so that `0:15:00` is a number without a unit
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"  # of an amount, for JSON Schemas
PERCENTAGE = rf"^\s*{NUMBER}\s*%\s*$"

SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
HERTZ = {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}
KIBIBYTES = {"B": 1 / 1024, "KiB": 1.0, "MiB": 1024.0, "GiB": 1024.0**2}
COUNT = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}
MILLIJOULES = {"uJ": 1e-3, "µJ": 1e-3, "mJ": 1.0, "J": 1e3}
WATTS = {"mW": 1e-3, "W": 1.0}
RATE = re.compile(r"([kKM]?)\s*(?:fps|/s|frames/s)")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and the unit behind it ("" where there is none), each with its place.

    `clean` is False where more follows that is no unit: `0:15:00`, `4x4`.
    """

    number: float
    unit: str
    number_span: Span
    unit_span: Span
    clean: bool = True


def amount(node: Scalar, offset: int = 0) -> Amount | None:
    """Read the text of a scalar from `offset` on as a number with a unit; None where it is neither."""
    match = AMOUNT.fullmatch(node.text, offset)
    if match is None:
        return None
    number, unit = match[1], match[2]
    if unit and not UNIT.fullmatch(unit):
        unit, number = "", node.text[match.start(1) :].rstrip()
    return Amount(
        number=float(match[1]),
        unit=unit,
        number_span=node.part(match.start(1), len(number)),
        unit_span=node.part(match.start(2), len(unit)),
        clean=number == match[1],
    )


Convert = Callable[[Amount], float | None]  # None: not a unit of this kind


def seconds(value: Amount) -> float | None:
    """A time in seconds."""
    return _scaled(value.number, SECONDS.get(value.unit.replace("\N{GREEK SMALL LETTER MU}", "µ")))


def megahertz(value: Amount) -> float | None:
    """A frequency, or the period of one, in MHz."""
    hertz = HERTZ.get(value.unit.lower())
    period = seconds(value)
    if hertz is None and period is not None:
        return 1e-6 / period if period else math.inf
    return _scaled(value.number, None if hertz is None else hertz / 1e6)


def kibibytes(value: Amount) -> float | None:
    """A size in KiB."""
    return _scaled(value.number, KIBIBYTES.get(value.unit))


def millijoules(value: Amount) -> float | None:
    """An energy in mJ."""
    unit = value.unit.replace("\N{GREEK SMALL LETTER MU}", "µ")
    return _scaled(value.number, MILLIJOULES.get(unit))


def watts(value: Amount) -> float | None:
    """A power in W."""
    return _scaled(value.number, WATTS.get(value.unit))


def frames_per_second(value: Amount) -> float | None:
    """A rate in frames/s."""
    match = RATE.fullmatch(value.unit)
    return _scaled(value.number, COUNT[match[1]] if match else None)


def count(value: Amount) -> float | None:
    """A count; bare, or in thousands or millions."""
    return _scaled(value.number, COUNT.get(value.unit)) if value.clean else None


def fraction(value: Amount) -> float | None:
    """A percentage as a fraction."""
    return _scaled(value.number / 100, 1.0 if value.unit == "%" else None)


def _scaled(number: float, factor: float | None) -> float | None:
    # 0.1 k is 100, not 100.00000000000001
    return None if factor is None else _tidy(number * factor)


def _tidy(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    return float(f"{value:.12g}")
