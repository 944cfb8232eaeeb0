"""`board`, `clock` and `reserve`: what a design is built for."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from dse.config.complaints import Complaints, did_you_mean
from dse.config.merge import is_file
from dse.config.quantities import count, megahertz
from dse.config.read import Kind, entries, keys, one_of, quantity, scalar, whole
from dse.config.tree import Entry, Map, Node, describe, quoted
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.metrics import ALIASES
from hw_templates._boards import (
    FAMILIES,
    MAX_CLOCK_MHZ,
    USABLE_SHARE,
    board_names,
    family_of,
    load_board,
)

CLOCK = Kind(
    noun="a frequency or a period",
    unit="a unit of frequency or time",
    convert=megahertz,
    low=10.0,
    high=1000.0,
    bounds="from 10 MHz to 1 GHz",
    examples="'100 MHz', or a period such as '5 ns'",
)
COUNT = Kind(
    noun="a count",
    unit="a unit of a count",
    convert=count,
    low=0.0,
    high=1e9,
    bounds="0 or more",
    examples="40000 or 40 k",
)
MOST_SLRS = 4  # of any device of these families
NAMES = (*RESOURCES, *ALIASES)
BOARD = keys(
    "board",
    ("part", "family", *RESOURCES, *ALIASES, "slrs", "name"),
    needed={
        "part": "part: xc7z020clg400-1",
        "lut": "lut: 53200",
        "ff": "ff: 106400",
        "dsp": "dsp: 220",
    },
)


def board_of(node: Node, complaints: Complaints) -> Board | None:
    """Read the name of a board, or its description."""
    if isinstance(node, Map):
        return _described(node, complaints)
    found = scalar(node, "board", complaints, "a name such as Pynq-Z1")
    if found is None:
        return None
    if is_file(found.text):
        return None  # `with_board` said why it is not read
    known = board_names()
    if found.text.lower() in (n.lower() for n in known):
        return load_board(found.text)
    complaints.add(
        found.span,
        "unknown-board",
        f"unknown board {describe(found)}",
        did_you_mean(found.text, known),
        ["`dse boards` lists them; `board: {part: xc7z020clg400-1, ...}` adds one"],
        known,
    )
    return None


def _described(node: Map, complaints: Complaints) -> Board | None:
    before = len(complaints)
    found = entries(node, BOARD, complaints)
    if not {"bram18", "bram"} & found.keys() and "bram18" not in (e.key.text for e in node.entries):
        complaints.add(
            node.span.part(0, 1), "missing-key", "board needs 'bram18'", "write bram18: 280"
        )
    have = _counts({k: e for k, e in found.items() if k in NAMES}, complaints)
    part = scalar(found["part"].value, "part", complaints) if "part" in found else None
    family = family_of(part.text) if part is not None else None
    if "family" in found:
        family = one_of(found["family"].value, "family", FAMILIES, complaints)
    elif part is not None and family is None:
        complaints.add(
            part.span,
            "missing-key",
            f"board needs 'family': the part {quoted(part.text)} does not tell it",
            f"write family: {' or family: '.join(FAMILIES)}",
        )
    name = scalar(found["name"].value, "name", complaints) if "name" in found else part
    slrs = 1
    if "slrs" in found:
        slrs = whole(found["slrs"].value, "slrs", 1, MOST_SLRS, complaints) or 1
    if len(complaints) > before or part is None or family is None or name is None:
        return None
    return Board(
        name=name.text,
        part=part.text,
        family=family,
        resources=have,
        usable_share=USABLE_SHARE,
        max_clock_mhz=MAX_CLOCK_MHZ[family],
        source="the study file",
        slrs=slrs,
    )


def clock_of(node: Node, complaints: Complaints) -> float | None:
    """Read a frequency, or the period of one, in MHz."""
    return quantity(node, "clock", CLOCK, complaints)


def reserve_of(node: Node, board: Board | None, complaints: Complaints) -> Resources:
    """Read what a design must leave to others."""
    found = entries(node, keys("reserve", NAMES), complaints)
    reserved = _counts(found, complaints)
    if board is None:
        return reserved
    for key, entry in found.items():
        resource = ALIASES.get(key, key)
        value, have = getattr(reserved, resource), getattr(board.resources, resource)
        if value and value >= have:
            complaints.add(
                entry.value.span,
                "out-of-range",
                f"reserve must stay below the {have:,} {key} of {board.name}, not be {value:,.0f}",
            )
    return reserved


def _counts(found: dict[str, Entry], complaints: Complaints) -> Resources:
    """Read resource counts; `bram` is `bram18`."""
    total = Resources()
    for key, entry in found.items():
        resource = ALIASES.get(key, key)
        if resource != key and resource in found:
            complaints.add(
                entry.key.span,
                "duplicate-key",
                f"{key} and {resource} are the same",
                f"{resource} is on line {found[resource].key.span.line}",
            )
            continue
        value = quantity(entry.value, key, COUNT, complaints)
        if value is not None:
            total = replace(total, **cast(dict[str, float], {resource: value}))
    return total
