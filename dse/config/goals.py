"""`objectives` and `constraints`: what is wanted of a design, and what it must hold."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dse.config.complaints import Complaints, listed, near
from dse.config.problems import StudyFileError
from dse.config.quantities import (
    Amount,
    Convert,
    amount,
    count,
    fraction,
    frames_per_second,
    kibibytes,
    millijoules,
    seconds,
    watts,
)
from dse.config.read import items, scalar
from dse.config.source import Source, Span
from dse.config.tree import Items, Map, Node, Scalar, describe, quoted
from dse.config.values import Constraint, Objective
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.metrics import ALIASES, METRICS, PER_SLR, Direction

MOST_OBJECTIVES = 4  # with five, the hypervolume of a front takes seconds
CONSTRAINT = re.compile(r"\s*([A-Za-z_][\w ]*?)\s*(<=|>=|==|=|<|>|≤|≥)\s*(.*?)\s*", re.DOTALL)
OPERATORS: dict[str, Literal["<=", ">="]] = {"<=": "<=", "≤": "<=", ">=": ">=", "≥": ">="}
DIRECTIONS: dict[str, Direction] = {
    "maximize": "maximize",
    "maximise": "maximize",
    "minimize": "minimize",
    "minimise": "minimize",
}


@dataclass(frozen=True, slots=True)
class Units:
    """How a limit of a metric is written; `units` are examples."""

    needs: str  # "a unit of time"
    convert: Convert
    units: tuple[str, ...]
    kind: str  # "a time (2 ms or 2 us)"


def _microseconds(value: Amount) -> float | None:
    found = seconds(value)
    return None if found is None else float(f"{found * 1e6:.12g}")


PERCENT = Units("a unit", fraction, ("%",), "a percentage (90 %)")
UNITS = {
    "accuracy": PERCENT,
    "utilisation": PERCENT,
    "latency": Units("a unit of time", _microseconds, ("ms", "us"), "a time (2 ms or 2 us)"),
    "throughput": Units("a unit", frames_per_second, ("fps",), "a rate (1000 fps or 1 k fps)"),
    "energy": Units("a unit of energy", millijoules, ("mJ", "uJ"), "an energy (2 mJ or 50 uJ)"),
    "power": Units("a unit of power", watts, ("W", "mW"), "a power (2 W or 500 mW)"),
    "model_size": Units("a unit of size", kibibytes, ("KiB", "MiB"), "a size (64 KiB or 1 MiB)"),
}


def objectives_of(node: Node, complaints: Complaints) -> tuple[Objective, ...]:
    """Read what is searched for: one to four metrics, each maximized or minimized."""
    if not isinstance(node, Map):
        message = f"objectives is a map of metrics, not {describe(node)}"
        complaints.add(node.span, "bad-type", message, "write for example accuracy: maximize")
        return ()
    found: dict[str, Objective] = {}
    for entry in node.entries:
        metric = _metric(entry.key, entry.key.text, complaints)
        direction = scalar(entry.value, entry.key.text, complaints, "maximize or minimize")
        if metric is None or direction is None:
            continue
        better = METRICS[metric].direction
        if metric in PER_SLR:
            message = f"{metric} is for constraints, it cannot be an objective"
            complaints.add(entry.key.span, "bad-value", message, f"write {PER_SLR[metric]}")
        elif metric in found:
            message = f"objective {metric} appears twice"
            complaints.add(entry.key.span, "duplicate-key", message, "bram is bram18")
        elif direction.text not in DIRECTIONS:
            message = f"an objective is to maximize or minimize, not {describe(direction)}"
            complaints.add(direction.span, "bad-value", message, f"write {better}")
        elif DIRECTIONS[direction.text] != better:
            message = (
                f"{metric} is better the {'larger' if better == 'maximize' else 'smaller'} it is"
            )
            complaints.add(direction.span, "wrong-direction", message, f"write {better}")
        else:
            found[metric] = Objective(metric, better)
    if not node.entries:
        complaints.add(node.span, "missing-value", "objectives names no metric")
    elif len(node.entries) > MOST_OBJECTIVES:
        message = f"a study has 1 to {MOST_OBJECTIVES} objectives, not {len(node.entries)}"
        span = node.entries[MOST_OBJECTIVES].key.span
        complaints.add(span, "out-of-range", message, "make the others constraints")
    return tuple(found.values())


def constraints_of(
    node: Node, board: Board | None, reserve: Resources, complaints: Complaints
) -> tuple[Constraint, ...]:
    """Read the constraints; percentages of a resource are of the board after `reserve`."""
    found: dict[tuple[str, str], Constraint] = {}
    for item in items(node, "constraints", complaints):
        if not isinstance(item, Scalar) or item.value is None:
            message = f"a constraint is a line such as 'lut <= 70 %', not {describe(item)}"
            complaints.add(item.span, "bad-type", message)
            continue
        constraint = _constraint(item, board, reserve, complaints)
        if constraint is None:
            continue
        first = found.setdefault((constraint.metric, constraint.op), constraint)
        if first is not constraint:
            message = f"{constraint.metric} {constraint.op} is limited twice"
            complaints.add(
                item.span, "duplicate-constraint", message, f"first on line {first.line}"
            )
    return tuple(found.values())


def limits_of(
    option: str, terms: Sequence[str], board: Board, reserve: Resources
) -> tuple[Constraint, ...]:
    """Read limits that were typed behind an option, by the rules of `constraints` in a study file.

    Args:
        option: for messages: "--pick".
        terms: one limit each: "lut<=40%".
        board: what percentages of a resource are of, after `reserve`.
        reserve: what of it is not ours.

    Raises:
        StudyFileError: a term is no limit.
    """
    if not terms:
        return ()
    complaints = Complaints()
    scalars = []
    for term in terms:
        span = Span(Source.of(option, term, is_file=False), 1, 1, max(len(term), 1))
        scalars.append(Scalar(span, term, term))
    whole = Span(Source.of(option, ",".join(terms), is_file=False), 1, 1, 1)
    found = constraints_of(Items(whole, tuple(scalars)), board, reserve, complaints)
    if len(complaints):
        raise StudyFileError(complaints.sorted())
    return found


def default_constraints(board: Board, reserve: Resources) -> tuple[Constraint, ...]:
    """Return the rules that hold where a study file has no `constraints`: the board's usable shares."""
    return tuple(
        Constraint(
            metric=r,
            op="<=",
            limit=share * _available(r, board, reserve),
            text=f"{r} <= {100 * share:g} %",
            share=share,
        )
        for r, share in board.usable_share.items()
    )


def _constraint(
    node: Scalar, board: Board | None, reserve: Resources, complaints: Complaints
) -> Constraint | None:
    match = CONSTRAINT.fullmatch(node.text)
    if match is None:
        message = f"{describe(node)} is not a constraint"
        complaints.add(node.span, "bad-constraint", message, "write for example lut <= 70 %")
        return None
    metric = _metric(node, match[1], complaints, match.start(1))
    if metric is None:
        return None
    op = OPERATORS.get(match[2])
    better: Literal["<=", ">="] = ">=" if METRICS[metric].direction == "maximize" else "<="
    if op is None:
        message = f"a constraint uses <= or >=, not {match[2]}"
        complaints.add(
            node.part(match.start(2), len(match[2])), "bad-constraint", message, f"write {better}"
        )
        return None
    if op != better:
        word = "larger" if better == ">=" else "smaller"
        message = f"{metric} is better the {word} it is: {match[2]} would forbid good designs"
        complaints.add(node.part(match.start(2), 2), "wrong-direction", message, f"write {better}")
        return None
    value = amount(node, match.start(3))
    if value is None:
        message = f"{quoted(match[3])} is not a number with a unit"
        complaints.add(
            node.part(match.start(3), len(match[3])),
            "bad-constraint",
            message,
            "write for example lut <= 70 %",
        )
        return None
    limit, share = _limit(metric, value, board, reserve, complaints)
    if limit is None:
        return None
    return Constraint(
        metric=metric,
        op=op,
        limit=limit,
        text=" ".join(node.text.split()),
        share=share,
        line=node.span.line if node.span.source.is_file else 0,
        column=node.span.column,
    )


def _metric(node: Scalar, name: str, complaints: Complaints, offset: int = 0) -> str | None:
    first, *rest = name.split()
    metric = " ".join([ALIASES.get(first, first), *rest])
    if metric in METRICS:
        return metric
    known = tuple(METRICS)
    close = near(name, known, 1)
    complaints.add(
        node.part(offset, len(name)),
        "unknown-metric",
        f"unknown metric {quoted(name)}",
        f"did you mean {close[0]!r}?" if close else "",
        [f"metrics: {listed([m for m in known if m not in PER_SLR])}"],
        known,
    )
    return None


def _limit(
    metric: str, value: Amount, board: Board | None, reserve: Resources, complaints: Complaints
) -> tuple[float | None, float | None]:
    """Return the limit in the metric's unit and, for a percentage of a resource, the share."""
    if metric in RESOURCES or metric in PER_SLR:
        return _resource_limit(metric, value, board, reserve, complaints)
    units = UNITS[metric]
    limit = units.convert(value)
    number = f"{value.number:g}"
    if limit is None and not value.unit:
        written = [f"'{number} {u}'" for u in units.units]
        if units is PERCENT and 0 <= value.number <= 1:
            written = [f"'{100 * value.number:g} %'"]
        message = f"{metric} needs {units.needs}"
        complaints.add(value.number_span, "needs-unit", message, f"write {' or '.join(written)}")
    elif limit is None:
        message = f"{quoted(value.unit)} is not a unit of {metric}"
        complaints.add(value.unit_span, "bad-unit", message, f"{metric} is {units.kind}")
    elif not (0 <= limit <= 1 if units is PERCENT else 0 < limit < math.inf):
        bounds = "from 0 to 100 %" if units is PERCENT else "above 0"
        message = f"{metric} must be {bounds}, not {number} {value.unit}"
        complaints.add(value.number_span, "out-of-range", message)
        limit = None
    return limit, None


def _resource_limit(
    metric: str, value: Amount, board: Board | None, reserve: Resources, complaints: Complaints
) -> tuple[float | None, float | None]:
    share, number = fraction(value), count(value)
    have = math.inf if board is None else _available(metric, board, reserve)
    if share is None and number is None:
        span = value.unit_span if value.unit else value.number_span
        complaints.add(
            span,
            "bad-unit",
            f"{quoted(value.unit or span.shown_text)} is not a unit of {metric}",
            f"{metric} is a count (40000 or 40 k) or a share of the board (70 %)",
        )
        return None, None
    if share is not None:
        if 0 <= share <= 1:
            return (share * have if board is not None else None), share
        message = f"{metric} must be from 0 to 100 % of the board, not {100 * share:g} %"
        complaints.add(value.number_span, "out-of-range", message)
    elif number is not None:
        if 0 <= number <= have:
            return number, None
        message = f"{metric} must be from 0 to the {have:,.0f} there are, not {number:,.0f}"
        complaints.add(value.number_span, "out-of-range", message)
    return None, None


def _available(resource: str, board: Board, reserve: Resources) -> float:
    """Return the count of a resource; of one that is counted `per slr`, that of a die, all leaving the same."""
    name = PER_SLR.get(resource, resource)
    have: float = getattr(board.resources, name) - getattr(reserve, name)
    return have / (board.slrs if resource in PER_SLR else 1)
