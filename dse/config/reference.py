"""The keys of a study file as a table for people, made from the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

HEAD = "| key | values | default | meaning |\n| --- | --- | --- | --- |\n"
# keys whose maps repeat what is listed elsewhere
REPEATED = ("space.defaults", "space.layers")


def rows(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the dotted path and the schema of every key; "[]" stands for an item of a list."""
    for name, value in schema.get("properties", {}).items():
        where = f"{path}.{name}".removeprefix(".")
        yield where, value
        yield from _below(value, where)


def _below(value: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "items" in value:
        yield from _below(value["items"], f"{where}[]")
    if "properties" in value:
        yield from rows(value, where)
    for option in value.get("anyOf", ()):
        if not {"min", "max"} <= set(option.get("properties", ())):  # a range is not a key
            yield from _below(option, where)


def markdown(schema: Mapping[str, Any]) -> str:
    """Return the table of all keys; of knobs, which stand on three levels, only the first."""
    lines = []
    for where, value in rows(schema):
        base, _, last = where.replace("[]", "").rpartition(".")
        if base in REPEATED and last != "match":
            continue
        default = value.get("default")
        shown = "" if default in (None, "") else f"`{_text(default)}`"
        if where in schema["anyOf"][0]["required"]:
            shown = "required"
        cells = (f"`{where}`", _values(value), shown, value.get("description", ""))
        lines.append(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |")
    return HEAD + "\n".join(lines) + "\n"


def _values(value: Mapping[str, Any]) -> str:
    """Return what a key takes, in a few words."""
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{v}`" for v in value["enum"])
    if "anyOf" in value and "properties" not in value:
        found = [_values(o) for o in value["anyOf"] if o.get("type") != "null"]
        return " or ".join(dict.fromkeys(f for f in found if f))
    if value.get("type") == "array":
        inner = _values(value.get("items", {}))
        return f"list of {inner}" if " " not in inner else "list"
    if "properties" in value or value.get("type") == "object":
        inside = value.get("properties", {})
        return "`{min, max, step, log}`" if {"min", "max"} <= set(inside) else "map"
    if value.get("type") in ("integer", "number"):
        return _number(value)
    return _unit(value["pattern"]) if "pattern" in value else ("text" if "type" in value else "any")


def _number(value: Mapping[str, Any]) -> str:
    kind = "whole number" if value["type"] == "integer" else "number"
    low = value.get("minimum", value.get("exclusiveMinimum"))
    high = value.get("maximum", value.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{kind} from {low} to {'below ' if 'exclusiveMaximum' in value else ''}{high}"
    return kind if low is None else f"{kind} from {low} on"


def _unit(pattern: str) -> str:
    for unit, words in (
        ("[Mm]", "frequency or period"),
        ("GiB", "size"),
        ("min", "time"),
        ("%", "percentage"),
        ("kKM", "count"),
    ):
        if unit in pattern:
            return words
    return "text"


def _text(value: Any) -> str:
    return f"[{', '.join(map(_text, value))}]" if isinstance(value, list) else str(value)
