"""`dse boards`, `dse doctor`, `dse stop`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from dse.cli.output import common, print_json, study_argument, study_folder


def _complete_board(context: click.Context, param: click.Parameter, typed: str) -> list[str]:
    del context, param
    from hw_templates._boards import board_names

    return [n for n in board_names() if n.lower().startswith(typed.lower())]


@click.command()
@click.argument("name", required=False, shell_complete=_complete_board)
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
        if board.slrs > 1:
            click.echo(f"dies          {board.slrs} (super logic regions), alike")
        click.echo(f"source        {board.source}")


@click.command()
@click.option(
    "--ray", metavar="ADDR", help="Also that Ray: local (starts one), auto, or host:port."
)
@click.option("--storage", metavar="URL", envvar="DSE_STORAGE", help="Also that storage.")
@common
def doctor(ray: str | None, storage: str | None, root: Path, as_json: bool) -> None:
    """Check Python, packages, tools, GPU, disk, and the studies here; exits with 5 where something fails."""
    from dse.cli.checks import FAIL, examine
    from dse.errors import UnreachableError

    found = list(examine(root, ray, storage))
    if as_json:
        print_json("doctor", {"checks": [asdict(c) for c in found]})
    else:
        for check in found:
            click.echo(f"{check.level:<5} {check.text}")
    failed = [c.name for c in found if c.level == FAIL]
    if failed:
        msg = f"{', '.join(failed)}: see the line above that begins with {FAIL}"
        raise UnreachableError(msg)


@click.command()
@study_argument
@click.option("--now", is_flag=True, help="Cancel running trials; they are queued again.")
@common
def stop(study: str, now: bool, root: Path, as_json: bool) -> None:
    """Ask a running study to finish its trials and stop, as Ctrl-C there does."""
    import os
    import signal
    import socket

    from dse.errors import UsageError
    from dse.store import Store

    folder = study_folder(root, study)
    holder = Store(folder, "file").holder()
    if holder is None:
        click.echo(f"{folder.name} is not running here", err=True)
    elif holder.host != socket.gethostname():
        msg = f"{folder.name} runs on {holder.host} (process {holder.process}); stop it there"
        raise UsageError(msg)
    else:
        os.kill(holder.process, signal.SIGTERM if now else signal.SIGINT)
        how = "cancels its trials" if now else "finishes its running trials"
        click.echo(f"process {holder.process} {how} and stops; everything is saved", err=True)
    if as_json:
        asked = None if holder is None else holder.process
        print_json("stop", {"study": folder.name, "process": asked})


COMMANDS = (boards, doctor, stop)
