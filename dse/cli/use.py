"""`dse emit`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from dse.cli.output import (
    PICK_HELP,
    common,
    print_json,
    study_argument,
    study_folder,
    wanted,
)
from dse.cli.synth import synth
from dse.errors import UsageError

PROJECTS = ("hls", "rtl")


@click.command()
@study_argument
@click.argument("design", required=False, metavar="[WHAT]")
@click.option("--pick", metavar="WHAT", help=f"The same: {PICK_HELP}  [default: knee]")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--flow",
    type=click.Choice([*PROJECTS, "finn-config", "json"]),
    default="hls",
    show_default=True,
    help="HLS C++, Verilog (rtl), FINN's folding_config.json, or a design.json.",
)
@click.option("--images", type=click.IntRange(1), help="Test images with golden outputs.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@click.option(
    "--build", is_flag=True, help="Also run the tool: as `dse synth` does, with its defaults."
)
@common
def emit(
    study: str,
    design: str | None,
    pick: str | None,
    out: Path,
    flow: str,
    images: int | None,
    force: bool,
    build: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Write a design as a project that computes what was scored."""
    from dse.emit.settings import emit_settings
    from dse.emit.study import emit_design

    def say(text: str) -> None:
        click.echo(text, err=True)

    named, folder = wanted(design, pick, "knee"), study_folder(root, study)
    if build and as_json:
        msg = (
            "--build shows its own results: leave out --json, or run `dse synth --json` afterwards"
        )
        raise UsageError(msg)
    if flow not in PROJECTS:
        if build or images is not None:
            msg = f"--flow {flow} writes settings, no project: leave out --build and --images"
            raise UsageError(msg)
        path, record = emit_settings(folder, named, out, flow=flow, force=force)
        if as_json:
            digest = record.design.digest
            print_json(
                "emit", {"flow": flow, "file": str(path), "trial": record.id, "digest": digest}
            )
        else:
            click.echo(f"trial {record.id} ({record.design.digest}) written to {path}")
        return
    done = emit_design(folder, named, out, flow=flow, images=images, force=force, say=say)
    if as_json:
        print_json("emit", asdict(done) | {"folder": str(done.folder), "flow": flow})
        return
    click.echo(
        f"trial {done.trial} ({done.digest}) written to {done.folder}\n"
        f"  test accuracy {done.test_accuracy:.2%} (measured, integer network, {done.test_images}"
        f" images); golden outputs of {done.images} images\n"
        f"  next          dse verify {done.folder}"
    )
    if build:
        click.get_current_context().invoke(synth, folder=done.folder, root=root)


COMMANDS = (emit,)
