"""Predicted against synthesised: how far the hardware numbers of a study can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.ir.hardware import UnitEstimate
from dse.ir.synthesised import SynthesisedDesign

COMPARED = ("lut", "ff", "bram18", "dsp", "uram")  # the last where a design has any
P90 = 0.9


@dataclass(frozen=True, slots=True)
class Compared:
    """One resource of one design: predicted before it was synthesised, and reported.

    Attributes:
        trial: of the design.
        resource: "lut".
        predicted: expected by a model that had not seen the design.
        low: end of the 90 % interval.
        high: end of the 90 % interval.
        reported: by the tool.
    """

    trial: int
    resource: str
    predicted: float
    low: float
    high: float
    reported: float

    @property
    def inside(self) -> bool:
        """Whether the reported count lies in the interval, counts being whole."""
        return self.low - 0.5 <= self.reported <= self.high + 0.5

    @property
    def error(self) -> float | None:
        """|predicted / reported - 1|; None where nothing was reported to divide by."""
        if not self.reported:
            return 0.0 if self.predicted < 0.5 else None
        return abs(self.predicted / self.reported - 1)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well predictions of one resource agree with the reports.

    Attributes:
        what: "lut", or kind of unit and resource.
        count: designs or units.
        median: of the errors; None where there is none.
        p90: 90th percentile of the errors.
        inside: how many lie in their 90 % interval.
    """

    what: str
    count: int
    median: float | None
    p90: float | None
    inside: int


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the file of a cost model states: errors on records that it had not seen.

    Attributes:
        what: "matrix lut", "lut, network".
        records: how many; None where the file does not say.
        median: error, as a fraction.
        p90: 90th percentile; None where the file does not say.
        coverage: share of the records in the 90 % interval.
    """

    what: str
    records: int | None
    median: float
    p90: float | None
    coverage: float


@dataclass(frozen=True, slots=True)
class SynthesisView:
    """The synthesis of one design, beside what had been predicted."""

    tool: str  # "yosys 0.70"
    stage: str  # "synthesised, not placed"
    predicted_by: str
    rows: tuple[Compared, ...]
    folder: str  # of the project, in the folder of the study
    seconds: float


@dataclass(frozen=True, slots=True)
class Trust:
    """All comparisons of a study.

    Attributes:
        tools: "yosys 0.70: synthesised, not placed" of every tool and stage.
        designs: synthesised ones.
        on_front: those of them that are on the front.
        points: one per design and resource.
        whole: agreement of whole designs by resource.
        units: agreement by kind of unit and resource.
        failed: (trial, reason) of designs that could not be synthesised.
        model: what the file of the cost model says it was learned from; empty where there is none.
        held_out: what it states about records that it had not seen.
    """

    tools: tuple[str, ...]
    designs: int
    on_front: int
    points: tuple[Compared, ...]
    whole: tuple[Agreement, ...]
    units: tuple[Agreement, ...]
    failed: tuple[tuple[int, str], ...]
    model: str
    held_out: tuple[HeldOut, ...]

    @property
    def outside(self) -> tuple[Compared, ...]:
        """What lies outside its interval."""
        return tuple(c for c in self.points if not c.inside)


def trust(
    known: Mapping[str, SynthesisedDesign], front: Iterable[str], facts: Mapping[str, Any]
) -> Trust:
    """Compare all that was synthesised with what had been predicted.

    Args:
        known: by design digest.
        front: design digests.
        facts: what the file of the cost model states about itself.
    """
    found = sorted((d for d in known.values() if d.error is None), key=lambda d: d.trial)
    points = tuple(c for d in found for c in compared(d.trial, d.predicted, d.reported))
    kinds: dict[str, list[Compared]] = {}
    for design in found:
        for unit in design.units:
            for c in compared(design.trial, unit.predicted, unit.reported):
                kinds.setdefault(f"{unit.kind} {c.resource}", []).append(c)
    on_front = set(front)
    return Trust(
        tools=tuple(sorted({f"{d.tool} {d.version}".strip() + f": {d.stage}" for d in found})),
        designs=len(found),
        on_front=sum(d.digest in on_front for d in found),
        points=points,
        whole=tuple(
            agreement(r, own) for r in COMPARED if (own := [c for c in points if c.resource == r])
        ),
        units=tuple(agreement(what, own) for what, own in sorted(kinds.items())),
        failed=tuple((d.trial, d.error) for d in known.values() if d.error is not None),
        model=_learned_from(facts),
        held_out=held_out(facts),
    )


def compared(
    trial: int, predicted: UnitEstimate, reported: Mapping[str, float]
) -> tuple[Compared, ...]:
    """Return what is stated of a design or unit, resource by resource."""
    return tuple(
        Compared(
            trial,
            r,
            getattr(predicted.expected, r),
            getattr(predicted.low, r),
            getattr(predicted.high, r),
            reported[r],
        )
        for r in COMPARED
        if r in reported and (r != "uram" or reported[r] or predicted.expected.uram)
    )


def agreement(what: str, points: Sequence[Compared]) -> Agreement:
    """Return the errors of at least one comparison, and how many lie inside."""
    errors = [e for c in points if (e := c.error) is not None]
    return Agreement(
        what=what,
        count=len(points),
        median=float(np.median(errors)) if errors else None,
        p90=float(np.quantile(errors, P90)) if errors else None,
        inside=sum(c.inside for c in points),
    )


def synthesis_view(design: SynthesisedDesign | None) -> SynthesisView | None:
    """Return the synthesis of a design, None where there is no result."""
    if design is None or design.error is not None:
        return None
    return SynthesisView(
        tool=f"{design.tool} {design.version}".strip(),
        stage=design.stage,
        predicted_by=design.predicted_by,
        rows=compared(design.trial, design.predicted, design.reported),
        folder=design.folder,
        seconds=design.seconds,
    )


def held_out(facts: Mapping[str, Any]) -> tuple[HeldOut, ...]:
    """Return the held-out errors that a model's file states.

    `dse calibrate` writes a verdict per kind and resource, of which the errors after count where the correction
    was kept; shipped models state errors below names of their own.
    """
    return tuple(_stated((), facts.get("held_out", {})))


def _stated(path: tuple[str, ...], value: Any) -> Iterator[HeldOut]:
    if not isinstance(value, Mapping):
        return
    records = value.get("records")
    if "before" in value:
        kept = value["after"] is not None and value["gain"] > value["gain_error"]
        value = value["after" if kept else "before"]
    median = value.get("median", value.get("median_error"))
    if median is not None and "coverage" in value:
        p90 = value.get("p90", value.get("p90_error"))
        name = ", ".join(path).replace("_", " ")
        yield HeldOut(name, records, median, p90, value["coverage"])
        return
    for name, inner in value.items():
        yield from _stated((*path, name), inner)


def _learned_from(facts: Mapping[str, Any]) -> str:
    """Return "vivado, version 2020.1, xc7z020, 499 records", as far as a model's file says it."""
    if "tool" not in facts:
        return ""
    parts = [facts["tool"]]
    if "tool_version" in facts:
        parts.append(f"version {facts['tool_version']}")
    if "part" in facts:
        parts.append(facts["part"])
    if "records" in facts:
        parts.append(f"{facts['records']} records")
    if "base" in facts:
        parts.append(f"which correct {facts['base']}")
    return ", ".join(map(str, parts))
