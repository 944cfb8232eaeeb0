"""Read whatever reports lie in files and folders; report by name what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from cost_models.reports._errors import ReportError
from cost_models.reports._file import HEAD_BYTES
from cost_models.reports._unsupported import reason
from dse.ir import plugins
from dse.ir.measurement import Measurement

PACKAGE = "cost_models.reports"


class Parser(Protocol):
    """The promise of every file of this folder; `tests/contracts/test_report_parsers.py` holds it to it."""

    def recognises(self, path: Path, head: str) -> bool:
        """Whether the file is of this format, by its first 64 KiB; cheap, and at most one parser agrees."""

    def parse(self, path: Path) -> tuple[Measurement, ...]:
        """Return what the file states.

        Raises:
            ReportError: it is damaged; nothing is guessed and nothing missing becomes 0.
        """


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that gave no measurement: its name (below the folder that was asked for), and why."""

    name: str
    reason: str


def read_reports(
    paths: Iterable[Path],
) -> tuple[tuple[Measurement, ...], tuple[Skipped, ...]]:
    """Read files and, recursively, folders, in the order of their names.

    Files of equal content are all read; `Measurement.sha256` tells them.
    """
    measured: list[Measurement] = []
    skipped: list[Skipped] = []
    for path, name in _files(paths):
        try:
            measured += read_report(path)
        except ReportError as error:
            skipped.append(Skipped(name, error.reason))
    return tuple(measured), tuple(skipped)


def read_report(path: Path) -> tuple[Measurement, ...]:
    """Read one file.

    Raises:
        ReportError: it is damaged, cannot be read, or no parser knows it.
    """
    head = _head(path)
    parser = parser_of(path, head)
    if parser is None:
        error = ReportError(path.name, "a report", "another file")
        error.reason = reason(head)
        raise error
    return parser.parse(path)


def parser_of(path: Path, head: str) -> Parser | None:
    """Return the parser that recognises a file."""
    return next((p for p in parsers() if p.recognises(path, head)), None)


@cache
def parsers() -> tuple[Parser, ...]:
    """Return all parsers, by name of their files."""
    return tuple(cast(Parser, plugins.load(PACKAGE, n)) for n in plugins.names(PACKAGE))


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        if path.is_dir():
            inner = sorted(p for p in path.rglob("*") if p.is_file())
            yield from ((p, p.relative_to(path).as_posix()) for p in inner)
        else:
            yield path, path.name


def _head(path: Path) -> str:
    if path.exists() and not path.is_file():  # reading a pipe or a device may never end
        raise ReportError(path.name, "a file", "something else")
    try:
        with path.open("rb") as handle:
            data = handle.read(HEAD_BYTES)
    except OSError as error:
        raise ReportError(path.name, "a readable file", error.strerror or "an error") from None
    if b"\0" in data:
        raise ReportError(path.name, "text", "binary data")
    return data.decode("utf-8", errors="replace")
