"""`dse boards`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from dse.cli.output import common, print_json


@click.command()
@click.argument("name", required=False)
@common
def boards(name: str | None, root: Path, as_json: bool) -> None:
    """Show the boards and their resources (full device; BRAM in 18 Kb blocks)."""
    del root
    from hw_templates._boards import board_names, load_board

    shown = [load_board(n) for n in ([name] if name else board_names())]
    if as_json:
        print_json("boards", {"boards": [asdict(b) for b in shown]})
        return
    head = f"{'board':<10} {'part':<24} {'LUT':>9} {'FF':>9} {'BRAM18':>7} {'URAM':>5} {'DSP':>6}"
    click.echo(head)
    for b in shown:
        r = b.resources
        click.echo(
            f"{b.name:<10} {b.part:<24} {r.lut:>9,} {r.ff:>9,} {r.bram18:>7,} {r.uram:>5,} {r.dsp:>6,}"
        )
    if name:
        board = shown[0]
        usable = ", ".join(f"{k} {v:.0%}" for k, v in board.usable_share.items())
        click.echo(f"usable share  {usable}\nup to         {board.max_clock_mhz:g} MHz")
        click.echo(f"source        {board.source}")


COMMANDS = (boards,)
