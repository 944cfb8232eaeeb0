"""`dse verify`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dse.cli.output import common, print_json
from dse.errors import ExternalToolError, UsageError

if TYPE_CHECKING:
    from dse.emit.simulate import Simulation
    from dse.emit.verify import Verification
    from dse.emit.verify_layers import LayerResult

SEARCH_S = (
    120.0  # for the layer that differs, once a whole project does; large layers take Icarus longer
)
FLOW = click.Choice(["hls", "rtl"])


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--flow", type=FLOW, help="What the folder must be; left out, it is what it is.")
@click.option("--images", type=click.IntRange(1), help="Only the first images.")
@click.option("--stall", is_flag=True, help="Verilog: random gaps and random back-pressure.")
@click.option("--layers", is_flag=True, help="Every layer alone, on a few images.")
@common
def verify(
    folder: Path,
    flow: str | None,
    images: int | None,
    stall: bool,
    layers: bool,
    root: Path,
    as_json: bool,
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
    if layers:
        if stall:
            msg = "--layers stalls every layer of a Verilog project; leave out --stall"
            raise UsageError(msg)
        _verify_layers(folder, built, images, as_json=as_json)
        return
    result: Verification | Simulation
    if built == "rtl":
        result = _verify_rtl(folder, images, stall=stall, as_json=as_json)
    else:
        result = _verify_hls(folder, images, as_json=as_json)
    sys.stdout.flush()
    if result.mismatches:
        msg = (
            f"{result.mismatches} of {result.words} output words of {folder} differ from the golden"
            f" vectors: the project does not compute what was scored{_culprit(folder)}; emit it again"
        )
        raise ExternalToolError(msg)
    _refuse_changed(result.changed, folder)
    if not result.passed:
        msg = (
            f"no word differs, but {folder} must take the cycles that design.json predicts, it does not"
            " (DIFFERS): its throughput or latency is not the one that was searched; emit it again"
        )
        raise ExternalToolError(msg)


def _verify_layers(folder: Path, flow: str, images: int | None, *, as_json: bool) -> None:
    """Show what every layer alone showed.

    Raises:
        ExternalToolError: a layer differs, or a file is not as emitted.
    """
    from dse.emit.verify_layers import verify_layers

    result = verify_layers(folder, images=images)
    if as_json:
        print_json("verify-layers", asdict(result) | {"flow": flow, "passed": result.passed})
    else:
        click.echo(f"images      {result.images}, every layer alone")
        for layer in result.layers:
            differs = "" if layer.first is None else f"   {_place(layer)}"
            click.echo(
                f"  {layer.name:<24} {layer.words:>9,} words, {layer.mismatches:>9,} mismatches{differs}"
            )
    sys.stdout.flush()
    if result.differing is not None:
        msg = (
            f"layer {result.differing.name} of {folder} does not compute what was scored:"
            f" {_place(result.differing)} differs first; emit the project again"
        )
        raise ExternalToolError(msg)
    _refuse_changed(result.changed, folder)


def _refuse_changed(changed: Sequence[str], folder: Path) -> None:
    if changed:
        msg = (
            f"no word differs, but {', '.join(changed)} of {folder} are not as emitted:"
            " the project is not the one that was scored; emit it again"
        )
        raise ExternalToolError(msg)


def _culprit(folder: Path) -> str:
    """Return which layer differs when it is alone, to go behind "what was scored"."""
    from dse.emit.verify_layers import verify_layers

    click.echo("looking for the layer: every layer alone, on the first image", err=True)
    try:
        result = verify_layers(folder, images=1, clean=False, within_s=SEARCH_S)
    except (ExternalToolError, UsageError) as e:
        return f" (which layer it is, is not known: {e})"
    if result.differing is None:
        return " (every layer alone agrees on the first image)"
    return f": layer {result.differing.name} alone differs, {_place(result.differing)}"


def _place(layer: LayerResult) -> str:
    assert layer.first is not None
    return f"image {layer.first.image}, word {layer.first.word} of stream {layer.first.stream}"


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
        if agrees and what == "latency" and result.held_up:
            differs = f"   late, as far as an earlier version allowed where branches meet ({result.late_share:.0%})"
        click.echo(f"{what:<11} {shown} {wanted}{differs} ({result.simulator})")
    return result


def _say_words(images: int, words: int, mismatches: int, accuracy: float) -> None:
    click.echo(
        f"images      {images}\n"
        f"words       {words}\n"
        f"mismatches  {mismatches}\n"
        f"accuracy    {accuracy:.2%} (of the compiled design, on these images)"
    )


COMMANDS = (verify,)
