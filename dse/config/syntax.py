"""What YAML's own errors mean to somebody who wrote a study file."""

from __future__ import annotations

from typing import Protocol

import yaml

from dse.config.complaints import Complaints
from dse.config.source import Source, Span

OPENING = {"a flow sequence": "[", "a flow mapping": "{", "a quoted scalar": "quote"}
RESERVED = "@`%"  # YAML gives these no meaning at the start of a value


class Mark(Protocol):
    """A place in a YAML text; PyYAML has one such class in Python and one in C."""

    line: int
    column: int


def explain(
    error: yaml.MarkedYAMLError, source: Source, offset: int, complaints: Complaints
) -> None:
    """Complain about a YAML error in plain words.

    Args:
        error: what PyYAML raised.
        source: the text that was parsed.
        offset: columns before the parsed text on its first line.
        complaints: receives the problem.
    """
    problem, context = str(error.problem), str(error.context)
    mark = error.problem_mark or error.context_mark
    assert mark is not None  # every error of scanner and parser has one

    def add(at: Mark, message: str, *notes: str, hint: str = "") -> None:
        complaints.add(spot(source, at, offset), "yaml", message, hint, notes)

    opening = OPENING.get(context.removeprefix("while parsing ").removeprefix("while scanning "))
    if "found character '\\t'" in problem:
        before = source.lines[mark.line][: mark.column] if mark.line < len(source.lines) else ""
        use = "indentation" if not before.strip() else "a gap"
        add(
            mark,
            f"a tab character is used for {use}",
            "YAML needs spaces here; use two per level",
        )
    elif "that cannot start any token" in problem:
        character = next((c for c in RESERVED if f"'{c}'" in problem), "this character")
        add(mark, f"a value that starts with {character} must be quoted")
    elif error.context == "while scanning an alias" and error.context_mark is not None:
        unquoted_star(complaints, spot(source, error.context_mark, offset), source)
    elif opening is not None and error.context_mark is not None:
        what = "the quote" if opening == "quote" else f"the {opening!r}"
        add(error.context_mark, f"{what} opened here is not closed")
    elif "<stream end>" in problem:
        add(mark, "the file ends inside a value: a bracket is not closed")
    elif error.context == "while scanning a block scalar" and error.context_mark is not None:
        add(error.context_mark, "a value that starts with > or | must be quoted")
    elif "mapping values are not allowed" in problem:
        add(
            mark,
            "a ':' is not expected here",
            "a key stands at the indentation of its neighbours, with a space behind its ':'",
            "a value that holds ': ' must be quoted",
        )
    elif "could not find expected ':'" in problem and error.context_mark is not None:
        add(error.context_mark, "this line is neither 'key: value' nor '- item'")
    elif "sequence entries are not allowed" in problem:
        add(mark, "a list cannot start here", "start it on the next line, or write [a, b]")
    elif problem.startswith(("expected <block end>", "expected '<document start>'")):
        add(
            mark,
            "this line does not continue what stands above it",
            "items and keys of one level start in the same column",
        )
    else:
        add(mark, problem)


def unquoted_star(complaints: Complaints, span: Span, source: Source) -> None:
    """Complain about `match: *dw`, which YAML takes for an alias."""
    line = source.lines[span.line - 1]
    word = line[span.column - 1 :].split()[0].rstrip(",}]")
    key = line[: span.column - 1].rstrip().rpartition(" ")[2].lstrip("[{")
    fix = f"{key} {word!r}" if key.endswith(":") else repr(word)
    complaints.add(
        span.part(0, 1),
        "yaml",
        "a value that starts with * must be quoted",
        notes=(f"write  {fix}  (an unquoted * starts a YAML alias)",),
    )


def spot(source: Source, mark: Mark, offset: int) -> Span:
    """Return the single character at a YAML mark."""
    # a file that ends too early is shown at its last line that says something
    line, column = mark.line, mark.column
    if line >= len(source.lines) or (not source.lines[line].strip() and column == 0):
        line = min(line, len(source.lines) - 1)
        while line > 0 and not source.lines[line].strip():
            line -= 1
        column = len(source.lines[line])
    return Span(source, line + 1, column + 1 + (offset if line == 0 else 0), 1)
