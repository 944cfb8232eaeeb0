"""Figures made in Python: plotly checks them here, plotly.js draws them in the page."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects as go

from dse.report.values import Progress
from dse.report.words import last

# Okabe and Ito, "Color Universal Design" (2008): told apart by all common kinds of colour vision
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
GAP = 0.06  # between the panels, as a fraction of the height


def progress_figure(progress: Progress) -> dict[str, Any]:
    """Return the figure of search progress: three panels over the trial number.

    Hypervolume (share of the box), designs on the front, feasible share of the last trials (percent).
    Colours of text and grid are left to the page, which knows light from dark.
    """
    panels = (
        ("Hypervolume", [round(v, 5) for v in progress.hypervolume], BLUE, "%{y:.3f}", [0, 1.02]),
        ("Front size", list(progress.front_size), GREEN, "%{y} designs", None),
        (
            "Feasible (%)",
            [round(100 * v, 1) for v in progress.feasible_share],
            ORANGE,
            f"%{{y:.0f}} % of {last(progress.window)}",
            [0, 102],
        ),
    )
    height = (1 - GAP * (len(panels) - 1)) / len(panels)
    figure = go.Figure()
    layout: dict[str, Any] = {
        "template": None,
        "showlegend": False,
        "hovermode": "x",
        "height": 420,
        "margin": {"l": 56, "r": 12, "t": 8, "b": 44},
        "xaxis": {"title": {"text": "Trial"}, "anchor": f"y{len(panels)}", "zeroline": False},
    }
    for i, (name, values, colour, hover, span) in enumerate(panels):
        suffix = str(i + 1) if i else ""
        figure.add_trace(
            go.Scatter(
                x=list(progress.ids),
                y=values,
                name=name,
                mode="lines",
                line={"color": colour, "width": 2, "shape": "hv"},
                yaxis=f"y{suffix}",
                hovertemplate=f"trial %{{x}}: {hover}<extra></extra>",
            )
        )
        top = 1 - i * (height + GAP)
        layout[f"yaxis{suffix}"] = {
            "title": {"text": name},
            "domain": [max(0.0, top - height), top],
            "range": span,
            "rangemode": "tozero",
            "zeroline": False,
            "nticks": 4,
        }
    figure.update_layout(**layout)
    value: dict[str, Any] = json.loads(figure.to_json())
    return value
