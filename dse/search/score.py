"""What a design is worth before it is trained: predicted metrics and constraint violations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

from cost_models._model import CostModel
from dse.config.values import Constraint, StudyConfig
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, Board, HardwareEstimate
from dse.ir.metrics import METRICS
from dse.ir.network import Network
from dse.ir.record import TrialRecord
from dse.search.estimate import estimate
from dse.search.pareto import violation


def constraints_of(config: StudyConfig) -> tuple[Constraint, ...]:
    """Return the constraints of a study: what the file says, and that a design fits the board.

    A resource that no constraint of the file bounds is bounded by the board's usable share.
    """
    bounded = {c.metric for c in config.constraints if c.op == "<="}
    rules = []
    for resource in RESOURCES:
        have = getattr(config.board.resources, resource) - getattr(config.reserve, resource)
        share = config.board.usable_share.get(resource, 1.0)
        if resource not in bounded:
            text = f"{resource} <= {share:.0%}".replace("%", " %")
            rules.append(Constraint(resource, "<=", share * have, text, share))
    return (*config.constraints, *rules)


def metrics_of(hardware: HardwareEstimate, board: Board) -> dict[str, float]:
    """Return the predicted metrics by key (`dse.ir.metrics`), without accuracy."""
    expected = asdict(hardware.total.expected)
    shares = [
        expected[r] / getattr(board.resources, r) for r in RESOURCES if getattr(board.resources, r)
    ]
    return expected | {
        "latency_us": hardware.latency_us,
        "throughput_fps": hardware.throughput_fps,
        "model_size_kib": sum(layer.weight_kib for layer in hardware.layers),
        "utilisation": max(shares),
    }


def violations(
    constraints: tuple[Constraint, ...], metrics: Mapping[str, float], hardware: HardwareEstimate
) -> dict[str, float]:
    """Return the scaled violation of every constraint whose metric is known; <= 0 holds.

    (value - limit) / limit for `<=`, with resources at the upper end of their interval; the negative for `>=`.
    """
    result = {}
    for c in constraints:
        key = METRICS[c.metric].key
        if key not in metrics:
            continue
        value = metrics[key]
        if c.metric in RESOURCES and c.op == "<=":
            value = getattr(hardware.total.high, c.metric)
        result[c.text] = violation(c, value)
    return result


def reestimate(
    record: TrialRecord, network: Network, config: StudyConfig, model: CostModel
) -> TrialRecord:
    """Price the design of a finished trial again, where another cost model had priced it."""
    if record.hardware is None or record.hardware.source == model.source:
        return record
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
