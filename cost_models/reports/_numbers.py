"""Numbers of reports: strictly read, so that damage is an error and "not known" is None."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeAlias

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile

Ends: TypeAlias = tuple[int | None, int | None]  # best and worst case

NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
UNKNOWN = {"undef", "?", "-", "n/a", "na"}  # how Vivado and HLS write that there is no number

# spellings of one resource over tools and versions; the DSP tag is DSP48E up to 2020.1
RESOURCE_TAGS = {
    "lut": ("LUT",),
    "ff": ("FF",),
    "dsp": ("DSP", "DSP48E", "DSP48E1", "DSP48E2", "DSP58E", "DSP48"),
    "bram18": ("BRAM_18K",),
    "uram": ("URAM",),
}


def number(file: ReportFile, what: str, value: object) -> float:
    """Return a finite number given as a number or as text.

    Raises:
        ReportError: it is anything else; the message says `what` it should have been.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ReportError(file.name, f"a number for {what}", repr(value))
    text = str(value).strip()
    if not NUMBER.fullmatch(text) or not math.isfinite(result := float(text)):
        raise ReportError(file.name, f"a number for {what}", repr(text[:40]))
    return result


def count(file: ReportFile, what: str, value: object) -> float:
    """Return a number that is not negative (resources may come in halves)."""
    result = number(file, what, value)
    if result < 0:
        raise ReportError(file.name, f"a count for {what}", f"{result:g}")
    return result


def cycles(file: ReportFile, what: str, value: object) -> Ends:
    """Return (best, worst) case of "40", "9 ~ 28" or "undef"; (None, None) where it is not known."""
    ends = [str(v).strip() for v in (value.split("~") if isinstance(value, str) else [value])]
    if len(ends) > 2:
        raise ReportError(file.name, f"a number or a range for {what}", repr(value))
    known = [None if v.lower() in UNKNOWN else count(file, what, v) for v in ends]
    for v in known:
        if v is not None and v != int(v):
            raise ReportError(file.name, f"whole cycles for {what}", f"{v:g}")
    whole = [None if v is None else int(v) for v in known]
    return whole[0], whole[-1]


def interval_of(latency: Ends, interval: Ends) -> Ends:
    """Return the interval; HLS writes 0 for a pipelined loop of unknown length, whose latency is "undef"."""
    return (None, None) if latency[1] is None and interval[1] == 0 else interval


def resources(file: ReportFile, stated: Mapping[str, object]) -> dict[str, float]:
    """Return the resources among {tag: value}; tags that are no resource are left out.

    Of several DSP tags the largest counts: FINN writes 0 under the tag that its tool version lacks.
    """
    found = {}
    for name, tags in RESOURCE_TAGS.items():
        values = [count(file, tag, stated[tag]) for tag in tags if tag in stated]
        if values:
            found[name] = max(values)
    return found
