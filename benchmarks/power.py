"""How far predicted power is from published power: `python benchmarks/power.py` prints tables, at once.

* prototypes: chip power of six FINN designs on a ZC706, which do not say their flip-flops: as many as LUTs.
* board: of 35 FINN bitstreams on one board only differences say something, for regulators, DDR and processors are
  in every number: a constant is fitted, nothing else. Idle: nothing is busy. Busy: the designs that lie wholly in
  the fabric; the CPU that feeds them is in the constant.
* Vivado: clocks, logic, signals and block RAM of a report of the XCU50 (the LUT constant comes from it).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cost_models import _power
from cost_models._model import Floats
from dse.ir.hardware import RESOURCES, Board, Resources

TABLE = Path(_power.__file__).parent / "calibration_data" / "power.csv"
FAMILIES = {"xc7z045": "7series", "xczu3eg": "ultrascale+", "xcu50": "ultrascale+"}
LUTS = {"xc7z045": 218_600, "xczu3eg": 70_560, "xcu50": 870_016}
BUSY = 1000  # cycles between frames


@dataclass(frozen=True, slots=True)
class Published:
    """A published design; powers in W."""

    design: str
    part: str
    clock_mhz: float
    resources: Resources
    busy: float | None  # share of the time in which it computes
    idle_w: float | None
    active_w: float

    def predicted(self, busy: float) -> Floats:
        """Return `(3,)` expected, low and high W, of a design all of whose layers are busy alike."""
        counts = [getattr(self.resources, r) for r in RESOURCES]
        have = Resources(lut=LUTS[self.part])
        board = Board(self.part, self.part, FAMILIES[self.part], have, {}, 0.0, "")
        cycles = np.array([round(busy * BUSY)])
        layers = np.tile(np.array(counts, dtype=np.float64), (1, 3, 1))
        return _power.power_w(layers, cycles, BUSY, self.clock_mhz, board)


def published() -> tuple[Published, ...]:
    """Return the designs of `power.csv`."""
    lines = [x for x in TABLE.read_text().splitlines() if not x.startswith("#")]
    return tuple(
        Published(
            design=row["design"],
            part=row["part"],
            clock_mhz=float(row["clock_mhz"]),
            resources=Resources(
                lut=float(row["lut"]),
                ff=float(row["ff"] or row["lut"]),
                dsp=float(row["dsp"]),
                bram18=float(row["bram18"]),
            ),
            busy=float(row["busy"]) if row["busy"] else None,
            idle_w=float(row["idle_w"]) if row["idle_w"] else None,
            active_w=float(row["active_w"]),
        )
        for row in csv.DictReader(lines)
    )


def differences(pairs: Iterable[tuple[float, float]]) -> tuple[int, float, float]:
    """Return how many designs, and the standard deviation of measured power and of what is left of it."""
    measured, predicted = np.array(list(pairs)).T
    return len(measured), float(measured.std()), float((measured - predicted).std())


def main() -> None:
    """Print the tables."""
    designs = published()
    print(f"{'prototype':<12}{'published':>10}{'predicted':>10}{'band':>16}{'ratio':>7}")
    for d in (d for d in designs if d.part == "xc7z045"):
        expected, low, high = d.predicted(1.0)
        band = f"{low:.2f} to {high:.2f}"
        print(
            f"{d.design:<12}{d.active_w:>8.1f} W{expected:>8.2f} W{band:>16}{expected / d.active_w:>7.2f}"
        )
    board = [d for d in designs if d.part == "xczu3eg"]
    idle = differences((d.idle_w or 0.0, d.predicted(0.0)[0]) for d in board)
    busy = differences((d.active_w, d.predicted(d.busy)[0]) for d in board if d.busy is not None)
    print(f"\n{'board':<12}{'designs':>10}{'spread':>10}{'left':>10}")
    for name, (count, spread, left) in (("idle", idle), ("busy", busy)):
        print(f"{name:<12}{count:>10}{1e3 * spread:>7.0f} mW{1e3 * left:>7.0f} mW")
    vivado = Published(
        "regex", "xcu50", 180.0, Resources(488_068, 665_852, 4, 825, 0), 1.0, None, 9.02
    )
    dynamic = (
        vivado.predicted(1.0)[0]
        - Published("none", "xcu50", 180.0, Resources(), 1.0, None, 0.0).predicted(1.0)[0]
    )
    print(f"\nVivado, XCU50: {vivado.active_w:.2f} W dynamic, predicted {dynamic:.2f} W")


if __name__ == "__main__":
    main()
