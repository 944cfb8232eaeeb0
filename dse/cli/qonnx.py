"""`dse qonnx`."""

from __future__ import annotations

from pathlib import Path

import click

from dse.cli.output import PICK_HELP, common, print_json, study_folder
from dse.errors import UsageError


@click.command()
@click.argument("study")
@click.option(
    "--pick",
    default="knee",
    show_default=True,
    metavar="WHAT",
    help=PICK_HELP,
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@common
def qonnx(study: str, pick: str, out: Path, force: bool, root: Path, as_json: bool) -> None:
    """Write the integer network of a design as a QONNX file, for other tools or another study.

    Its input are the integers of the data, its output the sums of the last layer. A study takes it with
    `model: {onnx: FILE, input_scale: 1}`.
    """
    from dse.emit.study import trained
    from dse.importing.export import to_qonnx

    if out.exists() and not force:
        msg = f"{out} is there already; give another name, or --force to overwrite it"
        raise UsageError(msg)

    def say(text: str) -> None:
        click.echo(text, err=True)

    picked = trained(study_folder(root, study), pick, say=say)
    out.write_bytes(to_qonnx(picked.accelerator))
    if as_json:
        print_json("qonnx", {"file": str(out), "trial": picked.record.id})
        return
    click.echo(
        f"trial {picked.record.id} ({picked.record.design.digest}) written to {out}\n"
        f"  test accuracy {picked.final.test_accuracy:.2%} (measured, integer network,"
        f" {picked.final.test_images} images)"
    )


COMMANDS = (qonnx,)
