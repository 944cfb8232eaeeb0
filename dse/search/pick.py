"""Which design of a study is meant: `knee`, a trial id, `best:latency`, or `lut<=40%,max:accuracy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dse.config.goals import limits_of
from dse.config.values import Constraint, StudyConfig
from dse.errors import NoFeasibleDesignError, UsageError
from dse.ir.metrics import ALIASES, METRICS, PER_SLR, Metric
from dse.ir.record import FinalRecord, TrialRecord
from dse.search.pareto import front, knee, picks, settle, violation
from dse.search.score import compared, constraints_of, of_board

NAMES = {  # besides knee
    "most-accurate": "most_accurate",
    "fastest": "fastest",
    "smallest": "smallest",
}
WAYS = ("best", "max", "min")
SHOWN = "knee, most-accurate, fastest, smallest, a trial id, best:METRIC, or limits such as 'lut<=40%,max:accuracy'"


def pick(
    config: StudyConfig,
    records: Sequence[TrialRecord],
    finals: Mapping[str, FinalRecord],
    text: str,
) -> TrialRecord:
    """Return the trial that a text names.

    Args:
        config: of the study.
        records: its trials, judged.
        finals: full trainings by design digest, of a study that is complete; the front is then of these.
        text: a trial id, of any trial that was priced; else a way to choose one of the front: `knee`, a name of
            `NAMES`, `best:METRIC`. Limits (as in `constraints`, kept at upper ends) may stand before it, with
            commas between; alone, they choose the knee of what meets them.

    Raises:
        UsageError: the text names nothing.
        NoFeasibleDesignError: the front is empty, or nothing on it meets the limits.
    """
    if text.isdigit():
        found = next((r for r in records if r.id == int(text)), None)
        if found is None or found.hardware is None:
            msg = (
                f"{config.study} has no trial {text}; `dse inspect {config.study}` lists the front"
            )
            raise UsageError(msg)
        return found
    *terms, last = (term.strip() for term in text.split(","))
    if "=" in last:
        terms, last = [*terms, last], "knee"
    _check(last)
    typed = limits_of("--pick", terms, config.board, config.reserve)
    limits = tuple(of_board(c, config.board) for c in typed)
    best = front(settle(records, finals, constraints_of(config)), config.objectives)
    if not best:
        msg = f"{config.study} has no feasible design yet; name a trial id to take one anyway"
        raise NoFeasibleDesignError(msg)
    left = tuple(r for r in best if all(_meets(r, c) for c in limits))
    if not left:
        said = ", ".join(c.text for c in limits)
        msg = f"none of the {len(best)} designs on the front of {config.study} meets {said}; loosen it"
        raise NoFeasibleDesignError(msg)
    if last == "knee":
        return knee(left, config.objectives)
    if last in NAMES:
        named = picks(left, config.objectives)
        if NAMES[last] not in named:
            msg = f"{config.study} trains nothing, so no design is the most accurate; pick another one"
            raise UsageError(msg)
        return named[NAMES[last]]
    metric = _metric(last)
    if any(metric.key not in r.metrics for r in left):
        msg = f"{metric.name} is not known of the designs of {config.study}; pick by another metric"
        raise UsageError(msg)
    sign = 1 if metric.direction == "minimize" else -1
    return min(left, key=lambda r: (sign * r.metrics[metric.key], r.id))


def _check(text: str) -> None:
    if text != "knee" and text not in NAMES:
        _metric(text)


def _metric(text: str) -> Metric:
    """Return the metric of `best:lut`, `min:lut` or `max:accuracy`.

    Raises:
        UsageError: it is none of these, or its worst design is asked for.
    """
    way, _, name = text.partition(":")
    metric = METRICS.get(ALIASES.get(name, name))
    if way not in WAYS or metric is None:
        names = ", ".join(m for m in METRICS if m not in PER_SLR)
        msg = f"--pick takes {SHOWN}; not {text!r}. Metrics: {names}"
        raise UsageError(msg)
    if way != "best" and not metric.direction.startswith(way):
        msg = f"--pick {text} asks for the worst design; write {metric.direction[:3]}:{name}"
        raise UsageError(msg)
    return metric


def _meets(record: TrialRecord, limit: Constraint) -> bool:
    assert record.hardware is not None
    value = compared(limit, record.metrics, record.hardware)
    return value is not None and violation(limit, value) <= 0
