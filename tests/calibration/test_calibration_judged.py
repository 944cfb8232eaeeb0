"""Calibration on records of a known law: what it finds, and what it refuses to claim."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cost_models import analytic, learned
from dse.calibration.calibrate import base_model, calibrate, require_improvement, to_json
from dse.calibration.judge import left_out, reach_of
from dse.calibration.records import Origin, SynthesisRecord
from dse.errors import UsageError
from dse.ir.units import MatrixUnit

Records = Callable[..., list[SynthesisRecord]]


def plain() -> learned.LearnedModel:
    return learned.named("analytic", "7series")


@pytest.mark.parametrize("ratio", [0.4, 2.0])
def test_ten_designs_of_another_tool(records: Records, ratio: float) -> None:
    result = calibrate(records(10, ratio), plain(), name="mine")
    assert result.improved
    assert (result.designs, result.base) == (10, "analytic")
    by_name = {(v.kind, v.resource): v for v in result.verdicts}
    assert set(by_name) == {(k, r) for k in ("matrix", "fifo") for r in ("lut", "ff")}
    for v in by_name.values():
        assert v.improved
        assert v.after is not None
        assert v.before.mean == pytest.approx(abs(1 / ratio - 1), rel=1e-6)
        assert v.after.mean < 0.1 * v.before.mean
        assert v.after.coverage >= 0.85
    assert ("matrix", "bram18") in result.exact
    unseen = records(5, ratio, seed=9)
    for record in unseen:
        found = result.model.predict(record.unit)
        assert float(found.expected.lut) == pytest.approx(record.actual["lut"], rel=0.08)
        assert found.low.lut <= record.actual["lut"] <= found.high.lut


def test_held_out_errors_are_those_of_unseen_records(records: Records) -> None:
    """The error promised by leaving out is the error met on new designs."""
    result = calibrate(records(20, 0.6, noise=0.1), plain(), name="mine")
    (verdict,) = (v for v in result.verdicts if (v.kind, v.resource) == ("matrix", "lut"))
    assert verdict.after is not None
    errors, inside = [], []
    for record in records(60, 0.6, noise=0.1, seed=5):
        if isinstance(record.unit, MatrixUnit):
            p = result.model.predict(record.unit)
            errors.append(abs(float(p.expected.lut) / record.actual["lut"] - 1))
            inside.append(p.low.lut <= record.actual["lut"] <= p.high.lut)
    assert np.mean(errors) == pytest.approx(verdict.after.mean, abs=0.03)
    assert 0.8 <= np.mean(inside) <= 0.99


def test_no_improvement_is_claimed_where_there_is_none(records: Records) -> None:
    """Records that the base predicts up to noise: nothing to learn."""
    same = records(8, 1.0, noise=0.1)
    first = calibrate(same, plain(), name="mine")
    assert not any(v.improved and v.gain < v.gain_error for v in first.verdicts)
    exact = calibrate(records(8, 1.0), plain(), name="mine")
    assert not exact.improved
    assert not exact.model.corrections
    with pytest.raises(UsageError, match="nothing was written"):
        require_improvement(exact)


def test_a_resource_that_does_not_improve_keeps_its_base(records: Records) -> None:
    """LUTs follow a law, flip-flops are pure noise around the base."""
    rng = np.random.default_rng(3)
    model = analytic.load("7series")
    mixed = [
        replace(
            r,
            actual={
                "lut": r.actual["lut"],
                "ff": float(model.predict(r.unit).expected.ff) * np.exp(0.3 * rng.normal()),
            },
        )
        for r in records(10, 0.5)
        if isinstance(r.unit, MatrixUnit)
    ]
    result = calibrate(mixed, plain(), name="mine")
    (verdict,) = (v for v in result.verdicts if v.resource == "ff")
    assert not verdict.improved
    for record in mixed[:5]:
        before, after = (m.predict(record.unit).expected.ff for m in (model, result.model))
        assert float(after) == pytest.approx(float(before), rel=1e-12)
    forced = calibrate(mixed, plain(), name="mine", force=True)
    assert set(forced.model.corrections["matrix"]) == {"lut", "ff"}


def test_an_interval_that_is_too_narrow_is_widened_and_nothing_else(records: Records) -> None:
    """Noise far beyond the band: no correction helps, but fewer records lie inside than promised."""
    wild = [r for r in records(30, 1.0, noise=0.8) if isinstance(r.unit, MatrixUnit)]
    result = calibrate(wild, plain(), name="mine")
    (verdict,) = (v for v in result.verdicts if v.resource == "lut")
    assert (verdict.improved, verdict.too_sure, verdict.widened) == (False, True, True)
    assert verdict.before.coverage < 0.8
    require_improvement(result)
    unseen = [r for r in records(40, 1.0, noise=0.8, seed=4) if isinstance(r.unit, MatrixUnit)]
    found = [result.model.predict(r.unit) for r in unseen]
    before = [plain().predict(r.unit) for r in unseen]
    for new, old in zip(found, before, strict=True):
        assert float(new.expected.lut) == pytest.approx(float(old.expected.lut), rel=1e-12)
    inside = [
        p.low.lut <= r.actual["lut"] <= p.high.lut for p, r in zip(found, unseen, strict=True)
    ]
    assert 0.82 <= np.mean(inside) <= 0.97


def test_two_records_cannot_be_judged(records: Records) -> None:
    two = [r for r in records(1, 0.5) if isinstance(r.unit, MatrixUnit)]
    result = calibrate(two, plain(), name="mine")
    assert all(v.after is None and not v.improved for v in result.verdicts)
    with pytest.raises(UsageError, match="too few distinct configurations"):
        require_improvement(result)
    forced = calibrate(two, plain(), name="mine", force=True)
    found = float(forced.model.predict(two[0].unit).expected.lut)
    assert found == pytest.approx(two[0].actual["lut"], rel=0.1)


def test_a_calibrated_model_can_be_calibrated_again(records: Records) -> None:
    first = calibrate(records(4, 0.5), plain(), name="a").model
    again = learned.from_json(json.loads(learned.dumps(first)), "7series")
    second = calibrate(records(8, 0.5, seed=7), again, name="b", force=True).model
    correction = second.corrections["matrix"]["lut"]
    assert correction.targets == ("matrix",)
    assert len(correction.process.points) == 2 * (4 + 8)  # two matrix units a design


def test_the_nearest_shipped_model_is_the_base(records: Records) -> None:
    assert base_model(None, records(6, 1.0)).source == "analytic"
    shipped = learned.shipped("vivado-finn", "7series")
    origin = Origin("vivado", "synth", "finn")
    near = [
        replace(
            r,
            origin=origin,
            actual={
                "lut": float(shipped.predict(r.unit).expected.lut),
                "ff": float(shipped.predict(r.unit).expected.ff),
            },
        )
        for r in records(6, 1.0)
        if isinstance(r.unit, MatrixUnit)
    ]
    assert base_model(None, near).name == "vivado-finn"
    assert base_model("analytic", near).builder == "finn"


def test_a_model_of_our_verilog_is_no_base_for_reports_of_a_vendor(records: Records) -> None:
    with pytest.raises(UsageError, match=r"yosys.*toolchains are not mixed"):
        base_model("yosys-rtl", records(2, 1.0))
    own = [replace(r, origin=Origin("yosys", "synth", "dse")) for r in records(2, 1.0)]
    assert base_model("yosys-rtl", own).name.startswith("yosys-rtl")
    with pytest.raises(UsageError, match=r"vivado.*toolchains are not mixed"):
        base_model("vivado-finn", own)
    assert base_model("analytic", own).name == "analytic"


def test_the_file_states_what_it_was_made_of(records: Records) -> None:
    result = calibrate(records(5, 0.5), plain(), name="mine")
    facts = result.model.facts
    assert (facts["tool"], facts["tool_version"], facts["part"], facts["stage"]) == (
        "vivado",
        "2023.2",
        "xc7z020",
        "synth",
    )
    assert facts["records"] == result.records
    assert facts["held_out"]["matrix lut"]["after"]["mean"] < 0.1
    assert to_json(result)["verdicts"]
    assert (
        calibrate(records(5, 0.5)[::-1], plain(), name="x").model.facts["data_digest"]
        == (facts["data_digest"])
    )


def test_designs_are_held_out_whole() -> None:
    designs = np.repeat(np.arange(14), 3)
    masks = list(left_out(designs))
    assert len(masks) == 10
    assert (np.sum(masks, axis=0) == 1).all()
    for mask in masks:
        assert all(len(set(mask[designs == d])) == 1 for d in range(14))
    assert len(list(left_out(np.zeros(5, dtype=int)))) == 5  # one design: single records


def test_reach_widens_with_surprises_and_not_without() -> None:
    none = reach_of(1.645, np.zeros(0))
    assert none == pytest.approx(1.645, abs=0.35)
    assert reach_of(1.645, np.full(60, 4.0)) == pytest.approx(4.0)
    assert reach_of(1.645, np.full(200, 0.1)) < 1.0
    normal = np.random.default_rng(0).normal(size=3000)
    assert reach_of(1.645, normal) == pytest.approx(1.645, abs=0.07)


def test_the_clock_is_stated_where_all_reports_share_it(records: Records) -> None:
    found = [replace(r, clock_ns=5.0) for r in records(3, 0.5)]
    assert calibrate(found, plain(), name="mine").model.facts["clock_ns"] == 5.0
    mixed = [replace(found[0], clock_ns=10.0), *found[1:]]
    assert "clock_ns" not in calibrate(mixed, plain(), name="mine").model.facts
    yosys = [replace(r, origin=Origin("yosys", "synth", "dse")) for r in found]
    assert "clock_ns" not in calibrate(yosys, plain(), name="mine").model.facts
