"""The values of one knob: a scalar is fixed, a list is a choice, `{min, max, step, log}` is a range."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from dse.config.complaints import Complaints, did_you_mean, listed
from dse.config.quantities import PERCENTAGE, amount, fraction
from dse.config.read import entries, keys, scalar, whole
from dse.config.tree import Items, Map, Node, Scalar, describe

MOST_VALUES = 1000  # of one range; more is a typing slip
FLOAT_STEP = 0.1  # of a range of fractions that names none
BLOCK = re.compile(r"([1-9]\d{0,5})\s*x\s*([1-9]\d{0,5})")

RANGE = keys(
    "a range",
    ("min", "max", "step", "log"),
    needed={"min": "{min: 0.0, max: 0.9}", "max": "{min: 0.0, max: 0.9}"},
)

PERCENT = {"type": "string", "pattern": PERCENTAGE}
T = TypeVar("T")
Number: TypeAlias = int | float
ReadNumber: TypeAlias = Callable[[Node, str, Complaints], Number | None]


@dataclass(frozen=True, slots=True)
class NumberKnob:
    """A knob whose values are numbers.

    Attributes:
        name: as in the study file.
        read: how one is read.
        step: of a range that names none.
        schema: the JSON Schema of one; what an editor may know of `read`.
    """

    name: str
    read: ReadNumber
    step: Number
    schema: Mapping[str, Any] = field(default_factory=dict)


def integers(name: str, low: int, high: int, note: str = "") -> NumberKnob:
    """Return a knob of whole numbers from `low` to `high`; `note` is said where a number is larger."""

    def read(node: Node, what: str, complaints: Complaints) -> int | None:
        large = isinstance(node, Scalar) and isinstance(node.value, int) and node.value > high
        return whole(node, what, low, high, complaints, [note] if note and large else [])

    return NumberKnob(name, read, 1, {"type": "integer", "minimum": low, "maximum": high})


def fractions(name: str, *, up_to_1: bool = False) -> NumberKnob:
    """Return a knob of fractions from 0 to below 1, or `up_to_1`; `50 %` is one."""
    bounds = "from 0 to 1" if up_to_1 else "from 0 to below 1"

    def read(node: Node, what: str, complaints: Complaints) -> float | None:
        found = scalar(node, what, complaints)
        if found is None:
            return None
        value = found.value
        if isinstance(value, str) and (parts := amount(found)) is not None:
            value = fraction(parts)
        if isinstance(value, bool) or not isinstance(value, int | float):
            slug, hint = "bad-value", ""
        elif 0 <= value < 1 or (up_to_1 and value == 1):
            return float(value)
        else:
            slug = "out-of-range"
            hint = f"write {value / 100:g} for {value:g} %" if 1 < value < 100 else ""
        complaints.add(
            found.span,
            slug,
            f"{what} is a fraction {bounds}, not {describe(found)}",
            hint,
        )
        return None

    end = "maximum" if up_to_1 else "exclusiveMaximum"
    part = {"type": "number", "minimum": 0, end: 1}
    return NumberKnob(name, read, FLOAT_STEP, {"anyOf": [part, PERCENT]})


def amounts(name: str, high: float) -> NumberKnob:
    """Return a knob of numbers from 0 to `high`."""

    def read(node: Node, what: str, complaints: Complaints) -> float | None:
        found = scalar(node, what, complaints)
        if found is None:
            return None
        value = found.value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and 0 <= float(value) <= high:  # type: ignore[arg-type]
            return float(value)  # type: ignore[arg-type]
        slug = "out-of-range" if number else "bad-value"
        message = f"{what} is a number from 0 to {high:g}, not {describe(found)}"
        complaints.add(found.span, slug, message)
        return None

    return NumberKnob(name, read, FLOAT_STEP, {"type": "number", "minimum": 0, "maximum": high})


def shares(name: str) -> NumberKnob:
    """Return a knob of shares above 0, up to 1; `50 %` is one."""

    def read(node: Node, what: str, complaints: Complaints) -> float | None:
        found = scalar(node, what, complaints)
        if found is None:
            return None
        value = found.value
        if isinstance(value, str) and (parts := amount(found)) is not None:
            value = fraction(parts)
        slug, hint = "bad-value", ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            if 0 < value <= 1:
                return float(value)
            slug, hint = "out-of-range", "1 keeps everything"
        message = f"{what} is a share above 0 and up to 1, not {describe(found)}"
        complaints.add(found.span, slug, message, hint)
        return None

    part = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    return NumberKnob(name, read, FLOAT_STEP, {"anyOf": [part, PERCENT]})


def numbers(node: Node, knob: NumberKnob, complaints: Complaints) -> tuple[Number, ...] | None:
    """Read the values of a numeric knob, ascending."""
    if isinstance(node, Map):
        return _range(node, knob, complaints)
    found = choices(node, knob.name, lambda n: knob.read(n, knob.name, complaints), complaints)
    return None if found is None else tuple(sorted(found))


def blocks(node: Node, name: str, complaints: Complaints) -> tuple[tuple[int, int], ...] | None:
    """Read block sizes such as 4x4, rows x columns; small blocks first."""

    def read(item: Node) -> tuple[int, int] | None:
        found = scalar(item, name, complaints, "4x4, rows x columns")
        if found is None:
            return None
        # the text, not the value: 0x4 is a hexadecimal number to YAML
        match = BLOCK.fullmatch(found.text)
        if match is not None:
            return int(match[1]), int(match[2])
        complaints.add(
            found.span,
            "bad-value",
            f"{name} is ROWSxCOLUMNS, not {describe(found)}",
            "write 1x1, 1x4 or 4x4",
        )
        return None

    if isinstance(node, Map):
        complaints.add(
            node.span, "bad-type", f"{name} has no range", f"write a list: {name}: [1x1, 4x4]"
        )
        return None
    found = choices(node, name, read, complaints)
    return None if found is None else tuple(sorted(found, key=lambda b: (b[0] * b[1], b)))


def words(
    node: Node, name: str, known: tuple[str, ...], complaints: Complaints
) -> tuple[str, ...] | None:
    """Read names, in the order in which they are written."""

    def read(item: Node) -> str | None:
        found = scalar(item, name, complaints)
        if found is None:
            return None
        word = found.text.replace("-", "_")
        if word in known:
            return word
        complaints.add(
            found.span,
            "bad-value",
            f"{name} cannot be {describe(found)}",
            did_you_mean(found.text, known),
            [f"{name} takes: {listed(known)}"],
            known,
        )
        return None

    return choices(node, name, read, complaints)


def choices(
    node: Node, name: str, read: Callable[[Node], T | None], complaints: Complaints
) -> tuple[T, ...] | None:
    """Read a list of different values, or a single one; None where any of them is wrong."""
    nodes = node.items if isinstance(node, Items) else (node,)
    if not nodes:
        complaints.add(
            node.span, "empty-choice", f"{name}: the list is empty", "no value is left to search"
        )
        return None
    found: list[T | None] = []
    for item in nodes:
        value = read(item)
        if value is not None and value in found:
            complaints.add(
                item.span, "duplicate-value", f"{name}: {describe(item)} is listed twice"
            )
            value = None
        found.append(value)
    good = tuple(v for v in found if v is not None)
    return good if len(good) == len(nodes) else None


def _range(node: Map, knob: NumberKnob, complaints: Complaints) -> tuple[Number, ...] | None:
    """List the values of a range; `log: true` doubles from value to value."""
    name = knob.name
    before = len(complaints)
    found = entries(node, RANGE, complaints)
    ends = [knob.read(found[k].value, name, complaints) for k in ("min", "max") if k in found]
    log = "log" in found and _flag(found["log"].value, "log", complaints)
    step: Number | None = knob.step
    if "step" in found:
        step = knob.read(found["step"].value, f"the step of {name}", complaints)
    if len(complaints) > before or step is None or None in ends or len(ends) < 2:
        return None
    low, high = (e for e in ends if e is not None)
    text = {k: e.value.text for k, e in found.items() if isinstance(e.value, Scalar)}
    if high < low:
        message = f"{name}: max {text['max']} is below min {text['min']}"
        complaints.add(
            found["max"].value.span, "empty-range", message, "no value is left to search"
        )
    elif log and "step" in found:
        message = f"{name}: a range has a step or is log, not both"
        complaints.add(found["step"].key.span, "bad-range", message, "log doubles at every value")
    elif log and low == 0:
        message = f"{name}: a log range cannot start at 0"
        complaints.add(found["min"].value.span, "bad-range", message)
    elif step == 0 or (high - low) / step >= MOST_VALUES:
        message = f"{name}: a step of {text.get('step', step)} makes more than {MOST_VALUES} values"
        complaints.add(found["step" if "step" in found else "max"].value.span, "bad-range", message)
    elif log:
        return tuple(low * 2**i for i in range(int(math.log2(high / low) + 1e-9) + 1))
    else:
        steps = int((high - low) / step + 1e-9)
        return tuple(_tidy(low + i * step) for i in range(steps + 1))
    return None


def _flag(node: Node, name: str, complaints: Complaints) -> bool:
    found = scalar(node, name, complaints)
    if found is not None and not isinstance(found.value, bool):
        complaints.add(found.span, "bad-value", f"{name} is true or false, not {describe(found)}")
    return found is not None and found.value is True


def _tidy(value: Number) -> Number:
    """Undo the rounding of sums: 3 * 0.1 is 0.3."""
    return value if isinstance(value, int) else round(value, 10)
