"""The model of our Verilog under yosys: its terms, its records, and what its file says about both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cost_models import _fit_yosys, _judge_yosys, _sweep, _terms_rtl, learned
from cost_models._learn_yosys import FAMILIES, Surprises, factors, kind_of, left_out
from cost_models._rtl_parts import adder_tree, count_luts, distinct_columns, product_luts, ram_luts
from cost_models._sweep import SweepRecord
from dse.ir.units import Fifo, MatrixUnit, WidthConverter

RECORDS = _sweep.read()
SWEEP = [r for r in RECORDS if r.split == "sweep"]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_registers_of_streams_follow_from_the_verilog() -> None:
    """Nothing is fitted here: every register of a FIFO, and of a converter but its count."""
    for r in SWEEP:
        if kind_of(r) in ("fifo", "converter"):
            unit = r.units[0]
            counted = sum(float(v) for v in _terms_rtl.TERMS[kind_of(r)](unit).ff.values())
            assert abs(counted - r.actual["ff"]) <= 3, r.name
            if isinstance(unit, Fifo):
                assert counted == r.actual["ff"], r.name


def test_memories_in_luts_are_counted() -> None:
    """LUT RAM of FIFOs as yosys reports it; UltraScale+ has other cells."""
    fifos = [r for r in SWEEP if isinstance(r.units[0], Fifo) and r.family == "xc7"]
    shallow = [r for r in fifos if r.actual["lutram"]]
    assert len(shallow) > 10
    for r in shallow:
        unit = r.units[0]
        assert isinstance(unit, Fifo)
        assert float(ram_luts(unit.width_bits, unit.depth)) == pytest.approx(
            r.actual["lutram"], rel=0.15, abs=4
        )


def test_blocks_are_counted(family: str) -> None:
    """DSP blocks always, block RAM in nine of ten units."""
    right = []
    for r in (r for r in RECORDS if r.split != "design" and r.family == FAMILIES[family]):
        terms = _terms_rtl.TERMS[kind_of(r)](r.units[0])
        assert float(terms.dsp) == r.actual["dsp"], r.name
        if r.actual["bram18"] or float(terms.bram18):
            right.append(float(terms.bram18) == r.actual["bram18"])
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize(
    ("terms", "bits", "adders", "registers"),
    # yosys 0.70 on adder_tree alone, xc7, signed numbers: LUTs, flip-flops
    [(2, 6, 6, 7), (3, 6, 12, 8), (4, 6, 20, 8), (8, 6, 48, 25), (16, 6, 101, 42), (4, 12, 39, 14)],
)
def test_adder_trees(terms: int, bits: int, adders: int, registers: int) -> None:
    tree = adder_tree(terms, bits)
    assert float(tree.pairs + tree.more) == pytest.approx(adders, rel=0.2)
    assert float(tree.ff) == registers


@pytest.mark.parametrize(
    ("weight", "value", "luts"),
    # yosys 0.70 on dot_product of one product, xc7, unsigned inputs
    [(2, 2, 4), (2, 4, 7), (4, 2, 8), (3, 3, 6), (4, 4, 24), (6, 6, 65), (8, 8, 112), (2, 8, 15)],
)
def test_products(weight: int, value: int, luts: int) -> None:
    assert float(product_luts(weight, value)) == pytest.approx(luts, rel=0.1, abs=2)


def test_six_ones_are_counted_by_three_luts() -> None:
    assert count_luts(np.array([1, 2, 6, 12, 13, 20])).tolist() == [0, 2, 3, 6, 6, 11]


def test_columns_of_a_table_that_differ() -> None:
    """Against counting them in random tables."""
    rng = np.random.default_rng(0)
    for words, width in ((2, 20), (3, 9), (5, 100), (8, 200)):
        found = []
        for _ in range(300):
            columns = {tuple(c) for c in rng.integers(0, 2, (width, words))}
            found.append(len(columns - {(0,) * words, (1,) * words}))
        assert float(distinct_columns(width, words)) == pytest.approx(np.mean(found), rel=0.03)
    assert float(distinct_columns(64, 1)) == 0
    assert float(distinct_columns(64, 1000)) == pytest.approx(64)


def test_tables_round_trip(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    table.write_text("".join(f"{r.to_line()}\n" for r in RECORDS))
    assert _sweep.read(table) == RECORDS
    assert _sweep.read(tmp_path / "none.jsonl") == ()


def test_the_file_is_fitted_to_the_table(family: str) -> None:
    model = learned.shipped("yosys-rtl", family)
    name = FAMILIES[family]
    known = [r for r in SWEEP if r.family in ("xc7", name)]
    stated = _fit_yosys.facts(known, name)
    assert {k: model.facts[k] for k in stated} == stated
    assert stated["tool_version"] == "0.70"
    for kind, own in factors(known).items():
        for resource in ("lut", "ff"):
            assert model.own[kind][resource]["factors"] == pytest.approx(
                own[resource]["factors"], rel=0.01, abs=0.01
            )


def test_the_file_states_the_errors_on_what_it_has_not_seen(family: str) -> None:
    """Computed again for whole designs and units of other layer shapes, none of which was learned."""
    model = learned.shipped("yosys-rtl", family)
    name = FAMILIES[family]
    others = [r for r in RECORDS if r.split != "sweep" and r.family == name]
    sweep = [r for r in SWEEP if r.family == name]
    stated = model.facts["held_out"]
    for row in _judge_yosys.of_others(others, sweep, name, model):
        said = stated[row.split][row.group][row.resource]
        assert said["records"] == row.records
        assert said["median_error"] == pytest.approx(row.ours.median, abs=0.002)
        if row.records >= 4 and row.resource in ("lut", "ff"):
            assert row.ours.median < min(0.12, row.analytic.median, row.boosting.median), row
        if row.split == "whole designs" and row.resource == "lut":
            assert row.ours.median <= 0.10


def test_units_left_out_are_inside_their_intervals() -> None:
    stated = learned.shipped("yosys-rtl", "7series").facts["held_out"]["10-fold"]
    for resource in ("lut", "ff"):
        rows = [group[resource] for group in stated.values()]
        count = np.array([r["records"] for r in rows])
        inside = np.array([r["coverage"] for r in rows]) @ count / count.sum()
        assert count.sum() > 200
        assert 0.85 <= inside <= 0.95


def test_no_unit_is_learned_and_left_out() -> None:
    seen = []
    for known, out in left_out(SWEEP):
        assert not {r.name for r in known} & {r.name for r in out}
        seen += [(r.name, r.family) for r in out]
    assert sorted(seen) == sorted((r.name, r.family) for r in SWEEP)


def test_no_fold_judges_its_own_interval() -> None:
    """Nine folds of small errors and one of large ones: the large ones are not inside."""
    fold = np.repeat(np.arange(10), 10)
    scaled = np.where(fold == 3, 50.0, np.linspace(0, 1, 100))
    found = Surprises((SWEEP[0],) * 100, scaled, scaled, fold)
    family = SWEEP[0].family
    assert not found.inside(family)[fold == 3].any()
    assert found.reach(family, 3) < 1 < found.reach(family, 0)


def test_other_families_stand_in_for_missing_records() -> None:
    """Ten records of one family that err by 2, a thousand of another that err by 1: each counts ten."""
    xc7 = next(r for r in SWEEP if r.family == "xc7")
    xcup = next(r for r in SWEEP if r.family == "xcup")
    sizes = np.repeat([2.0, 1.0], [10, 1000])
    found = Surprises((xcup,) * 10 + (xc7,) * 1000, sizes, sizes, np.zeros(1010, dtype=np.int64))
    assert found.reach("xcup") == 2
    assert found.reach("xc7") == 1


def test_weights_of_one_word_are_constants() -> None:
    """Asked for in block RAM or not: there is none, and no weight of 1 bit is multiplied by a DSP block."""
    unit = MatrixUnit("", 4, 8, 1, 4, 8, 1, 4, False, 2, "bram", "dsp")
    model = learned.shipped("yosys-rtl", "7series")
    expected = model.predict(unit).expected
    assert float(expected.bram18) == float(expected.dsp) == 0
    deep = model.predict(replace(unit, pe=2, simd=4, weight_bits=2)).expected
    assert float(deep.bram18) == 1
    assert float(deep.dsp) == 8


def test_a_converter_that_is_not_built_costs_nothing(family: str) -> None:
    model = learned.shipped("yosys-rtl", family)
    none = model.predict(WidthConverter("", 4, 4, 8, 16))
    assert float(none.high.lut) == float(none.high.ff) == 0


def records_of(kind: str) -> list[SweepRecord]:
    return [r for r in SWEEP if kind_of(r) == kind and r.family == "xc7"]


def test_the_sweep_has_records_of_every_kind() -> None:
    for kind, least in {
        "matrix": 100,
        "window": 20,
        "pool": 15,
        "converter": 20,
        "fifo": 20,
    }.items():
        assert len(records_of(kind)) >= least, kind
