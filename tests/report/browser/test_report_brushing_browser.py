"""Selection in a real browser: plot, parallel axes, tables and address show one and the same."""

import pytest

from dse.report import html
from dse.report.view import build_view

pytestmark = pytest.mark.browser


def drag(page, element, start, end):
    """Drag from one place of an element to another; places are fractions of its width and height."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    for k, (x, y) in enumerate((start, end)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def until(page, holds):
    """Wait for an expression of the page; its policy forbids playwright's own way."""
    for _ in range(100):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(50)
    raise AssertionError(holds)


def selected(page):
    """Return the ids of the trials that the table shows, once it shows those that are selected."""
    until(
        page,
        "document.querySelectorAll('#all-trials tbody tr').length === chosen.filter(Boolean).length",
    )
    return {int(t) for t in page.locator("#all-trials tbody a.open").all_inner_texts()}


def test_a_brush_on_an_axis_selects_everywhere_and_a_link_repeats_it(open_page, url, view):
    page = open_page(url)
    strip = page.locator("#parallel .strip").nth(2)  # accuracy, latency, LUT
    drag(page, strip, (0.5, 0.98), (0.5, 0.5))
    low, high = page.evaluate("brushes.get('lut')")
    wanted = {t.id for t in view.trials if low <= t.metrics.get("lut", 0) <= high}
    assert 0 < len(wanted) < 60
    assert selected(page) == wanted
    until(page, "location.hash.startsWith('#lut=')")
    assert page.locator("#selection-count").inner_text().startswith(f"{len(wanted)} of 60")
    full = page.evaluate(
        """() => document.getElementById('plot').data.filter((t) => t.customdata && Array.isArray(t.marker.opacity))
             .flatMap((t) => t.customdata.filter((_, k) => t.marker.opacity[k] === 1))"""
    )
    assert set(full) <= wanted
    assert set(view.front) & wanted <= set(full)
    dim = page.locator("table.front tr.out").count()
    assert dim == len(set(view.front) - wanted)
    again = open_page(page.url)
    assert selected(again) == wanted
    page.locator("#chips button").first.click()
    assert len(selected(page)) == 60


def test_a_box_in_the_plot_is_a_brush_on_both_axes(open_page, url, view):
    page = open_page(url)
    page.locator("#plot").hover()
    page.locator("#plot .modebar-btn[data-val=select]").click()
    drag(page, page.locator("#plot .nsewdrag"), (0.02, 0.02), (0.5, 0.6))
    until(page, "brushes.size === 2")
    spans = page.evaluate("Object.fromEntries(brushes)")
    wanted = {
        t.id
        for t in view.trials
        if "accuracy" in t.metrics
        and spans["latency_us"][0] <= t.metrics["latency_us"] <= spans["latency_us"][1]
        and spans["accuracy"][0] <= 100 * t.metrics["accuracy"] <= spans["accuracy"][1]
    }
    assert wanted
    assert selected(page) == wanted


def test_the_scrubber_selects_the_first_trials(open_page, url):
    page = open_page(url)
    page.locator("#scrub").focus()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    assert selected(page) == set(range(58))
    page.locator("#chips button").first.click()
    assert page.locator("#scrub").input_value() == "59"


def test_axes_move_and_go_by_keyboard(open_page, url):
    page = open_page(url)
    titles = page.locator("#parallel .axis-title")
    before = titles.all_inner_texts()
    titles.first.focus()
    page.keyboard.press("ArrowRight")
    assert titles.all_inner_texts()[:2] == before[1::-1]
    assert page.evaluate("document.activeElement.innerText") == before[0]
    page.keyboard.press("Delete")
    assert titles.all_inner_texts() == [before[1], *before[2:]]
    page.select_option("#add-axis", "accuracy")
    assert titles.all_inner_texts()[-1] == before[0]


def test_a_card_is_compared_with_the_pinned_design(open_page, url, view):
    one, other = view.designs[view.front[0]], view.designs[view.front[-1]]
    page = open_page(f"{url}#design-{one.id}&pin={other.id}")
    found = page.locator("#drawer .difference")
    assert f"trial {other.id} (pinned)" in found.locator("summary").inner_text()
    rows = {
        r.split("\t")[0]: r.split("\t")[1:]
        for r in found.locator("table").first.locator("tbody tr").all_inner_texts()
    }
    for knob in view.trials[one.id].knobs:
        same = view.trials[one.id].knobs[knob] == view.trials[other.id].knobs[knob]
        assert (knob in rows) is not same
    points = 100 * (one.metrics["accuracy"] - other.metrics["accuracy"])
    if round(points, 1):
        assert rows["Accuracy (%)"][2] == f"{points:+.1f} points"
    page.locator(
        "#drawer .pin"
    ).click()  # now this design is the pinned one, and has nothing to differ in
    assert page.locator("#drawer .difference").count() == 0
    assert page.evaluate("location.hash") == f"#design-{one.id}&pin={one.id}"
    assert page.locator("#drawer table.balance").count() == 1


def test_intervals_of_selected_designs_are_drawn(open_page, url, view):
    some = list(view.front[:5])
    page = open_page(f"{url}#trials={','.join(map(str, some))}")
    page.select_option("#axis-x", "lut")
    bars = page.evaluate(
        """() => {
          const t = document.getElementById('plot').data.find((t) => t.name === 'interval');
          return t.customdata.map((id, k) => [id, t.x[k] - t.error_x.arrayminus[k], t.x[k] + t.error_x.array[k]]);
        }"""
    )
    assert sorted(b[0] for b in bars) == sorted(some)
    for trial, low, high in bars:
        lut = view.designs[trial].of("lut")
        assert (low, high) == pytest.approx((lut.low, lut.high), rel=1e-3)


def test_points_fade_where_many_stay_selected_and_zooming_keeps_that(
    open_page, make_snapshot, tmp_path
):
    path = tmp_path / "report.html"
    html.write(build_view(make_snapshot(trials=200)), path)
    page = open_page(path.as_uri())
    shown = """(low) => {
      const points = [...document.querySelectorAll('#plot .scatterlayer path.point')].filter((n) => n.__data__.data !== undefined);
      const full = points.filter((n) => Number(n.style.opacity || 1) === 1);
      return [points.length, full.length, full.every((n) => n.__data__.data <= low), points.every((n) => full.includes(n) === (n.__data__.data <= low))];
    }"""
    page.evaluate("brush('trial', [0, 120])")
    until(page, "document.querySelectorAll('#all-trials tbody tr').length === 121")
    count, full, only, exact = page.evaluate(shown, 120)
    assert 60 < full < count
    assert only
    assert exact
    assert page.evaluate("document.getElementById('plot').data.every((t) => t.name !== 'interval')")
    page.evaluate("Plotly.relayout('plot', { 'yaxis.range': [0, 100] })")
    assert page.evaluate(shown, 120)[1:] == [full, True, True]
    page.evaluate("clearSelection()")
    until(page, "document.querySelectorAll('#all-trials tbody tr').length === 200")
    assert page.evaluate(shown, 200)[1] == count
