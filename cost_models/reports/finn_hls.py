"""FINN's estimate_layer_resources_hls.json: what HLS reported for each layer."""

from __future__ import annotations

import re
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import load
from cost_models.reports._finn import is_layer_table, layers
from cost_models.reports._numbers import resources
from dse.ir.measurement import Measurement


def recognises(path: Path, head: str) -> bool:
    """Whether layers have flip-flops (FINN estimates none) in the spelling of HLS."""
    return (
        is_layer_table(head)
        and re.search(r'"FF"\s*:', head) is not None
        and "BRAM_efficiency" not in head
        and re.search(r'"(SRL|BRAM_36K)"', head) is None
    )


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return one measurement per layer.

    FINN writes zeros for a layer whose HLS report it did not find (hand-written RTL, for one). No module
    of HLS is without LUTs and flip-flops, so such a layer is left out.

    Raises:
        ReportError: the file is damaged or has no layer but such.
    """
    file = load(path)
    found = []
    for name, entry in layers(file).items():
        stated = resources(file, entry)
        if not stated:
            raise ReportError(file.name, f"resources of {name!r}", "none")
        if any(stated.values()):
            found.append(file.measurement(name, "csynth", stated))
    if not found:
        raise ReportError(
            file.name,
            "a layer with resources",
            "zeros, which FINN writes where it finds no HLS report",
        )
    return tuple(found)
