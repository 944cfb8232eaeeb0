"""`dse emit`, `dse verify`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from dse.cli.output import common, print_json, study_folder
from dse.errors import ExternalToolError


@click.command()
@click.argument("study")
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
@click.option("--images", type=click.IntRange(1), help="Test images with golden outputs.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@common
def emit(
    study: str, pick: str, out: Path, images: int | None, force: bool, root: Path, as_json: bool
) -> None:
    """Write a design as an HLS project that computes what was scored."""
    from dse.emit.study import emit_design

    def say(text: str) -> None:
        click.echo(text, err=True)

    done = emit_design(study_folder(root, study), pick, out, images=images, force=force, say=say)
    if as_json:
        print_json("emit", asdict(done) | {"folder": str(done.folder)})
        return
    click.echo(
        f"trial {done.trial} ({done.digest}) written to {done.folder}\n"
        f"  test accuracy {done.test_accuracy:.2%} (measured, integer network, {done.test_images}"
        f" images); golden outputs of {done.images} images\n"
        f"  next          dse verify {done.folder}"
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", type=click.IntRange(1), help="Only the first images.")
@common
def verify(folder: Path, images: int | None, root: Path, as_json: bool) -> None:
    """Compile an emitted project, and compare every output word with its golden vectors."""
    del root
    from dse.emit.verify import verify as check

    result = check(folder, images=images)
    if as_json:
        print_json("verify", asdict(result))
    else:
        click.echo(
            f"images      {result.images}\n"
            f"words       {result.words}\n"
            f"mismatches  {result.mismatches}\n"
            f"accuracy    {result.accuracy:.2%} (of the compiled design, on these images)"
        )
        for unit, trips in result.loop_trips.items():
            predicted = result.predicted[unit]
            agree = "" if predicted == trips else "   DIFFERS"
            click.echo(f"  {unit:<24} {trips:>9,} loop trips, {predicted:>9,} predicted{agree}")
    sys.stdout.flush()
    if result.mismatches:
        msg = (
            f"{result.mismatches} of {result.words} output words of {folder} differ from the golden"
            " vectors: the project does not compute what was scored; emit it again"
        )
        raise ExternalToolError(msg)


COMMANDS = (emit, verify)
