"""What calibration learns from: measurements joined with the units that were built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dse.errors import UsageError
from dse.ir.units import Unit, parameters


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a measurement is from; records of unlike origins are never mixed.

    Attributes:
        tool: without version: "vivado", "vitis_hls"; "" where nobody said.
        stage: "csynth", "synth" or "route".
        builder: whose units they are: "dse" or "finn".
    """

    tool: str
    stage: str
    builder: str

    def __str__(self) -> str:
        return f"{self.tool or 'unknown tool'} {self.stage}, units of {self.builder}"


@dataclass(frozen=True, slots=True)
class SynthesisRecord:
    """A measurement of one unit.

    Attributes:
        design: the build it is from; units of one build are held out together.
        instance: as the report names it.
        unit: what was built; its numbers are single numbers.
        actual: resource -> count, as far as the report states it.
        origin: tool, stage and builder.
        version: of the tool; "" where nobody said.
        part: as the report spells it, else the project; "" where neither says.
        clock_ns: period that was asked for; None where nobody said.
    """

    design: str
    instance: str
    unit: Unit
    actual: Mapping[str, float]
    origin: Origin
    version: str = ""
    part: str = ""
    clock_ns: float | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or an instance in one, that gave no record, and why."""

    name: str
    reason: str


def distinct(records: Iterable[SynthesisRecord]) -> tuple[SynthesisRecord, ...]:
    """Return one record per configuration; what equal units took becomes its median.

    FINN tables repeat a configuration in many builds: a record left out of the fit must not be in
    it under another name.
    """
    same: dict[Unit, list[SynthesisRecord]] = {}
    for record in records:
        same.setdefault(nameless(record.unit), []).append(record)
    return tuple(_median(group) for group in same.values())


def nameless(unit: Unit) -> Unit:
    """Return a unit without the name of its layer: a configuration."""
    values = {name: getattr(unit, name) for name in unit.__dataclass_fields__}
    return type(unit)(**{**values, "layer": ""})


def one_origin(records: Sequence[SynthesisRecord]) -> Origin:
    """Return the origin that all records share.

    Raises:
        UsageError: there are none, or they have several.
    """
    counts: dict[Origin, int] = {}
    for record in records:
        counts[record.origin] = counts.get(record.origin, 0) + 1
    if not counts:
        msg = (
            "calibration needs at least one report of a unit whose parameters are known, got none;"
            " give reports inside an emitted project, --design design.json, or --csv FILE"
        )
        raise UsageError(msg)
    if len(counts) > 1:
        listed = "; ".join(f"{o}: {n} records" for o, n in counts.items())
        msg = (
            f"a model is of one tool and stage, the reports are of {len(counts)} ({listed});"
            " choose with --stage, or give the reports of one tool only"
        )
        raise UsageError(msg)
    return next(iter(counts))


def digest(records: Iterable[SynthesisRecord]) -> str:
    """Hash of units and counts, in any order."""
    rows = sorted(
        json.dumps([type(r.unit).__name__, parameters(r.unit), dict(r.actual)], sort_keys=True)
        for r in records
    )
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=8).hexdigest()


def _median(group: Sequence[SynthesisRecord]) -> SynthesisRecord:
    first = group[0]
    stated = {r for record in group for r in record.actual}
    actual = {
        r: float(np.median([g.actual[r] for g in group if r in g.actual])) for r in sorted(stated)
    }
    return replace(first, actual=actual)
