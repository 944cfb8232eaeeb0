"""Numbers as text, sentences, and terminal tables."""

from dataclasses import replace

import pytest

from dse.config.values import Objective
from dse.errors import UsageError
from dse.ir.words import plural
from dse.report import format as fmt
from dse.report import text, words
from dse.report.values import Progress
from dse.report.view import build_view


@pytest.fixture(scope="module")
def view(snapshot):
    return build_view(snapshot)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (41_666.7, "41,700"),
        (3.1, "3.10"),
        (38.24, "38.2"),
        (999.6, "1,000"),
        (9.999, "10.0"),
        (0.02144, "0.0214"),
        (1_234_567, "1,230,000"),
        (0, "0"),
        (-12.34, "-12.3"),
    ],
)
def test_three_significant_digits(value, expected):
    assert fmt.number(value) == expected


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (fmt.count, 64.0, "64"),
        (fmt.count, 0.4, "0"),
        (fmt.count, 21_340, "21,300"),
        (fmt.percent, 0.0, "0 %"),
        (fmt.percent, 0.0321, "3.2 %"),
        (fmt.percent, 0.0996, "10 %"),
        (fmt.percent, 1.34, "134 %"),
        (fmt.accuracy, 0.9683, "96.8 %"),
        (fmt.microseconds, 38.24, "38.2 µs"),
        (fmt.microseconds, 3104, "3.10 ms"),
        (fmt.microseconds, 2.5e6, "2.50 s"),
        (fmt.seconds, 42, "42 s"),
        (fmt.seconds, 211, "3 min 31 s"),
        (fmt.seconds, 19_200, "5 h 20 min"),
        (fmt.factor, 2.44, "2.4"),
        (fmt.factor, 31.4, "31"),
        (fmt.label, "latency_us", "Latency (µs)"),
        (fmt.label, "lut", "LUT"),
        (fmt.block, (8, 16), "8x16"),
        (fmt.block, None, "-"),
    ],
)
def test_formats(function, value, expected):
    assert function(value) == expected


def test_metrics_have_units():
    values = {"accuracy": 0.9, "utilisation": 0.41, "latency_us": 12.0, "lut": 950, "dsp": 3}
    shown = [fmt.metric(k, v) for k, v in values.items()]
    assert shown == ["90.0 %", "41 %", "12.0 µs", "950", "3"]
    assert fmt.metric("throughput_fps", 41_700) == "41,700 frames/s"
    assert fmt.metric("model_size_kib", 3.5) == "3.50 KiB"


def history(*values, gain=0.0, flat_for=0):
    ids = tuple(range(len(values)))
    return Progress(ids, values, (1,) * len(ids), (1.0,) * len(ids), 50, gain, flat_for)


@pytest.mark.parametrize(
    ("progress", "begins"),
    [
        (history(), "No trial has finished"),
        (history(0.0, 0.0), "No feasible design in 2 trials"),
        (history(0.5), "Too early to tell after 1 trial."),
        (history(*[0.5] * 90, flat_for=60), "Flat for the last 60 trials"),
        (history(*[0.5] * 90, gain=0.031), "Still rising: +3.1 % in the last 50 trials"),
        (history(*[0.5] * 90, gain=0.004), "Nearly flat: +0.4 %"),
    ],
)
def test_verdict(progress, begins):
    assert words.verdict(progress).startswith(begins)


def test_comparison_says_smaller_faster_and_by_how_much(view):
    one = view.recommended
    other = replace(
        one,
        metrics={
            **one.metrics,
            "lut": 3 * one.metrics["lut"],
            "throughput_fps": 2 * one.metrics["throughput_fps"],
            "accuracy": one.metrics["accuracy"] + 0.012,
        },
    )
    assert (
        words.comparison(one, other)
        == "3.0x smaller, 2.0x slower, 1.2 points less accurate on validation"
    )
    assert (
        words.comparison(other, one)
        == "3.0x larger, 2.0x faster, 1.2 points more accurate on validation"
    )
    assert words.comparison(one, one) == "no different"


def test_knee_rule_names_the_objectives(view):
    rule = words.knee_rule(view)
    assert "accuracy, latency (logarithm) and lut" in rule
    assert "plane" in rule
    short = replace(view, counts=replace(view.counts, front=1), objectives=view.objectives[:1])
    assert words.knee_rule(short).startswith("The front has only 1 design;")
    pair = replace(view, objectives=(Objective("lut", "minimize"), Objective("dsp", "minimize")))
    assert "lut and dsp" in words.knee_rule(pair)
    assert "line" in words.knee_rule(pair)


def test_limits_name_bottleneck_and_tightest_constraint(view):
    sentences = words.limits(view.recommended)
    b = view.recommended.bottleneck
    assert sentences[0].startswith(
        f"The {b.unit} of {b.layer} sets the frame rate with {b.cycles:,}"
    )
    assert sentences[-1].startswith("Tightest hardware limit: ")
    assert "accuracy" not in sentences[-1]


def test_room_of_a_constraint(view):
    accuracy, lut = view.recommended.slacks[:2]
    assert words.room(replace(accuracy, value=0.85, violation=0.05)) == "5.0 points short"
    assert words.room(replace(lut, violation=-0.4)) == "40 % to spare"
    assert words.room(replace(lut, violation=0.12)) == "missed by 12 %"


def test_summary_names_the_picks_and_the_next_command(view):
    shown = text.summary(view)
    best = view.recommended
    assert shown.startswith("Finished: 150 trials in 3 min 31 s, ")
    assert f"dse emit digits-pynq --pick {best.id} -o hls/" in shown
    line = next(x for x in shown.splitlines() if x.strip().startswith("recommended"))
    assert fmt.accuracy(best.test_accuracy) in line
    assert fmt.count(best.of("lut").expected) in line
    assert "predicted" in shown
    assert "test split, 360 images" in shown


def test_front_table_lists_every_design_in_order(view):
    lines = text.front_table(view).splitlines()
    ids = [int(x.split()[0]) for x in lines[3:] if x.strip() and x.split()[0].isdigit()]
    assert ids == list(view.front)
    assert "predicted" in lines[-2]


def test_columns_are_aligned():
    rows = [["a", "value"], ["longer", "1"], ["b", "1,000", "extra"]]
    assert text.columns_of(rows, "lrl") == [
        "  a       value",
        "  longer      1",
        "  b       1,000  extra",
    ]


def test_design_table_marks_the_slowest_layer(view):
    design = view.recommended
    shown = text.design_table(view, design.id)
    slowest = [x.name for x in design.layers if x.bottleneck]
    marked = [x.split()[0] for x in shown.splitlines() if "100 %*" in x]
    assert marked == slowest
    assert "on the test split" in shown
    assert "predicted" in shown


def test_design_table_of_an_infeasible_design_says_what_breaks(view):
    shown = text.design_table(view, view.baseline)
    assert "infeasible, baseline" in shown
    assert "Breaks lut <= 70 %: needs " in shown
    assert "dse emit" not in shown


def test_design_table_of_an_unknown_trial(view):
    with pytest.raises(UsageError, match="trial 9999 must be a design of the report; it has 0, "):
        text.design_table(view, 9999)


def test_tables_of_an_empty_study(snapshot):
    view = build_view(replace(snapshot, records=(), finals={}))
    assert "No design was priced yet" in text.summary(view)
    assert "No design was priced yet" in text.front_table(view)


def test_an_accuracy_of_another_split_is_marked(view):
    base = view.designs[view.baseline]
    base = replace(base, metrics={**base.metrics, "accuracy": 0.986}, test_accuracy=None)
    shown = text.summary(replace(view, designs={**view.designs, base.id: base}))
    line = next(x for x in shown.splitlines() if x.strip().startswith("baseline"))
    assert "98.6 % val." in line
    assert "val.: validation split" in shown
    assert shown.count(" val.") == 2  # the cell and what it means
    last = view.designs[view.front[-1]]
    last = replace(last, test_accuracy=None, test_images=None)
    table = text.front_table(replace(view, designs={**view.designs, last.id: last}))
    assert f"{fmt.accuracy(last.metrics['accuracy'])} val." in table
    assert "the most accurate too, are chosen by validation accuracy" in table


def test_one_split_needs_no_mark(make_snapshot):
    view = build_view(make_snapshot(trials=40, finals=False))
    for shown in (text.summary(view), text.front_table(view)):
        assert "validation split, after search training" in shown
        assert "val." not in shown
        assert "test split" not in shown


def test_one_of_a_thing_is_singular(view):
    assert [plural(n, "trial") for n in (0, 1, 2_000)] == [
        "0 trials",
        "1 trial",
        "2,000 trials",
    ]
    assert [words.last(n) for n in (1, 50)] == ["the last trial", "the last 50 trials"]
    assert words.verdict(history(0.0)) == "No feasible design in 1 trial yet."
    few = replace(view, counts=replace(view.counts, finished=1, budget=1, front=1))
    assert text.summary(few).startswith("Finished: 1 trial in ")
    assert "1 design on the front." in text.summary(few)
    assert "1 of 1 trial\n" in text.front_table(few)


def test_loading_of_weights_is_stated_apart(view):
    base = view.designs[view.baseline]
    assert "loading" not in text.design_table(view, base.id)
    loads = replace(base, loading_cycles=int(base.clock_mhz * 25))  # 25 us
    shown = text.design_table(replace(view, designs={**view.designs, base.id: loads}), base.id)
    line = next(x for x in shown.splitlines() if "loading" in x)
    assert "25.0 µs, once: weights in UltraRAM, before the first frame   predicted" in line


def test_the_command_of_a_study_repeats_what_replaced_its_file(make_snapshot):
    plain = build_view(make_snapshot(trials=3))
    assert words.run_command(plain) == "dse run study.yaml"
    said = ("study=second", "constraints=[lut <= 20 %]", "seed=3")
    run = replace(plain, overrides=said)
    assert words.run_command(run) == (
        "dse run study.yaml --set study=second --set 'constraints=[lut <= 20 %]' --set seed=3"
    )
    forked = replace(plain, study="second", overrides=said[::2], forked="digits-pynq")
    assert words.run_command(forked) == "dse run study.yaml --fork second --set seed=3"


def test_a_card_has_all_objectives(make_snapshot):
    snapshot = make_snapshot(trials=30)
    asked = (Objective("energy", "minimize"), Objective("dsp", "minimize"))
    config = replace(snapshot.config, objectives=(*snapshot.config.objectives[:2], *asked))
    view = build_view(replace(snapshot, config=config))
    best = view.recommended
    assert best is not None
    found = words.further_objectives(view, best)
    assert [label for label, _, _ in found] == [fmt.LABELS["energy_mj"], fmt.LABELS["dsp"]]
    assert found[1][1] == fmt.metric("dsp", best.metrics["dsp"])
    assert all("up to" in end for _, _, end in found)


def test_a_search_says_why_it_ended_and_where_its_study_is(make_snapshot):
    ended = replace(make_snapshot(trials=30), stop_reason="the budget of 30 trials is met")
    view = build_view(ended)
    shown = text.summary(view, "elsewhere/digits-pynq")
    assert "ended         the budget of 30 trials is met" in shown
    assert "dse emit elsewhere/digits-pynq --pick" in shown
    assert "dse inspect elsewhere/digits-pynq " in text.front_table(view, "elsewhere/digits-pynq")
    # one design, four names: one row
    lonely = replace(view, picks=dict.fromkeys(view.picks, view.picks["recommended"]))
    assert sum(line.startswith("  the only one") for line in text.summary(lonely).splitlines()) == 1
