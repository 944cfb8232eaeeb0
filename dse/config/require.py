"""`space.require`: what every design must hold before a trial is spent, as `pe * simd <= 1024`."""

from __future__ import annotations

import re

from dse.config.complaints import Complaints, did_you_mean, listed
from dse.config.goals import OPERATORS
from dse.config.read import items
from dse.config.tree import Node, Scalar, describe, quoted
from dse.config.values import Factor, Requirement
from dse.ir.hardware import RESOURCES
from dse.ir.metrics import ALIASES

# of one layer: its folding, its compression, its cycles per frame, its expected resources
TERMS = ("pe", "simd", "weight_bits", "activation_bits", "sparsity", "cycles", *RESOURCES)
NAMES = (*TERMS, *ALIASES)
OVER_LAYERS = ("max", "min", "sum")
LONGEST = 8  # factors
RULE = re.compile(r"\s*(.*?)\s*(<=|>=|==|=|<|>|≤|≥)\s*(.*?)\s*", re.DOTALL)
TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*|\.\d+)|(?P<name>[A-Za-z_]\w*)(?:\s*\(\s*(?P<over>\w+)\s*\))?)\s*"
)
LIMIT = re.compile(r"(\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?")
EXAMPLE = "write for example pe * simd <= 1024, or cycles(max) / cycles(min) <= 8"


class _Wrong(Exception):
    """What is wrong with a piece of a requirement; `at` and `length` are its place in the text."""

    def __init__(self, at: int, length: int, slug: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.at, self.length, self.slug, self.message, self.hint = at, length, slug, message, hint


def requirements_of(node: Node, complaints: Complaints) -> tuple[Requirement, ...]:
    """Read the requirements of a space."""
    found = []
    for item in items(node, "require", complaints):
        if not isinstance(item, Scalar) or not isinstance(item.value, str):
            message = f"a requirement is a line such as 'pe * simd <= 1024', not {describe(item)}"
            complaints.add(item.span, "bad-type", message, EXAMPLE)
            continue
        try:
            found.append(_requirement(item))
        except _Wrong as wrong:
            place = item.part(wrong.at, wrong.length)
            notes = (
                [f"a requirement knows: {listed(NAMES)}"] if wrong.slug == "unknown-term" else []
            )
            complaints.add(place, wrong.slug, wrong.message, wrong.hint, notes)
    return tuple(found)


def _requirement(node: Scalar) -> Requirement:
    text = node.text
    match = RULE.fullmatch(text)
    if match is None:
        raise _Wrong(0, len(text), "bad-requirement", f"{quoted(text)} is no requirement", EXAMPLE)
    if (op := OPERATORS.get(match[2])) is None:
        message = f"a requirement uses <= or >=, not {match[2]}"
        raise _Wrong(match.start(2), len(match[2]), "bad-requirement", message)
    if LIMIT.fullmatch(match[3]) is None:
        message = f"the right side of a requirement is a number, not {quoted(match[3])}"
        raise _Wrong(match.start(3), len(match[3]), "bad-requirement", message, EXAMPLE)
    factors = _factors(text, match.start(1), match.end(1))
    return Requirement(factors, op, float(match[3]), " ".join(text.split()), node.span.line)


def _factors(text: str, start: int, end: int) -> tuple[Factor, ...]:
    found: list[Factor] = []
    at, power = start, 1
    while True:
        token = TOKEN.match(text, at, end)
        if token is None or token.end() == token.start():
            wrong = text[at:end].strip() or text[start:end]
            message = f"{quoted(wrong)} is no number and no name"
            raise _Wrong(at, max(1, end - at), "bad-requirement", message, EXAMPLE)
        found.append(_factor(token, power))
        at = token.end()
        if at >= end:
            break
        if text[at] not in "*/":
            message = f"a requirement multiplies and divides; it does not know {text[at]!r}"
            raise _Wrong(at, 1, "bad-requirement", message, EXAMPLE)
        power = 1 if text[at] == "*" else -1
        at += 1
    if len(found) > LONGEST or all(f.name is None for f in found):
        message = f"a requirement has 1 to {LONGEST} factors, one of them not a number"
        raise _Wrong(start, max(1, end - start), "bad-requirement", message, EXAMPLE)
    return tuple(found)


def _factor(token: re.Match[str], power: int) -> Factor:
    if token["number"] is not None:
        return Factor(None, "", float(token["number"]), power)
    name, over = ALIASES.get(token["name"], token["name"]), token["over"] or ""
    if name not in TERMS:
        message = f"unknown term {quoted(token['name'])}"
        hint = did_you_mean(token["name"], NAMES)
        raise _Wrong(token.start("name"), len(token["name"]), "unknown-term", message, hint)
    if over and over not in OVER_LAYERS:
        message = f"{name} is taken over all layers by {listed(OVER_LAYERS)}, not {quoted(over)}"
        hint = did_you_mean(over, OVER_LAYERS)
        raise _Wrong(token.start("over"), len(over), "bad-requirement", message, hint)
    return Factor(name, over, 1.0, power)
