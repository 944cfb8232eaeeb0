"""The boards: one YAML file each in `boards/`, found by its name."""

from __future__ import annotations

import re
from typing import Any

import yaml

from dse.errors import UsageError
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.plugins import suggestion
from hw_templates import folder

FAMILIES = ("7series", "ultrascale+")
# FINN's guideline limits for timing closure (platforms.py)
USABLE_SHARE = {"lut": 0.70, "ff": 0.50, "dsp": 0.80, "bram18": 0.80, "uram": 0.80}
# rule of thumb for dataflow designs, not a datasheet limit: above it timing rarely closes unaided
MAX_CLOCK_MHZ = {"7series": 200.0, "ultrascale+": 350.0}
# how the parts of a family begin; xcku040 and xcvu095, without the p, are UltraScale
PARTS = {"7series": r"xc7", "ultrascale+": r"xczu|xck2|xcu\d|xcau|xc[kv]u\d+p"}


def board_names() -> tuple[str, ...]:
    """Return the names of all boards, sorted."""
    return tuple(sorted(p.stem for p in folder("boards").glob("*.yaml")))


def load_board(name: str) -> Board:
    """Read a board by its name, in any case.

    Raises:
        UsageError: there is no such board, or its file is incomplete.
    """
    known = {n.lower(): n for n in board_names()}
    if name.lower() not in known:
        hint = suggestion(name, board_names())
        msg = f"there is no board {name!r}.{hint} There are: {', '.join(board_names())}."
        raise UsageError(msg)
    name = known[name.lower()]
    path = folder("boards") / f"{name}.yaml"
    try:
        value: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Board(
            name=name,
            part=str(value["part"]),
            family=str(value["family"]),
            resources=Resources(**{r: int(value["resources"][r]) for r in RESOURCES}),
            usable_share={r: float(value["usable_share"][r]) for r in RESOURCES},
            max_clock_mhz=float(value["max_clock_mhz"]),
            source=str(value["source"]),
            slrs=int(value.get("slrs", 1)),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        msg = (
            f"the board file {path} needs part, family, resources, usable_share, max_clock_mhz and"
            f" source, with {', '.join(RESOURCES)} in both maps ({error}); compare Pynq-Z1.yaml"
        )
        raise UsageError(msg) from None


def family_of(part: str) -> str | None:
    """Return the family a part number tells, None where it tells none."""
    return next((f for f, start in PARTS.items() if re.match(start, part.lower())), None)
