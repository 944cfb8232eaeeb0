"""What `dse fold` prints and writes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from dse.cli.output import print_json
from dse.folding.fold_fit import Fit
from dse.folding.fold_front import Front, usable
from dse.folding.standalone import Question, joints, slowest
from dse.ir.design import DesignPoint, LayerDesign
from dse.ir.hardware import RESOURCES, HardwareEstimate, Resources
from dse.report.export import csv_text
from dse.search.score import metrics_of, violations

SHOWN = ("lut", "bram18", "dsp")
HEAD = (
    f"{'layer':<12}{'PE':>6}{'SIMD':>6}{'window':>8} {'memory':<8}{'compute':<8}{'cycles':>12}"
    f"{'LUT':>10}{'BRAM18':>8}{'DSP':>7}"
)


def show(question: Question, design: DesignPoint, fit: Fit | None, *, as_json: bool) -> None:
    """Print a folding layer by layer, or as JSON; `fit`: how it was found, None where nothing was solved."""
    h = question.hardware(design)
    limits, have = asdict(question.limits), asdict(question.board.resources)
    between = joints(question, design)
    broken = _broken(question, h)
    over = [r for r in RESOURCES if getattr(h.total.high, r) > limits[r]]
    if as_json:
        layers = [
            {"name": x.name, "cycles": x.cycles, **asdict(design[x.name].folding)}
            | {"resources": asdict(x.resources.expected)}
            for x in h.layers
        ]
        print_json(
            "fold",
            {
                "network": question.network.name,
                "board": question.board.name,
                "clock_mhz": h.clock_mhz,
                "interval_cycles": h.interval_cycles,
                "throughput_fps": h.throughput_fps,
                "latency_cycles": h.latency_cycles,
                "bottleneck": slowest(h)[0],
                "proven": None if fit is None else fit.proven,
                "fits": not over,
                "hardware_is": f"predicted by {h.source}",
                "breaks": broken,
                "total": asdict(h.total),
                "converters_and_fifos": asdict(between),
                "limits": limits,
                "layers": layers,
                "design": design.to_json(),
            },
        )
        return
    pace, cycles = slowest(h)
    lines = [
        f"{question.network.name} on {question.board.name} at {h.clock_mhz:g} MHz, predicted by {h.source}",
        "",
        HEAD,
    ]
    for x in h.layers:
        f, r = design[x.name].folding, x.resources.expected
        has = design[x.name].compression is not None
        window = f.swu_simd or "-"
        mark = "  <- bottleneck" if x.name == pace else ""
        lines.append(
            f"{x.name:<12}{f.pe:>6}{f.simd if has else '-':>6}{window:>8}"
            f" {f.memory if has else '-':<8}{f.compute if has else '-':<8}{x.cycles:>12,}"
            f"{r.lut:>10,.0f}{r.bram18:>8,.0f}{r.dsp:>7,.0f}{mark}"
        )
    lines.append("")
    plain = asdict(usable(question.board, question.reserve))
    for name in RESOURCES:
        if have[name]:
            expected, high = getattr(h.total.expected, name), getattr(h.total.high, name)
            full = f"{high / limits[name]:>5.0%}" if limits[name] else f"{'-':>5}"
            verdict = "   DOES NOT FIT" if name in over else ""
            lines.append(
                f"{name.upper():<8}{expected:>10,.0f}  up to {high:>10,.0f} of {limits[name]:>10,.0f}"
                f" {'usable' if limits[name] == plain[name] else 'allowed'}, {full}"
                f"   (expected: {expected / have[name]:.0%} of the board){verdict}"
            )
    lines.append(
        f"of that, width converters and FIFOs: {between.lut:,.0f} LUT, {between.ff:,.0f} FF,"
        f" {between.bram18:,.0f} BRAM18"
    )
    lines += [f"BREAKS {text}" for text in broken]
    lines.append(
        f"\n{h.throughput_fps:,.1f} frames/s: {h.interval_cycles:,} cycles between frames (layer {pace},"
        f" {cycles:,}); latency {h.latency_us:,.1f} us"
    )
    if fit is not None:
        lines.append(_verdict(fit))
    click.echo("\n".join(lines))


def _verdict(fit: Fit) -> str:
    if fit.proven:
        return "proven: nothing that fits is faster, or cheaper where a speed was asked for"
    if fit.gap:
        return f"not proven: what fits may be cheaper, by {fit.gap:.2%} at most"
    return "not proven: what fits may be faster"


def _broken(question: Question, hardware: HardwareEstimate) -> list[str]:
    """Return the constraints of a study that the folding breaks; what needs an accuracy is not known here."""
    metrics = metrics_of(hardware, question.board)
    excess = violations(question.rules, metrics, hardware)
    return [text for text, by in excess.items() if by > 0]


def front_csv(question: Question, found: Front) -> str:
    """Return a front as CSV: one folding per row, upper ends of its resources, then every layer's choices."""
    rows = []
    for i, (cycles, used) in enumerate(
        zip(found.cycles.tolist(), found.resources.tolist(), strict=True)
    ):
        row: dict[str, Any] = {"interval_cycles": cycles, "throughput_fps": question.fps(cycles)}
        row |= {f"{r}_high": round(n, 2) for r, n in zip(RESOURCES, used, strict=True)}
        for name, layer in found.design(i).layers:
            row |= {f"{name}.{k}": v for k, v in _choices(layer).items()}
        rows.append(row)
    return csv_text(list(rows[0]), rows)


def _choices(layer: LayerDesign) -> dict[str, int | str]:
    """Return what was chosen of a layer; a pool has no weights, a dense layer no window."""
    folding = asdict(layer.folding)
    own = ("pe", *(("simd", "memory", "compute") if layer.compression is not None else ()))
    chosen = {k: folding[k] for k in own}
    return chosen | ({"window": layer.folding.swu_simd} if layer.folding.swu_simd else {})


def show_front(question: Question, found: Front, *, as_json: bool) -> None:
    """Print a front: one line per speed, or as JSON every point."""
    columns = [RESOURCES.index(r) for r in SHOWN]
    if as_json:
        rows = zip(found.cycles.tolist(), found.resources[:, columns].tolist(), strict=True)
        print_json(
            "fold-front",
            {
                "network": question.network.name,
                "board": question.board.name,
                "clock_mhz": question.clock_mhz,
                "hardware_is": f"upper ends of intervals predicted by {question.model.source}",
                "exact": found.exact,
                "slack": asdict(found.slack) | {"lut_share": found.lut_share},
                "points": [
                    {"interval_cycles": c, "throughput_fps": question.fps(c)}
                    | dict(zip(SHOWN, r, strict=True))
                    for c, r in rows
                ],
            },
        )
        return
    click.echo(
        f"{question.network.name} on {question.board.name}: {len(found):,} foldings that fit and that no"
        f" other beats (upper ends, {question.model.source});\nper speed the one with the fewest LUTs\n\n"
        f"{'frames/s':>12}{'cycles':>12}{'foldings':>10}{'LUT':>10}{'BRAM18':>8}{'DSP':>7}"
    )
    for cycles in sorted(set(found.cycles.tolist())):
        own = found.resources[found.cycles == cycles][:, columns]
        lut, bram, dsp = own[own[:, 0].argmin()]
        click.echo(
            f"{question.fps(cycles):>12,.1f}{cycles:>12,}{len(own):>10,}{lut:>10,.0f}{bram:>8,.0f}{dsp:>7,.0f}"
        )
    click.echo(f"\n{_exactness(found, question.limits)}")


def _exactness(found: Front, limits: Resources) -> str:
    if found.exact:
        return "exact: the whole front"
    if any(getattr(found.slack, r) > getattr(limits, r) for r in SHOWN):
        return "thinned: nothing is proven about what was left out; --labels for more"
    return (
        f"thinned: for every folding left out there is one here that is no slower and needs at most"
        f" {found.lut_share:.0%} more LUTs,\n{found.slack.bram18:,.0f} BRAM18 and {found.slack.dsp:,.0f} DSPs"
        " more (for foldings within limits less that); --labels for more"
    )
