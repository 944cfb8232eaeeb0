"""One design as the report shows it: usage of the board, layers, what limits it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np

from dse.compression import effective
from dse.config.values import Constraint, StudyConfig
from dse.folding.estimate import ENDS
from dse.folding.slr import borders, per_slr
from dse.ir.design import DesignPoint, LayerDesign
from dse.ir.finn import folding_config
from dse.ir.hardware import RESOURCES, Board, HardwareEstimate, LayerEstimate, Resources
from dse.ir.layers._base import Layer
from dse.ir.loading import loading_cycles
from dse.ir.network import Network
from dse.ir.record import FinalRecord, StageAccuracy, TrialRecord
from dse.ir.stages import flat
from dse.ir.synthesised import SynthesisedDesign
from dse.ir.units import (
    AddUnit,
    ConcatUnit,
    DepthwiseUnit,
    FillUnit,
    LaneUnit,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    SumUnit,
    Unit,
    legal_folds,
)
from dse.lowering.pipeline import pipeline
from dse.report.format import accuracy, expected
from dse.report.skipping import skipping
from dse.report.trust import synthesis_view
from dse.report.values import Bottleneck, DesignView, DieView, LayerView, Slack, Usage
from dse.search.score import compared, layer_table

Price = Callable[[DesignPoint], HardwareEstimate]


def design_view(
    record: TrialRecord,
    network: Network,
    config: StudyConfig,
    constraints: Sequence[Constraint],
    *,
    final: FinalRecord | None,
    names: tuple[str, ...],
    on_front: bool,
    synthesised: SynthesisedDesign | None,
    price: Price | None = None,
) -> DesignView:
    """Return all that is known about a design.

    Args:
        record: a trial with a hardware estimate; its accuracy is already that of `final`.
        network: of the study.
        config: of the study.
        constraints: of the file and of the board.
        final: its full training, where there was one.
        names: what it was picked for.
        on_front: whether no other design dominates it.
        synthesised: its synthesis, where there was one.
        price: what the cost model says of another folding; None where there is none.
    """
    hardware = record.hardware
    assert hardware is not None
    units = flat(pipeline(network, record.design))
    trained = "search training" if "accuracy" in record.metrics else ""
    if final is not None:
        trained = "full training" if final.epochs else "no training"
    if keeps_scored(record, config):
        trained = after(record.accuracies)
    return DesignView(
        id=record.id,
        digest=record.design.digest,
        origin=record.origin,
        feasible=record.state == "feasible",
        on_front=on_front,
        expected=record.predicted if record.state == "passed" else None,
        passed=why_passed(record),
        names=names,
        metrics=record.metrics,
        accuracy_after=trained,
        test_accuracy=final.test_accuracy if final else None,
        test_images=final.test_images if final else None,
        clock_mhz=hardware.clock_mhz,
        interval_cycles=hardware.interval_cycles,
        latency_cycles=hardware.latency_cycles,
        source=hardware.source,
        usage=usage(hardware, config, constraints),
        slacks=slacks(record, hardware, constraints),
        layers=layer_views(record, network, hardware),
        bottleneck=bottleneck(record.design, hardware, units, price),
        synthesised=synthesis_view(synthesised),
        counted=final.interval if final else None,
        accuracies=record.accuracies,
        skipping=skipping(record.design, network, hardware, final.interval if final else None),
        dies=dies(hardware, config.board),
        design=record.design,
        folding=folding_config(units),
        loading_cycles=loading_cycles(units),
    )


def why_passed(record: TrialRecord) -> str:
    """Return why a trial was passed over; empty where it was not."""
    if record.state != "passed":
        return ""
    if record.accuracies:
        last = record.accuracies[-1]
        return f"accuracy {accuracy(last.accuracy)} at stage {last.stage}, which passed others on"
    if record.predicted is None:
        return "not trained: no better than a feasible design in any objective"
    return f"accuracy {expected(record.predicted)}: too little for the front, whatever the folding"


def keeps_scored(record: TrialRecord, config: StudyConfig) -> bool:
    """Whether a design of the front has the network that its stages measured, and no other training."""
    return bool(record.accuracies) and config.stages.final_epochs is None


def after(measured: Sequence[StageAccuracy]) -> str:
    """Return what training the accuracy of the last stage is of, and on how many validation images."""
    trained = any(m.stage in ("short", "finetune") for m in measured)
    training = "search training" if trained else "no training"
    return f"{training}, on {measured[-1].images:,} of the validation images"


def usage(
    hardware: HardwareEstimate, config: StudyConfig, constraints: Sequence[Constraint]
) -> tuple[Usage, ...]:
    """Return the usage of every resource that the board has or the design takes."""
    total = hardware.total
    rows = []
    for resource in RESOURCES:
        limits = [c.limit for c in constraints if c.metric == resource and c.op == "<="]
        row = Usage(
            resource=resource,
            expected=getattr(total.expected, resource),
            low=getattr(total.low, resource),
            high=getattr(total.high, resource),
            board=getattr(config.board.resources, resource),
            reserve=getattr(config.reserve, resource),
            limit=min(limits, default=None),
        )
        if row.board or row.high:
            rows.append(row)
    return tuple(rows)


def dies(hardware: HardwareEstimate, board: Board) -> tuple[DieView, ...]:
    """Return what every die holds of a board of several; nothing of a board of one."""
    if board.slrs == 1:
        return ()
    table = layer_table(hardware)
    expected, high = table[:, ENDS.index("expected")], table[:, ENDS.index("high")]
    placed = borders(high, board)
    names = [layer.name for layer in hardware.layers]
    have = [getattr(board.resources, r) / board.slrs for r in RESOURCES]
    return tuple(
        DieView(
            first=names[first] if first < last else "",
            last=names[last - 1] if first < last else "",
            expected=Resources(*e.tolist()),
            high=Resources(*h.tolist()),
            share=max(used / n for used, n in zip(h, have, strict=True) if n),
        )
        for first, last, e, h in zip(
            placed, placed[1:], per_slr(expected, placed), per_slr(high, placed), strict=False
        )
    )


def slacks(
    record: TrialRecord, hardware: HardwareEstimate, constraints: Sequence[Constraint]
) -> tuple[Slack, ...]:
    """Return how far a design is from every constraint that was judged.

    A limit of zero that is kept (no URAM on a board without any) says nothing and is left out.
    """
    rows = []
    for c in constraints:
        excess = record.constraints.get(c.text)
        if excess is None or (c.limit == 0 and excess <= 0):
            continue
        value = compared(c, record.metrics, hardware)
        assert value is not None
        rows.append(Slack(c.text, c.metric, value, c.limit, excess))
    return tuple(rows)


def layer_views(
    record: TrialRecord, network: Network, hardware: HardwareEstimate
) -> tuple[LayerView, ...]:
    """Return every layer as it is built, in order."""
    built, _ = effective(network, record.design.compressions)
    slowest = max(layer.cycles for layer in hardware.layers)
    return tuple(
        _layer(layer, record.design[layer.name], cost, slowest)
        for layer, cost in zip(built.layers, hardware.layers, strict=True)
    )


def _layer(layer: Layer, design: LayerDesign, cost: LayerEstimate, slowest: int) -> LayerView:
    c, f = design.compression, design.folding
    return LayerView(
        name=layer.name,
        kind=type(layer).__name__,
        input_shape=layer.input_shape,
        output_shape=layer.output_shape,
        weight_bits=c.weight_bits if c else None,
        activation_bits=c.activation_bits if c else None,
        scheme=c.scheme if c else "",
        sparsity=c.sparsity if c else 0.0,
        block=c.block if c else None,
        pe=f.pe,
        simd=f.simd,
        memory=f.memory if c else "",
        compute=f.compute if c else "",
        edge_skip=f.edge_skip,
        cycles=int(cost.cycles),
        pace=cost.cycles / slowest,
        efficiency=cost.macs / (cost.cycles * f.pe * f.simd)
        if c and f.edge_skip == "off"
        else None,
        resources=cost.resources.expected,
        weight_kib=cost.weight_kib,
        bottleneck=cost.cycles == slowest,
    )


def bottleneck(
    design: DesignPoint,
    hardware: HardwareEstimate,
    units: Sequence[Unit],
    price: Price | None,
) -> Bottleneck:
    """Return the unit that sets the frame rate, and the cheapest folding that relieves it.

    Only a matrix unit is refolded: the smallest legal PE * SIMD with fewer cycles; of equals the one
    with fewer cycles. The foldings of the others are taken as they are; converters and FIFOs around it
    follow, and are in its price.
    """
    slowest = max(units, key=lambda u: int(u.cycles))
    cycles = int(slowest.cycles)
    fold = _refold(slowest) if isinstance(slowest, MatrixUnit) else None
    if fold is None:
        return Bottleneck(slowest.layer, _kind(slowest), cycles, None, None, None)
    pe, simd, faster = fold
    pace = [(int(u.cycles), u.layer) for u in units if u is not slowest]
    after, layer = max([*pace, (faster, slowest.layer)], key=lambda p: p[0])
    more = None
    if price is not None:
        new = price(_folded(design, slowest.layer, pe, simd)).total.expected
        more = Resources(
            **{r: getattr(new, r) - getattr(hardware.total.expected, r) for r in RESOURCES}
        )
    return Bottleneck(slowest.layer, _kind(slowest), cycles, (pe, simd), after, layer, more)


def _folded(design: DesignPoint, layer: str, pe: int, simd: int) -> DesignPoint:
    """Return the design with another PE and SIMD of one layer."""
    return DesignPoint(
        tuple(
            (n, replace(d, folding=replace(d.folding, pe=pe, simd=simd)) if n == layer else d)
            for n, d in design.layers
        )
    )


def _refold(unit: MatrixUnit) -> tuple[int, int, int] | None:
    """Return (PE, SIMD, cycles) of the cheapest faster folding."""
    pes, simds = legal_folds(int(unit.mh), int(unit.mw), unit.tiling)
    values = {f.name: getattr(unit, f.name) for f in fields(unit)}
    cycles = np.asarray(type(unit)(**{**values, "pe": pes, "simd": simds}).cycles)
    faster = np.flatnonzero(cycles < int(unit.cycles)).tolist()
    if not faster:
        return None
    best = min(faster, key=lambda i: (pes[i] * simds[i], cycles[i]))
    return int(pes[best]), int(simds[best]), int(cycles[best])


def _kind(unit: Unit) -> str:
    if isinstance(unit, MatrixUnit):
        return "matrix unit"
    if isinstance(unit, DepthwiseUnit):
        return "depthwise unit"
    if isinstance(unit, SlidingWindowUnit):
        return "sliding window unit"
    if isinstance(unit, FillUnit):
        return "unit that fills skipped positions"
    if isinstance(unit, LaneUnit):
        return "fused residual activation"
    if isinstance(unit, AddUnit):
        return "adding unit"
    if isinstance(unit, ConcatUnit):
        return "concatenating unit"
    return "pooling unit" if isinstance(unit, PoolUnit | SumUnit) else "width converter"
