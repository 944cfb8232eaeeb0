"""Which design of a search is to be synthesised next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dse.config.values import Objective, Synthesise
from dse.ir.record import TrialRecord
from dse.ir.synthesised import SynthesisedDesign
from dse.search.pareto import front, knee

UNSURE = ("lut", "ff")  # whose intervals tell how sure a model is; blocks are counted


def due(
    records: Sequence[TrialRecord],
    known: Mapping[str, SynthesisedDesign],
    objectives: Sequence[Objective],
    asked: Synthesise,
    turn: int,
) -> tuple[TrialRecord, str] | None:
    """Return the design of the front that is to be synthesised, and why it was chosen.

    Args:
        records: all finished trials, priced by the model in use.
        known: what was synthesised, or could not be, by design digest.
        objectives: of the study.
        asked: `top` designs for every turn.
        turn: how many times `every` trials have finished; 0 after the search, when `top` designs
            of the front, new ones or old, are to be known.

    Returns:
        None where no more are due, or the whole front is known.
    """
    best = front(records, objectives)
    if turn:
        done = sum(d.round == turn for d in known.values())
    else:
        done = sum(r.design.digest in known for r in best)
    unknown = [r for r in best if r.design.digest not in known]
    if done >= asked.top or not unknown:
        return None
    choose = asked.choose
    if choose == "both":
        choose = "uncertain" if len(known) % 2 else "promising"
    if choose == "uncertain":
        return max(unknown, key=lambda r: (doubt(r), -r.id)), choose
    return knee(unknown, objectives), choose


def doubt(record: TrialRecord) -> float:
    """Return the width of the 90 % interval over the expected count, of LUT or FF, whichever is wider."""
    assert record.hardware is not None
    total = record.hardware.total
    return max(
        float(getattr(total.high, r) - getattr(total.low, r)) / (getattr(total.expected, r) or 1.0)
        for r in UNSURE
    )
