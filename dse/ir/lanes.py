"""The integers of a fused residual activation, and what they compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class LaneParameters:
    """The constants of one `FusedAdd`, `(channels,)` integers each.

    With u the shortcut and dot the sum, `>>` rounding down:

        s = ((scale * dot + 2**(shift - 1)) >> shift) + (u << shortcut_shift) + offset
        v = s if s >= 0 else (slope * s + 2**(slope_shift - 1)) >> slope_shift

    and v saturates to the bits of the stream.

    Attributes:
        scale: signed, of `constant_bits` bits; with `shifts` plus or minus a power of two.
        offset: in units of the stream.
        slope: of the PReLU, signed, of `constant_bits` bits; with `shifts` plus or minus a power of two.
        shift: of the scaled sum, 1 or more.
        slope_shift: of the negative side, 1 or more.
        shortcut_shift: of a shortcut that comes in coarser steps.
    """

    scale: Integers
    offset: Integers
    slope: Integers
    shift: int
    slope_shift: int
    shortcut_shift: int

    def apply(
        self, shortcut: npt.NDArray[np.float64], dot: npt.NDArray[np.float64], bits: int
    ) -> npt.NDArray[np.float64]:
        """Return the new stream; channels are the last axis. Exact below 2**53."""
        s = np.floor((self.scale * dot + 2.0 ** (self.shift - 1)) * 2.0**-self.shift)
        s = s + shortcut * 2.0**self.shortcut_shift + self.offset
        negative = np.floor(
            (self.slope * s + 2.0 ** (self.slope_shift - 1)) * 2.0**-self.slope_shift
        )
        half = 2.0 ** (bits - 1)
        stream: npt.NDArray[np.float64] = np.where(s >= 0, s, negative).clip(-half, half - 1)
        return stream

    def arrays(self) -> dict[str, Integers]:
        """Return everything as named arrays; `from_arrays` is the inverse."""
        shifts = np.array([self.shift, self.slope_shift, self.shortcut_shift])
        return {
            "scale": self.scale,
            "offset": self.offset,
            "slope": self.slope,
            "shifts": shifts,
        }

    @staticmethod
    def from_arrays(arrays: dict[str, Integers]) -> LaneParameters:
        """Rebuild the constants from `arrays`."""
        scale, offset, slope = (arrays[n].astype(np.int64) for n in ("scale", "offset", "slope"))
        return LaneParameters(scale, offset, slope, *(int(v) for v in arrays["shifts"]))
