"""Whether a cost model was calibrated for the board and clock that a study asks it about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dse.ir.hardware import Board
from hw_templates._boards import family_of

CLOCK_SLACK = 0.01  # periods closer than this are the same
WHOLE = {"xc7": "7series", "xcup": "ultrascale+"}  # what yosys calls a `Board.family`
DEVICE = re.compile(r"xc[0-9a-z]+", re.IGNORECASE)  # a part, or the beginning of one


def mismatches(facts: Mapping[str, Any], board: Board, clock_mhz: float) -> tuple[str, ...]:
    """Return a sentence for each thing that the model's file states otherwise.

    Args:
        facts: what the file of the model states about itself: `part`, `clock_ns`; what it does not state
            is not compared.
        board: of the study.
        clock_mhz: of the study.
    """
    found = []
    parts = DEVICE.findall(str(facts.get("part", "")))
    if parts and not any(_same(p, board) for p in parts):
        listed = ", ".join(sorted(set(parts)))
        begun = f"the cost model was calibrated for {listed}, {board.name} has {board.part}"
        if board.family in {family_of(p) for p in parts}:
            found.append(f"{begun}: another part of the same family, whose counts differ little")
        else:
            found.append(
                f"{begun}: another device family, so its intervals are too narrow; `dse calibrate` with"
                " reports for this board"
            )
    period = facts.get("clock_ns")
    if period is not None and abs(float(period) * clock_mhz / 1e3 - 1) > CLOCK_SLACK:
        found.append(
            f"the cost model was calibrated at {1e3 / float(period):g} MHz, the study asks for"
            f" {clock_mhz:g} MHz: tools trade area for speed; `dse calibrate` with reports at this clock"
        )
    return tuple(found)


def _same(calibrated: str, board: Board) -> bool:
    """Whether a model calibrated for a part, in any spelling, or for a whole family is one for a board."""
    if calibrated.lower() in WHOLE:
        return WHOLE[calibrated.lower()] == board.family
    one, other = (re.sub(r"[^0-9a-z]", "", p.lower()) for p in (calibrated, board.part))
    return other.startswith(one) or one.startswith(other)
