"""Power of a design: a stated model with wide bands, for comparing designs, not for choosing a supply.

    power = static(device) + clock * sum over layers of (FF part + busy share * (LUT, BRAM, URAM, DSP part))

Flip-flops and their clock tree draw power in every cycle, everything else where a layer works: a layer that
needs half the cycles of the slowest one is busy for half of them. Processing system, DDR, transceivers and
regulators are not in it. docs/cost-models.md says where the constants come from and how far off they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cost_models._model import Floats
from dse.ir.hardware import RESOURCES, Board

# bands as factors: they hold the six published prototypes of `benchmarks/power.py`, and are no more exact than that
DYNAMIC_BAND = (0.5, 2.0)
STATIC_BAND = (0.6, 2.0)  # leakage doubles within some 40 degrees


@dataclass(frozen=True, slots=True)
class Family:
    """Constants of a device family; dynamic ones in W per MHz and piece at full activity.

    Attributes:
        static_w: of a device without logic, at 25 to 35 degrees.
        static_w_per_lut: per LUT the device has, used or not.
        ff: with its share of the clock tree.
    """

    static_w: float
    static_w_per_lut: float
    lut: float
    ff: float
    dsp: float
    bram18: float
    uram: float

    @property
    def dynamic(self) -> Floats:
        """`(5,)` of RESOURCES."""
        return np.array([getattr(self, r) for r in RESOURCES])


FAMILIES = {
    # Static: Vivado report_power of routed designs, 0.694 W (XCZU7EV) and 2.335 W (XCU50, without HBM).
    # LUT with its signals: the same report of the XCU50 (488,000 LUT, 180 MHz, 4.89 W). FF: idle boards with 35
    # FINN bitstreams on an XCZU3EG (`power.csv`). BRAM18: between what those draw while they work, 3.5, and
    # what the XCU50 report says, 10.3. DSP: between 0.6 of those, mostly idle, and 13.8, which Xilinx states for
    # the DSP48E of 65 nm at 38 % toggle rate. URAM: no figure; the ports of a 36 Kb block, taken twice.
    "ultrascale+": Family(0.10, 2.6e-6, 5.6e-8, 3.3e-8, 5e-6, 6e-6, 24e-6),
    # Static: 0.113 W (XC7Z020) and 0.219 W (XC7Z045), Vivado report_power of routed designs. LUT and FF: three
    # times those above (28 nm at 1.0 V against 16 nm at 0.85 V), which the six FINN prototypes in `power.csv`
    # confirm; BRAM18 and DSP: twice.
    "7series": Family(0.08, 6.4e-7, 17e-8, 10e-8, 10e-6, 12e-6, 48e-6),
}


def power_w(
    layers: Floats,
    cycles: npt.NDArray[np.int64],
    interval_cycles: npt.ArrayLike,
    clock_mhz: float,
    board: Board,
) -> Floats:
    """Predict the power of designs that compute frame after frame.

    Args:
        layers: `(..., L, 3, 5)` expected, low and high of every one of RESOURCES, of every layer.
        cycles: `(..., L)` per frame.
        interval_cycles: `(...)` between frames; none of `cycles` is larger.
        clock_mhz: clock of the accelerator.
        board: of whose part the leakage is.

    Returns:
        `(..., 3)` expected, low and high, in W.
    """
    family = FAMILIES[board.family]
    busy = cycles / np.asarray(interval_cycles)[..., None]
    active = np.where(np.array(RESOURCES) == "ff", 1.0, busy[..., None])
    watts = clock_mhz * ((layers * active[..., None, :]) @ family.dynamic).sum(axis=-2)
    static = family.static_w + family.static_w_per_lut * board.resources.lut
    dynamic_band, static_band = (np.array([1.0, *b]) for b in (DYNAMIC_BAND, STATIC_BAND))
    total: Floats = watts * dynamic_band + static * static_band
    return total
