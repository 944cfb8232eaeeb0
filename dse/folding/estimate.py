"""What a design costs: every unit priced, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache

import numpy as np

from cost_models._model import CostModel, Floats, UnitPrediction
from dse.errors import UsageError
from dse.ir.design import DesignPoint
from dse.ir.hardware import (
    RESOURCES,
    Board,
    HardwareEstimate,
    LayerEstimate,
    Resources,
    UnitEstimate,
)
from dse.ir.network import Network
from dse.ir.stages import flat
from dse.ir.timing import interval_cycles, latency_cycles
from dse.ir.units import Fifo, MatrixUnit, ProductUnit, Unit, WidthConverter
from dse.lowering.pipeline import pipeline

BITS_PER_KIB = 8 * 1024
ENDS = ("expected", "low", "high")
KEPT = 1 << 16  # prices of units that are kept: some 20 MB


def estimate(
    network: Network, design: DesignPoint, board: Board, clock_mhz: float, model: CostModel
) -> HardwareEstimate:
    """Price a design.

    Args:
        network: the network of the study.
        design: a legal, canonical design of it.
        board: the board it is for; only what it lacks altogether matters here.
        clock_mhz: clock of the accelerator.
        model: prices the units.

    Returns:
        Expected resources and the ends of their 90 % intervals. Ends of units are added up: they
        are bounds even where all units err the same way.

    Raises:
        UsageError: the design is illegal for the network, or asks for memory that the board has
            not.
    """
    for name, layer in design.layers:
        check_memory(name, layer.folding.memory, board)
    stages = pipeline(network, design)
    units = flat(stages)
    prices = price(units, model)
    layers = []
    for name, _ in design.layers:
        own = [i for i, unit in enumerate(units) if unit.layer == name]
        matrix = next((u for u in (units[i] for i in own) if isinstance(u, ProductUnit)), None)
        layers.append(
            LayerEstimate(
                name=name,
                resources=_unit_estimate(prices[own].sum(axis=0)),
                cycles=interval_cycles([units[i] for i in own]),
                vectors=0 if matrix is None else int(matrix.vectors),
                macs=0 if matrix is None else int(matrix.macs),
                weight_kib=0.0 if matrix is None else stored_bits(matrix) / BITS_PER_KIB,
            )
        )
    return HardwareEstimate(
        layers=tuple(layers),
        total=_unit_estimate(prices.sum(axis=0)),
        interval_cycles=interval_cycles(units),
        latency_cycles=latency_cycles(stages),
        clock_mhz=clock_mhz,
        source=model.source,
    )


def check_memory(layer: str, memory: str, board: Board) -> None:
    """Raise UsageError where a layer asks for memory that the board has not."""
    if memory == "uram" and not board.resources.uram:
        msg = (
            f"layer {layer}: memory `uram` needs a board with UltraRAM, {board.name} has none;"
            f" use bram or lutram"
        )
        raise UsageError(msg)


def price(units: Sequence[Unit], model: CostModel) -> Floats:
    """Return `(units, 3, 5)`: expected, low and high of every resource of every unit.

    Converters and FIFOs, most of the units, are asked for at once; the price of any other unit is
    kept, for a search meets it in many designs.
    """
    prices = np.empty((len(units), len(ENDS), len(RESOURCES)))
    for kind in (WidthConverter, Fifo):
        places = [i for i, unit in enumerate(units) if isinstance(unit, kind)]
        if places:
            columns = {
                f.name: np.array([getattr(units[i], f.name) for i in places])
                for f in fields(kind)
                if f.name != "layer"
            }
            prices[places] = price_table(model.predict(kind(layer="", **columns)))
    for i, unit in enumerate(units):
        if not isinstance(unit, WidthConverter | Fifo):
            prices[i] = _price(unit, model)
    return prices


@lru_cache(maxsize=KEPT)
def _price(unit: Unit, model: CostModel) -> Floats:
    """Return `(3, 5)` of one unit of plain numbers."""
    return price_table(model.predict(unit))


def stored_bits(unit: ProductUnit) -> int:
    """Return the bits of a unit's weights and of the indices that say which weights they are.

    A tiled unit stores, for every block, one of q columns c times and one of p / r rows r times; columns once
    for all positions and per run.
    """
    bits = int(unit.macs) // int(unit.vectors) * int(unit.weight_bits)
    t = unit.tiling if isinstance(unit, MatrixUnit) else None
    if t is None:
        return bits
    blocks = (int(unit.mh) // t.block_rows) * (int(unit.mw) // t.block_cols)
    column = t.kept_cols // t.run * t.index_bits
    row = t.kept_rows * (t.block_rows // t.kept_rows - 1).bit_length()
    return bits + blocks // t.positions * column + blocks * row


def price_table(prediction: UnitPrediction) -> Floats:
    """Return `(..., 3, 5)` of a prediction."""
    return np.stack(
        [np.stack([getattr(getattr(prediction, e), r) for r in RESOURCES], axis=-1) for e in ENDS],
        axis=-2,
    )


def _unit_estimate(prices: Floats) -> UnitEstimate:
    """Return `(3, 5)` prices by name."""
    return UnitEstimate(*(Resources(*row) for row in prices.tolist()))
