"""Names that may stand in C++, Tcl, Make, file names and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dse.errors import UsageError


def identifier(text: str) -> str:
    """Return `text` with every character outside [A-Za-z0-9_] replaced by _, starting with a letter.

    Emitted names are an identifier with a suffix ("conv1_matrix"), so keywords need no care.
    """
    clean = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return clean if re.match(r"[A-Za-z]", clean) else f"n{clean}"


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return a different identifier for every name, numbering those that would be equal."""
    result: dict[str, str] = {}
    for name in names:
        base = unique = identifier(name)
        number = 2
        while unique in result.values():
            unique, number = f"{base}_{number}", number + 1
        result[name] = unique
    return result


def markdown(text: str) -> str:
    """Return `text` as one line of Markdown that shows it as it is (CommonMark 0.31, 2.4)."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(text.split()))


def part_name(part: str) -> str:
    """Return `part` where it can be the name of an FPGA part.

    Raises:
        UsageError: it has characters that no part has.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", part):
        msg = f"the part of a board has letters, digits, - and _ only, got {part!r}; correct the board file"
        raise UsageError(msg)
    return part
