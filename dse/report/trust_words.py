"""Sentences about what is predicted and what was synthesised; HTML and terminal print the same ones."""

from __future__ import annotations

from dse.ir.words import plural
from dse.report.format import LABELS, percent
from dse.report.trust import Agreement, Compared, Trust
from dse.report.values import ReportView


def headline(view: ReportView) -> str:
    """Return what the hardware numbers of a study are, in a few words."""
    t = view.trust
    if not t.designs:
        return "All hardware numbers are predicted"
    if not t.on_front:
        return f"{plural(t.designs, 'design')} synthesised, none of them on the front"
    return f"{t.on_front} of {plural(view.counts.front, 'front design')} synthesised"


def detail(view: ReportView) -> str:
    """Return by what, and what the others are."""
    if not view.trust.designs:
        return "No design here was synthesised."
    return f"By {'; '.join(view.trust.tools)}. All other hardware numbers are predicted."


def agreements(trust: Trust) -> list[str]:
    """Return one sentence per resource of the whole designs."""
    return [f"{LABELS[a.what]}: {errors(a)}" for a in trust.whole]


def errors(a: Agreement) -> str:
    """Return the errors of predictions: "median 4.1 %, 90th percentile 9.0 %; 5 of 5 in the interval"."""
    inside = f"{a.inside} of {a.count} in the 90 % interval"
    if a.median is None or a.p90 is None:
        return f"predicted where none was reported; {inside}"
    return f"median error {percent(a.median)}, 90th percentile {percent(a.p90)}; {inside}"


def error(c: Compared) -> str:
    """Return the signed error of one prediction: "+4.2 %"."""
    if not c.reported:
        return "-"
    value = 100 * (c.predicted / c.reported - 1)
    if abs(value) < 0.05:
        return "0 %"
    return f"{value:+.1f} %" if abs(value) < 9.95 else f"{value:+.0f} %"


def stated(trust: Trust) -> str:
    """Tell what the file of the cost model says about itself."""
    if not trust.model:
        return (
            "The cost model is a closed form with factors fitted on Vivado reports; its intervals are as wide as"
            " its errors on networks that it was not fitted on."
        )
    said = "" if trust.held_out else " It states no errors on records that it had not seen."
    return f"The cost model was learned from {trust.model}.{said}"
