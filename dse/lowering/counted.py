"""Cycles of a design that skips edges, counted on images: they depend on the data, unlike those of all other units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dse.ir.accelerator import Accelerator, Integers
from dse.ir.data_dependent import HIGH
from dse.ir.design import DesignPoint
from dse.ir.edge_cycles import Array, EdgeCounts, EdgeWork, frame_ends, work_on
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.network import Network
from dse.ir.record import CountedInterval
from dse.ir.stages import flat
from dse.ir.units import Unit
from dse.lowering.pipeline import pipeline


@dataclass(frozen=True)
class CountedCycles:
    """What the units that skip edges do for images that follow each other, as `dse.ir.edge_cycles` counts.

    Attributes:
        ends: `(images,)` by layer: cycles from the first one on until the frame has left the unit.
        edges: by layer: how many edges were executed, and why the others were not.
        others: cycles per frame of the slowest unit that does not skip.
    """

    ends: Mapping[str, Array]
    edges: Mapping[str, EdgeCounts]
    others: int

    def slowest(self, first: int = 0) -> Array:
        """Return `(images - first,)`: cycles of the slowest unit for every image from `first` on."""
        own = [np.diff(ends, prepend=0)[first:] for ends in self.ends.values()]
        slowest: Array = np.maximum(np.max(own, axis=0), self.others)
        return slowest

    def interval(self) -> CountedInterval:
        """Return the cycles between frames."""
        cycles = self.slowest()
        high = float(np.percentile(cycles, HIGH))
        return CountedInterval(len(cycles), float(cycles.mean()), high)


def counted_cycles(
    network: Network, design: DesignPoint, accelerator: Accelerator, images: Integers
) -> CountedCycles | None:
    """Return the cycles of a trained design; None where it skips no edges.

    Args:
        network: of the study, before any pruning.
        design: how it is built.
        accelerator: its integers.
        images: `(n, *input_shape)` integers.
    """
    units = flat(pipeline(network, design))
    works = [(unit, work_on(unit, accelerator, images)) for unit in skipping(units)]
    return counted(units, works) if works else None


def counted(units: Sequence[Unit], works: Sequence[tuple[EdgeSkipUnit, EdgeWork]]) -> CountedCycles:
    """Return the cycles of a pipeline whose units that skip edges do `works`, at least one."""
    return CountedCycles(
        ends={unit.layer: frame_ends(unit, work) for unit, work in works},
        edges={unit.layer: work.edges for unit, work in works},
        others=max(int(u.cycles) for u in units if not isinstance(u, EdgeSkipUnit)),
    )


def call_ends(unit: EdgeSkipUnit, work: EdgeWork, batch: int) -> Array:
    """Return `(images,)`: the same as `ends` where the unit starts anew after every `batch` images."""
    rows = batch * int(unit.vectors)
    calls = [work.words[i : i + rows] for i in range(0, len(work.words), rows)]
    return np.concatenate([frame_ends(unit, replace(work, words=words)) for words in calls])


def skipping(units: Sequence[Unit]) -> tuple[EdgeSkipUnit, ...]:
    """Return the units that skip edges."""
    return tuple(u for u in units if isinstance(u, EdgeSkipUnit))
