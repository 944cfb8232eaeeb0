"""Synthesis records of a known law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cost_models import analytic
from dse.calibration.records import Origin, SynthesisRecord
from dse.ir.hardware import RESOURCES
from dse.ir.units import Fifo, MatrixUnit, Unit, legal_folds

MATRIX = MatrixUnit("", 64, 576, 100, 4, 16, 4, 4, False, 4, "bram", "lut")
ORIGIN = Origin("vivado", "synth", "dse")
Records = Callable[..., list[SynthesisRecord]]


def unit_of(rng: np.random.Generator) -> MatrixUnit:
    pe, simd = legal_folds(64, 576, None)
    i = int(rng.integers(len(pe)))
    return replace(MATRIX, pe=int(pe[i]), simd=int(simd[i]), weight_bits=int(rng.integers(2, 7)))


@pytest.fixture
def records() -> Records:
    """Return records of designs of three units which take `ratio` of the analytic LUTs and FFs."""

    def make(
        designs: int, ratio: float, *, noise: float = 0.0, seed: int = 0, origin: Origin = ORIGIN
    ) -> list[SynthesisRecord]:
        rng = np.random.default_rng(seed)
        model = analytic.load("7series")
        found = []
        for design in range(designs):
            units: list[Unit] = [unit_of(rng), unit_of(rng)]
            units.append(Fifo("", int(rng.choice([2, 16, 64])), int(rng.choice([8, 16, 24, 48]))))
            for i, unit in enumerate(units):
                exact = model.predict(unit).expected
                off = np.exp(noise * rng.normal(size=2)) * ratio
                actual = {r: float(getattr(exact, r)) for r in RESOURCES}
                actual |= {"lut": actual["lut"] * off[0], "ff": actual["ff"] * off[1]}
                found.append(
                    SynthesisRecord(
                        f"build{design}", f"u{i}", unit, actual, origin, "2023.2", "xc7z020"
                    )
                )
        return found

    return make
