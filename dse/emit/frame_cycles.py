"""Cycles of the units whose work depends on the image, counted on the golden images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dse.emit.chain import Chain
from dse.ir.accelerator import Accelerator, Integers
from dse.ir.data_dependent import FrameCycles, interval
from dse.ir.spatial_cycles import vector_cycles, window_cycles
from dse.ir.units import SkippingWindowUnit


def frame_cycles(
    chain: Chain, accelerator: Accelerator, images: Integers, batch: int
) -> dict[str, FrameCycles]:
    """Return what such units take for images, by the name of the module.

    Args:
        chain: the modules.
        accelerator: their integers.
        images: `(n, *input_shape)`.
        batch: images of a call.
    """
    gated = [m for m in chain.modules if m.vectors]
    masks = accelerator.masks(images) if gated else {}
    return {
        m.name: window_cycles(m.unit, masks[m.unit.layer], batch)
        if isinstance(m.unit, SkippingWindowUnit)
        else vector_cycles(masks[m.unit.layer], int(m.unit.cycles) // m.vectors)
        for m in gated
    }


def golden_interval(chain: Chain, counted: Mapping[str, FrameCycles]) -> dict[str, float]:
    """Return the cycles between the frames of the golden images."""
    others = max((int(m.unit.cycles) for m in chain.modules if m.name not in counted), default=0)
    mean, high = interval(list(counted.values()), others)
    return {"mean": mean, "p95": high}


def golden_range(units: Sequence[Mapping[str, Any]], images: int) -> tuple[float, float] | None:
    """Return the least and the most cycles between the frames of the second half of the golden images.

    The least where FIFOs even out all differences between images: those of the unit that is slowest over all. The most
    where they even out nothing: of every image those of its slowest unit. Both are means over the images that are
    timed; at either end, frames leave late by what differs between images.

    Args:
        units: rows of design.json.
        images: that run; of fewer than three there is no range.
    """
    rows = [process for unit in units for process in unit.get("golden_cycles", ())]
    if not rows or images < 3:
        return None
    others = max(
        u["cycles_predicted"] for u in units if "golden_cycles" not in u and u["kind"] != "Fifo"
    )
    # frames are timed from the end of image n / 2 on, which may be as late as any image before it
    cycles, timed = np.array(rows)[:, :images], slice(images // 2 + 1, images)
    every = np.maximum(cycles.max(axis=0), others)
    slowest = every[timed]
    least, late = float(cycles[:, timed].mean(axis=1).max()), float(np.ptp(every)) / len(slowest)
    return max(others, least - late), float(slowest.mean()) + late
