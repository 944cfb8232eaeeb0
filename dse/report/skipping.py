"""Edges and positions that a design skips: cycles that depend on the image, beside those without skipping."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dse.ir.design import DesignPoint, LayerDesign
from dse.ir.hardware import HardwareEstimate
from dse.ir.network import Network
from dse.ir.record import CountedInterval
from dse.ir.stages import flat
from dse.ir.timing import interval_cycles
from dse.lowering.pipeline import pipeline


@dataclass(frozen=True, slots=True)
class SkippingLayer:
    """One layer whose cycles depend on the image: those expected, and those without skipping."""

    name: str
    how: str
    cycles: int
    full: int


@dataclass(frozen=True, slots=True)
class Skipping:
    """What a design skips.

    Attributes:
        layers: those that skip.
        expected: cycles between frames that the estimate expects.
        full: cycles between frames of the same design without skipping; they follow from its folding.
        counted: on test images after training; None where they were not counted.
    """

    layers: tuple[SkippingLayer, ...]
    expected: int
    full: int
    counted: CountedInterval | None

    @property
    def rows(self) -> tuple[tuple[str, float], ...]:
        """Name and cycles between frames, the slowest first by meaning."""
        rows: list[tuple[str, float]] = [
            ("Without skipping, by its folding", self.full),
            ("Expected before training", self.expected),
        ]
        if self.counted is not None:
            images = f"{self.counted.images:,} test images"
            rows.append((f"Counted on {images}, 95th percentile", self.counted.p95))
            rows.append((f"Counted on {images}, mean", self.counted.mean))
        return tuple(rows)


def skipping(
    design: DesignPoint,
    network: Network,
    hardware: HardwareEstimate,
    counted: CountedInterval | None,
) -> Skipping | None:
    """Return what a design skips, None where its cycles do not depend on the image."""
    how = {name: said for name, d in design.layers if (said := _how(d))}
    if not how:
        return None
    whole = flat(pipeline(network, DesignPoint(tuple((n, _whole(d)) for n, d in design.layers))))
    expected = {layer.name: int(layer.cycles) for layer in hardware.layers}
    return Skipping(
        layers=tuple(
            SkippingLayer(
                name,
                said,
                expected[name],
                int(interval_cycles([u for u in whole if u.layer == name])),
            )
            for name, said in how.items()
        ),
        expected=hardware.interval_cycles,
        full=int(interval_cycles(whole)),
        counted=counted,
    )


def _how(design: LayerDesign) -> str:
    """Tell what a layer skips; empty where it skips nothing."""
    c = design.compression
    if c is not None and c.spatial_keep < 1:
        tiles = f", in tiles of {c.spatial_tile} x {c.spatial_tile}" if c.spatial_tile > 1 else ""
        return f"positions: computes {100 * c.spatial_keep:.0f} %{tiles}"
    skip = design.folding.edge_skip
    return "" if skip == "off" else f"edges: {skip}"


def _whole(design: LayerDesign) -> LayerDesign:
    """Return a layer that is built with the same folding and skips nothing."""
    c = design.compression
    return LayerDesign(
        None if c is None else replace(c, spatial_keep=1.0, spatial_tile=1),
        replace(design.folding, edge_skip="off"),
    )
