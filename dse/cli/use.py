"""`dse emit`, `dse verify`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dse.cli.output import common, print_json, study_argument, study_folder
from dse.errors import ExternalToolError, UsageError

if TYPE_CHECKING:
    from dse.emit.simulate import Simulation
    from dse.emit.verify import Verification

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


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--flow", type=FLOW, help="What the folder must be; left out, it is what it is.")
@click.option("--images", type=click.IntRange(1), help="Only the first images.")
@click.option("--stall", is_flag=True, help="Verilog: random gaps and random back-pressure.")
@common
def verify(
    folder: Path, flow: str | None, images: int | None, stall: bool, root: Path, as_json: bool
) -> None:
    """Compile an emitted project, and compare every output word with its golden vectors."""
    del root
    from dse.emit.verify import read_manifest

    built = read_manifest(folder).get("flow", "hls")
    if flow not in (None, built):
        msg = f"{folder} must be a project of flow {flow}, it is one of {built}; emit with --flow {flow}"
        raise UsageError(msg)
    if stall and built == "hls":
        msg = "--stall needs a Verilog project: C simulation knows no back-pressure; emit with --flow rtl"
        raise UsageError(msg)
    result: Verification | Simulation
    if built == "rtl":
        result = _verify_rtl(folder, images, stall=stall, as_json=as_json)
    else:
        result = _verify_hls(folder, images, as_json=as_json)
    sys.stdout.flush()
    if result.mismatches:
        msg = (
            f"{result.mismatches} of {result.words} output words of {folder} differ from the golden"
            " vectors: the project does not compute what was scored; emit it again"
        )
        raise ExternalToolError(msg)
    if result.changed:
        msg = (
            f"no word differs, but {', '.join(result.changed)} of {folder} are not as emitted:"
            " the project is not the one that was scored; emit it again"
        )
        raise ExternalToolError(msg)
    if not result.passed:
        msg = (
            f"no word differs, but {folder} must take the cycles that design.json predicts, it does not"
            " (DIFFERS): its throughput or latency is not the one that was searched; emit it again"
        )
        raise ExternalToolError(msg)


def _verify_hls(folder: Path, images: int | None, *, as_json: bool) -> Verification:
    """Show what C simulation showed, and return it."""
    from dse.emit.verify import verify as check

    result = check(folder, images=images)
    if as_json:
        print_json("verify", asdict(result) | {"flow": "hls", "passed": result.passed})
        return result
    _say_words(result.images, result.words, result.mismatches, result.accuracy)
    for unit, trips in result.loop_trips.items():
        predicted = result.predicted[unit]
        agree = "" if predicted == trips else "   DIFFERS"
        click.echo(f"  {unit:<24} {trips:>9,} loop trips, {predicted:>9,} predicted{agree}")
    return result


def _verify_rtl(folder: Path, images: int | None, *, stall: bool, as_json: bool) -> Simulation:
    """Show what RTL simulation showed, and return it."""
    from dse.emit.simulate import simulate

    result = simulate(folder, images=images, stall=stall)
    if as_json:
        print_json("verify", asdict(result) | {"flow": "rtl", "passed": result.passed})
        return result
    _say_words(result.images, result.words, result.mismatches, result.accuracy)
    if stall:
        click.echo(f"stalled at random: cycles say nothing ({result.simulator})")
        return result
    rows: list[tuple[str, float | None, int | tuple[float, float], bool]] = [
        ("interval", result.interval_cycles, result.predicted_interval, result.interval_on_time),
        ("latency", result.latency_cycles, result.predicted_latency, result.latency_on_time),
    ]
    if result.predicted_loading is not None:
        own = result.loading_cycles, result.predicted_loading, result.loading_on_time
        rows.append(("loading", *own))
    for what, cycles, predicted, agrees in rows:
        shown = "needs 3 images or more," if cycles is None else f"{cycles:,.10g} cycles simulated,"
        if isinstance(predicted, tuple):
            wanted = "{:,.10g} to {:,.10g} counted on these images".format(*predicted)
        else:
            wanted = f"{predicted:,} predicted"
        differs = "" if agrees else "   DIFFERS"
        click.echo(f"{what:<11} {shown} {wanted}{differs} ({result.simulator})")
    return result


def _say_words(images: int, words: int, mismatches: int, accuracy: float) -> None:
    click.echo(
        f"images      {images}\n"
        f"words       {words}\n"
        f"mismatches  {mismatches}\n"
        f"accuracy    {accuracy:.2%} (of the compiled design, on these images)"
    )


COMMANDS = (emit, verify)
