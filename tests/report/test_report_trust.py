"""Predicted against synthesised: the numbers, and that every form of the report shows the same ones."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cost_models import learned
from dse.cli.look import inspect_json
from dse.ir.hardware import RESOURCES
from dse.ir.synthesised import SynthesisedDesign, SynthesisedUnit
from dse.report import html
from dse.report.figures import trust_figure
from dse.report.text import design_table, front_table, summary
from dse.report.trust import Compared, agreement, held_out, trust
from dse.report.view import build_view
from dse.search.calibrated import mismatches
from hw_templates._boards import load_board

FACTORS = (0.8, 0.95, 1.0, 1.3, 2.0)  # reported over predicted; the interval is 0.93 to 1.08


def synthesised(record, factor, error=None):
    """A design that takes `factor` times what was predicted."""
    total = record.hardware.total
    reported = {r: round(factor * getattr(total.expected, r)) for r in RESOURCES}
    unit = SynthesisedUnit("conv1_matrix", "MatrixUnit", total, reported, "reports/yosys/x.json")
    return SynthesisedDesign(
        digest=record.design.digest,
        trial=record.id,
        round=1,
        chosen="promising",
        tool="yosys",
        version="0.70",
        stage="synthesised, not placed",
        part="xc7z020clg400-1",
        predicted_by="yosys-rtl",
        predicted=total,
        reported={} if error else reported,
        units=() if error else (unit,),
        folder=f"synthesised/{record.design.digest}",
        reports="reports/yosys",
        seconds=61.0,
        finished="2026-03-01T10:00:00Z",
        error=error,
    )


@pytest.fixture(scope="module")
def known(snapshot):
    """Five designs of the front, and one beside it that failed."""
    view = build_view(snapshot)
    records = {r.id: r for r in snapshot.records}
    found = [synthesised(records[i], f) for i, f in zip(view.front, FACTORS, strict=False)]
    beside = next(r for r in snapshot.records if r.id not in view.front and r.state == "feasible")
    failed = synthesised(beside, 1.0, "not synthesised within 60 s")
    return {d.digest: d for d in (*found, failed)}


@pytest.fixture(scope="module")
def view(snapshot, known):
    return build_view(replace(snapshot, synthesised=known))


def test_errors_are_those_of_numpy(view):
    t = view.trust
    assert (t.designs, t.on_front, t.tools) == (5, 5, ("yosys 0.70: synthesised, not placed",))
    lut = next(a for a in t.whole if a.what == "lut")
    errors = np.abs(1 / np.array(FACTORS) - 1)  # up to the rounding of counts
    assert lut.median == pytest.approx(np.median(errors), rel=1e-3)
    assert lut.p90 == pytest.approx(np.quantile(errors, 0.9), rel=1e-3)
    assert (lut.count, lut.inside) == (5, 2)
    assert {a.what.split()[0] for a in t.units} == {"MatrixUnit"}
    assert [f[1] for f in t.failed] == ["not synthesised within 60 s"]
    assert len({c.trial for c in t.outside if c.resource == "lut"}) == 3


def test_counts_of_zero():
    none = Compared(1, "dsp", 0.0, 0.0, 0.0, 0.0)
    some = Compared(2, "dsp", 4.0, 4.0, 4.0, 0.0)
    assert (none.error, none.inside, some.error, some.inside) == (0.0, True, None, False)
    assert agreement("dsp", [some]).median is None
    assert agreement("dsp", [none, some]).median == 0.0


def test_panels_hold_the_points_that_logarithms_have(view):
    figure = trust_figure(view.trust)
    drawn = [t for t in figure["data"] if t["mode"] == "markers"]
    points = {
        (i, x, y) for t in drawn for i, x, y in zip(t["customdata"], t["x"], t["y"], strict=True)
    }
    wanted = {
        (c.trial, c.reported, c.predicted) for c in view.trust.points if c.reported and c.predicted
    }
    assert points == wanted
    for t in drawn:
        for x, y, up, down in zip(
            t["x"], t["y"], t["error_y"]["array"], t["error_y"]["arrayminus"], strict=True
        ):
            assert (y - down - 0.5 <= x <= y + up + 0.5) == (t["name"] == "inside")


def test_every_form_says_the_same(view):
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html.render(view)))
    head = f"5 of {view.counts.front} front designs synthesised"
    assert head in words
    assert "All hardware numbers are predicted" not in words
    assert head in summary(view)
    assert head in front_table(view)
    assert "LUT: median error 23 %, 90th percentile 40 %" in summary(view)
    assert "2 of 5 in the 90 % interval" in summary(view)
    value = json.loads(json.dumps(inspect_json(view)))
    assert value["hardware_is"].startswith(head)
    assert value["trust"]["designs"] == 5
    first = value["front"][0]
    assert first["synthesised"]["tool"] == "yosys 0.70"
    lut = first["synthesised"]["rows"][0]
    # card, table and document of one design: predicted next to synthesised
    predicted, reported = (
        f"{round(lut[k], -2 if lut[k] >= 1e4 else -1):,.0f}" for k in ("predicted", "reported")
    )
    table = design_table(view, first["id"])
    (row,) = re.findall(rf"LUT +{predicted} +\S+ +{reported} +\+25 %  outside", table)
    assert f"LUT{predicted}" in words
    assert "not synthesised within 60 s" in words
    assert row


def test_without_synthesis_the_file_of_the_model_speaks(snapshot):
    verdict = {"mean": 0.1, "median": 0.05, "p90": 0.2, "coverage": 0.91}
    kept = {
        "records": 40,
        "before": verdict | {"median": 0.5},
        "after": verdict,
        "gain": 0.3,
        "gain_error": 0.1,
    }
    facts = {
        "tool": "yosys",
        "tool_version": "0.70",
        "records": 300,
        "held_out": {
            "matrix lut": kept,
            "pool ff": kept | {"gain": 0.05},
            "lut": {"network": {"median_error": 0.052, "coverage": 0.89}},
        },
    }
    rows = {h.what: h for h in held_out(facts)}
    assert rows["matrix lut"].median == 0.05
    assert rows["pool ff"].median == 0.5  # not shown to be better: the base was kept
    assert (rows["lut, network"].p90, rows["lut, network"].coverage) == (
        None,
        0.89,
    )
    view = build_view(replace(snapshot, model_facts=facts))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.render(view)))
    assert "All hardware numbers are predicted" in words
    assert "No design of this study was synthesised" in words
    assert "learned from yosys, version 0.70, 300 records." in words
    assert re.search(r"matrix lut 40 5\.0 % 20 % 91 %", words)
    assert trust({}, (), {}).model == ""


def test_another_board_or_clock_than_the_models_is_told(snapshot):
    pynq, zcu = load_board("Pynq-Z1"), load_board("ZCU104")
    assert mismatches({}, pynq, 100.0) == ()
    assert mismatches({"part": "xc7z020-clg400-1", "clock_ns": 10.0}, pynq, 100.0) == ()
    assert mismatches({"part": "not stated"}, pynq, 100.0) == ()
    for board in (pynq, zcu, load_board("U280")):
        model = learned.shipped("yosys-rtl", board.family)
        assert mismatches(model.facts, board, 100.0) == ()
    assert "another device family" in mismatches({"part": "any of family xcup"}, pynq, 100.0)[0]
    (family,) = mismatches({"part": "xc7z020clg400-1"}, zcu, 100.0)
    assert "another device family" in family
    (part,) = mismatches({"part": "xc7a200tsbg484-1"}, pynq, 100.0)
    assert "another part of the same family" in part
    (clock,) = mismatches({"clock_ns": 10.0}, pynq, 200.0)
    assert "calibrated at 100 MHz, the study asks for 200 MHz" in clock
    view = build_view(replace(snapshot, model_facts={"clock_ns": 5.0}))
    assert "calibrated at 200 MHz" in html.render(view)
    assert "warning       the cost model was calibrated at 200 MHz" in summary(view)
