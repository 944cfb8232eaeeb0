"""Records of a designed sweep of units and whole designs: what `yosys-rtl` is fitted to.

`calibration_data/yosys-rtl.jsonl` has one JSON object a line. `dse.emit.unit_sweep` writes it; the layers of
imports put what reads it here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dse.ir import units
from dse.ir.units import Tiling, Unit, parameters

TABLE = Path(__file__).parent / "calibration_data" / "yosys-rtl.jsonl"
Split = Literal["sweep", "shapes", "design"]


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """What a tool made of one unit, or of a whole design.

    Attributes:
        name: "matrix-017"; a number is one unit for every family.
        family: "xc7" or "xcup" of `synth_xilinx`.
        split: "sweep" is fitted; "shapes" (units of other layer shapes) and "design" never are.
        units: one, or all of a design in stream order.
        actual: resource -> count, "lut" with LUT RAM ("lutram") and shift registers ("srl").
        tool: "yosys 0.70".
        seconds: that the tool took.
    """

    name: str
    family: str
    split: Split
    units: tuple[Unit, ...]
    actual: Mapping[str, float]
    tool: str
    seconds: float

    @property
    def kind(self) -> str:
        """Class of the unit; "design" for a whole design."""
        return "design" if self.split == "design" else type(self.units[0]).__name__

    def to_line(self) -> str:
        """Return the line of the table, without its end."""
        built = [{"kind": type(u).__name__, **parameters(u)} for u in self.units]
        value = {
            "name": self.name,
            "family": self.family,
            "split": self.split,
            **{k: int(v) for k, v in self.actual.items()},
            "tool": self.tool,
            "seconds": self.seconds,
            "units": [{k: v for k, v in row.items() if v is not None} for row in built],
        }
        return json.dumps(value)


def read(path: Path = TABLE) -> tuple[SweepRecord, ...]:
    """Return the records of a table; none where there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return tuple(_record(json.loads(line)) for line in lines)


def chosen(records: Iterable[SweepRecord], family: str, split: Split) -> tuple[SweepRecord, ...]:
    """Return the records of a family and a split."""
    return tuple(r for r in records if r.family == family and r.split == split)


def _record(value: Mapping[str, Any]) -> SweepRecord:
    rest = dict(value)
    built = tuple(_unit(row) for row in rest.pop("units"))
    named = {key: rest.pop(key) for key in ("name", "family", "split", "tool", "seconds")}
    return SweepRecord(units=built, actual={k: float(v) for k, v in rest.items()}, **named)


def _unit(row: Mapping[str, Any]) -> Unit:
    values = dict(row)
    kind = getattr(units, values.pop("kind"))
    if "tiling" in values:
        values["tiling"] = Tiling(**values["tiling"])
    unit: Unit = kind(**values)
    return unit
