"""Weights of the objectives: the recommended card follows, by the rule that the report states."""

import numpy as np
import pytest

from dse.report import html
from dse.report.format import count
from dse.report.view import build_view
from dse.search.pareto import objective_matrix

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def snapshot_of(make_snapshot):
    return make_snapshot(trials=120, finals=False)


@pytest.fixture(scope="module")
def page(browser, snapshot_of, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    html.write(build_view(snapshot_of), path)
    page = browser.new_page()
    page.goto(path.as_uri())
    yield page
    page.close()


def set_weights(page, weights):
    for k, weight in enumerate(weights):
        page.locator("#weights input").nth(k).evaluate(
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", str(weight)
        )


def by_hand(snapshot, view, weights):
    """Return the design of the front with the least weighted sum of scaled objectives."""
    records = [next(r for r in snapshot.records if r.id == i) for i in view.front]
    points = objective_matrix(records, view.objectives)
    scaled = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    total = scaled @ np.array(weights)
    tied = [r for r, t in zip(records, total, strict=True) if t <= total.min() + 1e-9]
    return min(tied, key=lambda r: (r.metrics["utilisation"], r.id)).id


@pytest.mark.parametrize(
    "weights", [(1, 1, 1), (4, 1, 1), (0.25, 4, 0), (0, 0, 4), (2, 0.5, 1.75), (0, 3, 3)]
)
def test_the_card_follows_the_weights(page, snapshot_of, weights):
    view = build_view(snapshot_of)
    set_weights(page, weights)
    wanted = by_hand(snapshot_of, view, weights)
    hero = page.locator("#hero-choice").inner_text()
    assert f"Trial {wanted}" in hero
    assert count(view.designs[wanted].of("lut").expected) in hero
    assert f"--pick {wanted}" in hero
    assert ("by your weights" in hero) == (wanted != view.recommended.id)
    assert str(wanted) in page.locator("#weights-note").inner_text()
    stated = "weights=" + ",".join(f"{w:g}" for w in weights)
    assert (stated in page.evaluate("location.hash")) == (weights != (1, 1, 1))


def test_equal_weights_bring_back_what_the_report_says(page):
    set_weights(page, (1, 1, 1))
    first = page.locator(".answer").inner_html()
    set_weights(page, (4, 0, 0))
    changed = page.locator(".answer").inner_html()
    page.click("#weights-equal")
    assert page.locator(".answer").inner_html() == first != changed


def test_the_address_carries_the_weights(page, snapshot_of):
    address = page.url.split("#")[0]
    page.goto("about:blank")
    page.goto(f"{address}#weights=0,0,4")
    wanted = by_hand(snapshot_of, build_view(snapshot_of), (0, 0, 4))
    assert f"Trial {wanted}" in page.locator("#hero-choice h3").inner_text()
