"""Places in a study file, and how a source line may be shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from urllib.parse import quote

WIDEST = 160  # characters of a source line that are shown
LINE_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML takes for one
# a password in a URL: before the @ of user:password@host, or as a query argument (password, passwd, sslpassword, ...)
SECRET = re.compile(
    r"(?<=://)([^\s:/@]*:)(\S+)(?=@)|([?&]\w*pass(?:word|wd)?=)([^&\s\"']+)", re.IGNORECASE
)
PASSWORD = "DSE_STORAGE_PASSWORD"  # the environment variable
SHORTEST = 4  # characters of a password that is looked for in texts: a shorter one is in any


@dataclass(frozen=True, slots=True)
class Source:
    """A text that is read: the study file, or one `--set` override."""

    label: str  # "study.yaml", "--set budget.trials=..."
    lines: tuple[str, ...]
    is_file: bool = True

    @staticmethod
    def of(label: str, text: str, is_file: bool = True) -> Source:
        """Split a text into lines."""
        return Source(label, tuple(LINE_BREAKS.split(text)), is_file)


@dataclass(frozen=True, slots=True)
class Span:
    """`length` characters of one source line; line and column count from 1."""

    source: Source
    line: int
    column: int
    length: int

    def part(self, offset: int, length: int) -> Span:
        """Return a piece of the span, `offset` characters from its start."""
        return replace(self, column=self.column + offset, length=max(length, 1))

    @property
    def text(self) -> str:
        """The whole source line."""
        lines = self.source.lines
        return lines[self.line - 1] if self.line <= len(lines) else ""

    @property
    def shown_text(self) -> str:
        """The characters of the span."""
        return self.text[self.column - 1 : self.column - 1 + self.length]

    def shown(self) -> tuple[str, str]:
        """Return the line and the caret line below it, as they may be printed.

        Secrets are masked, characters that a terminal would obey are replaced, a long line is cut.
        """
        start = max(0, self.column - 1 - WIDEST // 2) if self.column > WIDEST else 0
        line = printable(masked(self.text)[start : start + WIDEST])
        before = line[: self.column - 1 - start]
        room = max(1, len(line) - len(before))
        indent = "".join("\t" if c == "\t" else " " for c in before)
        return line, indent + "^" * min(max(self.length, 1), room)


def printable(text: str) -> str:
    """Return one line without characters that a terminal would obey; tabs stay."""
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def masked(text: str) -> str:
    """Return the text with the passwords in URLs, and that of the environment, replaced by as many stars."""
    known = os.environ.get(PASSWORD, "")
    if len(known) >= SHORTEST:
        for written in (known, quote(known, safe="")):  # as it is, and as it stands in a URL
            text = text.replace(written, "*" * len(written))
    return SECRET.sub(
        lambda m: (m[1] or m[3] or "") + "*" * len(m[2] or m[4] or ""),
        text,
    )
