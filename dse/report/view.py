"""From a study to the numbers that its report shows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dse.ir.hardware import RESOURCES
from dse.ir.record import TrialRecord
from dse.ir.synthesised import SynthesisedDesign
from dse.report.designs import design_view, keeps_scored, why_passed
from dse.report.feasibility import feasibility
from dse.report.format import PASSED
from dse.report.progress import progress
from dse.report.trust import trust
from dse.report.values import Counts, DesignView, Failure, ReportView, TrialRow
from dse.search.calibrated import mismatches
from dse.search.pareto import finalised, front, picks, settle
from dse.search.score import constraints_of
from dse.snapshot import StudySnapshot


def build_view(
    snapshot: StudySnapshot, extra: Sequence[int] = (), *, priced: bool = False
) -> ReportView:
    """Return the numbers and names of a study's report.

    The front is that of the designs trained at full budget, once the study is complete; before, that of all
    feasible trials.

    Args:
        snapshot: the study.
        extra: ids of more trials to show as whole designs; those that were never priced are left out.
        priced: also ask the cost model for the price of each design's next folding, which takes up to 0.1 s each.
    """
    config = snapshot.config
    constraints = constraints_of(config)
    # until all survivors are trained at full budget, accuracies of both kinds would compete
    finals = snapshot.finals if snapshot.state == "complete" else {}
    records = tuple(
        finalised(r, finals[r.design.digest], constraints)
        if r.state == "feasible" and r.design.digest in finals
        else r
        for r in sorted(snapshot.records, key=lambda r: r.id)
    )
    best = front(settle(records, finals, constraints), config.objectives)
    chosen = {name: r.id for name, r in picks(best, config.objectives).items()}
    baseline = next((r for r in records if r.origin == "baseline" and r.hardware), None)
    close = None if best else nearest(records)
    asked = [r for r in records if r.id in extra and r.hardware]
    shown = {r.id: r for r in (*best, baseline, close, *asked) if r is not None}
    on_front = {r.id for r in best}

    def card(record: TrialRecord) -> DesignView:
        names = [name for name, i in chosen.items() if i == record.id]
        return design_view(
            record,
            snapshot.network,
            config,
            constraints,
            final=finals.get(record.design.digest),
            names=(*names, "baseline") if record.origin == "baseline" else tuple(names),
            on_front=record.id in on_front,
            synthesised=snapshot.synthesised.get(record.design.digest),
            price=snapshot.price if priced else None,
        )

    files = [config.data.path] if config.data.path else list(config.data.files.values())
    data = ", ".join(path.name for path in files) or config.data.name
    return ReportView(
        study=config.study,
        description=config.description,
        network=snapshot.network.name,
        weights=snapshot.network.weights,
        data=data,
        board=config.board,
        reserve=config.reserve,
        clock_mhz=config.clock_mhz,
        confidence=config.confidence,
        seed=config.seed,
        sampler=config.sampler,
        state=snapshot.state,
        stop_reason=snapshot.stop_reason,
        seconds=snapshot.seconds,
        created=snapshot.created,
        updated=snapshot.updated,
        written_by=snapshot.written_by,
        versions=dict(sorted(snapshot.versions.items())),
        machine=snapshot.machine,
        spec_digest=hashlib.blake2b(config.text.encode(), digest_size=8).hexdigest(),
        study_text=config.text,
        overrides=snapshot.overrides,
        forked=snapshot.forked,
        objectives=config.objectives,
        constraints=constraints,
        base_accuracy=snapshot.base_accuracy,
        sources=tuple(sorted({r.hardware.source for r in records if r.hardware})),
        counts=_counts(snapshot, records, len(best)),
        picks=chosen,
        front=tuple(r.id for r in best),
        baseline=baseline.id if baseline else None,
        nearest=close.id if close else None,
        designs={i: card(r) for i, r in shown.items()},
        trials=tuple(
            _row(
                r,
                r.id in on_front,
                trained=r.design.digest in finals and not keeps_scored(r, config),
                synthesised=snapshot.synthesised.get(r.design.digest),
            )
            for r in records
        ),
        progress=progress(
            snapshot.records, config.objectives, snapshot.milestones, snapshot.created
        ),
        failures=_failures(records),
        feasibility=feasibility(snapshot.records, constraints, config.objectives, best),
        trust=trust(snapshot.synthesised, (r.design.digest for r in best), snapshot.model_facts),
        warnings=mismatches(snapshot.model_facts, config.board, config.clock_mhz),
        flow="rtl" if str(snapshot.model_facts.get("tool", "")).startswith("yosys") else "hls",
    )


def nearest(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the priced record with the least sum of violations, the oldest of equals."""
    priced = [r for r in records if r.hardware is not None and r.state == "infeasible"]
    return min(
        priced,
        key=lambda r: (sum(max(v, 0.0) for v in r.constraints.values()), r.id),
        default=None,
    )


def _counts(snapshot: StudySnapshot, records: Sequence[TrialRecord], on_front: int) -> Counts:
    states = Counter(r.state for r in records)
    return Counts(
        budget=snapshot.config.budget.trials,
        finished=sum(r.counts for r in records),
        feasible=states["feasible"],
        infeasible=states["infeasible"],
        failed=states["failed"],
        repeated=snapshot.repeated,
        passed=states["passed"],
        foldings=sum(r.state != "passed" and not r.counts for r in records),
        front=on_front,
    )


def _row(
    record: TrialRecord, on_front: bool, *, trained: bool, synthesised: SynthesisedDesign | None
) -> TrialRow:
    total = record.hardware.total if record.hardware else None
    return TrialRow(
        id=record.id,
        digest=record.design.digest,
        state=PASSED if record.state == "passed" else record.state,
        stage="final" if trained else record.stage,
        on_front=on_front,
        origin=record.origin,
        metrics=dict(record.metrics),
        intervals={r: (getattr(total.low, r), getattr(total.high, r)) for r in RESOURCES}
        if total
        else {},
        knobs=_plain(record.knobs),
        violated=tuple(text for text, v in record.constraints.items() if v > 0),
        reported=dict(synthesised.reported) if synthesised is not None else {},
        error=record.error or why_passed(record),
        seconds=record.seconds,
    )


def _plain(knobs: Mapping[str, Any]) -> dict[str, float | str]:
    """Return knob values as numbers and words; a block as 4x8."""
    return {
        name: "x".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in knobs.items()
    }


def _failures(records: Sequence[TrialRecord]) -> tuple[Failure, ...]:
    """Return the reasons of failure by stage, the most frequent first; a reason is the last line of an error."""
    groups: dict[tuple[str, str], list[TrialRecord]] = {}
    for record in records:
        if record.state == "failed":
            lines = (record.error or "unknown").strip().splitlines()
            groups.setdefault((record.stage, lines[-1]), []).append(record)
    ordered = sorted(groups.items(), key=lambda g: (-len(g[1]), g[1][0].id))
    return tuple(
        Failure(reason, len(g), g[0].id, g[0].error or "", stage) for (stage, reason), g in ordered
    )
