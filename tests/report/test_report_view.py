"""The numbers of a report against the records they come from."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dse.config.values import Constraint, Objective
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES
from dse.ir.milestone import Milestone
from dse.ir.units import MatrixUnit, legal_folds
from dse.lowering.pipeline import pipeline
from dse.report import html
from dse.report.designs import bottleneck
from dse.report.progress import elapsed, front_sizes, progress
from dse.report.view import build_view, nearest
from dse.search.pareto import front, objective_matrix, picks, settle
from dse.search.score import constraints_of, rescore


@pytest.fixture(scope="module")
def view(snapshot):
    return build_view(snapshot)


@pytest.fixture(scope="module")
def hopeless(make_snapshot):
    """A study whose LUT limit no design meets."""
    snapshot = make_snapshot(trials=30, finals=False)
    limit = Constraint("lut", "<=", 1000.0, "lut <= 1000")
    config = replace(snapshot.config, constraints=(limit,))
    constraints = constraints_of(config)
    records = tuple(rescore(r, constraints) for r in snapshot.records)
    return replace(snapshot, config=config, records=records)


def test_counts_add_up(view, snapshot):
    c = view.counts
    assert (c.budget, c.finished, c.failed, c.repeated) == (150, 150, 3, 4)
    assert c.feasible + c.infeasible + c.failed == c.finished == len(view.trials)
    assert c.feasible == sum(r.state == "feasible" for r in snapshot.records)
    assert c.front == len(view.front) == sum(t.on_front for t in view.trials)


def test_front_and_picks_are_those_of_the_settled_records(view, snapshot):
    settled = settle(snapshot.records, snapshot.finals, view.constraints)
    best = front(settled, snapshot.config.objectives)
    assert view.front == tuple(r.id for r in best)
    expected = picks(best, snapshot.config.objectives)
    assert view.picks == {name: r.id for name, r in expected.items()}
    assert view.recommended.id == expected["recommended"].id
    assert "recommended" in view.recommended.names


def test_designs_carry_both_accuracies_and_intervals(view, snapshot):
    assert set(view.designs) == {*view.front, view.baseline}
    for i in view.front:
        design = view.designs[i]
        record = snapshot.records[i]
        final = snapshot.finals[record.design.digest]
        assert design.metrics["accuracy"] == final.validation_accuracy
        assert (design.test_accuracy, design.test_images) == (final.test_accuracy, 360)
        assert design.accuracy_after == "full training"
        for usage in design.usage:
            total = record.hardware.total
            assert usage.low == getattr(total.low, usage.resource)
            assert usage.expected == getattr(total.expected, usage.resource)
            assert usage.high == getattr(total.high, usage.resource)
            assert usage.low <= usage.expected <= usage.high


def test_usage_knows_board_reserve_and_tightest_limit(view):
    lut = view.recommended.of("lut")
    assert (lut.board, lut.reserve, lut.limit) == (53_200, 2_000, 0.7 * 51_200)
    assert view.recommended.of("ff").limit == 0.5 * 106_400  # the rule of the board
    assert lut.share == lut.expected / 53_200
    assert [u.resource for u in view.recommended.usage] == ["lut", "ff", "dsp", "bram18"]


def test_layers_are_those_of_the_estimate(view, snapshot):
    design = view.recommended
    record = snapshot.records[design.id]
    slowest = max(layer.cycles for layer in record.hardware.layers)
    assert [x.name for x in design.layers] == [layer.name for layer in snapshot.network.layers]
    for shown, cost in zip(design.layers, record.hardware.layers, strict=True):
        assert shown.cycles == cost.cycles
        assert shown.pace == cost.cycles / slowest
        assert shown.bottleneck == (cost.cycles == slowest)
        assert shown.resources == cost.resources.expected
        if shown.efficiency is not None:
            assert 0 < shown.efficiency <= 1
    for resource in RESOURCES:
        total = sum(getattr(x.resources, resource) for x in design.layers)
        assert total == pytest.approx(getattr(record.hardware.total.expected, resource))


def test_bottleneck_and_next_folding_by_brute_force(snapshot, make_price):
    for record in snapshot.records[::10]:
        units = pipeline(snapshot.network, record.design)
        priced = partial(make_price, snapshot.network)
        found = bottleneck(record.design, record.hardware, units, priced)
        slowest = max(units, key=lambda u: int(u.cycles))
        assert (found.layer, found.cycles) == (slowest.layer, int(slowest.cycles))
        faster = []
        if isinstance(slowest, MatrixUnit):
            pairs = legal_folds(int(slowest.mh), int(slowest.mw), slowest.tiling)
            for pe, simd in zip(*(p.tolist() for p in pairs), strict=True):
                cycles = int(replace(slowest, pe=pe, simd=simd).cycles)
                if cycles < found.cycles:
                    faster.append((pe * simd, cycles, (pe, simd)))
        if not faster:
            assert found.next_fold is None
            continue
        _, cycles, fold = min(faster, key=lambda f: f[:2])
        rest = max(int(u.cycles) for u in units if u is not slowest)
        assert found.next_fold == fold
        assert found.next_cycles == max(cycles, rest)
        refolded = DesignPoint(
            tuple(
                (
                    n,
                    replace(d, folding=replace(d.folding, pe=fold[0], simd=fold[1]))
                    if n == found.layer
                    else d,
                )
                for n, d in record.design.layers
            )
        )
        new, old = priced(refolded).total.expected, record.hardware.total.expected
        assert found.next_price.lut == pytest.approx(new.lut - old.lut)
        assert found.next_price.dsp == new.dsp - old.dsp


def test_a_design_that_full_training_made_worse_leaves_the_front(snapshot):
    good = build_view(snapshot)
    loser = good.front[0]
    digest = snapshot.records[loser].design.digest
    finals = dict(snapshot.finals) | {
        digest: replace(snapshot.finals[digest], validation_accuracy=0.5)
    }
    view = build_view(replace(snapshot, finals=finals))
    assert loser not in view.front
    row = view.trials[loser]
    assert (row.state, row.stage, row.violated) == ("infeasible", "final", ("accuracy >= 90 %",))
    assert row.metrics["accuracy"] == 0.5


def test_without_finals_the_search_accuracy_is_shown(make_snapshot):
    view = build_view(make_snapshot(trials=40, finals=False))
    best = view.recommended
    assert best.test_accuracy is None
    assert best.accuracy_after == "search training"


def test_extra_trials_become_designs(snapshot, view):
    extra = next(t.id for t in view.trials if t.state == "infeasible" and t.id != view.baseline)
    more = build_view(snapshot, extra=(extra, 10_000))
    assert set(more.designs) == set(view.designs) | {extra}
    assert not more.designs[extra].feasible


def test_nothing_feasible_names_the_nearest_design(hopeless):
    view = build_view(hopeless)
    assert view.picks == {}
    assert view.front == ()
    assert view.recommended is None
    sums = {
        r.id: sum(max(v, 0) for v in r.constraints.values())
        for r in hopeless.records
        if r.state == "infeasible"
    }
    assert sums[view.nearest] == min(sums.values())
    design = view.designs[view.nearest]
    (missed,) = [s for s in design.slacks if s.violation > 0]
    assert missed.value == design.of("lut").high > missed.limit == 1000


def test_empty_study(snapshot):
    view = build_view(replace(snapshot, records=(), finals={}))
    assert view.counts.finished == 0
    assert (view.nearest, view.baseline, view.designs) == (None, None, {})
    assert view.progress.hypervolume == ()
    assert nearest(()) is None


def test_failures_are_grouped_by_reason(view):
    (failure,) = view.failures
    assert (failure.reason, failure.count) == ("ValueError: NaN loss in conv2", 3)
    assert view.trials[failure.example].state == "failed"
    assert failure.detail.startswith("Traceback")
    assert failure.stage == view.trials[failure.example].stage


def test_a_reason_at_two_stages_is_two_rows_and_the_page_folds_the_last_lines(snapshot):
    lines = "\n".join(f"line {n}" for n in range(30))
    failed = [r for r in snapshot.records if r.state == "failed"][:2]
    records = [
        replace(r, stage=stage, error=f"{lines}\nValueError: x")
        for r, stage in zip(failed, ("estimate", "finetune"), strict=True)
    ]
    found = build_view(replace(snapshot, records=tuple(records), finals={}))
    assert [(f.count, f.stage) for f in found.failures] == [(1, "estimate"), (1, "finetune")]
    text = html.render(found)
    assert "last 20 of 31 lines" in text
    assert "line 10\n" not in text
    assert "line 11\n" in text


def test_knobs_are_plain_values(view):
    knobs = view.trials[5].knobs
    assert knobs["all.block"] == "8x16"
    assert isinstance(knobs["conv1.weight_bits"], int)


def test_front_sizes_by_brute_force(make_snapshot):
    snapshot = make_snapshot(trials=60)
    objectives = snapshot.config.objectives
    records = snapshot.records
    expected = [len(front(records[: i + 1], objectives)) for i in range(len(records))]
    assert front_sizes(records, objectives) == expected


def test_front_sizes_count_a_repeated_design_once(snapshot):
    record = next(r for r in snapshot.records if r.state == "feasible")
    twice = [record, replace(record, id=record.id + 1)]
    assert front_sizes(twice, snapshot.config.objectives) == [1, 1]


def test_progress_of_a_search_that_stopped_improving(make_snapshot):
    records = list(make_snapshot(trials=20).records)
    best = front(records, (Objective("lut", "minimize"),))[0]
    flat = [replace(best, id=20 + i) for i in range(40)]
    shown = progress([*records, *flat], make_snapshot(trials=1).config.objectives)
    assert shown.ids == tuple(range(60))
    assert shown.window == 15
    assert shown.gain == 0
    assert shown.flat_for >= 40
    assert shown.feasible_share[-1] == 1.0
    share = np.mean([r.state == "feasible" for r in records[5:20]])
    assert shown.feasible_share[19] == pytest.approx(share)


def test_further_foldings_are_no_trials_of_progress(make_snapshot):
    objectives = make_snapshot(trials=1).config.objectives
    records = list(make_snapshot(trials=40).records)
    plain = progress(records, objectives)
    worst = max(records, key=lambda r: (r.state == "feasible", r.metrics.get("lut", 0)))
    more = [replace(worst, id=40 + i, origin="folding") for i in range(60)]
    shown = progress([*records, *more], objectives)
    assert len(shown.ids) == 100
    assert (shown.window, shown.flat_for) == (plain.window, plain.flat_for) == (10, plain.flat_for)
    assert shown.gain == plain.gain


def test_time_between_two_runs_does_not_count():
    marks = (
        Milestone("began", 0, 0.0, "2026-03-01T10:00:10Z", "tpe"),
        Milestone("repriced", 3, 40.0, "2026-03-01T10:00:50Z", "yosys-rtl"),
        Milestone("resumed", 5, 60.0, "2026-03-02T08:00:00Z", "tpe"),
    )
    created = "2026-03-01T10:00:00Z"
    assert elapsed("2026-03-01T10:00:55Z", marks, created) == 45.0
    assert elapsed("2026-03-02T08:00:30Z", marks, created) == 90.0
    # a study of an older dse, of which the starts were not recorded before it was resumed
    assert elapsed("2026-03-01T10:00:20Z", marks[2:], created) == 20.0
    assert elapsed("2026-03-01T20:00:00Z", marks[2:], created) == 60.0
    assert elapsed("2026-03-01T10:00:20Z", (), created) == 20.0


def test_hypervolume_against_time_goes_by_when_trials_finished(make_snapshot):
    snapshot = make_snapshot(trials=40)
    objectives = snapshot.config.objectives
    last = len(snapshot.records) - 1
    backwards = [
        replace(r, finished=f"2026-03-01T10:{last - r.id:02}:00Z") for r in snapshot.records
    ]
    shown = progress(backwards, objectives, (), "2026-03-01T10:00:00Z")
    assert shown.seconds == tuple(60.0 * i for i in range(len(backwards)))
    first = next(i for i, v in enumerate(shown.hypervolume_then) if v)
    ends = [r.id for r in backwards if r.state == "feasible"]
    assert first == last - max(ends)
    assert shown.hypervolume_then[-1] == pytest.approx(shown.hypervolume[-1])
    assert shown.hypervolume == progress(snapshot.records, objectives).hypervolume


def test_the_reference_point_is_a_tenth_beyond_the_worst_feasible_value(make_snapshot):
    snapshot = make_snapshot(trials=60)
    feasible = [r.metrics for r in snapshot.records if r.state == "feasible"]
    corners = progress(snapshot.records, snapshot.config.objectives).reference
    accuracy, lut = ([m[k] for m in feasible] for k in ("accuracy", "lut"))
    assert corners["accuracy"] == pytest.approx(
        (max(accuracy), min(accuracy) - 0.1 * np.ptp(accuracy))
    )
    assert corners["lut"] == pytest.approx((min(lut), max(lut) + 0.1 * np.ptp(lut)))
    slow, fast = (f(m["latency_us"] for m in feasible) for f in (max, min))
    assert corners["latency_us"] == pytest.approx((fast, slow * (slow / fast) ** 0.1))


def test_objectives_of_the_front_are_ordered(view, snapshot):
    settled = settle(snapshot.records, snapshot.finals, view.constraints)
    by_id = {r.id: r for r in settled}
    first = objective_matrix([by_id[i] for i in view.front], snapshot.config.objectives)[:, 0]
    assert list(first) == sorted(first)


def test_view_is_plain_json(view):
    value = json.loads(json.dumps(view.to_json()))
    assert value["study"] == "digits-pynq"
    assert value["designs"][str(view.front[0])]["usage"][0]["resource"] == "lut"


def test_finals_wait_until_all_are_there(snapshot, view):
    some = dict(list(snapshot.finals.items())[:6])
    partly = replace(snapshot, finals=some, state="stopped")
    chosen = build_view(partly).recommended
    some[chosen.digest] = snapshot.finals[chosen.digest]
    shown = build_view(replace(partly, finals=some))
    assert not shown.tested
    assert {d.test_accuracy for d in shown.designs.values()} == {None}
    assert {d.accuracy_after for d in shown.designs.values() if d.feasible} == {"search training"}
    assert "final" not in {t.stage for t in shown.trials}
    for i in shown.front:
        assert shown.designs[i].metrics["accuracy"] == snapshot.records[i].metrics["accuracy"]
    assert view.tested
