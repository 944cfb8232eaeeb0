"""A study file as a tree whose every key and value knows its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from dse.config.scalars import Value
from dse.config.source import Span, masked

LONGEST_QUOTE = 40  # characters of a value that a message repeats


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value without children; `text` is what was written, without quotes."""

    span: Span
    value: Value
    text: str

    def part(self, offset: int, length: int) -> Span:
        """Return the place of `text[offset : offset + length]`; the whole where escapes hide it."""
        start = self.span.column - 1
        at = self.span.text[start : start + self.span.length].find(self.text)
        return self.span.part(at + offset, length) if at >= 0 else self.span


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    span: Span
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Map:
    """A map; every key appears once."""

    span: Span
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Entry | None:
        """Return the entry of `key`, None where it is absent."""
        return next((e for e in self.entries if e.key.text == key), None)


Node: TypeAlias = Scalar | Items | Map
Step: TypeAlias = str | int
PATH = re.compile(r"[^.\[\]]+|\[\d{1,6}\]")


def steps(path: str) -> tuple[Step, ...]:
    """Split "space.layers[0].match" into its steps; empty where the path is not of that form."""
    found = tuple(int(s[1:-1]) if s.startswith("[") else s for s in PATH.findall(path))
    return found if join(found) == path else ()


def join(found: tuple[Step, ...]) -> str:
    """Write steps as a path."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in found).removeprefix(".")


def place(root: Node, path: str) -> Span:
    """Return the span to complain about for `path`.

    A scalar or `[flow]` value is shown itself; of a block, its key is. Where the file does not say what the
    path names, the nearest key above it stands in.
    """
    node, span = root, root.span
    for step in steps(path):
        if isinstance(node, Map) and isinstance(step, str):
            entry = node.get(step)
            if entry is None:
                break
            node = entry.value
            span = node.span if _is_shown(entry) else entry.key.span
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            span = node.span
        else:
            break
    return span


def _is_shown(entry: Entry) -> bool:
    same_line = entry.value.span.line == entry.key.span.line
    return same_line and not (isinstance(entry.value, Scalar) and entry.value.text == "")


def marks(node: Node, path: tuple[Step, ...] = ()) -> dict[str, tuple[int, int]]:
    """Return path -> (line, column) of every value; line 0 where an override put it."""
    found: dict[str, tuple[int, int]] = {}
    if path:
        span = node.span
        found[join(path)] = (span.line if span.source.is_file else 0, span.column)
    children: list[tuple[Step, Node]] = []
    if isinstance(node, Map):
        children = [(e.key.text, e.value) for e in node.entries]
    elif isinstance(node, Items):
        children = list(enumerate(node.items))
    for step, child in children:
        found |= marks(child, (*path, step))
    return found


def describe(node: Node) -> str:
    """Say what a value is, for messages."""
    if isinstance(node, Map):
        return "a map"
    if isinstance(node, Items):
        return "a list"
    if node.value is None:
        return "nothing"
    return quoted(node.text) if isinstance(node.value, str) else _clipped(node.text)


def quoted(text: str) -> str:
    """Return the text in quotes, as messages repeat it: masked, cut, on one line."""
    return repr(_clipped(text))


def _clipped(text: str) -> str:
    # masked before it is cut: half a URL no longer looks like one
    text = masked(text)
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "..."
