"""The same numbers for a terminal: plain text, 80 columns where they fit."""

from __future__ import annotations

from collections.abc import Sequence

from dse.errors import UsageError
from dse.ir.metrics import METRICS
from dse.ir.words import plural
from dse.report import trust_words, words
from dse.report.format import (
    LABELS,
    PASSED,
    PICKS,
    accuracy,
    block,
    count,
    expected,
    metric,
    microseconds,
    number,
    percent,
    seconds,
)
from dse.report.values import DesignView, LayerView, ReportView

SHOWN = ("accuracy", "latency_us", "throughput_fps", "lut", "bram18", "dsp")
SHORT = ("accuracy", "latency", "frames/s", "LUT", "BRAM18", "DSP")
NOTE = "accuracies are measured on the integer network"


def summary(view: ReportView, called: str = "") -> str:
    """Return what a finished search prints: counts, the designs worth naming, what to do next.

    `called`, here and below: how commands name the study where its name is not enough.
    """
    c = view.counts
    head = {"running": "Running", "stopped": "Stopped", "complete": "Finished"}[view.state]
    shared = f" and {plural(c.foldings, 'further folding')}" if c.foldings else ""
    passed = f", {c.passed:,} passed over" if c.passed else ""
    counts = f"{c.feasible:,} feasible{passed}, {plural(c.front, 'design')} on the front."
    lines = [
        f"{head}: {plural(c.finished, 'trial')}{shared} in {seconds(view.seconds)}, {counts}",
        "",
    ]
    best = view.recommended
    if best is None:
        return "\n".join([*lines, *_nothing(view), *_ended(view)])
    more = _more(view)
    rows = [["", "", *SHORT, *(LABELS[k].lower() for k in more)]]
    for i in dict.fromkeys(view.picks.values()):  # one design may be several of them
        names = [PICKS[name].lower() for name, own in view.picks.items() if own == i]
        named = ", ".join(names) if len(names) < len(view.picks) else "the only one"
        rows.append([named, f"trial {i}", *_short(view, view.designs[i])])
    if view.baseline is not None:
        base = view.designs[view.baseline]
        fits = "" if base.feasible else "breaks a constraint"
        rows.append(["baseline", f"trial {base.id}", *_short(view, base), fits])
    lines += columns_of(rows, "ll" + "r" * (len(SHORT) + len(more)) + "l")
    shown = [*view.picks.values(), *([] if view.baseline is None else [view.baseline])]
    notes = _accuracy_notes(view, shown)
    lines += [f"  {'' if i else 'accuracy':<13} {note}" for i, note in enumerate(notes)]
    lines += [
        f"  search        {words.verdict(view.progress)}",
        *_ended(view),
        f"  next          {words.emit_command(view, best.id, called)}",
        f"  hardware      {trust_words.headline(view)}; {NOTE}",
        *(f"  {'':<13} {line}" for line in trust_words.agreements(view.trust)),
        *(f"  warning       {line}" for line in view.warnings),
    ]
    return "\n".join(lines)


def _ended(view: ReportView) -> list[str]:
    """Return why a search ended."""
    return [f"  ended         {view.stop_reason}"] if view.stop_reason else []


def front_table(view: ReportView, called: str = "") -> str:
    """Return the designs on the front, one per line."""
    head = (
        f"{view.study}   {view.board.name} @ {number(view.clock_mhz)} MHz   {view.state},"
        f" {view.counts.finished:,} of {plural(view.counts.budget, 'trial')}"
    )
    if not view.front:
        return "\n".join([head, "", *_nothing(view), *_ended(view)])
    more = _more(view)
    rows = [["design", *SHORT, *(LABELS[k].lower() for k in more)]]
    for i in view.front:
        d = view.designs[i]
        names = [PICKS[n].lower() for n in d.names]
        if d.synthesised is not None:
            names.append("synthesised")
        rows.append([str(i), *_short(view, d), ", ".join(names)])
    return "\n".join(
        [
            head,
            "",
            *columns_of(rows, "r" * (1 + len(SHORT) + len(more)) + "l"),
            "",
            f"  accuracy: {'; '.join(_accuracy_notes(view, view.front)) or 'not measured'}",
            f"  {trust_words.headline(view)}; {NOTE}",
            *(f"  {line}" for line in trust_words.agreements(view.trust)),
            f"  one design: dse inspect {called or view.study} {view.front[0]}",
        ]
    )


def design_table(view: ReportView, trial: int, called: str = "") -> str:
    """Return one design, layer by layer.

    Raises:
        UsageError: the view holds no such design.
    """
    if trial not in view.designs:
        known = ", ".join(map(str, sorted(view.designs)))
        msg = f"trial {trial} must be a design of the report; it has {known or 'none'}"
        raise UsageError(msg)
    d = view.designs[trial]
    place = "on the front" if d.on_front else ("feasible" if d.feasible else "infeasible")
    if d.passed:
        place = PASSED
    names = "".join(f", {PICKS[n].lower()}" for n in d.names)
    lines = [f"trial {d.id}  {d.digest}   {place}{names}"]
    if "accuracy" in d.metrics:
        measured = f"{accuracy(d.metrics['accuracy'])} on validation, after {d.accuracy_after}"
        if d.test_accuracy is not None:
            measured = f"{accuracy(d.test_accuracy)} on the test split ({measured})"
        lines.append(f"  accuracy   {measured}   measured, integer network")
    if d.accuracies:
        lines.append(f"  stages     {words.accuracies(d.accuracies)}   validation images")
    if d.expected is not None:
        lines.append(
            f"  accuracy   {expected(d.expected)}   predicted, not trained: too little for the front"
        )
    elif d.passed:
        lines.append(f"  {PASSED}   {d.passed}")
    pace = f"throughput {number(d.metrics['throughput_fps'])} frames/s"
    lines += [f"  latency    {microseconds(d.metrics['latency_us'])}   {pace}   predicted"]
    if d.loading_cycles:
        once = microseconds(d.loading_cycles / d.clock_mhz)
        lines += [
            f"  loading    {once}, once: weights in UltraRAM, before the first frame   predicted"
        ]
    lines += _power(d)
    if d.counted is not None:
        lines.append(f"  cycles     {words.counted(d)}")
    lines.append("")
    usage = [["", "used", "interval", "board", "share", "limit"]]
    for u in d.usage:
        limit = "-" if u.limit is None else f"{u.limit:,.0f}"
        interval = f"{count(u.low)}-{count(u.high)}"
        share = percent(u.share) if u.board else "-"
        usage.append(
            [LABELS[u.resource], count(u.expected), interval, f"{u.board:,.0f}", share, limit]
        )
    lines += [*columns_of(usage, "lrrrrr"), "", *_dies(d), *_synthesis(d)]
    lines += columns_of(_layer_rows(d), "lrrrlrrrrrrr")
    lines += ["  * the slowest layer sets the frame rate", *_skipping(d), ""]
    lines += [f"  {sentence}" for sentence in words.limits(d)]
    broken = words.relaxations(d)
    lines += [f"  Breaks {text}" for text in broken]
    if d.feasible:
        lines.append(f"  build:  {words.emit_command(view, d.id, called)}")
    return "\n".join(lines)


def _power(d: DesignView) -> list[str]:
    """Return power and energy; a trial of an older version has none."""
    if "power_w" not in d.metrics:
        return []
    power, energy = (
        f"{metric(key, d.metrics[key])} (up to {metric(key, d.metrics[f'{key}_high'])})"
        for key in ("power_w", "energy_mj")
    )
    return [f"  power      {power}, {energy} per frame   predicted, of the fabric alone"]


def _dies(d: DesignView) -> list[str]:
    """Return what every die of a board of several holds."""
    if not d.dies:
        return []
    rows = [["SLR", "layers", "LUT", "BRAM18", "URAM", "DSP", "fullest"]]
    for i, die in enumerate(d.dies):
        e = die.expected
        span = die.first if die.first == die.last else f"{die.first} to {die.last}"
        cells = [count(v) for v in (e.lut, e.bram18, e.uram, e.dsp)]
        rows.append([str(i), span or "-", *cells, f"up to {percent(die.share)}"])
    return [*columns_of(rows, "rlrrrrr"), ""]


def _synthesis(d: DesignView) -> list[str]:
    """Return what a tool made of a design, beside what was predicted before."""
    s = d.synthesised
    if s is None:
        return []
    rows = [["", "predicted", "interval", s.stage.partition(",")[0], "error", ""]]
    for c in s.rows:
        interval = f"{count(c.low)}-{count(c.high)}"
        outside = "" if c.inside else "outside"
        cells = [count(c.predicted), interval, count(c.reported), trust_words.error(c), outside]
        rows.append([LABELS[c.resource], *cells])
    head = [f"  {s.stage}, by {s.tool}; predicted before by {s.predicted_by}"]
    return [*head, *columns_of(rows, "lrrrrl"), ""]


def _skipping(d: DesignView) -> list[str]:
    """Return which layers skip edges."""
    found = [f"{x.name} ({x.edge_skip})" for x in d.layers if x.edge_skip != "off"]
    if not found:
        return []
    return [f"  skip edges, cycles as expected before training: {', '.join(found)}"]


def _layer_rows(d: DesignView) -> list[list[str]]:
    built = ["layer", "W/A", "sparsity", "block", "PE", "SIMD"]
    cost = ["cycles", "pace", "LUT", "FF", "BRAM18", "DSP"]
    return [built + cost, *(_layer_row(x) for x in d.layers)]


def _layer_row(x: LayerView) -> list[str]:
    bits = f"{x.weight_bits}/{x.activation_bits or '-'}" if x.weight_bits else "-"
    r = x.resources
    return [
        x.name,
        bits,
        f"{x.sparsity:.2f}" if x.weight_bits else "-",
        block(x.block),
        str(x.pe),
        str(x.simd) if x.weight_bits else "-",
        f"{x.cycles:,}",
        percent(x.pace) + ("*" if x.bottleneck else " "),
        *(count(v) for v in (r.lut, r.ff, r.bram18, r.dsp)),
    ]


def _accuracy_notes(view: ReportView, shown: Sequence[int]) -> list[str]:
    """Tell which split the accuracies of a table are of, and which one chose the designs."""
    designs = [view.designs[i] for i in shown if "accuracy" in view.designs[i].metrics]
    if not designs:
        return []
    images = [d.test_images for d in designs if d.test_images is not None]
    if not images:
        return [f"validation split, after {designs[0].accuracy_after}"]
    after = next(d.accuracy_after for d in designs if d.test_images is not None).partition(",")[0]
    notes = [f"test split, {plural(images[0], 'image')}, after {after}"]
    if len(images) < len(designs):
        searched = "search training" if after == "full training" else after
        notes.append(f"val.: validation split, after {searched}")
    return [*notes, "designs, the most accurate too, are chosen by validation accuracy"]


def _accuracy_cell(view: ReportView, d: DesignView) -> str:
    """Return the accuracy on the split of the table, else marked as that of validation."""
    if d.test_accuracy is not None:
        return accuracy(d.test_accuracy)
    if "accuracy" not in d.metrics:
        return "?"
    return accuracy(d.metrics["accuracy"]) + (" val." if view.tested else "")


def _short(view: ReportView, d: DesignView) -> list[str]:
    """Return the cells of `SHORT`, and those of other objectives."""
    cells = [
        _accuracy_cell(view, d),
        microseconds(d.metrics["latency_us"]),
        number(d.metrics["throughput_fps"]),
    ]
    used = {u.resource: u for u in d.usage}
    for resource in ("lut", "bram18", "dsp"):
        u = used[resource]
        cells.append(f"{count(u.expected)} {percent(u.share):>5}")
    return [*cells, *(metric(k, d.metrics[k]) for k in _more(view))]


def _more(view: ReportView) -> list[str]:
    """Return the keys of objectives that `SHORT` does not show."""
    keys = [METRICS[o.metric].key for o in view.objectives]
    return [k for k in keys if k not in SHOWN]


def _nothing(view: ReportView) -> list[str]:
    if view.nearest is None:
        return ["  No design was priced yet."]
    d = view.designs[view.nearest]
    lines = [f"  No design meets all constraints. The closest is trial {d.id}; it misses"]
    return [*lines, *(f"    {line}" for line in words.relaxations(d))]


def columns_of(rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """Set rows in columns; `align` has l or r per column. Short rows are filled up."""
    width = max(len(row) for row in rows)
    full = [[*row, *[""] * (width - len(row))] for row in rows]
    sizes = [max(len(row[k]) for row in full) for k in range(width)]
    return [
        (
            "  "
            + "  ".join(
                cell.rjust(size) if side == "r" else cell.ljust(size)
                for cell, size, side in zip(row, sizes, align, strict=False)
            )
        ).rstrip()
        for row in full
    ]
