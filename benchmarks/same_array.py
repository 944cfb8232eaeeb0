"""What a pruned network costs beside the dense one: on the same lanes, and with the same LUTs; no training."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dse.compression import effective
from dse.config.values import Knobs
from dse.emit.hls import hls_project
from dse.emit.order import Order
from dse.emit.rtl import rtl_project
from dse.emit.simulate import simulate
from dse.emit.verify import verify
from dse.folding.fold_fit import fastest
from dse.folding.standalone import Question
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression, DesignPoint
from dse.ir.stages import flat
from dse.ir.units import MatrixUnit, SlidingWindowUnit
from dse.lowering.pipeline import pipeline
from dse.search.study import Plan

Compressions = Mapping[str, Compression]


@dataclass(frozen=True)
class Array:
    """A design whose pruned layers have given lanes; everything else is folded so that it does not hold them up."""

    design: DesignPoint
    matrix: Mapping[str, int]  # cycles per frame of every matrix unit
    window: Mapping[str, int]  # of every sliding window unit
    interval: int  # cycles between frames
    luts: float  # predicted, expected value
    upper_luts: float  # predicted, upper end of the interval


def question(
    p: Plan, compressions: Compressions, pins: Mapping[str, Knobs] | None = None
) -> Question:
    return Question(
        p.network, compressions, p.config.board, p.config.clock_mhz, p.model, pins or {}
    )


def on_array(p: Plan, compressions: Compressions, lanes: Mapping[str, tuple[int, int]]) -> Array:
    """Return the fastest design with (PE, SIMD) of some layers given."""
    q = question(p, compressions, {n: Knobs(pe=(a,), simd=(b,)) for n, (a, b) in lanes.items()})
    found = fastest(q.folder(), q.limits)
    assert found is not None
    units = flat(pipeline(p.network, found.design))
    return Array(
        found.design,
        {u.layer: int(u.cycles) for u in units if isinstance(u, MatrixUnit)},
        {u.layer: int(u.cycles) for u in units if isinstance(u, SlidingWindowUnit)},
        found.cycles,
        q.hardware(found.design).total.expected.lut,
        q.folder().resources(found.design).lut,
    )


def with_windows_of(dense: Array, pruned: Array) -> int:
    """Return the interval of the pruned design if its windows were as narrow as the dense one's (cap of seeds)."""
    return max(pruned.interval, *dense.window.values())


def with_as_many_luts(p: Plan, compressions: Compressions, other: Array) -> int | None:
    """Return the cycles of the fastest folding with no more LUTs than another design; None: there is none."""
    q = question(p, compressions)
    found = fastest(q.folder(), replace(q.limits, lut=other.upper_luts))
    return None if found is None else found.cycles


def index_share(
    p: Plan, compressions: Compressions, weight_bits: int | None = None
) -> dict[str, float]:
    """Return by layer the bits of column indices for a bit of kept weights, at one lane (no copies)."""
    found = {}
    _, structures = effective(p.network, compressions)
    for name, s in structures.items():
        if s.tiling is not None:
            indices, words = s.tiling.index_memory(s.mh, s.mw, 1, 1)
            kept = s.mh * s.mw * s.tiling.density
            bits = kept * (weight_bits or s.stored_weight_bits)
            found[name] = float(indices * words * s.tiling.index_bits / bits)
    return found


def work_by_rows(accelerator: Accelerator, name: str, rows: int) -> tuple[float, float]:
    """Return the largest and the mean number of kept weights of groups of so many rows."""
    kept = accelerator.parameters[name].kept
    work = kept.reshape(len(kept) // rows, -1).sum(axis=1)
    return float(work.max()), float(work.mean())


def verified(p: Plan, array: Array, accelerator: Accelerator, images: int) -> list[str]:
    """Emit as HLS and as Verilog, simulate, and say what came out."""
    test = p.dataset.test.first(images)
    with tempfile.TemporaryDirectory() as folder:
        for name, make in (("hls", hls_project), ("rtl", rtl_project)):
            make(
                Order(
                    study=p.config.study,
                    network=p.network,
                    design=array.design,
                    accelerator=accelerator,
                    board=p.config.board,
                    clock_mhz=p.config.clock_mhz,
                    estimate=p.hardware(array.design),
                    images=np.asarray(test.images).astype(np.int64),
                    labels=np.asarray(test.labels),
                )
            ).write(Path(folder) / name)
        c = verify(Path(folder) / "hls")
        v = simulate(Path(folder) / "rtl")
    as_predicted = dict(c.loop_trips) == dict(c.predicted)
    return [
        (
            f"C simulation: {c.mismatches} of {c.words} words differ ({c.images} images);"
            f" cycles of all units as predicted: {as_predicted}"
        ),
        (
            f"Verilog simulation: {v.mismatches} of {v.words} words differ ({v.images} images);"
            f" {v.interval_cycles:g} cycles between frames, predicted {array.interval}"
        ),
    ]
