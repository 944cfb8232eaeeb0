"""Study files of several files: `extends: base.yaml`, `board: mine.yaml`, and the merged tree as one file again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dse.config.complaints import Complaints
from dse.config.paths import existing
from dse.config.read import scalar
from dse.config.scalars import resolve
from dse.config.tree import Entry, Items, Map, Node, Scalar

EXTENDS, BOARD = "extends", "board"
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .%/<>=*+-]*")  # text that needs no quotes in a block

Read = Callable[[Path, Complaints], Node | None]


def extended(root: Node, path: Path, folder: Path, read: Read, complaints: Complaints) -> Node:
    """Return a study file merged with what it extends, and with what that extends.

    Maps are merged key by key, in the order of the file that is extended; everything else is replaced. Relative
    paths, those of the extended file too, start at the study file that is run.

    Args:
        root: of the study file.
        path: of the study file.
        folder: where its relative paths start.
        read: parses a file.
        complaints: receives what is wrong: a file that is not there, or extends itself.
    """
    chain = [path.resolve()]
    layers = [root]
    while isinstance(root, Map) and (entry := root.get(EXTENDS)) is not None:
        named = scalar(entry.value, EXTENDS, complaints, "extends: base.yaml")
        below = None if named is None else existing(named, EXTENDS, folder, True, complaints)
        if below is None or named is None:
            break
        if below in chain:
            steps = " -> ".join(p.name for p in (*chain, below))
            message = "a study file cannot extend itself"
            complaints.add(named.span, "cycle", message, notes=[steps])
            break
        chain.append(below)
        folder = below.parent
        base = read(below, complaints)
        if base is None:
            break
        layers.append(base)
        root = base
    merged = layers.pop()
    while layers:
        merged = _merged(merged, layers.pop())
    if not isinstance(merged, Map):
        return merged
    return replace(merged, entries=tuple(e for e in merged.entries if e.key.text != EXTENDS))


def with_board(root: Node | None, folder: Path, read: Read, complaints: Complaints) -> Node | None:
    """Return a study file in which `board: mine.yaml` is the map that stands in that file.

    Args:
        root: of the study file.
        folder: where its relative paths start.
        read: parses a file.
        complaints: receives what is wrong: a file that is not there.
    """
    entry = root.get(BOARD) if isinstance(root, Map) else None
    if (
        not isinstance(root, Map)
        or entry is None
        or not isinstance(entry.value, Scalar)
        or not is_file(entry.value.text)
    ):
        return root
    path = existing(entry.value, BOARD, folder, True, complaints)
    value = None if path is None else read(path, complaints)
    if value is None:
        return root
    found = (Entry(e.key, value) if e is entry else e for e in root.entries)
    return replace(root, entries=tuple(found))


def is_file(board: str) -> bool:
    """Whether a value of `board` names a file."""
    return board.endswith((".yaml", ".yml"))


def _merged(base: Node, top: Node) -> Node:
    if not (isinstance(base, Map) and isinstance(top, Map)):
        return top
    own = {e.key.text: e for e in top.entries}
    found = []
    for entry in base.entries:
        over = own.pop(entry.key.text, None)
        found.append(entry if over is None else Entry(over.key, _merged(entry.value, over.value)))
    return replace(top, entries=(*found, *own.values()))


def written(node: Node, indent: int = 0) -> str:
    """Return a tree as YAML text that parses to the same values; what is empty is left empty."""
    margin = " " * indent
    if isinstance(node, Scalar):
        return _scalar(node)
    if isinstance(node, Items):
        if all(isinstance(i, Scalar) for i in node.items):
            return f"[{', '.join(_scalar(i, flow=True) for i in node.items)}]"  # type: ignore[arg-type]
        lines = [f"\n{margin}- {written(i, indent + 2).lstrip()}" for i in node.items]
        return "".join(lines)
    if not node.entries:
        return "{}"
    pairs = []
    for entry in node.entries:
        below = written(entry.value, indent + 2)
        gap = "" if not below or below.startswith("\n") else " "
        pairs.append(f"\n{margin}{_scalar(entry.key, flow=True)}:{gap}{below}")
    return "".join(pairs)


def _scalar(node: Scalar, *, flow: bool = False) -> str:
    """Return a scalar as it was written where that is safe, else in quotes."""
    text = node.text
    safe = PLAIN.fullmatch(text) is not None and not text.endswith(" ")
    if not isinstance(node.value, str):
        return text or ("null" if flow else "")
    if safe and resolve(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)
