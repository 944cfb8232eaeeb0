"""Finished trials under the rules and prices of today."""

from __future__ import annotations

from collections.abc import Sequence

from dse.ir.record import TrialRecord
from dse.search.score import newest, reestimate, rescore
from dse.search.study import Plan


def judge(
    plan: Plan, records: Sequence[TrialRecord]
) -> tuple[tuple[TrialRecord, ...], tuple[TrialRecord, ...]]:
    """Judge trials by the constraints and the cost model of a plan; nothing is trained.

    Args:
        plan: of the study.
        records: its trials as they were written, or as an earlier plan judged them.

    Returns:
        The newest trial of every design, by id: first those that stand, then those that hardware rejected
        before training, and accepts now. These are to be evaluated again.
    """
    before = {r.id: r for r in records}
    kept: list[TrialRecord] = []
    reopened: list[TrialRecord] = []
    for record in newest(
        rescore(reestimate(r, plan.network, plan.config, plan.model), plan.constraints)
        for r in records
    ):
        again = record.stage == "estimate" and _violates(before[record.id])
        (reopened if again and not _violates(record) else kept).append(record)
    return tuple(kept), tuple(reopened)


def _violates(record: TrialRecord) -> bool:
    return any(v > 0 for v in record.constraints.values())
