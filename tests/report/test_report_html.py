"""The HTML file as text: self-contained, escaped, reproducible, small."""

import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dse.report import html
from dse.report.format import accuracy, count
from dse.report.importance import importance
from dse.report.packing import LETTERS
from dse.report.payload import payload, script_json
from dse.report.progress_figure import progress_figure
from dse.report.view import build_view

EVIL = "</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Collects elements, and the text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._raw = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._raw = tag

    def handle_endtag(self, tag):
        if tag == self._raw:
            self._raw = None

    def handle_data(self, data):
        if self._raw is None:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(scope="module")
def view(snapshot):
    return build_view(snapshot)


@pytest.fixture(scope="module")
def page(view):
    return html.render(view)


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))


def column(value):
    """Read a column of the page: a list, or one letter per place."""
    if isinstance(value, list):
        return value
    return [value["of"][LETTERS.index(letter)] for letter in value["at"]]


def test_nothing_is_loaded_from_elsewhere(page):
    parsed = Page(page)
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "iframe", "img", "object", "base"), tag
        assert "src" not in attributes
        if "href" in attributes:
            assert attributes["href"].startswith("#")
    (policy,) = [a["content"] for t, a in parsed.tags if "http-equiv" in a and t == "meta"]
    assert policy.startswith("default-src 'none'; script-src 'unsafe-inline';")


def test_plotly_is_there_once_with_its_licence(page):
    assert page.count("plotly.js (basic - minified) v4.1.1") == 1
    assert page.count("Permission is hereby granted, free of charge") == 1


def test_scripts_cannot_end_early():
    for name in (*html.SCRIPTS, html.PLOTLY, "vendor/LICENSE.plotly"):
        text = (html.FOLDER / name).read_text(encoding="utf-8")
        assert "</script" not in text.lower()
        assert "<!--" not in text
    assert "*/" not in (html.FOLDER / "vendor/LICENSE.plotly").read_text(encoding="utf-8")


def test_the_answer_needs_no_script(view, page):
    words = Page(page).text
    best = view.recommended
    assert f"Trial {best.id} recommended" in words
    assert f"Accuracy {accuracy(best.test_accuracy)}" in words
    assert "measured, integer network, test split (360 images)" in words
    lut = best.of("lut")
    assert re.search(f"LUT ?{count(lut.expected)}", words)
    assert f"predicted, {count(lut.low)} to {count(lut.high)}" in words
    assert f"dse emit digits-pynq --pick {best.id} -o hls/" in words
    assert "All hardware numbers are predicted" in words
    for i in view.front:
        assert f'href="#design-{i}"' in page


def test_reproduce_names_versions_and_the_class_of_machine(page):
    rows = page[page.index('<section id="reproduce">') :]
    for name, value in (("Machine", "Linux, x86_64, 2 cores, 24 GiB"), ("optuna", "5.0.0")):
        assert f'<th scope="row">{name}<td>{value}' in rows


def test_same_study_same_bytes(snapshot, page):
    assert html.render(build_view(snapshot)) == page


def test_two_hundred_trials_fit_in_two_megabytes(make_snapshot):
    assert len(html.render(build_view(make_snapshot(trials=200))).encode()) <= 2_000_000


def test_user_text_stays_text(make_snapshot):
    snapshot = make_snapshot(trials=40, names={"conv1": EVIL})
    snapshot = replace(snapshot, config=replace(snapshot.config, description=EVIL, text=EVIL))
    page = html.render(build_view(snapshot))
    assert EVIL not in page
    assert not [tag for tag, _ in Page(page).tags if tag == "img"]
    assert EVIL in Page(page).text
    assert f"{EVIL}.weight_bits" in data_of(page)["knobs"]


def test_script_json_round_trips_and_holds_no_markup():
    value = {"a": ["<!-- </SCRIPT>", "\u2028", "µ & é"], "b": None}
    text = script_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028") & set(text)
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))


def test_columns_match_the_trials(view, page):
    data = data_of(page)
    data.pop("cards")
    assert data == json.loads(json.dumps(payload(view, importance(view))))
    assert data["trials"]["id"] == [t.id for t in view.trials]
    assert column(data["trials"]["state"]) == [t.state for t in view.trials]
    for key, values in data["metrics"].items():
        for shown, trial in zip(column(values), view.trials, strict=True):
            wanted = trial.metrics.get(key)
            assert shown == (None if wanted is None else pytest.approx(wanted, rel=1e-4))
    assert data["front"] == list(view.front)
    ends = [column(data[end]["lut"])[5] for end in ("low", "high")]
    assert ends == pytest.approx(view.trials[5].intervals["lut"], rel=1e-3)


def stairs(trace, xs):
    """Read a line of steps at `xs`: the value of the last point that is not behind."""
    found = []
    for x in xs:
        at = max(i for i, place in enumerate(trace["x"]) if place <= x)
        found.append(trace["y"][at])
    return found


def test_progress_figure_holds_the_history(view):
    figure = progress_figure(view.progress)
    volume, size, feasible, timed = figure["data"]
    shown = view.progress
    assert stairs(volume, shown.ids) == pytest.approx(shown.hypervolume, abs=1e-5)
    assert tuple(stairs(size, shown.ids)) == shown.front_size
    share = [100 * v for v in shown.feasible_share]
    assert stairs(feasible, shown.ids) == pytest.approx(share, abs=0.1)
    at = [round(s, 4) for s in shown.seconds]
    then = dict(zip(at, shown.hypervolume_then, strict=True))  # the last of equal times
    assert stairs(timed, then) == pytest.approx(list(then.values()), abs=1e-5)
    assert figure["layout"]["xaxis2"]["title"]["text"] == "Search time (s)"
    assert len(volume["x"]) < len(shown.ids)
    assert {t["type"] for t in figure["data"]} == {"scatter"}  # no WebGL under the policy


@pytest.mark.parametrize("trials", [0, 1, 4])
def test_small_studies_render(snapshot, trials):
    few = replace(snapshot, records=snapshot.records[:trials], finals={}, state="running")
    words = Page(html.render(build_view(few))).text
    assert "snapshot of a running study" in words
    assert ("There is nothing to show yet" in words) == (trials == 0)


def test_nothing_feasible_says_what_to_relax(snapshot):
    view = build_view(replace(snapshot, records=snapshot.records[:1], finals={}))
    words = Page(html.render(view)).text
    assert "No design meets all constraints yet." in words
    assert "lut <= 70 %: needs 119,000, the limit is 35,800" in words


def test_write_replaces_the_file_at_once(view, page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    html.write(view, path)
    assert path.read_text(encoding="utf-8") == page
    assert list(tmp_path.iterdir()) == [path]


def test_a_study_stopped_during_full_training_shows_one_kind_of_accuracy(snapshot, view):
    some = dict(list(snapshot.finals.items())[:6])
    some[view.recommended.digest] = snapshot.finals[view.recommended.digest]
    page = html.render(build_view(replace(snapshot, finals=some, state="stopped")))
    words = Page(page).text
    assert "Test accuracy" not in words
    assert "test split" not in words
    assert "Validation (%)" in words
    assert "full training" not in data_of(page)["trials"]["stage"]


def test_a_design_without_test_accuracy_leaves_its_cell_open(view):
    design = view.designs[view.front[-1]]
    partly = replace(view, designs={**view.designs, design.id: replace(design, test_accuracy=None)})
    _, row = html.render(partly).split(
        f'<tr><td class="n"><a class="open" href="#design-{design.id}">'
    )
    test, validation = re.findall(r'<td class="n">([^<]*)', row)[:2]
    assert (test.strip(), validation.strip()) == ("-", f"{100 * design.metrics['accuracy']:.1f}")


def test_a_study_of_one_trial_is_singular(make_snapshot):
    snapshot = make_snapshot(trials=60, finals=False)
    record = next(r for r in snapshot.records if r.state == "feasible")
    page = html.render(build_view(replace(snapshot, records=(record,))))
    words = Page(page).text
    assert "The only design on the front" in words
    assert "Feasible share: of the last trial." in words
    assert not re.search(r"\b1 (trials|designs|images)\b", words)
    hover = data_of(page)["figures"]["progress"]["data"][2]["hovertemplate"]
    assert "of the last trial" in hover


def test_a_study_without_feasible_design_says_that_its_plot_has_no_front(make_snapshot):
    snapshot = make_snapshot(trials=30, finals=False)
    records = tuple(r for r in snapshot.records if r.state == "infeasible")
    words = Page(html.render(build_view(replace(snapshot, records=records)))).text
    assert "No design is feasible, so none is on the front." in words


def test_five_thousand_trials_of_sixty_knobs_fit_in_four_megabytes(view):
    rng = random.Random(0)
    known = [t for t in view.trials if t.state != "failed"]
    knobs = [f"layer{i}.{k}" for i in range(20) for k in ("bits", "sparsity", "scheme")]

    def row(i):
        template = known[i % len(known)]
        metrics = {k: v * rng.uniform(0.9, 1.1) for k, v in template.metrics.items()}
        values = {k: rng.choice([2, 4, 8]) for k in knobs}
        first = i < len(known)
        return replace(
            template,
            id=template.id if first else 1000 + i,
            metrics=metrics,
            knobs=values,
            on_front=template.on_front and first,
        )

    many = replace(view, trials=tuple(row(i) for i in range(5000)))
    assert len(html.render(many).encode()) <= 4_000_000
