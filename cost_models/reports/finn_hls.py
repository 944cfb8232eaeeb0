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
        and re.search(r'"(BRAM_efficiency|SRL|BRAM_36K|CSynthesisReport)"', head) is None
    )


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return one measurement per layer.

    FINN begins with the integer 0 for every resource and replaces those it reads, as text in most
    versions. So an integer 0 beside text was not read, and a layer of zeros has no HLS report
    (hand-written RTL, for one): no module of HLS is without LUTs and flip-flops.

    Raises:
        ReportError: the file is damaged or has no layer but such.
    """
    file = load(path)
    found = []
    for name, entry in layers(file).items():
        read = any(isinstance(v, str) for v in entry.values())
        stated = resources(file, {k: v for k, v in entry.items() if not (read and v == 0)})
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
