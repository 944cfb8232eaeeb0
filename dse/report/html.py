"""The report as one HTML file that needs nothing else: no network, no server."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from dse.report import trust_words, words
from dse.report.format import FILTERS, LABELS, PICKS
from dse.report.importance import agreement, distributions, importance
from dse.report.packing import TAGS, tokens
from dse.report.payload import payload, script_json
from dse.report.values import ReportView
from dse.store import write_atomic

FOLDER = Path(__file__).parent
SCRIPTS = (  # in this order; all but the first need trials
    "report.js",
    "quantities.js",
    "selection.js",
    "card.js",
    "explorer.js",
    "parallel.js",
    "marks.js",
    "weights.js",
    "trials.js",
)
PLOTLY = "vendor/plotly-basic.min.js"  # 4.1.1, MIT; licence in vendor/LICENSE.plotly


def render(view: ReportView, *, small: bool = False) -> str:
    """Return the report as HTML; the same text for the same view.

    Args:
        view: the study.
        small: compress data and scripts, which the page unpacks; its text stays readable as it is.
    """
    matters = importance(view)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS, squeeze=_squeeze)
    common = {
        "view": view,
        "words": words,
        "trust_words": trust_words,
        "labels": LABELS,
        "pick_names": PICKS,
    }
    # cards that have a name are plain HTML, for readers without scripts; the others take little room
    plain = [i for i in view.designs if i in {*view.picks.values(), view.baseline, view.nearest}]
    card = environment.get_template("design.html.j2").make_module(common).card  # type: ignore[attr-defined]
    cards = tokens(
        {i: _squeeze(card(view, d)) for i, d in view.designs.items() if i not in plain},
        TAGS,
    )
    data = script_json(payload(view, matters) | {"cards": cards})
    plotly = f"/*\n{_text('vendor/LICENSE.plotly')}*/\n{_text(PLOTLY)}"
    own = "\n".join(_text(name) for name in (SCRIPTS if view.trials else SCRIPTS[:1]))
    return environment.get_template("report.html.j2").render(
        **common,
        plain=plain,
        matters=matters,
        agreed=agreement(view),
        spread=distributions(view),
        style=_text("report.css"),
        data=data,
        scripts=[plotly, own],
        unpack=_text("unpack.js"),
        packed=_compressed([data, [plotly, own]]) if small else "",
    )


def write(view: ReportView, path: Path, *, small: bool = False) -> None:
    """Write the report; a reader sees the old file or the whole new one."""
    write_atomic(path, render(view, small=small))


def _compressed(value: object) -> str:
    """Return JSON as base64 of gzip, without a time: the same for the same value."""
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode("ascii")


def _squeeze(markup: Markup) -> Markup:
    """Drop the indentation of a template; what it filled in is escaped and holds no markup."""
    flat = re.sub(r"\s+", " ", markup)
    return Markup(re.sub(r" (?=</?t)", "", flat))


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
