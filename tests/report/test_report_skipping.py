"""Skipped positions in the report: the cycles beside those of the same design without skipping."""

from dataclasses import replace

import pytest

from cost_models import analytic
from dse.folding.estimate import estimate
from dse.ir.design import DesignPoint
from dse.ir.record import CountedInterval
from dse.report import html
from dse.report.skipping import skipping
from dse.report.view import build_view

KEEP = {"conv2": 0.4, "conv3": 0.5}


@pytest.fixture(scope="module")
def study(make_snapshot):
    """A study with one trained design that skips positions, and the same design without skipping."""
    snapshot = make_snapshot(trials=60)
    record = next(r for r in snapshot.records if r.id == build_view(snapshot).front[0])
    design = DesignPoint(
        tuple(
            (
                n,
                replace(d, compression=replace(d.compression, spatial_keep=KEEP[n]))
                if n in KEEP
                else d,
            )
            for n, d in record.design.layers
        )
    )
    board, clock = snapshot.config.board, snapshot.config.clock_mhz
    model = analytic.load("7series")
    plain = estimate(snapshot.network, record.design, board, clock, model)
    skips = estimate(snapshot.network, design, board, clock, model)
    counted = CountedInterval(360, 1234.5, 1600.0)
    final = replace(snapshot.finals[record.design.digest], digest=design.digest, interval=counted)
    record = replace(record, design=design, hardware=skips)
    records = tuple(record if r.id == record.id else r for r in snapshot.records)
    finals = {**snapshot.finals, design.digest: final}
    return replace(snapshot, records=records, finals=finals), record, plain, skips


def test_cycles_without_skipping_are_those_of_the_plain_design(study):
    snapshot, record, plain, skips = study
    found = build_view(snapshot).designs[record.id].skipping
    assert (found.full, found.expected) == (plain.interval_cycles, skips.interval_cycles)
    assert [x.name for x in found.layers] == list(KEEP)
    full = {x.name: x.cycles for x in plain.layers}
    expected = {x.name: x.cycles for x in skips.layers}
    for x in found.layers:
        assert (x.full, x.cycles) == (full[x.name], expected[x.name])
        assert x.how == f"positions: computes {100 * KEEP[x.name]:.0f} %"
    assert any(x.cycles < x.full for x in found.layers)


def test_the_card_shows_them_and_what_was_counted(study):
    snapshot, _, plain, _ = study
    page = html.render(build_view(snapshot))
    assert page.count("What images decide") == 1
    part = page[page.index("What images decide") :][:2500]
    assert f">{plain.interval_cycles:,}" in part
    assert "Counted on 360 test images, 95th percentile" in part
    assert ">1,600" in part


def test_a_design_that_skips_nothing_has_no_such_figures(snapshot):
    record = snapshot.records[0]
    assert skipping(record.design, snapshot.network, record.hardware, None) is None
