"""Sentences about a study, made from its numbers; HTML and terminal print the same ones."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from dse.ir.hardware import RESOURCES, Resources
from dse.ir.metrics import METRICS
from dse.ir.milestone import Milestone
from dse.ir.record import StageAccuracy
from dse.ir.words import plural
from dse.report.feasibility import Limit
from dse.report.format import LABELS, PICKS, accuracy, count, factor, metric, number, percent
from dse.report.values import DesignView, Progress, ReportView, Slack

EARLY = 20  # trials before which a verdict on the search means nothing


def verdict(progress: Progress) -> str:
    """Tell whether the search still improves."""
    done = len(progress.ids)
    if not done:
        return "No trial has finished yet."
    if not progress.hypervolume[-1]:
        return f"No feasible design in {plural(done, 'trial')} yet."
    if done < EARLY:
        return f"Too early to tell after {plural(done, 'trial')}."
    if progress.flat_for >= progress.window:
        return f"Flat for {last(progress.flat_for)}: more trials are unlikely to help."
    gain = f"+{100 * progress.gain:.1f} % in {last(progress.window)}"
    if progress.gain < 0.01:
        return f"Nearly flat: {gain}."
    return f"Still rising: {gain}. More trials may find better designs."


def happened(milestone: Milestone) -> str:
    """Tell what happened to a search besides its trials."""
    return {
        "began": f"began with the sampler {milestone.detail}",
        "resumed": f"resumed with the sampler {milestone.detail}",
        "forked": f"began from the trials of another study, with the sampler {milestone.detail}",
        "repriced": f"priced anew by the cost model {milestone.detail}",
        "sampler": f"sampler changed to {milestone.detail}",
    }[milestone.kind]


def reference(progress: Progress) -> str:
    """Name the reference point of the hypervolume; empty where nothing is feasible."""
    return ", ".join(f"{LABELS[k]} {metric(k, v)}" for k, (_, v) in progress.reference.items())


def last(trials: int) -> str:
    """Return what a rolling number looks back on: the last trial, the last 50 trials."""
    return "the last trial" if trials == 1 else f"the last {plural(trials, 'trial')}"


def knee_rule(view: ReportView) -> str:
    """State how the recommended design was chosen."""
    names = _listed([_objective(view, i) for i in range(len(view.objectives))])
    if view.counts.front < 3:
        return f"The front has only {plural(view.counts.front, 'design')}; this is the better balanced or the smaller one."
    shape = {1: "point", 2: "line"}.get(len(view.objectives), "plane")
    return (
        f"This is the knee of the front: with {names} scaled between the best and the worst value on the"
        f" front, it lies farthest below the {shape} through the ends of the axes, so the sum of its scaled"
        " objectives is the least; weights multiply them before they are summed, and ties go to the design that"
        " uses the smallest share of the board. Going on from here costs more in one objective than it buys in"
        " the others."
    )


def why(view: ReportView) -> str:
    """Compare the recommended design with the extremes of the front, in one sentence."""
    best = view.recommended
    if best is None:
        return ""
    parts = []
    for name in ("most_accurate", "fastest", "smallest"):
        other = view.designs.get(view.picks.get(name, best.id))
        if other is not None and other.id != best.id:
            parts.append(
                f"{comparison(best, other)} than the {PICKS[name].lower()} (trial {other.id})"
            )
    if not parts:
        return "No other design on the front is more accurate, faster or smaller."
    return f"It is {'; '.join(parts)}."


def comparison(one: DesignView, other: DesignView) -> str:
    """Compare two designs: "2.4x smaller, 1.3x faster, 0.9 points less accurate on validation".

    Test accuracies are not compared: a choice between designs by them would make them useless.
    """
    parts = []
    for key, better, worse, more_is_better in (
        ("lut", "smaller", "larger", False),
        ("throughput_fps", "faster", "slower", True),
    ):
        a, b = one.metrics[key], other.metrics[key]
        if a <= 0 or b <= 0:
            continue
        ratio = a / b if more_is_better else b / a
        if max(ratio, 1 / ratio) >= 1.05:
            word = better if ratio > 1 else worse
            parts.append(f"{factor(max(ratio, 1 / ratio))}x {word}")
    if "accuracy" in one.metrics and "accuracy" in other.metrics:
        points = 100 * (one.metrics["accuracy"] - other.metrics["accuracy"])
        if abs(points) >= 0.05:
            more = "more" if points > 0 else "less"
            parts.append(f"{abs(points):.1f} points {more} accurate on validation")
    return ", ".join(parts) or "no different"


def against_baseline(view: ReportView) -> str:
    """Compare the recommended design with the uncompressed one, empty where there is none."""
    best = view.recommended
    if best is None:
        return ""
    sentences = []
    if view.baseline is not None and view.baseline != best.id:
        base = view.designs[view.baseline]
        fits = "" if base.feasible else ", which breaks a constraint"
        sentences.append(
            f"Against the baseline (trial {base.id}: least pruning, most bits{fits}) it is"
            f" {comparison(best, base)}."
        )
    if view.base_accuracy is not None and "accuracy" in best.metrics:
        points = round(100 * (best.metrics["accuracy"] - view.base_accuracy), 1) + 0.0
        versus = (
            f"{abs(points):.1f} points {'less' if points > 0 else 'more'}" if points else "as much"
        )
        sentences.append(
            f"The float network reaches {accuracy(view.base_accuracy)} on the same validation split,"
            f" {versus} {'than' if points else 'as'} this design."
        )
    return " ".join(sentences)


def limits(design: DesignView) -> list[str]:
    """Tell what limits a design: the slowest unit, its next folding, the tightest constraint."""
    b = design.bottleneck
    sentences = [
        f"The {b.unit} of {b.layer} sets the frame rate with {b.cycles:,} cycles per frame."
    ]
    if b.next_fold is not None and b.next_cycles is not None:
        pe, simd = b.next_fold
        gain = b.cycles / b.next_cycles - 1
        then = (
            f"{b.layer} would stay the slowest"
            if b.next_layer == b.layer
            else f"{b.next_layer} would be the slowest"
        )
        result = f"{percent(gain)} more frames per second" if gain >= 0.0005 else "no gain"
        sentences.append(
            f"Its next legal folding is PE {pe} x SIMD {simd}: {result}, then {then} with"
            f" {b.next_cycles:,} cycles.{price_of(b.next_price)}"
        )
    elif b.unit == "matrix unit":
        sentences.append("No legal folding of it is faster.")
    else:
        sentences.append("PE and SIMD of a layer do not make that unit faster.")
    hardware = [s for s in design.slacks if s.metric != "accuracy"]
    if hardware:
        tightest = max(hardware, key=lambda s: s.violation)
        sentences.append(f"Tightest hardware limit: {tightest.text} ({room(tightest)}).")
    return sentences


def price_of(more: Resources | None) -> str:
    """Tell what a folding adds to a design; empty where no cost model is at hand."""
    if more is None:
        return ""
    shown = [
        f"{'+' if v >= 0 else '-'}{count(abs(v))} {LABELS[r]}"
        for r, v in more.to_json().items()
        if r in ("lut", "dsp") or round(v)
    ]
    return f" Its price: {', '.join(shown)} (predicted)."


def counted(design: DesignView) -> str:
    """Return how long frames take after training, where that depends on the image; empty where it does not."""
    c = design.counted
    if c is None:
        return ""
    return (
        f"{c.mean:,.0f} cycles between frames in the mean, {c.p95:,.0f} at the 95th percentile: counted by the"
        f" model of the units on {c.images} test images after training"
    )


def room(slack: Slack) -> str:
    """Tell how much of a limit is left, or by how much it is missed, as a share of the limit."""
    if slack.metric == "accuracy":
        points = 100 * (slack.value - slack.limit)
        return f"{abs(points):.1f} points {'to spare' if points >= 0 else 'short'}"
    if slack.violation > 0:
        return f"missed by {percent(slack.violation)}"
    return f"{percent(-slack.violation)} to spare"


def value_of(slack: Slack) -> str:
    """Return the compared value of a constraint with its unit."""
    return metric(METRICS[slack.metric].key, slack.value)


def relaxations(design: DesignView) -> list[str]:
    """List the constraints that a design misses, and what they would have to be."""
    return [
        f"{s.text}: {'needs' if s.metric in RESOURCES else 'has'} {value_of(s)}, the limit is"
        f" {metric(METRICS[s.metric].key, s.limit)} ({room(s)})"
        for s in sorted(design.slacks, key=lambda s: -s.violation)
        if s.violation > 0
    ]


def relaxing(limit: Limit) -> str:
    """Tell what a looser limit would gain, as far as the trials of the study know."""
    gain = limit.gain
    if gain is None:
        return "-"
    then = f"at {metric(METRICS[limit.metric].key, gain.limit)}: "
    if not gain.designs:
        return f"{then}no further design"
    holds = f"{plural(gain.designs, 'more design')}"
    if gain.unknown == gain.designs:
        return f"{then}{holds}, none of a compression that was trained"
    parts = [holds, f"{gain.joining} of them on the front"]
    if gain.unknown:
        parts.append(f"{gain.unknown} of unknown accuracy")
    for key, (old, new) in gain.best.items():
        instead = "" if old is None else f" instead of {metric(key, old)}"
        parts.append(f"best {LABELS[key]} {metric(key, new)}{instead}")
    return then + ", ".join(parts)


def spread(percentiles: tuple[float, float, float]) -> str:
    """Return the median of some values, and where the middle 80 % of them lie."""
    low, middle, high = (number(v) for v in percentiles)
    return f"{middle} ({low} to {high})"


def stage(name: str) -> str:
    """Return what a trial reached, in words."""
    return {
        "estimate": "estimated only",
        "post-training": "without training",
        "short": "short training",
        "finetune": "search training",
        "accuracy": "measured again",
        "final": "full training",
    }[name]


def accuracies(measured: Sequence[StageAccuracy]) -> str:
    """Return what every stage measured, in the order of the stages."""
    return ", ".join(f"{m.stage} {accuracy(m.accuracy)} ({m.images:,})" for m in measured)


def run_command(view: ReportView) -> str:
    """Return the command that runs the study from its file, whose values `--set` replaced."""
    named = f"study={view.study}"  # `--fork` says it
    said = [x for x in view.overrides if not (view.forked and x == named)]
    fork = f" --fork {view.study}" if view.forked else ""
    return f"dse run study.yaml{fork}" + "".join(f" --set {shlex.quote(x)}" for x in said)


def further_objectives(view: ReportView, d: DesignView) -> list[tuple[str, str, str]]:
    """Return label, value and upper end of the objectives that the numbers of a card do not name."""
    named = ("accuracy", "throughput_fps", "latency_us", "lut")
    found = []
    for key in (METRICS[o.metric].key for o in view.objectives):
        if key in named:
            continue
        used = next((u.high for u in d.usage if u.resource == key), None)
        high = d.metrics.get(f"{key}_high", used)
        end = "" if high is None else f", up to {metric(key, high)}"
        found.append((LABELS[key], metric(key, d.metrics[key]), end))
    return found


def emit_command(view: ReportView, trial: int, called: str = "") -> str:
    """Return the command that writes a design as the project that it is priced as.

    Args:
        view: of the study.
        trial: the design.
        called: how commands name the study where its name is not enough.
    """
    flow = "" if view.flow == "hls" else f" --flow {view.flow}"
    return f"dse emit {called or view.study} --pick {trial}{flow} -o {view.flow}/"


def _objective(view: ReportView, index: int) -> str:
    o = view.objectives[index]
    scaled = " (logarithm)" if METRICS[o.metric].log else ""
    return f"{METRICS[o.metric].name}{scaled}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
