"""Fused lanes under yosys beside the cost model that prices them: a part of reproduce_hybnn.py."""

from __future__ import annotations

import numpy as np

from cost_models import analytic
from dse.emit import synth_yosys
from dse.emit.rtl_units import lane_instance
from dse.emit.unit_sweep import literals, run, sources
from dse.ir.lanes import LaneParameters
from dse.ir.units import LaneUnit

FAMILY, MODEL = "xcup", "ultrascale+"
CHANNELS, PIXELS = 64, 64
STREAM, DOT, CONSTANT = 10, 11, 8  # bits


def constants(rng: np.random.Generator, *, shifts: bool) -> LaneParameters:
    """Return random constants."""
    if shifts:
        signs = rng.choice([-1, 1], (2, CHANNELS))
        scale, slope = signs * 2 ** rng.integers(0, CONSTANT - 1, (2, CHANNELS))
    else:
        half = 2 ** (CONSTANT - 1)
        scale, slope = rng.integers(-half, half, (2, CHANNELS))
    half = 2 ** (STREAM - 1)
    return LaneParameters(scale, rng.integers(-half, half, CHANNELS), slope, 5, CONSTANT - 2, 0)


def main() -> None:
    """Synthesise lanes out of context, and print what came out and what was foretold."""
    tool, model = synth_yosys.find(), analytic.load(MODEL)
    rng = np.random.default_rng(0)
    print(f"\nyosys {tool.version}, UltraScale+, {CHANNELS} channels: found (foretold)")
    print("| lanes | constants | LUT | FF | DSP |\n| --- | --- | --- | --- | --- |")
    for pe in (1, 4):
        for shifts in (False, True):
            unit = LaneUnit(
                "x", PIXELS, CHANNELS, pe, STREAM, (True, True), STREAM, DOT, CONSTANT, shifts
            )
            built = lane_instance("unit", unit, constants(rng, shifts=shifts))
            texts = sources()
            commands = synth_yosys.script(
                built.module, literals(built), sorted(texts), family=FAMILY, dsp=not shifts
            )
            found, _ = run(tool, commands, {**texts, **built.memories})
            foretold = model.predict(unit).expected
            cells = " | ".join(
                f"{found[r]:.0f} ({float(getattr(foretold, r)):.0f})" for r in ("lut", "ff", "dsp")
            )
            print(f"| {pe} | {'powers of two' if shifts else 'any'} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
