"""Pages in a real browser: what they ask for and complain about is checked behind every test."""

import shutil

import pytest

from dse.report import html
from dse.report.view import build_view


@pytest.fixture(scope="package")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium on PATH")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield instance
        instance.close()


@pytest.fixture(scope="package")
def view(make_snapshot):
    return build_view(make_snapshot(trials=60))


@pytest.fixture(scope="package")
def url(view, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    html.write(view, path)
    return path.as_uri()


@pytest.fixture
def open_page(browser):
    """Open a page; afterwards, it must have asked for one file and complained about nothing."""
    contexts, requests, complaints = [], [], []

    def open_(address, **options):
        context = browser.new_context(
            viewport={"width": options.pop("width", 1200), "height": 900},
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: requests.append(r.url))
        page.on("console", lambda m: complaints.append(m.text))
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("dialog", lambda d: complaints.append(d.message))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert len(requests) == len(contexts)
    assert complaints == []
