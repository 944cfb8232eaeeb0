"""From records to a calibrated model and a verdict on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import dse
from cost_models import learned
from cost_models._correction import Correction
from cost_models._learn import blank, records_of
from cost_models._loading import without_loading
from cost_models._model import Floats
from cost_models._prior import Priced, priced
from cost_models.learned import LearnedModel
from dse.calibration.judge import Verdict, judged
from dse.calibration.records import SynthesisRecord, digest, distinct, one_origin
from dse.errors import UsageError
from dse.ir.hardware import RESOURCES

EXACT = 1e-9  # a logarithm of less is a count that was right


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """A calibrated model and what held-out records say about it.

    Attributes:
        model: corrected where held-out records show an improvement (or where it was forced); where
            they only show that the interval was too narrow, that alone is changed.
        base: source of the model it started from.
        verdicts: one for every resource of every kind of unit that could be learned.
        exact: (kind, resource) pairs whose every record was predicted exactly before.
        records: distinct configurations.
        designs: builds they are from.
    """

    model: LearnedModel
    base: str
    verdicts: tuple[Verdict, ...]
    exact: tuple[tuple[str, str], ...]
    records: int
    designs: int

    @property
    def improved(self) -> bool:
        """Whether held-out records show any improvement."""
        return any(v.improved for v in self.verdicts)

    @property
    def widened(self) -> bool:
        """Whether an interval of the base had to be widened."""
        return any(v.widened for v in self.verdicts)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The records of one resource of one kind of unit."""

    kind: str
    resource: str
    units: Sequence[Priced]
    actual: Floats
    designs: Sequence[str]


def calibrate(
    records: Sequence[SynthesisRecord], base: LearnedModel, *, name: str, force: bool = False
) -> CalibrationResult:
    """Learn from records, and judge by leaving designs out.

    Args:
        records: of one tool, stage and builder.
        base: the model to correct.
        name: of the new model.
        force: keep corrections that held-out records do not show to be better.

    Raises:
        UsageError: the records are of several tools, or there are none.
    """
    origin = one_origin(records)
    base = replace(base, builder=origin.builder)
    known = distinct(records)
    kinds: dict[str, dict[str, Correction]] = {k: dict(v) for k, v in base.corrections.items()}
    verdicts, exact = [], []
    for seen in _sorted(known, base):
        correction = base.corrections.get(seen.kind, {}).get(seen.resource)
        found = records_of(seen.units, seen.resource, seen.actual)
        if correction is None and np.abs(found.ratio).max() < EXACT:
            exact.append((seen.kind, seen.resource))
            continue
        numbers = np.unique(seen.designs, return_inverse=True)[1]
        start = correction or blank(seen.kind, seen.resource)
        before = _before(base, seen)
        verdict, after, same = judged(seen.kind, seen.resource, start, before, found, numbers)
        verdicts.append(verdict)
        if verdict.improved or verdict.widened or force:
            kept = after if verdict.improved or force else same
            kinds.setdefault(seen.kind, {})[seen.resource] = kept
    facts = {
        "written_by": f"dse {dse.__version__}",
        "tool": origin.tool,
        "tool_version": _listed(r.version for r in records),
        "part": _listed(r.part for r in records),
        **_clock(records),
        "stage": origin.stage,
        "base": base.source,
        "data_digest": digest(known),
        "records": len(known),
        "designs": len({r.design for r in records}),
        "held_out": {f"{v.kind} {v.resource}": asdict(v) for v in verdicts},
    }
    return CalibrationResult(
        model=replace(base, name=name, facts=facts, corrections=kinds),
        base=base.source,
        verdicts=tuple(verdicts),
        exact=tuple(exact),
        records=len(known),
        designs=len({r.design for r in records}),
    )


def base_model(name: str | None, records: Sequence[SynthesisRecord]) -> LearnedModel:
    """Return the model to start from.

    Args:
        name: one of `learned.MODELS`, or the path of a file that `dse calibrate` wrote; None: the shipped
            model that errs least on the records.
        records: what is going to be learned.

    Raises:
        UsageError: there is no such model, or no record.
    """
    origin = one_origin(records)
    family = "7series" if all(r.part.startswith("xc7") for r in records) else "ultrascale+"
    if name is not None:
        base = learned.named(name, family, origin.builder)
        if mixes(base, origin.tool):
            msg = (
                f"--base {name} is a model of {base.facts['tool']}, the reports are of {origin.tool}:"
                " toolchains are not mixed; give another base, such as analytic"
            )
            raise UsageError(msg)
        return base
    known = distinct(records)
    every = (learned.named(n, family, origin.builder) for n in learned.MODELS)
    models = [m for m in every if not mixes(m, origin.tool)]
    return min(models, key=lambda m: _mean_error(m, known))


def mixes(model: LearnedModel, tool: str) -> bool:
    """Whether one of model and tool is about our Verilog in yosys, and the other about a vendor's tool."""
    own = str(model.facts.get("tool", tool))  # the analytic model is nobody's
    return own.startswith("yosys") != tool.startswith("yosys")


def _mean_error(model: LearnedModel, records: Sequence[SynthesisRecord]) -> float:
    errors = [
        np.abs(_before(model, seen)[0])
        for seen in _sorted(records, model)
        if seen.resource in ("lut", "ff")
    ]
    return float(np.mean(np.concatenate(errors))) if errors else 0.0


def _sorted(records: Sequence[SynthesisRecord], model: LearnedModel) -> list[_Seen]:
    """Return the records of every resource of every kind, where the prior and the report count any."""
    kinds = model.prior.kinds
    found: dict[tuple[str, str], list[tuple[Priced, float, str]]] = {}
    for record in records:
        unit = priced(record.unit, model.builder, kinds)
        for resource in RESOURCES:
            if resource in record.actual and float(unit.totals[resource]) > 0:
                if resource in ("lut", "ff") and not record.actual[resource]:
                    continue  # a unit that takes no LUT was dissolved into another
                actual = record.actual[resource]
                if model.builder == "dse":
                    actual = without_loading(actual, resource, record.unit)
                found.setdefault((unit.kind, resource), []).append((unit, actual, record.design))
    return [
        _Seen(
            kind, resource, [u for u, _, _ in v], np.array([a for _, a, _ in v]), [d for *_, d in v]
        )
        for (kind, resource), v in sorted(found.items())
    ]


def _before(model: LearnedModel, seen: _Seen) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return errors in the logarithm, and what lies inside the interval, of a model."""
    ends = np.array([[float(e) for e in model.ends(u, seen.resource)] for u in seen.units])
    half = 0.0 if seen.resource in ("lut", "ff") else 0.5
    inside = (ends[:, 1] <= seen.actual) & (seen.actual <= ends[:, 2])
    return np.log((seen.actual + half) / (ends[:, 0] + half)), inside


def _clock(records: Sequence[SynthesisRecord]) -> dict[str, float]:
    """Return the period that all records were asked for; nothing where they differ or nobody said.

    Out-of-context synthesis by yosys knows no clock.
    """
    periods = {r.clock_ns for r in records}
    period = periods.pop() if len(periods) == 1 else None
    if period is None or records[0].origin.tool == "yosys":
        return {}
    return {"clock_ns": period}


def _listed(values: Any) -> str:
    return ", ".join(sorted({v for v in values if v})) or "not stated"


def require_improvement(result: CalibrationResult) -> None:
    """Refuse a model that held-out records do not show to be better than its base.

    Raises:
        UsageError: nothing improved, and no interval had to be widened.
    """
    if result.improved or result.widened:
        return
    few = all(v.after is None for v in result.verdicts)
    reason = (
        "there are too few distinct configurations to hold any out"
        if few
        else "its errors on held-out records are not smaller"
    )
    msg = (
        f"a calibrated model must err less than {result.base} on records it has not seen: {reason};"
        " nothing was written. Add reports of other foldings and designs, or keep it with --force"
    )
    raise UsageError(msg)


def to_json(result: CalibrationResult) -> Mapping[str, Any]:
    """Return the stable document of `dse calibrate --json`."""
    return {
        "base": result.base,
        "source": result.model.source,
        "records": result.records,
        "designs": result.designs,
        "improved": result.improved,
        "verdicts": [
            asdict(v) | {"improved": v.improved, "widened": v.widened} for v in result.verdicts
        ],
        "exact": [{"kind": k, "resource": r} for k, r in result.exact],
    }
