"""What decides objectives and what constraints cost, against brute force and invented studies with a known answer."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dse.config.values import Constraint
from dse.report.feasibility import NEAR, feasibility, looser
from dse.report.html import render
from dse.report.importance import Importance, agreement, distributions, importance
from dse.report.view import build_view
from dse.report.words import relaxing
from dse.search.pareto import front
from dse.search.score import constraints_of, rescore


@pytest.fixture(scope="module")
def tight(make_snapshot):
    """Records with all accuracies, judged by a LUT limit in the middle of them."""
    snapshot = make_snapshot(trials=80, finals=False)
    records = [r for r in snapshot.records if "accuracy" in r.metrics]
    middle = sorted(r.hardware.total.high.lut for r in records)[len(records) // 2]
    limits = (
        Constraint("lut", "<=", float(middle), "lut"),
        Constraint("accuracy", ">=", 0.93, "accuracy"),
    )
    return snapshot, limits, [rescore(r, limits) for r in records]


def judged(found, text):
    return next(x for x in found.limits if x.text == text)


@pytest.mark.parametrize("text", ["lut", "accuracy"])
def test_a_looser_limit_gains_what_judging_again_gains(tight, text):
    snapshot, limits, records = tight
    objectives = snapshot.config.objectives
    best = front(records, objectives)
    x = judged(feasibility(records, limits, objectives, best), text)
    wide = tuple(replace(c, limit=looser(c)) if c.text == text else c for c in limits)
    again = [rescore(r, wide) for r in records]
    old = {r.id for r in records if r.state == "feasible"}
    fresh = [r for r in again if r.state == "feasible" and r.id not in old]
    assert x.gain.designs == len({r.design.digest for r in fresh}) > 0
    assert x.gain.unknown == 0
    then = front(again, objectives)
    assert x.gain.joining == sum(r.id not in old for r in then)
    for key, (before, after) in x.gain.best.items():
        pick = max if key == "accuracy" else min
        assert before == pick(r.metrics[key] for r in best)
        assert after == pick(r.metrics[key] for r in then)


def test_broken_constraints_are_counted_alone_and_together(tight):
    snapshot, limits, records = tight
    best = front(records, snapshot.config.objectives)
    found = feasibility(records, limits, snapshot.config.objectives, best)
    broken = [{t for t, v in r.constraints.items() if v > 0} for r in records]
    for text in ("lut", "accuracy"):
        x = judged(found, text)
        only = [r for r, b in zip(records, broken, strict=True) if b == {text}]
        assert x.broken == sum(text in b for b in broken)
        assert x.alone == len(only)
        assert x.near == sum(r.constraints[text] <= NEAR for r in only)
        assert x.binding == sum(r.constraints[text] >= -NEAR for r in best)
    both = Counter(frozenset(b) for b in broken)[frozenset({"lut", "accuracy"})]
    assert [n for texts, n in found.together if set(texts) == {"lut", "accuracy"}] == [both][:both]


def test_accuracy_is_known_only_where_the_compression_was_trained(tight):
    snapshot, limits, records = tight
    objectives = snapshot.config.objectives
    room = 0.1
    one = next(
        r for r in records if 0 < r.constraints["lut"] <= room and r.constraints["accuracy"] <= 0
    )
    blind = replace(
        one,
        id=1000,
        metrics={k: v for k, v in one.metrics.items() if k != "accuracy"},
        constraints={"lut": one.constraints["lut"]},
    )
    others = [r for r in records if r.state == "feasible"]
    lonely = judged(feasibility([*others, blind], limits, objectives, ()), "lut")
    assert (lonely.gain.designs, lonely.gain.unknown, lonely.gain.joining) == (1, 1, 0)
    assert "none of a compression that was trained" in relaxing(lonely)
    # the same compression, trained for a design with another folding
    sister = replace(one, constraints={"lut": 5.0, "accuracy": -0.1})
    told = judged(feasibility([*others, blind, sister], limits, objectives, ()), "lut")
    assert (told.gain.designs, told.gain.unknown) == (1, 0)
    bad = replace(sister, metrics={**one.metrics, "accuracy": 0.5})
    worse = judged(feasibility([*others, blind, bad], limits, objectives, ()), "lut")
    assert worse.gain.designs == 0


def test_limits_of_zero_that_hold_say_nothing(snapshot):
    constraints = constraints_of(snapshot.config)
    assert any(c.limit == 0 for c in constraints)
    found = feasibility(snapshot.records, constraints, snapshot.config.objectives, ())
    assert all(x.gain is not None for x in found.limits)


def test_the_knob_that_decides_is_found(snapshot):
    rng = random.Random(3)
    view = build_view(snapshot)
    template = next(t for t in view.trials if t.state == "feasible")

    def row(i):
        knobs = {"a.bits": rng.choice([2, 4, 8]), "b.scheme": rng.choice("xyz"), "c": rng.random()}
        good = {2: 0.6, 4: 0.75, 8: 0.9}[knobs["a.bits"]] + 0.02 * rng.random()
        lut = 1000.0 * (1 + knobs["c"])
        return replace(
            template, id=i, knobs=knobs, metrics={"accuracy": good, "latency_us": 5.0, "lut": lut}
        )

    found = importance(replace(view, trials=tuple(row(i) for i in range(200))))
    share = dict(zip(found.objectives, zip(*found.shares.values(), strict=True), strict=True))
    knobs = list(found.shares)
    assert knobs[share["accuracy"].index(max(share["accuracy"]))] == "a.bits"
    assert knobs[share["lut"].index(max(share["lut"]))] == "c"
    assert sum(share["accuracy"]) == pytest.approx(1.0)
    assert found.constant == ("latency_us",)
    alone, first, *_ = found.by_layer()
    assert (alone.layer, list(alone.knobs)) == ("", ["c"])
    assert (first.layer, list(first.knobs)) == ("a", ["a.bits"])


def test_importance_is_grouped_by_layer():
    shares = {
        "b.bits": (0.5, 0.1),
        "a.bits": (0.3, 0.2),
        "b.scheme": (0.2, 0.695),
        "c.bits": (0.0, 0.005),
    }
    groups = Importance({"accuracy": 99, "lut": 99}, shares, {}, ()).by_layer()
    assert [(g.layer, list(g.knobs)) for g in groups] == [
        ("b", ["b.bits", "b.scheme"]),
        ("a", ["a.bits"]),
    ]
    assert groups[0].sums == pytest.approx((0.7, 0.795))


def test_too_few_trials_give_no_importance_and_the_page_says_why(make_snapshot):
    view = build_view(make_snapshot(trials=40))
    found = importance(view)
    assert not found.shares
    assert found.missing["latency_us"] == sum(t.state != "failed" for t in view.trials) == 39
    assert "no importance from 39 trials" in render(view)


def test_agreement_is_counted_on_the_front(snapshot):
    view = build_view(snapshot)
    best = [t for t in view.trials if t.on_front]
    found = {a.knob: a for a in agreement(view)}
    for knob in view.trials[0].knobs:
        values = {str(t.knobs[knob]) for t in view.trials if t.state != "failed"}
        value, n = Counter(str(t.knobs[knob]) for t in best).most_common(1)[0]
        if 1 < len(values) <= 12 and n >= 0.75 * len(best):
            assert (found[knob].value, found[knob].front, found[knob].of) == (value, n, len(best))
        else:
            assert knob not in found


def test_values_of_knobs_are_spread_as_counted(snapshot):
    view = build_view(snapshot)
    priced = [t for t in view.trials if t.state != "failed"]
    best = [t for t in priced if t.on_front]
    found = distributions(view)
    assert found[0].knob == "conv1.sparsity"
    assert found[-1].knob == "fold.cycles"
    for d in found:
        there, every = ([t.knobs[d.knob] for t in group] for group in (best, priced))
        assert d.front == len(best)
        if d.spread:
            assert [s[1] for s in d.spread] == pytest.approx([np.median(there), np.median(every)])
            continue
        assert sum(s[1] for s in d.shares) == pytest.approx(1.0)
        for value, front_share, share in d.shares:
            assert front_share == pytest.approx(
                [f"{v:g}" if isinstance(v, float) else str(v) for v in there].count(value)
                / len(best)
            )
            assert 0 < share <= 1
    words = render(view)
    assert "All knobs by layer" in words
