"""Tables drawn with `+---+` and `|`, as Vivado and HLS print them; cells are found by their header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile

BORDER = re.compile(r"\s*\+(?:-+\+)+\s*")


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        columns: full header of each column; a header cell above several columns is part of each, as in
            "Latency (cycles) max".
        rows: cells as printed, without the spaces to the right (those to the left are the hierarchy).
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    def has(self, *columns: str) -> bool:
        """Whether all these columns are there."""
        return set(columns) <= set(self.columns)


def tables(file: ReportFile, text: str) -> Iterator[Table]:
    """Yield the tables of a text, in order.

    Raises:
        ReportError: a table is cut short, or a line of it does not fit its columns.
    """
    block: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith(("+-", "|")):
            block.append(line)
        elif block:
            yield from _table(file, block)
            block = []
    if block:
        yield from _table(file, block)


def _table(file: ReportFile, block: list[str]) -> Iterator[Table]:
    """Yield the table of these lines: border, header lines, border, rows and borders."""
    borders = [i for i, line in enumerate(block) if BORDER.fullmatch(line)]
    if not borders:
        return  # the header of a Vivado report, which has bars but no borders
    if borders[-1] != len(block) - 1 or len(borders) < 2:
        raise ReportError(file.name, "tables that end with a border", block[-1].strip()[:40])
    first, second = borders[0], borders[1]
    edges = [i for i, c in enumerate(block[first].rstrip()) if c == "+"]
    if second == first + 1:
        raise ReportError(file.name, "a table header", block[second].strip()[:40])
    header: list[list[str]] = [[] for _ in edges[1:]]
    for line in block[first + 1 : second]:
        for column, words in enumerate(_header_cells(file, line, edges)):
            header[column] += words
    columns = tuple(" ".join(words) for words in header)
    rows = []
    for i in range(second + 1, len(block)):
        if i not in borders:
            rows.append(dict(zip(columns, _cells(file, block[i], edges), strict=True)))
    yield Table(columns, tuple(rows))


def _header_cells(file: ReportFile, line: str, edges: list[int]) -> list[list[str]]:
    """Return the words above each column; a cell may span several columns."""
    bars = [e for e in edges if line[e : e + 1] == "|"]
    if bars[:1] != edges[:1] or bars[-1:] != edges[-1:]:
        raise ReportError(file.name, "a table header that fits its columns", line.strip()[:40])
    cells = []
    for left, right in pairwise(bars):
        words = line[left + 1 : right].split()
        cells += [words] * (edges.index(right) - edges.index(left))
    return cells


def _cells(file: ReportFile, line: str, edges: list[int]) -> list[str]:
    if any(line[e : e + 1] != "|" for e in edges):
        raise ReportError(file.name, "a table row that fits its columns", line.strip()[:40])
    return [line[a + 1 : b].rstrip() for a, b in pairwise(edges)]
