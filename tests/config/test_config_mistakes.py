"""A table of wrong study files and the messages they give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TABLE = Path(__file__).parent / "mistakes.txt"


def mistakes() -> list[tuple[str, str, list[str]]]:
    """Read `mistakes.txt`: (old, new, heads of the messages)."""
    cases: list[tuple[str, str, list[str]]] = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("  ") and re.match(r"  \d+:\d+: error", line):
            cases[-1][2].append("study.yaml:" + line.strip())
        elif line and not line.startswith("#"):
            old, new = line.replace("\\n", "\n").split(" => ")
            cases.append((old, new, []))
    return cases


def heads(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match(r"\S+:\d+:\d+: error\[", line)]


@pytest.mark.parametrize(("old", "new", "expected"), mistakes())
def test_mistake_in_the_quick_start(old, new, expected, quick_start, errors) -> None:
    assert old in quick_start
    assert heads(errors(quick_start.replace(old, new, 1))) == expected


WHOLE_FILES = {
    "empty": ("", "1:1: error[empty-file]: the study file is empty"),
    "only a comment": ("# nothing\n", "1:1: error[empty-file]: the study file is empty"),
    "null": ("~\n", "1:1: error[bad-type]: the study file is a map of keys, not nothing"),
    "text": ("hello\n", "1:1: error[bad-type]: the study file is a map of keys, not 'hello'"),
    "number": ("42\n", "1:1: error[bad-type]: the study file is a map of keys, not 42"),
    "list": ("- a\n- b\n", "1:1: error[bad-type]: the study file is a map of keys, not a list"),
    "newer": (
        "version: 2\nstage: {}\n",
        "1:10: error[newer-version]: this file needs a newer dse: it has version 2, this is dse 0.1.0",
    ),
    "alias": (
        "a: &x 1\nb: *x\n",
        "1:4: error[yaml]: YAML anchors are not read",
        "2:4: error[yaml]: YAML aliases are not read",
    ),
    "merge key": ("a: {<<: {b: 1}}\n", "1:5: error[yaml]: merge keys (<<) are not read"),
    "complex key": ("? [a, b]\n: 1\n", "1:3: error[yaml]: a key must be plain text"),
    "two documents": ("a: 1\n---\nb: 1\n", "2:1: error[yaml]: a second YAML document starts here"),
    "deep": ("[" * 100_000, "1:22: error[yaml]: nested more than 20 levels deep"),
    "deep and closed": (
        "[" * 50 + "]" * 50,
        "1:22: error[yaml]: nested more than 20 levels deep",
    ),
    "null character": (
        "a: x\0y\n",
        "1:5: error[yaml]: the character U+0000 may not stand in a study file",
    ),
    "latin-1": (
        b"version: 1\nstudy: caf\xe9\n",
        "2:11: error[encoding]: a study file is UTF-8 text, and byte 0xE9 here is not",
    ),
    "utf-16": (
        "version: 1".encode("utf-16"),
        "1:1: error[encoding]: a study file is UTF-8 text, and byte 0xFF here is not",
    ),
    "binary": (
        bytes(range(256)),
        "3:115: error[encoding]: a study file is UTF-8 text, and byte 0x80 here is not",
    ),
    "cut off": (
        "a: [" + "x, " * 2000,
        "1:6005: error[yaml]: the file ends inside a value: a bracket is not closed",
    ),
    "tab between": ("a:\tb\n", "1:3: error[yaml]: a tab character is used for a gap"),
    "two words": (
        "a: 'x' y\n",
        "1:8: error[yaml]: this line does not continue what stands above it",
    ),
}


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_wrong_file(name, errors) -> None:
    text, *expected = WHOLE_FILES[name]
    assert heads(errors(text)) == ["study.yaml:" + e for e in expected]


def test_missing_keys_are_all_named(errors) -> None:
    found = heads(errors("description: nothing else\n"))
    for key in ("version", "study", "model", "board", "clock", "space", "objectives"):
        assert f"study.yaml:1:1: error[missing-key]: the study file needs {key!r}" in found


def test_problems_are_in_reading_order(quick_start, errors) -> None:
    text = quick_start.replace("trials: 200", "trials: 0").replace("Pynq-Z1", "x")
    found = heads(errors(text.replace("version: 1", "version: 0")))
    assert [int(h.split(":")[1]) for h in found] == [2, 7, 29]


def test_a_long_line_is_cut_around_the_mistake(errors) -> None:
    text = errors("a: [" + "x, " * 2000)
    assert max(len(line) for line in text.splitlines()) < 200
    line, carets = text.splitlines()[1:3]
    assert line.endswith("x, ")
    assert carets.endswith("^")


def test_nothing_is_searched(quick_start, errors) -> None:
    space = quick_start[quick_start.index("space:") : quick_start.index("objectives:")]
    for text in ("space: {}\n", "space: {weight_bits: 4, block: 4x4}\n"):
        assert heads(errors(quick_start.replace(space, text))) == [
            "study.yaml:10:1: error[nothing-to-search]: every knob of the space has one value"
        ]


def test_divisors_cannot_widen_a_list(quick_start, errors) -> None:
    fold = "pe: [1, 2]\n  layers: [{match: fc*, pe: divisors}]\n  fold: free"
    (head,) = heads(errors(quick_start.replace("fold: balanced", fold)))
    message = "pe: divisors is not supported below a level that lists pe"
    assert head == f"study.yaml:16:29: error[not-supported]: {message}"
