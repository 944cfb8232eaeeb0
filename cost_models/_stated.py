"""What no record tells of units: factors and bands that `_fit_analytic.py` states beside those it fits.

Assumed to be within a factor of two, counted blocks within a quarter. Where yosys made far less of our
Verilog than the factors say, the band reaches down to a tenth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Band = tuple[float, float]
Stated = dict[str, Any]

TWOFOLD: Band = (0.5, 2.0)
LESS: Band = (0.1, 2.0)
BLOCKS: Stated = {"band": (0.8, 1.25), "stated": True}
NO_BLOCKS = dict.fromkeys(("dsp", "bram18", "uram"), BLOCKS)


def _terms(band: Band, **factors: float) -> Stated:
    return {"factors": factors, "band": band, "stated": True}


def _unit(lut: Stated, ff: Stated) -> dict[str, Stated]:
    return {"lut": lut, "ff": ff, **NO_BLOCKS}


_WORD = _terms(LESS, control=80.0, word=2.0)

UNMEASURED: Mapping[str, Mapping[str, Stated]] = {
    "matrix": {"uram": BLOCKS},
    "window": NO_BLOCKS,
    "fifo": NO_BLOCKS,
    "pool": _unit(
        _terms(TWOFOLD, control=150.0, compare=1.0, buffer=1.0),
        _terms(TWOFOLD, control=80.0, word=2.0),
    ),
    # of our Verilog, yosys made a fifth of these LUTs and a quarter of the flip-flops
    "global_sum": _unit(_terms(LESS, control=150.0, add=1.0, accumulators=1.0), _WORD),
    "fork": _unit(_terms(LESS, control=150.0), _WORD),
    "add": _unit(_terms(LESS, control=150.0, add=1.0, clip=1.0), _WORD),
    "concat": _unit(_terms(LESS, control=150.0, counter=1.0, select=1.0), _WORD),
    "lane": _unit(
        _terms(LESS, control=150.0, add=1.0, clip=1.0, shift=1.0, constants=1.0),
        _terms(LESS, control=80.0, word=1.0),
    ),
    "average_pool": _unit(_terms(LESS, control=150.0, add=1.0, buffer=1.0), _WORD),
    "duplicate": _unit(_terms(LESS, control=150.0), _WORD),
    "skipping_window": _unit(
        _terms(
            (0.3, 2.0),
            control=320.0,
            buffer=1.0,
            word=1.0,
            deviation=1.0,
            sums=1.0,
            line=1.0,
            mask=1.0,
        ),
        _terms((0.3, 2.0), control=160.0, word=1.0, sums=1.0),
    ),
    "fill": _unit(_terms(LESS, control=150.0, select=1.0, constants=1.0), _WORD),
    # FINN's RTL converters took a tenth of the LUTs that its estimate says
    "converter": _unit(
        _terms(LESS, register=1.0, shift=1.0),
        _terms(TWOFOLD, register=1.0),
    ),
}
"""Units, or resources of units, without a record."""

BORROWED: Mapping[str, Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "depthwise": {
        "lut": (
            (
                *("control", "multiply", "tree", "popcount", "accumulate", "compare", "thresholds"),
                *("weights", "accumulators"),
            ),
            (),
        ),
        "ff": (
            ("control", "weights", "input_word", "products", "popcount", "accumulate", "compare"),
            (),
        ),
    },
    "edge_skip": {
        "lut": (
            ("control", "popcount", "accumulate", "compare", "thresholds", "weights"),
            ("decide", "vectors", "bits", "position"),
        ),
        "ff": (
            ("control", "accumulate"),  # what decides is not pipelined
            ("word", "position"),
        ),
    },
}
"""Terms of units without a record that have the factors of matrix units; then those that only they have: 1."""


def borrowed(matrix: Mapping[str, Any]) -> dict[str, dict[str, Stated]]:
    """Return what `analytic.json` says about the units of `BORROWED`, given what it says about matrix units."""
    return {
        kind: {
            resource: _terms(
                TWOFOLD,
                **{n: matrix[resource]["factors"][n] for n in names} | dict.fromkeys(own, 1.0),
            )
            for resource, (names, own) in resources.items()
        }
        | NO_BLOCKS
        for kind, resources in BORROWED.items()
    }
