"""The figure of predicted against synthesised: plotly checks it here, plotly.js draws it in the page."""

from __future__ import annotations

import json
import math
from typing import Any

import plotly.graph_objects as go

from dse.report.format import LABELS
from dse.report.trust import Compared, Trust

# Okabe and Ito, "Color Universal Design" (2008): told apart by all common kinds of colour vision
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
GREY = "#8b949e"
COLUMNS, SIDE, BELOW = (
    2,
    0.12,
    0.2,
)  # panels of predicted against synthesised, and what lies between


def trust_figure(trust: Trust) -> dict[str, Any]:
    """Return the figure of predicted against synthesised: one panel per resource, with the diagonal.

    Bars are 90 % intervals. Axes are logarithms, so designs of which either count is 0 are left out.
    """
    shown = [
        (a.what, found)
        for a in trust.whole
        if (found := [c for c in trust.points if c.resource == a.what and _drawable(c)])
    ]
    figure = go.Figure()
    rows = math.ceil(len(shown) / COLUMNS)
    layout: dict[str, Any] = {
        "template": None,
        "showlegend": False,
        "hovermode": "closest",
        "height": 60 + 280 * rows,
        "margin": {"l": 62, "r": 12, "t": 8, "b": 48},
    }
    for i, (resource, found) in enumerate(shown):
        suffix = str(i + 1) if i else ""
        ends = [v for c in found for v in (c.low, c.high, c.reported, c.predicted) if v > 0]
        span = [math.log10(min(ends)) - 0.06, math.log10(max(ends)) + 0.06]
        line = [10 ** span[0], 10 ** span[1]]
        place = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        figure.add_trace(
            go.Scatter(
                x=line,
                y=line,
                mode="lines",
                hoverinfo="skip",
                line={"color": GREY, "dash": "dot"},
                **place,
            )
        )
        for name, colour, symbol in (("inside", BLUE, "circle"), ("outside", ORANGE, "diamond")):
            own = [c for c in found if c.inside == (name == "inside")]
            figure.add_trace(
                go.Scatter(
                    x=[c.reported for c in own],
                    y=[c.predicted for c in own],
                    name=name,
                    mode="markers",
                    marker={"color": colour, "symbol": symbol, "size": 9},
                    error_y={
                        "type": "data",
                        "symmetric": False,
                        "array": [c.high - c.predicted for c in own],
                        "arrayminus": [c.predicted - c.low for c in own],
                        "thickness": 1.2,
                        "width": 4,
                    },
                    customdata=[c.trial for c in own],
                    hovertemplate="trial %{customdata}: %{y:,.0f} predicted, %{x:,.0f} synthesised<extra></extra>",
                    **place,
                )
            )
        row, column = divmod(i, COLUMNS)
        width, height = (1 - SIDE * (COLUMNS - 1)) / COLUMNS, (1 - BELOW * (rows - 1)) / rows
        left, top = column * (width + SIDE), 1 - row * (height + BELOW)
        common = {"type": "log", "range": span, "zeroline": False, "nticks": 5}
        layout[f"xaxis{suffix}"] = common | {
            "title": {"text": f"{LABELS[resource]}, synthesised"},
            "domain": [left, min(1.0, left + width)],
            "anchor": f"y{suffix}",
        }
        layout[f"yaxis{suffix}"] = common | {
            "title": {"text": f"{LABELS[resource]}, predicted"},
            "domain": [max(0.0, top - height), top],
            "anchor": f"x{suffix}",
        }
    figure.update_layout(**layout)
    value: dict[str, Any] = json.loads(figure.to_json())
    return value


def _drawable(c: Compared) -> bool:
    return c.reported > 0 and c.predicted > 0
