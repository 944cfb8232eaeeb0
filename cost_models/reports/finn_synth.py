"""FINN's post_synth_resources.json and ooc_synth_and_timing.json: what Vivado reported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._finn import is_layer_table, layers
from cost_models.reports._numbers import count, number, resources
from dse.ir.measurement import Measurement


def recognises(path: Path, head: str) -> bool:
    """Whether the keys are those of Vivado: SRL or 36 Kb blocks per layer, or resources with fmax."""
    if is_layer_table(head):
        return re.search(r'"(SRL|BRAM_36K)"\s*:', head) is not None
    return all(f'"{key}"' in head for key in ("LUT", "FF", "fmax_mhz"))


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return one measurement per layer ("(top)" with the shell around them), or the whole design.

    Raises:
        ReportError: the file is damaged.
    """
    file = load(path)
    value = file.json()
    if "fmax_mhz" in value:
        return (_out_of_context(file, value),)
    found = []
    for name, entry in layers(file).items():
        stated = _resources(file, entry)
        if not stated:
            raise ReportError(file.name, f"resources of {name!r}", "none")
        extras = {"srl": count(file, "SRL", entry["SRL"])} if "SRL" in entry else None
        found.append(file.measurement(name, "route", stated, extras=extras))
    return tuple(found)


def _resources(file: ReportFile, entry: Mapping[str, Any]) -> dict[str, float]:
    """Return the resources; BRAM only where blocks of 36 Kb and of 18 Kb are counted apart.

    The key BRAM of out-of-context runs is their plain sum and says neither.
    """
    stated = resources(file, {k: v for k, v in entry.items() if k != "BRAM_18K"})
    if "BRAM_36K" in entry and "BRAM_18K" in entry:
        large, small = (count(file, k, entry[k]) for k in ("BRAM_36K", "BRAM_18K"))
        stated["bram18"] = 2 * large + small
    return stated


def _out_of_context(file: ReportFile, value: dict[str, Any]) -> Measurement:
    """Return the design.

    FINN reads its numbers as floats and writes the integer 0 for those it did not find. It computes
    fmax = 1000 / (period - WNS).
    """
    known = {k: v for k, v in value.items() if not (isinstance(v, int) and v == 0)}
    stated = _resources(file, known)
    if not stated:
        raise ReportError(
            file.name, "resources", "zeros, which FINN writes for what it did not find"
        )
    period = 1000 / count(file, "fmax_mhz", known["fmax_mhz"]) if "fmax_mhz" in known else None
    slack = number(file, "WNS", known["WNS"]) if "WNS" in known else None
    target = period + slack if period is not None and slack is not None else None
    return file.measurement("", "route", stated, clock_ns=period, target_clock_ns=target)
