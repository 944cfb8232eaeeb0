"""A synthetic study: real network, real pruning and folding rules, invented prices and accuracies."""

import math
import random
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dse.compression import canonical, effective
from dse.config.values import (
    Budget,
    Constraint,
    DataConfig,
    Knobs,
    ModelConfig,
    Objective,
    Parallel,
    ReportConfig,
    Space,
    Stages,
    StudyConfig,
)
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import Board, HardwareEstimate, LayerEstimate, Resources, UnitEstimate
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.numbers import IntType
from dse.ir.record import FinalRecord, TrialRecord
from dse.ir.units import MatrixUnit, divisors, legal_folds
from dse.lowering.pipeline import pipeline
from dse.networks import digits_cnn
from dse.search.pareto import front
from dse.search.score import constraints_of, metrics_of, violations
from dse.snapshot import StudySnapshot

TEXT = """\
version: 1
study: digits-pynq
model: digits-cnn
data: digits
board: Pynq-Z1
clock: 100 MHz
space:
  weight_bits: [2, 4, 8]
  activation_bits: [2, 4, 8]
  sparsity: [0.0, 0.5, 0.75]
  block: 8x16
objectives: {accuracy: maximize, latency: minimize, lut: minimize}
constraints: [accuracy >= 90 %, lut <= 70 %, bram <= 80 %, dsp <= 80 %]
budget: {trials: 150}
"""
BOARD = Board(
    name="Pynq-Z1",
    part="xc7z020clg400-1",
    family="7series",
    resources=Resources(lut=53_200, ff=106_400, dsp=220, bram18=280, uram=0),
    usable_share={"lut": 0.7, "ff": 0.5, "dsp": 0.8, "bram18": 0.8, "uram": 0.8},
    max_clock_mhz=200,
    source="AMD DS190",
)
CONSTRAINTS = (
    Constraint("accuracy", ">=", 0.9, "accuracy >= 90 %"),
    Constraint("lut", "<=", 0.7 * 51_200, "lut <= 70 %", 0.7),
    Constraint("bram18", "<=", 0.8 * 280, "bram <= 80 %", 0.8),
    Constraint("dsp", "<=", 0.8 * 220, "dsp <= 80 %", 0.8),
)
OBJECTIVES = (
    Objective("accuracy", "maximize"),
    Objective("latency", "minimize"),
    Objective("lut", "minimize"),
)


def study_config():
    return StudyConfig(
        study="digits-pynq",
        description="",
        seed=0,
        model=ModelConfig("digits_cnn"),
        data=DataConfig("digits"),
        board=BOARD,
        clock_mhz=100.0,
        reserve=Resources(lut=2_000),
        space=Space(Knobs(), ()),
        objectives=OBJECTIVES,
        constraints=CONSTRAINTS,
        seeds=("baseline",),
        sampler="auto",
        budget=Budget(trials=150),
        stages=Stages(),
        confidence=0.9,
        parallel=Parallel(),
        storage="file",
        report=ReportConfig(),
        path=Path("study.yaml"),
        text=TEXT,
        marks={},
    )


def renamed(network, names):
    """Give layers of a network other names."""
    layers = tuple(
        replace(
            layer,
            name=names.get(layer.name, layer.name),
            inputs=tuple(names.get(i, i) for i in layer.inputs),
        )
        for layer in network.layers
    )
    return replace(network, layers=layers)


def design_for(network, wanted, target):
    """Fold every layer as small as `target` cycles allow."""
    compressions = canonical(network, wanted)
    built, structures = effective(network, compressions)
    layers = []
    for layer in built.layers:
        if isinstance(layer, MaxPool2d):
            layers.append((layer.name, LayerDesign(None, Folding(layer.input_shape[-1]))))
            continue
        s = structures[layer.name]
        pes, simds = legal_folds(s.mh, s.mw, s.tiling)
        unit = MatrixUnit(
            layer.name,
            s.mh,
            s.mw,
            layer.vectors,
            pes,
            simds,
            4,
            4,
            False,
            4,
            "bram",
            "lut",
            s.tiling,
        )
        ranked = sorted(
            zip(unit.cycles.tolist(), pes.tolist(), simds.tolist(), strict=True),
            key=lambda f: (f[0] > target, f[1] * f[2] if f[0] <= target else f[0]),
        )
        _, pe, simd = ranked[0]
        window = int(divisors(layer.input_shape[-1])[-1]) if isinstance(layer, Conv2d) else 0
        memory = "bram" if s.mh * s.mw > 2000 else "lutram"
        compute = "dsp" if compressions[layer.name].weight_bits == 8 and pe * simd <= 16 else "lut"
        fold = Folding(pe, simd, window, memory, compute)
        layers.append((layer.name, LayerDesign(compressions[layer.name], fold)))
    return DesignPoint(tuple(layers))


def price(network, design):
    """Invent a hardware estimate; cycles are the real ones."""
    units = pipeline(network, design)
    cycles = Counter()
    for unit in units:
        cycles[unit.layer] = max(cycles[unit.layer], int(unit.cycles))
    layers = []
    for name, d in design.layers:
        f, c = d.folding, d.compression
        matrix = next((u for u in units if isinstance(u, MatrixUnit) and u.layer == name), None)
        lanes, bits = f.pe * f.simd, c.weight_bits if c else 1
        inputs = int(matrix.input_bits) if matrix else 4
        dsp = lanes if f.compute == "dsp" else 0
        bram = f.pe * math.ceil(f.simd * bits / 36) if f.memory == "bram" and c else 0
        lut = 180 + lanes * (6 if dsp else 1.3 * bits * inputs + 4)
        expected = Resources(lut=lut, ff=1.2 * lut, dsp=dsp, bram18=bram)
        low, high = (
            Resources(lut=k * lut, ff=k * 1.2 * lut, dsp=dsp, bram18=round(k * bram))
            for k in (0.93, 1.08)
        )
        layers.append(
            LayerEstimate(
                name=name,
                resources=UnitEstimate(expected, low, high),
                cycles=cycles[name],
                vectors=int(matrix.vectors) if matrix else 0,
                macs=int(matrix.macs) if matrix else 0,
                weight_kib=int(matrix.depth) * lanes * bits / 8192 if matrix else 0.0,
            )
        )
    total = UnitEstimate(Resources(), Resources(), Resources())
    for layer in layers:
        total = total + layer.resources
    interval = max(cycles.values())
    latency = interval + sum(cycles.values()) // 3
    return HardwareEstimate(tuple(layers), total, interval, latency, 100.0, "analytic")


def judged(i, network, design, rng, origin):
    hardware = price(network, design)
    metrics = metrics_of(hardware, BOARD)
    constraints = constraints_of(study_config())
    stage = "estimate"
    if all(v <= 0 for v in violations(constraints, metrics, hardware).values()):
        stage = "finetune"
        loss = 0.0
        for c in design.compressions.values():
            loss += 0.012 * 2.0 ** (1 - c.weight_bits / 2) * (1 + 2 * c.sparsity**2)
            loss += 0.008 * 2.0 ** (-(c.activation_bits or 8) / 2)
        metrics["accuracy"] = round((0.985 - loss + rng.gauss(0, 0.004)) * 360) / 360
    excess = violations(constraints, metrics, hardware)
    held = all(v <= 0 for v in excess.values()) and stage == "finetune"
    return TrialRecord(
        id=i,
        knobs={
            **{f"{n}.weight_bits": c.weight_bits for n, c in design.compressions.items()},
            **{f"{n}.sparsity": c.sparsity for n, c in design.compressions.items()},
            "all.block": (8, 16),
            "fold.cycles": float(hardware.interval_cycles),
        },
        design=design,
        state="feasible" if held else "infeasible",
        stage=stage,
        metrics=metrics,
        hardware=hardware,
        constraints=excess,
        error=None,
        origin=origin,
        cached_accuracy=False,
        seconds=1.5,
        finished=f"2026-03-01T10:{i // 60 % 60:02}:{i % 60:02}Z",
    )


def failed(record, error):
    return replace(
        record,
        state="failed",
        stage="estimate",
        metrics=metrics_of(record.hardware, BOARD),
        constraints={},
        error=error,
    )


def synthetic(trials=150, seed=1, names=None, finals=True):
    """Build a snapshot of a finished study; `names` renames layers."""
    rng = random.Random(seed)
    network = renamed(digits_cnn.build((8, 8, 1), IntType(4, False), 10), names or {})
    records = []
    for i in range(trials):
        first = i == 0
        wanted = {
            layer.name: Compression(
                weight_bits=8 if first else rng.choice([2, 4, 8]),
                activation_bits=8 if first else rng.choice([2, 4, 8]),
                scheme="bcr",
                sparsity=0.0 if first else rng.choice([0.0, 0.5, 0.75]),
                block=(8, 16),
            )
            for layer in network.matrix_layers
        }
        target = 10 ** rng.uniform(2.0, 4.3)
        record = judged(
            i, network, design_for(network, wanted, target), rng, "baseline" if first else "sampler"
        )
        if i % 50 == 33:
            trace = "Traceback (most recent call last):\n  in train\nValueError: NaN loss in conv2"
            record = failed(record, trace)
        records.append(record)
    retrained = {}
    if finals:
        for record in front(records, OBJECTIVES):
            accuracy = min(1.0, record.metrics["accuracy"] + 2 / 360)
            digest = record.design.digest
            retrained[digest] = FinalRecord(
                digest, accuracy, accuracy - 0.004, 360, 60, "ab" * 8, 9
            )
    return StudySnapshot(
        config=study_config(),
        network=network,
        records=tuple(records),
        finals=retrained,
        repeated=4,
        state="complete",
        stop_reason="150 trials are done",
        seconds=211.0,
        created="2026-03-01T10:00:00Z",
        updated="2026-03-01T10:03:31Z",
        written_by="dse 0.1.0",
        versions={"python": "3.11.9", "numpy": "2.4.6", "optuna": "5.0.0"},
        machine="Linux, x86_64, 2 cores, 24 GiB",
        base_accuracy=0.9778,
        price=partial(price, network),
    )


@pytest.fixture(scope="session")
def make_snapshot():
    return synthetic


@pytest.fixture(scope="session")
def make_price():
    return price


@pytest.fixture(scope="session")
def snapshot():
    return synthetic()
