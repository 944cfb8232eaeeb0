"""`dse synth`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dse.cli.output import common, print_json

if TYPE_CHECKING:
    from dse.emit.synth import Synthesis

SHOWN = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18", "uram": "URAM"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--unit", "units", multiple=True, metavar="NAME", help="Only this unit; repeatable.")
@click.option("--no-top", is_flag=True, help="Only the units, not the whole design.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    show_default=True,
    metavar="S",
    help="Seconds for one run of yosys.",
)
@common
def synth(
    folder: Path, units: tuple[str, ...], no_top: bool, timeout: float, root: Path, as_json: bool
) -> None:
    """Synthesise an emitted Verilog project with yosys, beside what was predicted."""
    del root
    from dse.emit.synth import REPORTS, synthesise

    def say(text: str) -> None:
        click.echo(f"synthesised {text}", err=True)

    result = synthesise(folder, units=units, top=not no_top, timeout=timeout, say=say)
    if as_json:
        print_json("synth", asdict(result) | {"reports": str(folder / REPORTS)})
        return
    click.echo(_table(result))
    click.echo(f"\nreports in {folder / REPORTS}")


def _table(result: Synthesis) -> str:
    shown = [r for r in SHOWN if any(u.predicted[r] or u.synthesised[r] for u in result.units)]
    lines = [
        f"synthesised by {result.tool} for {result.family} ({result.part}), not placed",
        f"predicted by {result.predicted_by}",
        "predicted | synthesised, predicted / synthesised - 1",
        "",
        f"{'unit':<24}" + "".join(f" {SHOWN[r]:>22}" for r in shown),
    ]
    for u in result.units:
        name = u.name if u.kind else f"{u.name} (all)"
        cells = (_cell(u.predicted[r], u.synthesised[r]) for r in shown)
        lines.append(f"{name:<24}" + "".join(f" {c:>22}" for c in cells))
    return "\n".join(lines)


def _cell(predicted: float, synthesised: float) -> str:
    error = f"{predicted / synthesised - 1:+.0%}" if synthesised else "-"
    return f"{predicted:,.0f} | {synthesised:,.0f} {error:>6}"


COMMANDS = (synth,)
