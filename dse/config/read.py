"""Reading maps and values of a study file; every reader complains and returns None, or answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dse.config.complaints import Complaints, did_you_mean, listed, near
from dse.config.quantities import Convert, amount
from dse.config.tree import Entry, Items, Map, Node, Scalar, describe, quoted

STUDY_FILE = "the study file"
ANY = 2**31 - 1  # the end of a range that has no end of its own


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys a map takes.

    Attributes:
        where: how messages name the map: "the study file", "budget".
        takes: all keys, in the order in which messages list them.
        needed: key -> an example, of those that must be there.
        later: key -> why it is refused, of those that the format knows and this version does not.
    """

    where: str
    takes: tuple[str, ...]
    needed: Mapping[str, str]
    later: Mapping[str, str]


def keys(
    where: str,
    takes: Iterable[str],
    needed: Mapping[str, str] | None = None,
    later: Mapping[str, str] | None = None,
) -> Keys:
    """Make `Keys`."""
    return Keys(where, tuple(takes), needed or {}, later or {})


def entries(node: Node, expected: Keys, complaints: Complaints) -> dict[str, Entry]:
    """Return the known keys of a map that have a value; complain about all others."""
    where, takes = expected.where, expected.takes
    notes = [f"{where} takes: {listed(takes)}"]
    if not isinstance(node, Map):
        complaints.add(
            node.span, "bad-type", f"{where} is a map of keys, not {describe(node)}", notes=notes
        )
        return {}
    found: dict[str, Entry] = {}
    meant: set[str] = set()
    for entry in node.entries:
        key = entry.key.text
        if key in takes:
            meant.add(key)
            if isinstance(entry.value, Scalar) and entry.value.value is None:
                complaints.add(entry.key.span, "missing-value", f"{key} in {where} has no value")
            else:
                found[key] = entry
        elif key in expected.later:
            not_supported(entry.key, f"{key!r} in {where}", expected.later[key], complaints)
        else:
            close = near(key, takes, 1)
            meant.update(close)
            short = [f"{where} takes: {listed(takes, short=bool(close))}"]
            complaints.add(
                entry.key.span,
                "unknown-key",
                f"unknown key {quoted(key)} in {where}",
                f"did you mean {close[0]!r}?" if close else "",
                # the study file has too many keys to repeat them for a typing slip
                () if close and where == STUDY_FILE else short,
                takes,
            )
    for name, example in expected.needed.items():
        if name not in meant:
            complaints.add(
                node.span.part(0, 1), "missing-key", f"{where} needs {name!r}", f"write {example}"
            )
    return found


def not_supported(node: Node, what: str, reason: str, complaints: Complaints) -> None:
    """Complain about what the format knows and this version does not."""
    complaints.add(node.span, "not-supported", f"{what} is not supported yet", reason)


def scalar(node: Node, name: str, complaints: Complaints, example: str = "") -> Scalar | None:
    """Return the node if it is one value."""
    if isinstance(node, Scalar) and node.value is not None:
        return node
    hint = f"write {example}" if example else ""
    complaints.add(node.span, "bad-type", f"{name} is one value, not {describe(node)}", hint)
    return None


def items(node: Node, name: str, complaints: Complaints) -> tuple[Node, ...]:
    """Return the items of a list."""
    if isinstance(node, Items):
        return node.items
    complaints.add(
        node.span,
        "bad-type",
        f"{name} is a list, not {describe(node)}",
        "put '- ' before every item, or write [a, b]",
    )
    return ()


def whole(
    node: Node,
    name: str,
    low: int,
    high: int,
    complaints: Complaints,
    notes: Sequence[str] = (),
) -> int | None:
    """Return a whole number from `low` to `high`; `1e3` is one."""
    found = scalar(node, name, complaints)
    if found is None:
        return None
    value = found.value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, int | float) and number and low <= value <= high and value == int(value):
        return int(value)
    span = f"from {low} on" if high == ANY else f"from {low} to {high}"
    complaints.add(
        found.span,
        "out-of-range" if number else "bad-value",
        f"{name} takes whole numbers {span}, not {describe(found)}",
        notes=notes,
    )
    return None


def one_of(
    node: Node,
    name: str,
    known: Sequence[str],
    complaints: Complaints,
    slug: str = "bad-value",
    notes: Sequence[str] = (),
) -> str | None:
    """Return one of the known words."""
    found = scalar(node, name, complaints)
    if found is None or found.text in known:
        return found.text if found is not None else None
    complaints.add(
        found.span,
        slug,
        f"{name} cannot be {describe(found)}",
        did_you_mean(found.text, known),
        notes or [f"{name} takes: {listed(known)}"],
        known,
    )
    return None


def plugin(
    node: Scalar, what: str, plural: str, modules: Sequence[str], complaints: Complaints
) -> str | None:
    """Return the module that a built-in name means: `digits-cnn` is the file digits_cnn."""
    module = node.text.replace("-", "_")
    if module in modules:
        return module
    known = [m.replace("_", "-") for m in modules]
    complaints.add(
        node.span,
        f"unknown-{what}",
        f"unknown {what} {describe(node)}",
        did_you_mean(node.text, known),
        [f"built-in {plural}: {listed(known)}"],
        known,
    )
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of quantity: how it is converted and bounded, and how messages speak of it."""

    noun: str  # "a time"
    unit: str  # "a unit of time"
    convert: Convert
    low: float
    high: float
    bounds: str  # "from 10 MHz to 1 GHz"
    examples: str  # "'15 min', '2 h' or '3 d'"


def quantity(node: Node, name: str, kind: Kind, complaints: Complaints) -> float | None:
    """Return a number with a unit, converted, from `kind.low` to `kind.high`."""
    found = scalar(node, name, complaints, kind.examples)
    if found is None:
        return None
    hint = f"write {kind.examples}"
    parts = amount(found)
    if parts is None:
        message = f"{name} is {kind.noun}, not {describe(found)}"
        complaints.add(found.span, "bad-value", message, hint)
        return None
    value = kind.convert(parts)
    if value is None and not parts.unit:
        complaints.add(found.span, "needs-unit", f"{name} {quoted(found.text)} has no unit", hint)
    elif value is None:
        message = f"{quoted(parts.unit)} is not {kind.unit}"
        complaints.add(parts.unit_span, "bad-unit", message, hint)
    elif not kind.low <= value <= kind.high:
        message = f"{name} must be {kind.bounds}, not {describe(found)}"
        complaints.add(found.span, "out-of-range", message)
        return None
    return value
