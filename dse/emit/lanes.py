"""The constants of a fused residual activation as they are emitted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.emit.rtl_memory import memory_text
from dse.emit.tables import Table
from dse.errors import UsageError
from dse.ir.lanes import LaneParameters
from dse.ir.units import LaneUnit

FIELDS = ("pixels", "channels", "pe", "bits", "shortcut_bits", "dot_bits", "constant_bits")


def lane_traits(unit: LaneUnit, lane: LaneParameters) -> dict[str, int | bool]:
    """Return the members of the C++ struct of a unit."""
    return {
        **{name: int(getattr(unit, name)) for name in FIELDS},
        "shift": lane.shift,
        "slope_shift": lane.slope_shift,
        "shortcut_shift": lane.shortcut_shift,
        "shifts": unit.shifts,
    }


def lane_tables(name: str, unit: LaneUnit, lane: LaneParameters) -> tuple[Table, ...]:
    """Return scales, offsets and slopes, `(words, pe)` each.

    Raises:
        UsageError: the constants are not those of such a unit.
    """
    shape = int(unit.channels // unit.pe), int(unit.pe)
    found = lane_constants(unit, lane)
    tables = []
    for what, values in found.items():
        table = f"{name}_{what}"
        kind = "offset" if what == "offsets" else "constant"
        pragmas = (f"ARRAY_PARTITION variable={table} complete dim=2",)
        tables.append(
            Table(table, f"dse::Lane<{name}_unit>::{kind}", values.reshape(shape), pragmas)
        )
    return tuple(tables)


def lane_memory(unit: LaneUnit, lane: LaneParameters) -> str:
    """Return the memory file of a Verilog unit, a line per word, channel 0 in the low bits.

    Of each channel the scale is in the low bits, then come its offset and its slope.

    Raises:
        UsageError: the constants are not those of such a unit.
    """
    found = lane_constants(unit, lane)
    constant, bits = int(unit.constant_bits), int(unit.bits)
    widths = {"scales": constant, "offsets": bits, "slopes": constant}
    entries, at = np.zeros(int(unit.channels), dtype=np.int64), 0
    for what, width in widths.items():
        entries |= (found[what] & (2**width - 1)) << at
        at += width
    return memory_text(entries.astype(np.uint64).reshape(-1, int(unit.pe)), at)


def lane_constants(unit: LaneUnit, lane: LaneParameters) -> dict[str, npt.NDArray[np.int64]]:
    """Return scales, offsets and slopes, `(channels,)` each; powers of two as 2 * exponent + negative.

    Raises:
        UsageError: a constant does not fit the unit, or is no power of two where it must be.
    """
    found = {"scales": lane.scale, "offsets": lane.offset, "slopes": lane.slope}
    for what, values in found.items():
        half = 2 ** (int(unit.bits if what == "offsets" else unit.constant_bits) - 1)
        fits = len(values) == int(unit.channels)
        fits &= bool(np.all((values >= -half) & (values < half)))
        if unit.shifts and what != "offsets":
            size = np.abs(values)
            fits &= bool(np.all((size > 0) & (size & (size - 1) == 0)))
        if not fits:
            msg = (
                f"layer {unit.layer}: the {what} of the accelerator do not fit the design; both must come from"
                " the same trial"
            )
            raise UsageError(msg)
    wide = {what: values.astype(np.int64) for what, values in found.items()}
    if unit.shifts:
        for what in ("scales", "slopes"):
            exponent = np.log2(np.abs(wide[what])).astype(np.int64)
            wide[what] = 2 * exponent + (wide[what] < 0)
    return wide
