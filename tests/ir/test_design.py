"""Designs and what is recorded about them: digests, and JSON that comes back as it was."""

import json
from dataclasses import replace

import pytest

from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign, compression_digest
from dse.ir.hardware import HardwareEstimate, LayerEstimate, Resources, UnitEstimate
from dse.ir.record import TrialRecord

CONV = LayerDesign(
    Compression(2, 4, "bcr", 0.5, (8, 16)), Folding(4, 8, 2, memory="lutram", compute="dsp")
)
POOL = LayerDesign(None, Folding(2))
LAST = LayerDesign(Compression(1, None), Folding(1, 16))
DESIGN = DesignPoint((("conv", CONV), ("pool", POOL), ("fc", LAST)))


def with_conv(**changes: object) -> DesignPoint:
    folding = {k: v for k, v in changes.items() if k in Folding.__dataclass_fields__}
    rest = {k: v for k, v in changes.items() if k not in folding}
    assert CONV.compression is not None
    conv = LayerDesign(
        replace(CONV.compression, **rest),  # type: ignore[arg-type]
        replace(CONV.folding, **folding),  # type: ignore[arg-type]
    )
    return DesignPoint((("conv", conv), *DESIGN.layers[1:]))


def test_json_brings_the_design_back() -> None:
    again = DesignPoint.from_json(json.loads(json.dumps(DESIGN.to_json())))
    assert again == DESIGN
    assert again.digest == DESIGN.digest
    assert again["conv"].compression == CONV.compression
    assert hash(again) == hash(DESIGN)


@pytest.mark.parametrize(
    "change",
    [
        {"pe": 2},
        {"simd": 4},
        {"swu_simd": 1},
        {"memory": "bram"},
        {"compute": "lut"},
    ],
)
def test_folding_changes_the_design_but_not_the_key_of_the_accuracy(
    change: dict[str, object],
) -> None:
    other = with_conv(**change)
    assert other.digest != DESIGN.digest
    assert other.compression_digest == DESIGN.compression_digest


@pytest.mark.parametrize(
    "change",
    [
        {"weight_bits": 3},
        {"prune_by": "admm"},
        {"activation_bits": 3},
        {"scheme": "unstructured"},
        {"sparsity": 0.25},
        {"block": (16, 8)},
        {"block": None},
    ],
)
def test_compression_changes_both_digests(change: dict[str, object]) -> None:
    other = with_conv(**change)
    assert other.digest != DESIGN.digest
    assert other.compression_digest != DESIGN.compression_digest


def test_compressions_leave_out_layers_without_weights() -> None:
    assert DESIGN.compressions == {"conv": CONV.compression, "fc": LAST.compression}
    assert DESIGN.compression_digest == compression_digest(DESIGN.compressions)


def test_digests_do_not_change_between_versions() -> None:
    # they name folders and cache entries of stored studies
    assert DESIGN.digest == "41c0ccd17f5185e8"
    assert DESIGN.compression_digest == "867e4f131db349bd"


def test_fields_of_later_versions_are_written_where_they_say_something() -> None:
    assert "prune_by" not in DESIGN.to_json()["conv"]["compression"]
    other = with_conv(prune_by="admm")
    assert other.to_json()["conv"]["compression"]["prune_by"] == "admm"
    assert DesignPoint.from_json(other.to_json()) == other


PART = UnitEstimate(Resources(10, 20, 1, 2, 0), Resources(8, 16, 1, 2, 0), Resources(12, 24, 1, 2))
HARDWARE = HardwareEstimate(
    layers=(LayerEstimate("conv", PART, cycles=100, vectors=4, macs=400, weight_kib=1.5),),
    total=PART + PART,
    interval_cycles=100,
    latency_cycles=250,
    clock_mhz=200.0,
    source="analytic",
)


def test_estimates_add_and_come_back_from_json() -> None:
    assert HARDWARE.total.high == Resources(24, 48, 2, 4, 0)
    assert Resources.total([PART.low, PART.low, PART.high]) == Resources(28, 56, 3, 6, 0)
    assert Resources(1.4, 1.6, 0, 0, 0).rounded() == Resources(1, 2, 0, 0, 0)
    assert HARDWARE.latency_us == 1.25
    assert HARDWARE.throughput_fps == 2e6
    assert HardwareEstimate.from_json(json.loads(json.dumps(HARDWARE.to_json()))) == HARDWARE


@pytest.mark.parametrize("hardware", [HARDWARE, None])
def test_a_record_comes_back_from_json(hardware: HardwareEstimate | None) -> None:
    record = TrialRecord(
        id=7,
        knobs={"scheme": "bcr", "sparsity": 0.5, "fold.cycles": 1234.5},
        design=DESIGN,
        state="feasible",
        stage="finetune",
        metrics={"accuracy": 0.975, "lut": 10.0},
        hardware=hardware,
        constraints={"lut <= 70%": -0.5},
        error=None,
        origin="sampler",
        cached_accuracy=False,
        seconds=1.25,
        finished="2026-01-01T00:00:00+00:00",
    )
    assert TrialRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
