"""`dse synth`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dse.cli.output import common, print_json
from dse.errors import UsageError

if TYPE_CHECKING:
    from dse.emit.synthesis import Synthesis, SynthesisedUnit

SHOWN = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18", "uram": "URAM"}

WIDTH = 34  # of a column


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--unit", "units", multiple=True, metavar="NAME", help="Only this unit; repeatable.")
@click.option("--no-top", is_flag=True, help="Only the units, not the whole design.")
@click.option(
    "--tool",
    type=click.Choice(["yosys", "vivado"]),
    default="yosys",
    show_default=True,
    help="For a Verilog project.",
)
@click.option("--place", is_flag=True, help="With vivado: place and route, too.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    show_default=True,
    metavar="S",
    help="Seconds for one run of a tool.",
)
@common
def synth(
    folder: Path,
    units: tuple[str, ...],
    no_top: bool,
    tool: str,
    place: bool,
    timeout: float,
    root: Path,
    as_json: bool,
) -> None:
    """Synthesise an emitted Verilog project with yosys or Vivado, beside what was predicted.

    An HLS project is estimated as a whole by vitis_hls. Vivado and vitis_hls must be on PATH.
    """
    del root
    from dse.emit import synth_hls, synth_vivado
    from dse.emit.synth import REPORTS, synthesise
    from dse.emit.verify import read_manifest

    def say(text: str) -> None:
        click.echo(f"synthesised {text}", err=True)

    manifest = read_manifest(folder)
    verilog, whole = manifest.get("flow") == "rtl", tool == "vivado"
    if place and not whole:
        msg = "--place needs --tool vivado, yosys does not place; give both or none"
        raise UsageError(msg)
    if verilog and whole and (units or no_top):
        msg = "Vivado synthesises the whole design at once; leave --unit and --no-top out"
        raise UsageError(msg)
    if verilog and whole:
        result = synth_vivado.implement(folder, manifest, place=place, timeout=timeout)
        reports = folder / synth_vivado.REPORTS
    elif verilog:
        result = synthesise(folder, units=units, top=not no_top, timeout=timeout, say=say)
        reports = folder / REPORTS
    elif units or no_top or whole:
        msg = (
            f"--unit, --no-top and --tool vivado need a Verilog project, {folder} is an HLS project;"
            " leave them out"
        )
        raise UsageError(msg)
    else:
        result = synth_hls.estimate(folder, manifest, timeout=timeout)
        reports = folder / synth_hls.REPORTS
    if as_json:
        print_json("synth", asdict(result) | {"reports": str(reports)})
        return
    click.echo(_table(result))
    click.echo(f"\nreports in {reports}")


def _table(result: Synthesis) -> str:
    shown = [r for r in SHOWN if any(u.predicted[r] or u.reported.get(r) for u in result.units)]
    done = result.stage.partition(",")[0]
    clock = "" if result.clock_ns is None else f"; a period of {result.clock_ns:.3f} ns is met"
    lines = [
        f"by {result.tool} for {result.family} ({result.part}): {result.stage}{clock}",
        f"predicted by {result.predicted_by}",
        f"predicted [90 % interval] | {done}, predicted / {done} - 1; ! outside of the interval",
        "",
        f"{'unit':<24}" + "".join(f" {SHOWN[r]:>{WIDTH}}" for r in shown),
    ]
    for u in result.units:
        name = u.name if u.kind else f"{u.name} (all)"
        cells = (_cell(u, r) for r in shown)
        lines.append(f"{name:<24}" + "".join(f" {c:>{WIDTH}}" for c in cells))
    lines += ["", "inside the interval: " + ", ".join(_inside(result, r) for r in shown)]
    return "\n".join(lines)


def _cell(unit: SynthesisedUnit, resource: str) -> str:
    predicted, low, high = (
        f"{end[resource]:,.0f}" for end in (unit.predicted, unit.low, unit.high)
    )
    interval = "" if low == high else f" [{low}, {high}]"
    reported = unit.reported.get(resource)
    if reported is None:  # the report does not state it
        return f"{predicted}{interval} | ? {'-':>6} "
    error = f"{unit.predicted[resource] / reported - 1:+.0%}" if reported else "-"
    mark = " " if unit.inside(resource) else "!"
    return f"{predicted}{interval} | {reported:,.0f} {error:>6}{mark}"


def _inside(result: Synthesis, resource: str) -> str:
    known = [i for i in (u.inside(resource) for u in result.units if u.kind) if i is not None]
    return f"{SHOWN[resource]} {sum(known)} of {len(known)}"


COMMANDS = (synth,)
