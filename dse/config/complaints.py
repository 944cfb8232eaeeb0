"""One problem of a study file, and the collector that lets all of them be reported at once."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dse.config.source import Span, masked

NOTE_WIDTH = 95  # characters of a note line
SHORT_LIST = 10  # longer lists are cut where a near name was found


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place: what must hold, what we got, what to do next.

    Attributes:
        slug: a stable name of the kind of problem, for scripts.
        hint: the nearest fix, printed behind the caret.
        notes: further lines, printed behind `=`.
        allowed: the values the place takes, where they can be listed.
    """

    span: Span
    slug: str
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    def render(self) -> str:
        """Return the message, the source line, a caret with the fix, and the notes."""
        span = self.span
        line, carets = span.shown()
        width = max(4, len(str(span.line)))
        margin = " " * width
        text = [
            f"{span.source.label}:{span.line}:{span.column}: error[{self.slug}]: {self.message}",
            f"{span.line:>{width}} | {line}",
            f"{margin} | {carets} {self.hint}".rstrip(),
        ]
        for note in self.notes:
            lines = textwrap.wrap(note, NOTE_WIDTH, break_long_words=False, break_on_hyphens=False)
            text += [f"{margin} {' ' if i else '='} {part}" for i, part in enumerate(lines)]
        return masked("\n".join(text))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        span = self.span
        return {
            "file": span.source.label,
            "line": span.line,
            "column": span.column,
            "slug": self.slug,
            "message": masked(self.message),
            "source": masked(span.text),
            "length": span.length,
            "hint": masked(self.hint),
            "notes": [masked(note) for note in self.notes],
            "allowed": list(self.allowed),
        }


class Complaints:
    """Collects the problems found while a study file is read."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def __len__(self) -> int:
        return len(self._problems)

    def add(
        self,
        span: Span,
        slug: str,
        message: str,
        hint: str = "",
        notes: Iterable[str] = (),
        allowed: Iterable[str] = (),
    ) -> None:
        """Note a problem; the arguments are those of `Problem`."""
        self._problems.append(Problem(span, slug, message, hint, tuple(notes), tuple(allowed)))

    def sorted(self) -> tuple[Problem, ...]:
        """Return the problems in reading order: the file first, then the overrides."""
        return tuple(
            sorted(
                self._problems,
                key=lambda p: (not p.span.source.is_file, p.span.line, p.span.column),
            )
        )


def near(name: str, known: Sequence[str], count: int = 3) -> list[str]:
    """Return up to `count` known names that resemble `name`, the nearest first."""
    lower = {k.lower(): k for k in known}
    return [lower[m] for m in difflib.get_close_matches(name.lower(), lower, count, 0.6)]


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return "did you mean a or b or c?" for the known names near `name`, or an empty string."""
    close = near(name, known)
    return f"did you mean {' or '.join(close)}?" if close else ""


def listed(names: Sequence[str], short: bool = False) -> str:
    """Return "a, b, c"; a long list is cut after eight names where it is to be `short`."""
    if short and len(names) > SHORT_LIST:
        return ", ".join([*names[:8], "..."])
    return ", ".join(names)
