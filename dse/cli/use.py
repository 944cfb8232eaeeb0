"""`dse emit`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from dse.cli.output import common, print_json, study_argument, study_folder

FLOW = click.Choice(["hls", "rtl"])


@click.command()
@study_argument
@click.option(
    "--pick",
    default="knee",
    show_default=True,
    metavar="WHAT",
    help="knee, a trial id, or best:accuracy, best:throughput, best:latency, best:lut, ...",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--flow", type=FLOW, default="hls", show_default=True, help="HLS C++, or Verilog (rtl)."
)
@click.option("--images", type=click.IntRange(1), help="Test images with golden outputs.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@common
def emit(
    study: str,
    pick: str,
    out: Path,
    flow: str,
    images: int | None,
    force: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Write a design as a project that computes what was scored."""
    from dse.emit.study import emit_design

    def say(text: str) -> None:
        click.echo(text, err=True)

    done = emit_design(
        study_folder(root, study), pick, out, flow=flow, images=images, force=force, say=say
    )
    if as_json:
        print_json("emit", asdict(done) | {"folder": str(done.folder), "flow": flow})
        return
    click.echo(
        f"trial {done.trial} ({done.digest}) written to {done.folder}\n"
        f"  test accuracy {done.test_accuracy:.2%} (measured, integer network, {done.test_images}"
        f" images); golden outputs of {done.images} images\n"
        f"  next          dse verify {done.folder}"
    )


COMMANDS = (emit,)
