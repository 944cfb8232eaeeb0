"""The page in a real browser."""

import json
from dataclasses import replace

import pytest

from dse.ir.design import DesignPoint
from dse.ir.finn import folding_config
from dse.ir.stages import flat
from dse.ir.synthesised import SynthesisedDesign
from dse.lowering.pipeline import pipeline
from dse.report import html
from dse.report.format import accuracy, count
from dse.report.view import build_view

EVIL = "</script><img src=x onerror=alert(1)>"

pytestmark = pytest.mark.browser


def test_a_click_on_a_point_opens_its_card_and_escape_closes_it(open_page, url, view):
    page = open_page(url)
    drawer = page.locator("#drawer")
    assert not drawer.is_visible()
    page.locator("#plot .nsewdrag").scroll_into_view_if_needed()
    box = page.evaluate(
        """() => {
          const plot = document.getElementById('plot');
          const trace = plot.data.find((t) => t.name === 'on the front' && t.customdata);
          const frame = plot.querySelector('.nsewdrag').getBoundingClientRect();
          const [x, y] = [plot._fullLayout.xaxis, plot._fullLayout.yaxis];
          return {id: trace.customdata[0], x: frame.left + x.d2p(trace.x[0]), y: frame.top + y.d2p(trace.y[0])};
        }"""
    )
    page.mouse.move(box["x"], box["y"])
    page.mouse.click(box["x"], box["y"])
    drawer.wait_for()
    design = view.designs[box["id"]]
    text = drawer.inner_text()
    assert f"Trial {design.id}" in text
    assert accuracy(design.test_accuracy) in text
    assert count(design.of("lut").expected) in text
    for layer in design.layers:
        assert f"{layer.cycles:,}" in text
    assert page.evaluate("location.hash") == f"#design-{design.id}"
    ring = page.locator(".rings circle.open").bounding_box()
    assert abs(ring["x"] + ring["width"] / 2 - box["x"]) < 1.5
    assert abs(ring["y"] + ring["height"] / 2 - box["y"]) < 1.5
    page.keyboard.press("Escape")
    assert not drawer.is_visible()


def test_the_address_of_a_design_opens_its_card(open_page, url, view):
    page = open_page(f"{url}#design-{view.front[-1]}")
    assert f"Trial {view.front[-1]}" in page.locator("#drawer h3").inner_text()


def test_a_trial_without_a_card_shows_its_totals(open_page, url, view):
    page = open_page(url)
    failed = next(t for t in view.trials if t.state == "failed")
    page.fill("#filter", "NaN")
    page.locator("#all-trials tbody a.open").first.click()
    text = page.locator("#drawer").inner_text()
    assert f"Trial {failed.id}" in text
    assert "NaN loss" in text
    assert "predicted" in text


def test_links_reach_cards_by_keyboard_and_focus_returns(open_page, url):
    page = open_page(url)
    link = page.locator("#answer a.open").first
    link.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "drawer"
    page.keyboard.press("Escape")
    assert link.evaluate("e => e === document.activeElement")


def test_axes_can_be_chosen(open_page, url):
    page = open_page(url)
    options = page.eval_on_selector_all("#axis-x option", "all => all.map((o) => o.value)")
    assert len(options) > 10
    for option in options[::3]:
        page.select_option("#axis-x", option)
    page.select_option("#axis-x", "lut")
    page.check("#log-x")
    assert page.evaluate("document.getElementById('plot').layout.xaxis.type") == "log"
    page.uncheck("#show-infeasible")
    names = page.evaluate(
        "document.getElementById('plot').data.filter(t => t.x.length).map(t => t.name)"
    )
    assert "infeasible" not in names


def test_table_of_trials_filters_sorts_and_saves(open_page, url, view):
    page = open_page(url)
    page.fill("#filter", "accuracy>=95")
    wanted = [t.id for t in view.trials if t.metrics.get("accuracy", 0) >= 0.95]
    assert page.locator("#filter-count").inner_text() == f"{len(wanted)} of 60"
    page.locator("#all-trials thead button", has_text="LUT").click()
    shown = [int(t) for t in page.locator("#all-trials tbody a.open").all_inner_texts()]
    assert shown == sorted(wanted, key=lambda i: view.trials[i].metrics["lut"])
    with page.expect_download() as download:
        page.click("#save-csv")
    header, *rows = download.value.path().read_text(encoding="utf-8").splitlines()
    assert header.startswith("trial,digest,state,on_front,stage,")
    assert [int(r.split(",")[0]) for r in rows] == shown
    with page.expect_download() as download:
        page.click("#save-json")
    assert download.value.suggested_filename == "digits-pynq.json"


def test_layer_table_sorts(open_page, url, view):
    page = open_page(url)
    page.locator("#detail table.layers thead button", has_text="Cycles").click()
    cells = page.locator("#detail .card:visible table.layers tbody tr td:nth-child(11)")
    cycles = [int(c.replace(",", "")) for c in cells.all_inner_texts()]
    assert cycles == sorted(x.cycles for x in view.recommended.layers)


def test_dark_mode_follows_the_system_and_the_button(open_page, url):
    page = open_page(url, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.click("#theme")
    light = page.evaluate(background)
    assert (dark, light) == ("rgb(21, 24, 28)", "rgb(255, 255, 255)")
    page.click("#theme")
    assert page.evaluate(background) == dark


def test_the_answer_is_readable_with_scripts_off(open_page, url, view):
    page = open_page(url, java_script_enabled=False)
    answer = page.locator("#answer").inner_text()
    assert f"Trial {view.recommended.id}" in answer
    assert accuracy(view.recommended.test_accuracy) in answer
    assert page.locator("#explorer table.front tbody tr").count() == len(view.front)
    assert not page.locator("#plot").is_visible()
    assert not page.locator("#parallel").is_visible()
    assert "accuracy >= 90 %" in page.locator("#feasibility").inner_text()
    assert "fold.cycles" in page.locator("#matters").inner_text()
    page.locator("details summary", has_text=f"Trial {view.front[1]}").first.click()
    assert page.locator(f"#design-{view.front[1]} table.layers").is_visible()


def test_paper_is_white_and_has_no_tools(open_page, url):
    page = open_page(url, color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    for part in ("#answer", "#plot", "#detail", "#reproduce", "#trust"):
        assert page.locator(part).is_visible(), part
    for part in ("nav", "#theme", "#parallel", "#trials", "#matters", ".controls", ".selection"):
        assert not page.locator(part).first.is_visible(), part
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size(
        {"width": 718, "height": 1000}
    )  # A4 at 96 dots per inch, margins of 1 cm
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_is_never_wider_than_the_window(open_page, url, width):
    page = open_page(url, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_names_from_files_stay_text(open_page, make_snapshot, tmp_path):
    view = build_view(make_snapshot(trials=30, names={"conv1": EVIL}))
    path = tmp_path / "report.html"
    html.write(view, path)
    page = open_page(path.as_uri())
    page.select_option("#axis-x", f"knob:{EVIL}.weight_bits")
    page.locator("#answer a.open").first.click()
    assert EVIL in page.locator("#drawer table.layers").inner_text()
    assert page.evaluate("document.images.length") == 0


def test_an_empty_study_opens(open_page, snapshot, tmp_path):
    path = tmp_path / "report.html"
    html.write(build_view(replace(snapshot, records=(), finals={})), path)
    page = open_page(path.as_uri())
    assert "nothing to show yet" in page.locator("#answer").inner_text()


def test_a_study_where_nothing_was_trained_plots_what_is_known(open_page, make_snapshot, tmp_path):
    snapshot = make_snapshot(trials=60, finals=False)
    records = tuple(r for r in snapshot.records if r.hardware and "accuracy" not in r.metrics)
    path = tmp_path / "report.html"
    html.write(build_view(replace(snapshot, records=records)), path)
    page = open_page(path.as_uri())
    assert page.locator("#axis-y").input_value() == "latency_us"
    shown = page.evaluate("document.getElementById('plot').data[0].x.length")
    assert shown == len(records) > 0
    assert "No trial to show" not in page.locator("#plot").inner_text()
    page.select_option("#axis-y", "accuracy")
    assert "No trial to show" in page.locator("#plot").inner_text()


def test_synthesised_designs_are_marked_and_compared(open_page, make_snapshot, tmp_path):
    snapshot = make_snapshot(trials=60)
    record = next(r for r in snapshot.records if r.id == build_view(snapshot).front[0])
    predicted = record.hardware.total
    reported = {"lut": round(1.5 * predicted.expected.lut), "ff": 900, "bram18": 3, "dsp": 0}
    found = SynthesisedDesign(
        digest=record.design.digest,
        trial=record.id,
        round=1,
        chosen="promising",
        tool="yosys",
        version="0.70",
        stage="synthesised, not placed",
        part="xc7z020clg400-1",
        predicted_by="yosys-rtl",
        predicted=predicted,
        reported=reported,
        units=(),
        folder="synthesised/x",
        reports="reports/yosys",
        seconds=60.0,
        finished="",
    )
    view = build_view(replace(snapshot, synthesised={found.digest: found}))
    html.write(view, tmp_path / "report.html")
    page = open_page((tmp_path / "report.html").as_uri())
    symbols = page.evaluate(
        """() => document.getElementById('plot').data.find((t) => t.customdata && t.name === 'on the front')
             .marker.symbol.filter((s) => s === 'star').length"""
    )
    assert symbols == 1
    panels = page.evaluate(
        """() => document.getElementById('trust-plot').data.filter((t) => t.mode === 'markers' && t.x.length)
             .map((t) => [t.name, t.x[0], t.customdata[0]])"""
    )
    assert ["outside", reported["lut"], record.id] in panels
    page.fill("#filter", f"lut_synthesised={reported['lut']}")
    assert page.locator("#filter-count").inner_text() == "1 of 60"
    page.locator("#trust a.open").first.click()
    text = page.locator("#drawer").inner_text()
    assert f"{count(reported['lut'])}" in text
    assert "yosys 0.70" in text


def test_a_small_report_unpacks_itself_and_is_readable_without(open_page, view, tmp_path):
    path = tmp_path / "small.html"
    html.write(view, path, small=True)
    assert path.stat().st_size < 0.5 * len(html.render(view).encode())
    page = open_page(path.as_uri())
    page.locator("#all-trials tbody a.open").first.click()
    assert "Trial 0" in page.locator("#drawer h3").inner_text()
    assert page.evaluate("document.querySelectorAll('#plot .trace').length") > 0
    assert page.locator("#unpacking").count() == 0
    still = open_page(path.as_uri(), java_script_enabled=False)
    assert f"Trial {view.recommended.id}" in still.locator("#answer").inner_text()


def test_a_small_report_says_what_it_misses_in_an_old_browser(open_page, view, tmp_path):
    text = html.render(view, small=True)
    old = text.replace("<body>", "<body><script>delete window.DecompressionStream</script>", 1)
    (tmp_path / "old.html").write_text(old, encoding="utf-8")
    page = open_page((tmp_path / "old.html").as_uri())
    assert "without --small" in page.locator("#unpacking").inner_text()
    start = text.index('id="packed">') + len('id="packed">')
    cut = text[: start + 4000] + text[text.index("</script>", start) :]
    (tmp_path / "cut.html").write_text(cut, encoding="utf-8")
    page = open_page((tmp_path / "cut.html").as_uri())
    page.locator("#unpacking", has_text="cannot be unpacked").wait_for()
    assert f"Trial {view.recommended.id}" in page.locator("#answer").inner_text()


def test_a_card_saves_the_design_and_its_folding(open_page, url, view, make_snapshot):
    snapshot = make_snapshot(trials=60)
    other = next(i for i in view.front if i not in view.picks.values())
    page = open_page(f"{url}#design-{other}")
    for place, trial in (("#drawer", other), ("#hero-choice", view.recommended.id)):
        record = next(r for r in snapshot.records if r.id == trial)
        with page.expect_download() as download:
            page.locator(f"{place} button.save", has_text="Design").evaluate("e => e.click()")
        assert download.value.suggested_filename == f"digits-pynq-{trial}-design.json"
        saved = json.loads(download.value.path().read_text(encoding="utf-8"))
        assert DesignPoint.from_json(saved["design"]) == record.design
        assert (saved["trial"], saved["digest"]) == (trial, record.design.digest)
        with page.expect_download() as download:
            page.locator(f"{place} button.save", has_text="Folding").evaluate("e => e.click()")
        folding = json.loads(download.value.path().read_text(encoding="utf-8"))
        assert folding == folding_config(flat(pipeline(snapshot.network, record.design)))
    stacks = page.locator("#drawer table.stack tbody tr")
    assert stacks.count() == sum(u.expected > 0 for u in view.designs[other].usage)
    shares = stacks.first.locator("i").evaluate_all(
        "all => all.map((i) => Number(i.style.getPropertyValue('--w')))"
    )
    assert sum(shares) == pytest.approx(100, abs=0.5)
