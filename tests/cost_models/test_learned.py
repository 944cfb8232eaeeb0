"""Learned models: their files, what calibration recovers, and what they never do."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cost_models import analytic, learned
from cost_models._correction import Correction
from cost_models._learn import blank, records_of
from cost_models._learn import learned as learn
from cost_models._prior import priced, prior
from dse.errors import UsageError
from dse.ir.units import Fifo, MatrixUnit, PoolUnit, Tiling, Unit, divisors, legal_folds

FAMILY = "7series"
MATRIX = MatrixUnit("m", 64, 576, 100, 4, 16, 4, 4, False, 4, "bram", "lut")
KINDS = prior(FAMILY).kinds


def lut(model: learned.LearnedModel, unit: Unit) -> tuple[float, float, float]:
    p = model.predict(unit)
    return float(p.low.lut), float(p.expected.lut), float(p.high.lut)


def some_units(count: int, seed: int) -> list[MatrixUnit]:
    rng = np.random.default_rng(seed)
    pe, simd = legal_folds(64, 576, None)
    return [
        replace(
            MATRIX,
            pe=int(pe[i]),
            simd=int(simd[i]),
            weight_bits=int(rng.integers(2, 9)),
            memory=str(rng.choice(["bram", "lutram"])),
        )
        for i in rng.choice(len(pe), count, replace=False)
    ]


def calibrated(ratio: float, count: int, weight: float = 0.0) -> learned.LearnedModel:
    """A model that saw `count` units which take `ratio` of the prior, control logic even more."""
    units = [priced(u, "dse", KINDS) for u in some_units(count, 1)]
    control = analytic_terms().index("control")
    actual = np.array(
        [float(u.totals["lut"]) * ratio * np.exp(weight * u.shares["lut"][control]) for u in units]
    )
    correction = learn(blank("matrix", "lut"), records_of(units, "lut", actual), "target")
    return learned.LearnedModel(FAMILY, "mine", "dse", {}, {"matrix": {"lut": correction}})


def analytic_terms() -> tuple[str, ...]:
    return blank("matrix", "lut").terms


def test_without_corrections_it_is_the_analytic_model() -> None:
    model = learned.named("analytic", FAMILY)
    plain = analytic.load(FAMILY)
    for unit in (MATRIX, Fifo("f", 64, 16), PoolUnit("p", 8, 8, 4, 2, 1, 4)):
        assert model.predict(unit) == plain.predict(unit)
    assert model.source == "analytic"


@pytest.mark.parametrize("ratio", [0.25, 0.45, 1.0, 2.5])
def test_ten_records_find_a_law_that_scales_everything(ratio: float) -> None:
    model = calibrated(ratio, 10)
    for unit in some_units(30, 2):
        expected = float(analytic.load(FAMILY).predict(unit).expected.lut)
        low, found, high = lut(model, unit)
        assert found == pytest.approx(ratio * expected, rel=0.1)
        assert low <= ratio * expected <= high


def test_more_records_find_a_law_of_one_term_and_are_surer() -> None:
    few, many = calibrated(0.8, 5, weight=0.5), calibrated(0.8, 60, weight=0.5)
    control = analytic_terms().index("control")
    errors: dict[str, list[float]] = {"few": [], "many": []}
    widths: dict[str, list[float]] = {"few": [], "many": []}
    for unit in some_units(40, 3):
        seen = priced(unit, "dse", KINDS)
        truth = float(seen.totals["lut"]) * 0.8 * np.exp(0.5 * seen.shares["lut"][control])
        for name, model in (("few", few), ("many", many)):
            low, found, high = lut(model, unit)
            errors[name].append(abs(found / truth - 1))
            widths[name].append(high / low)
    assert np.mean(errors["many"]) < 0.02
    assert np.mean(errors["many"]) < np.mean(errors["few"])
    assert np.mean(widths["many"]) < np.mean(widths["few"])


def test_units_without_records_keep_the_analytic_band() -> None:
    model = calibrated(0.5, 10)
    fifo = Fifo("f", 64, 16)
    assert model.predict(fifo) == analytic.load(FAMILY).predict(fifo)
    assert "matrix" in model.source
    assert "other units: analytic" in model.source


def test_pruned_units_share_the_correction_and_are_less_sure() -> None:
    """A search compares dense with pruned: both must be of the same tool."""
    model = calibrated(0.5, 40)
    tiled = replace(MATRIX, tiling=Tiling(8, 16, 8, 4), pe=8, simd=4)
    dense = replace(MATRIX, pe=8, simd=4)
    low, found, high = lut(model, tiled)
    assert found < 0.8 * float(analytic.load(FAMILY).predict(tiled).expected.lut)
    low_dense, _, high_dense = lut(model, dense)
    assert high / low > high_dense / low_dense


def test_a_file_comes_back_as_it_was() -> None:
    model = calibrated(0.6, 12)
    text = learned.dumps(model)
    again = learned.from_json(json.loads(text), FAMILY)
    assert learned.dumps(again) == text
    assert again.source == model.source
    for unit in some_units(10, 4):
        assert lut(again, unit) == pytest.approx(lut(model, unit), rel=1e-3)


def test_records_of_the_same_target_add_up() -> None:
    model = calibrated(0.5, 4)
    correction = model.corrections["matrix"]["lut"]
    units = [priced(u, "dse", KINDS) for u in some_units(8, 5)]
    actual = np.array([0.5 * float(u.totals["lut"]) for u in units])
    more = learn(correction, records_of(units, "lut", actual), "ignored")
    assert more.targets == ("target",)
    assert len(more.process.points) == 12


BITS = ("weight_bits", "input_bits", "output_bits")


@pytest.mark.parametrize("model", ["vivado-finn", "calibrated"])
def test_more_bits_never_cost_less(model: str) -> None:
    shown = (
        learned.shipped("vivado-finn", FAMILY) if model == "vivado-finn" else calibrated(0.5, 30)
    )
    for memory, compute, (mh, mw) in product(
        ("bram", "lutram"), ("lut", "dsp"), ((16, 36), (64, 784), (10, 64))
    ):
        pe, simd = divisors(mh)[:, None], divisors(mw)[None]
        for bits in product((2, 3, 5), (2, 4), (1, 2, 5)):
            values = dict(zip(BITS, bits, strict=True))
            unit = replace(
                MATRIX, mh=mh, mw=mw, pe=pe, simd=simd, memory=memory, compute=compute, **values
            )
            base = shown.predict(unit).expected
            for knob in BITS:
                more = shown.predict(replace(unit, **{knob: values[knob] + 1})).expected
                for resource in ("lut", "ff"):
                    # FINN pads words of weights to bytes: a narrower word may need as many
                    rise = getattr(more, resource) / getattr(base, resource)
                    assert (rise >= 1 - 1e-9).all(), (knob, bits, memory, resource)


def test_more_elements_in_parallel_cost_more_but_for_a_few_percent() -> None:
    """In the Vivado table more PE never cost less; more SIMD did in 42 % of the steps."""
    shown = learned.shipped("vivado-finn", FAMILY)
    falls = []
    for mh, mw, memory in product((16, 64, 256), (36, 576, 1152), ("bram", "lutram")):
        pe, simd = divisors(mh)[:, None], divisors(mw)[None, 3:]
        unit = replace(MATRIX, mh=mh, mw=mw, pe=pe, simd=simd, memory=memory)
        cost = shown.predict(unit).expected.lut
        terms = priced(unit, "finn", KINDS).totals["lut"]  # fewer rows may need less memory
        falls.append((cost[1:] / cost[:-1] - 1)[terms[1:] >= terms[:-1]])
    every = np.concatenate(falls)
    assert every.min() > -0.05
    assert np.mean(every < 0) < 0.02


def test_no_knob_makes_cost_vanish() -> None:
    shown = learned.shipped("vivado-finn", FAMILY)
    for weight, inputs, outputs in product((1, 8), (1, 8), (0, 1, 8)):
        unit = replace(
            MATRIX, pe=1, simd=1, weight_bits=weight, input_bits=inputs, output_bits=outputs
        )
        low, found, high = lut(shown, unit)
        assert 50 < low < found < high < 1e6


def test_the_shipped_file_says_what_it_is() -> None:
    facts = learned.shipped("vivado-finn", FAMILY).facts
    assert facts["tool"] == "vivado"
    assert facts["records"] == 499
    assert len(facts["networks"]) == 6
    for resource in ("lut", "ff"):
        for split in ("network", "activation_width"):
            stated = facts["held_out"][resource][split]
            assert stated["mean_error"] < 0.15
            assert 0.85 <= stated["coverage"] <= 0.95
    assert {"tool_version", "part", "data_digest", "source"} <= set(facts)


def bad(change: Any) -> dict[str, Any]:
    value = calibrated(0.5, 4).to_json()
    change(value)
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(format=2), "must have format 1, it has 2; upgrade dse"),
        (lambda v: v.update(model="forest"), "it is a 'forest' model; write it again"),
        (lambda v: v.pop("builder"), "written by `dse calibrate`: 'builder'"),
        (
            lambda v: v["prior"]["digests"].update(matrix="0"),
            "corrects another analytic model of matrix units",
        ),
        (
            lambda v: v["corrections"]["matrix"]["lut"]["columns"].pop(),
            "columns target, log_ratio",
        ),
        (lambda v: v["corrections"]["matrix"]["lut"]["support"][0].pop(), "write it again"),
    ],
)
def test_a_wrong_file_is_refused(change: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        learned.from_json(bad(change), FAMILY, "m.json")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be a cost model written by `dse calibrate`"):
        learned.read(tmp_path / "none.json", FAMILY)
    (tmp_path / "x.json").write_text("[1")
    with pytest.raises(UsageError, match=r"x\.json must be a cost model"):
        learned.read(tmp_path / "x.json", FAMILY)
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(UsageError, match=r"x\.json must be a cost model"):
        learned.read(tmp_path / "x.json", FAMILY)
    with pytest.raises(UsageError, match="analytic, vivado-finn, yosys-rtl or a file"):
        learned.named("vivado", FAMILY)


def test_a_blank_correction_is_wide() -> None:
    wide: Correction = blank("matrix", "lut")
    expected, low, high = wide.ends(priced(MATRIX, "dse", KINDS), "lut")
    assert expected == pytest.approx(float(analytic.load(FAMILY).predict(MATRIX).expected.lut))
    assert high / low > 1.5


def test_columns_of_a_file_are_read_by_name() -> None:
    """A refit of the analytic model may list its terms in another order."""
    model = calibrated(0.6, 12)
    value = json.loads(learned.dumps(model))
    stored = value["corrections"]["matrix"]["lut"]
    split = 3 + len(blank("matrix", "lut").axes)
    order = [*range(split), *range(len(stored["columns"]) - 1, split - 1, -1)]
    stored["columns"] = [stored["columns"][i] for i in order]
    stored["support"] = [[row[i] for i in order] for row in stored["support"]]
    again = learned.from_json(value, FAMILY)
    assert lut(again, MATRIX) == pytest.approx(lut(model, MATRIX), rel=1e-3)
    stored["columns"][-1] = "another"
    with pytest.raises(UsageError, match="another"):
        learned.from_json(value, FAMILY)


def test_the_interval_of_a_calibrated_model_is_that_of_as_many_records() -> None:
    start = replace(blank("matrix", "lut"), reach=1.5, reach_known=((4, 3.0), (16, 2.0)))
    assert start.reach_after(1) == start.reach_after(4) == 3.0
    assert start.reach_after(8) == pytest.approx(2.5)
    assert start.reach_after(1000) == 2.0
    units = [priced(u, "dse", KINDS) for u in some_units(8, 1)]
    actual = np.array([0.7 * float(u.totals["lut"]) for u in units])
    after = learn(start, records_of(units, "lut", actual), "target")
    assert (after.reach, after.reach_known) == (start.reach_after(8), ())
    assert blank("matrix", "lut").reach_after(8) == blank("matrix", "lut").reach
    stored = start.to_json()
    assert Correction.from_json(stored, start.axes, start.terms).reach_known == start.reach_known
