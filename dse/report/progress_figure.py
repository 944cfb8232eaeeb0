"""The figure of search progress: plotly checks it here, plotly.js draws it in the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from dse.report.figures import BLUE, GREEN, GREY, ORANGE
from dse.report.values import Progress
from dse.report.words import happened, last

GAP = 0.06  # between panels, as a fraction of the height
APART = 0.07  # more of it above the panel over time, which has its own axis
UNITS = ((7200.0, 3600.0, "h"), (180.0, 60.0, "min"), (0.0, 1.0, "s"))  # from, seconds, name


def progress_figure(progress: Progress) -> dict[str, Any]:
    """Return the figure of search progress: three panels over the trial number, one over search time.

    Hypervolume (share of the box), designs on the front, feasible share of the last trials (percent), and the
    hypervolume again. Dotted lines are milestones. Colours of text and grid are left to the page, which
    knows light from dark.
    """
    longest = progress.seconds[-1] if progress.seconds else 0.0
    second, unit = next((s, u) for start, s, u in UNITS if longest >= start)
    volume = [round(v, 5) for v in progress.hypervolume]
    then = [round(v, 5) for v in progress.hypervolume_then]
    share = [round(100 * v, 1) for v in progress.feasible_share]
    time = [round(s / second, 4) for s in progress.seconds]
    panels: tuple[tuple[str, Sequence[float], Sequence[float], str, str, list[float] | None], ...]
    panels = (
        ("Hypervolume", progress.ids, volume, BLUE, "trial %{x}: %{y:.3f}", [0, 1.02]),
        ("Front size", progress.ids, progress.front_size, GREEN, "trial %{x}: %{y} designs", None),
        (
            "Feasible (%)",
            progress.ids,
            share,
            ORANGE,
            f"trial %{{x}}: %{{y:.0f}} % of {last(progress.window)}",
            [0, 102],
        ),
        ("Hypervolume", time, then, BLUE, f"%{{x:.3g}} {unit}: %{{y:.3f}}", [0, 1.02]),
    )
    height = (1 - GAP * (len(panels) - 1) - APART) / len(panels)
    figure = go.Figure()
    layout: dict[str, Any] = {
        "template": None,
        "showlegend": False,
        "hovermode": "closest",
        "height": 560,
        "margin": {"l": 56, "r": 12, "t": 8, "b": 44},
        "xaxis": {"title": {"text": "Trial"}, "anchor": "y3", "zeroline": False},
        "xaxis2": {
            "title": {"text": f"Search time ({unit})"},
            "anchor": "y4",
            "zeroline": False,
            "rangemode": "tozero",
        },
        "shapes": [],
    }
    for i, (name, xs, ys, colour, hover, span) in enumerate(panels):
        suffix, timed = str(i + 1) if i else "", i == len(panels) - 1
        shown = corners(xs, ys)
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in shown],
                y=[y for _, y in shown],
                name=name,
                mode="lines",
                line={"color": colour, "width": 2, "shape": "hv"},
                xaxis="x2" if timed else "x",
                yaxis=f"y{suffix}",
                hovertemplate=f"{hover}<extra></extra>",
            )
        )
        top = 1 - i * (height + GAP) - (APART if timed else 0)
        layout[f"yaxis{suffix}"] = {
            "title": {"text": name},
            "domain": [max(0.0, top - height), top],
            "range": span,
            "rangemode": "tozero",
            "zeroline": False,
            "nticks": 4,
            **({"anchor": "x2"} if timed else {}),
        }
    later = [m for m in progress.milestones if m.kind != "began"]
    for axis, places in (
        ("", [m.trial - 0.5 for m in later]),
        ("2", [m.seconds / second for m in later]),
    ):
        for m, place in zip(later, places, strict=True):
            layout["shapes"].append(
                {
                    "type": "line",
                    "name": happened(m),
                    "xref": f"x{axis}",
                    "yref": "y4 domain" if axis else "paper",
                    "x0": place,
                    "x1": place,
                    "y0": 0 if axis else 1 - 3 * height - 2 * GAP,
                    "y1": 1,
                    "line": {"color": GREY, "width": 1.2, "dash": "dot"},
                }
            )
    figure.update_layout(**layout)
    value: dict[str, Any] = json.loads(figure.to_json())
    return value


def corners(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    """Return the points that a line of steps needs: those between equal neighbours say nothing."""
    points = list(zip(xs, ys, strict=True))
    inner = [
        now
        for (before, now), (_, after) in zip(pairwise(points), pairwise(points[1:]), strict=False)
        if not before[1] == now[1] == after[1]
    ]
    return [*points[:1], *inner, *points[1:][-1:]]
