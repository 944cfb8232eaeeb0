"""What study.json must hold to be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _input(value: Any) -> bool:
    shape = value["shape"]
    sizes = [*shape, value["classes"], value["type"]["bits"]]
    return (
        isinstance(shape, list)
        and all(isinstance(v, int) and v > 0 for v in sizes)
        and isinstance(value["type"]["signed"], bool)
    )


def _time(value: Any) -> bool:
    return datetime.fromisoformat(value).tzinfo is not None


def _fraction(value: Any) -> bool:
    return value is None or (isinstance(value, float | int) and 0 <= value <= 1)


def _versions(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


NEEDED: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("folder", "data", "network", "written_by"), lambda v: isinstance(v, str)),
    "overrides": _texts,
    "input": _input,
    "created": _time,
    "versions": _versions,
    "base_accuracy": _fraction,
}


def damage(header: Mapping[str, Any]) -> str:
    """Return what is wrong with a header, in words; empty where it can be used."""
    for key, holds in NEEDED.items():
        try:
            good = holds(header[key])
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            return f"`{key}` is {'not what dse writes' if key in header else 'not there'}"
    return ""
