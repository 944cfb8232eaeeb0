"""What design.json says about units that skip edges: cycles and edges of the golden images, counted by the cycle model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from dse.emit.chain import Chain
from dse.ir.accelerator import Accelerator, Integers
from dse.ir.edge_cycles import work_on
from dse.ir.edge_skip import EdgeSkipUnit
from dse.lowering.counted import call_ends, counted


def counted_edges(
    chain: Chain, accelerator: Accelerator, images: Integers, batch: int
) -> dict[str, Any]:
    """Return the JSON values of `edge_skip` in design.json; empty where no edges are skipped.

    Args:
        chain: the emitted processes.
        accelerator: its integers.
        images: the golden ones.
        batch: images of a call of the C simulation.
    """
    names = {m.name: m.unit for m in chain.modules if isinstance(m.unit, EdgeSkipUnit)}
    if not names:
        return {}
    works = {name: (unit, work_on(unit, accelerator, images)) for name, unit in names.items()}
    cycles = counted([m.unit for m in chain.modules], list(works.values()))
    return {
        "is": "counted by the cycle model of the units on the golden images",
        "interval": asdict(cycles.interval()),
        "batch": batch,
        "others": cycles.others,
        "units": {
            name: {
                "edges": asdict(work.edges) | {"pruned": round(work.edges.pruned, 6)},
                "call_ends": call_ends(unit, work, batch).tolist(),
                "stream_ends": cycles.ends[unit.layer].tolist(),
            }
            for name, (unit, work) in works.items()
        },
    }


def call_cycles(edge_skip: Mapping[str, Any], name: str, images: int) -> int:
    """Return the loop iterations of a unit for the first images, in calls of `batch` images."""
    batch, ends = edge_skip["batch"], edge_skip["units"][name]["call_ends"][:images]
    return sum(ends[min(i + batch, images) - 1] for i in range(0, images, batch))


def interval_range(edge_skip: Mapping[str, Any], images: int) -> tuple[float, float]:
    """Return the least and the most mean cycles between frames over the second half of the first images (of two: all).

    The least: units even out their images between them, so the one that is slowest on average counts. The most:
    they wait for each other in every image.
    """
    first = images // 2 + 1 if images > 2 else 0
    units = (np.diff(u["stream_ends"][:images], prepend=0) for u in edge_skip["units"].values())
    own = np.array([cycles[first:] for cycles in units])
    others = edge_skip["others"]
    return max(float(own.mean(axis=1).max()), others), float(
        np.maximum(own.max(axis=0), others).mean()
    )
