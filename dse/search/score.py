"""What a design is worth before it is trained: predicted metrics and constraint violations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, replace

import numpy as np

from cost_models._model import CostModel, Floats
from cost_models._power import power_w
from dse.config.values import Constraint, StudyConfig
from dse.folding.estimate import ENDS, estimate
from dse.folding.slr import borders, per_slr
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, Board, HardwareEstimate
from dse.ir.metrics import METRICS, PER_SLR, UPPER_ENDS
from dse.ir.network import Network
from dse.ir.record import TrialRecord
from dse.search.pareto import violation


def constraints_of(config: StudyConfig) -> tuple[Constraint, ...]:
    """Return the constraints of a study: what the file says, and that a design fits the board.

    A resource that no constraint of the file bounds is bounded by the board's usable share.
    """
    asked = tuple(of_board(c, config.board) for c in config.constraints)
    bounded = {c.metric for c in asked if c.op == "<="}
    rules = []
    for resource in RESOURCES:
        have = getattr(config.board.resources, resource) - getattr(config.reserve, resource)
        share = config.board.usable_share.get(resource, 1.0)
        if resource not in bounded:
            text = f"{resource} <= {share:.0%}".replace("%", " %")
            rules.append(Constraint(resource, "<=", share * have, text, share))
    return (*asked, *rules)


def of_board(constraint: Constraint, board: Board) -> Constraint:
    """Return a constraint as it is of a board: with one die, what is limited `per slr` is limited as a whole."""
    if board.slrs > 1 or constraint.metric not in PER_SLR:
        return constraint
    return replace(constraint, metric=PER_SLR[constraint.metric])


def compared(
    constraint: Constraint, metrics: Mapping[str, float], hardware: HardwareEstimate
) -> float | None:
    """Return what is compared with the limit: what has an interval counts with its upper end.

    None where the metric is not known: an accuracy before training.
    """
    name = constraint.metric
    if name in RESOURCES and constraint.op == "<=":
        high: float = getattr(hardware.total.high, name)
        return high
    return metrics.get(UPPER_ENDS.get(name, METRICS[name].key))


def metrics_of(hardware: HardwareEstimate, board: Board) -> dict[str, float]:
    """Return the predicted metrics by key (`dse.ir.metrics`), without accuracy.

    Beside them the upper ends of intervals that are no resource of the whole board (`UPPER_ENDS`).
    """
    expected = asdict(hardware.total.expected)
    shares = [
        expected[r] / getattr(board.resources, r) for r in RESOURCES if getattr(board.resources, r)
    ]
    return expected | {
        "latency_us": hardware.latency_us,
        "throughput_fps": hardware.throughput_fps,
        "model_size_kib": sum(layer.weight_kib for layer in hardware.layers),
        "utilisation": max(shares),
        **_power(hardware, board),
        **_per_slr(hardware, board),
    }


def layer_table(hardware: HardwareEstimate) -> Floats:
    """Return `(L, 3, 5)`: expected, low and high of every one of RESOURCES of every layer."""
    return np.array([[astuple(getattr(x.resources, end)) for end in ENDS] for x in hardware.layers])


def _power(hardware: HardwareEstimate, board: Board) -> dict[str, float]:
    """Return power, and energy per frame while frame follows frame."""
    cycles = np.array([layer.cycles for layer in hardware.layers])
    interval, clock = hardware.interval_cycles, hardware.clock_mhz
    expected, _, high = power_w(layer_table(hardware), cycles, interval, clock, board).tolist()
    millijoules = 1e3 / hardware.throughput_fps  # per watt
    return {
        "power_w": expected,
        "power_w_high": high,
        "energy_mj": expected * millijoules,
        "energy_mj_high": high * millijoules,
    }


def _per_slr(hardware: HardwareEstimate, board: Board) -> dict[str, float]:
    """Return what the fullest die of a board of several holds, placed by the upper ends."""
    if board.slrs == 1:
        return {}
    table = layer_table(hardware)
    placed = borders(table[:, ENDS.index("high")], board)
    expected, _, high = (per_slr(table[:, i], placed).max(axis=0) for i in range(len(ENDS)))
    found = {}
    for i, resource in enumerate(RESOURCES):
        found[f"{resource}_per_slr"] = float(expected[i])
        found[f"{resource}_per_slr_high"] = float(high[i])
    return found


def violations(
    constraints: tuple[Constraint, ...], metrics: Mapping[str, float], hardware: HardwareEstimate
) -> dict[str, float]:
    """Return the scaled violation of every constraint whose metric is known; <= 0 holds.

    (value - limit) / limit for `<=`, with what has an interval at its upper end; the negative for `>=`.
    """
    result = {}
    for c in constraints:
        value = compared(c, metrics, hardware)
        if value is not None:
            result[c.text] = violation(c, value)
    return result


def reestimate(
    record: TrialRecord, network: Network, config: StudyConfig, model: CostModel
) -> TrialRecord:
    """Price the design of a finished trial again, where another cost model had priced it.

    A trial of an older version gets the metrics that were not there yet.
    """
    if record.hardware is None:
        return record
    if record.hardware.source == model.source:
        if "power_w" in record.metrics:
            return record
        return replace(
            record, metrics=metrics_of(record.hardware, config.board) | dict(record.metrics)
        )
    hardware = estimate(network, record.design, config.board, config.clock_mhz, model)
    metrics = dict(record.metrics) | metrics_of(hardware, config.board)
    return replace(record, hardware=hardware, metrics=metrics)


def rescore(record: TrialRecord, constraints: tuple[Constraint, ...]) -> TrialRecord:
    """Judge a finished trial by other constraints, from its stored metrics."""
    if record.hardware is None:
        return record
    excess = violations(constraints, record.metrics, record.hardware)
    if record.state == "failed":
        return replace(record, constraints=excess)
    holds = all(v <= 0 for v in excess.values())
    if record.state == "passed" and holds:
        return replace(record, constraints=excess)
    # without an accuracy, feasible are only trials of studies that train nothing
    ok = holds and ("accuracy" in record.metrics or record.state == "feasible")
    return replace(record, constraints=excess, state="feasible" if ok else "infeasible")


def newest(records: Iterable[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Return the trial with the highest id of every design, by id.

    A design has more than one where hardware rejected it first and accepts it since.
    """
    found: dict[DesignPoint, TrialRecord] = {}
    for record in sorted(records, key=lambda r: r.id):
        found[record.design] = record
    return tuple(sorted(found.values(), key=lambda r: r.id))
