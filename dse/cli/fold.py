"""`dse fold`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dse.cli.output import common
from dse.errors import UsageError

if TYPE_CHECKING:
    from dse.folding.standalone import Question
    from dse.ir.design import DesignPoint


class Finite(click.FloatRange):
    """A number within a range; click itself lets nan through every range, and inf through open ones."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; infinite ones and nan are usage errors."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


@click.command()
@click.argument("model")
@click.option("--board", help="A name of `dse boards`; a study file says it itself.")
@click.option("--clock", type=Finite(10, 1000), metavar="MHZ", help="Default: 100 MHz.")
@click.option("--fps", type=Finite(0, min_open=True), help="Frames per second, at least.")
@click.option("--cycles", type=click.IntRange(1), help="Cycles between frames, at most.")
@click.option("--weight-bits", type=click.IntRange(1, 8), help="Of every layer. Default: 1.")
@click.option(
    "--activation-bits", type=click.IntRange(1, 8), help="Of every layer. Default: 1, or 2."
)
@click.option("--design", type=click.Path(path_type=Path), help="Compressed as in a design.json.")
@click.option(
    "--evaluate", type=click.Path(path_type=Path), help="Price this FINN folding instead."
)
@click.option("--option", "options", multiple=True, metavar="KEY=NUMBER", help="As width=0.25.")
@click.option("--input", "shape", metavar="HxWxC", help="Default: what the model is made for.")
@click.option("--input-bits", type=click.IntRange(1, 8), help="Of an input element; 1: {-1, +1}.")
@click.option("--classes", type=click.IntRange(1), help="Default: what the model is made for.")
@click.option(
    "--pin",
    "pins",
    multiple=True,
    metavar="LAYER.pe=8",
    help="Also simd, memory, compute, edge_skip.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="'lut<=40%'",
    help="Of a resource, instead of the board's usable share (a study: its own).",
)
@click.option(
    "--prefer",
    type=Finite(0, 1),
    default=0.5,
    show_default=True,
    help="What is cheap: 0 saves LUTs, 1 saves block RAM and DSPs.",
)
@click.option("--front", is_flag=True, help="The whole Pareto front instead of one folding.")
@click.option(
    "--labels",
    type=click.IntRange(2),
    default=1000,
    show_default=True,
    help="Of --front: more is nearer to exact, and slower.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Write FINN's folding JSON; of --front a CSV.",
)
@common
def fold(
    model: str,
    cycles: int | None,
    fps: float | None,
    evaluate: Path | None,
    front: bool,
    labels: int,
    out: Path | None,
    root: Path,
    as_json: bool,
    **given: Any,
) -> None:
    """Fold a network exactly: the cheapest PE, SIMD and memories that fit the board.

    MODEL is a name of `dse list models`, an .onnx file or a study file. Without --fps or --cycles, the fastest folding that
    fits. What fits does so at the upper end of the cost model's interval, within the usable share of the board, or
    within the limits that are given.
    """
    del root
    from dse.cli.folded import front_csv, show, show_front
    from dse.folding import standalone
    from dse.store.files import write_atomic

    if cycles is not None and fps is not None:
        msg = "--fps and --cycles say the same thing twice; keep one"
        raise UsageError(msg)
    if front and (evaluate is not None or cycles is not None or fps is not None):
        msg = "--front finds the foldings of all speeds: it goes without --fps, --cycles and --evaluate"
        raise UsageError(msg)
    if front and out is not None and out.suffix.lower() != ".csv":
        msg = f"--front writes a table, so --out must end in .csv, got {out}"
        raise UsageError(msg)
    question = _question(model, given)
    if front:
        found = standalone.front(question, labels)
        show_front(question, found, as_json=as_json)
        if out is not None:
            write_atomic(out, front_csv(question, found))
            click.echo(f"{len(found):,} foldings written to {out}", err=True)
        return
    fit = None
    if evaluate is not None:
        design = _read(question, evaluate)
    else:
        target = question.cycles(fps) if fps is not None else cycles
        fit = standalone.solve(question, target)
        design = fit.design
    show(question, design, fit, as_json=as_json)
    if out is not None:
        from dse.ir.finn import folding_config
        from dse.ir.stages import flat
        from dse.lowering.pipeline import pipeline

        config = folding_config(flat(pipeline(question.network, design)))
        write_atomic(out, json.dumps(config, indent=2) + "\n")
        click.echo(f"folding written to {out}", err=True)


def _question(model: str, given: dict[str, Any]) -> Question:
    from cost_models import analytic
    from dse.folding import standalone
    from dse.ir.design import DesignPoint
    from hw_templates._boards import load_board

    bits = given["weight_bits"], given["activation_bits"]
    if model.endswith((".yaml", ".yml")):
        question = _of_study(Path(model), given)
    else:
        if given["board"] is None:
            msg = "--board must name a board, none was given; `dse boards` lists them"
            raise UsageError(msg)
        board = load_board(given["board"])
        shape = None if given["shape"] is None else _shape(given["shape"])
        options = dict(_option(o) for o in given["options"])
        if model.endswith(".onnx"):
            if shape is not None or options or given["classes"] is not None:
                msg = f"{model} says its input and classes itself: leave out --input, --classes, --option"
                raise UsageError(msg)
            network, own = standalone.foreign(Path(model), given["input_bits"])
            compressions = standalone.with_bits(network, own, *bits)
        else:
            network = standalone.built(model, shape, given["input_bits"], given["classes"], options)
            compressions = standalone.uniform(network, *bits)
        question = standalone.Question(
            network=network,
            compressions=compressions,
            board=board,
            clock_mhz=given["clock"] or 100.0,
            model=analytic.load(board.family),
        )
    if given["design"] is not None:
        if any(bits):
            msg = "--design brings its own bits: leave out --weight-bits and --activation-bits"
            raise UsageError(msg)
        value = _json(given["design"])
        try:
            stored = DesignPoint.from_json(value.get("design", value)).compressions
        except (AttributeError, KeyError, TypeError) as error:
            msg = f"{given['design']} must be the design.json of an emitted project ({error!r})"
            raise UsageError(msg) from None
        if set(stored) != set(question.compressions):
            msg = (
                f"{given['design']} must be of this network, with the layers"
                f" {', '.join(question.compressions)}; it has {', '.join(stored)}"
            )
            raise UsageError(msg)
        question = replace(question, compressions=stored)
    pins = dict(question.pins) | standalone.parsed_pins(question.network, given["pins"])
    bounds = dict(question.bounds) | _bounds(question, given["limits"])
    return replace(question, pins=pins, bounds=bounds, preference=given["prefer"])


def _bounds(question: Question, terms: Sequence[str]) -> dict[str, float]:
    """Return limits of resources that were typed as in `constraints` of a study file."""
    from dse.config.goals import limits_of
    from dse.ir.hardware import RESOURCES

    found = limits_of("--limit", terms, question.board, question.reserve)
    for limit in found:
        if limit.metric not in RESOURCES:
            msg = (
                f"--limit must be of {', '.join(RESOURCES)}, got {limit.text!r};"
                " for a speed say --fps or --cycles"
            )
            raise UsageError(msg)
    return {limit.metric: limit.limit for limit in found}


def _of_study(path: Path, given: dict[str, Any]) -> Question:
    """Return the question of a study: its most bits, without pruning, unless bits are given; its limits of resources."""
    from dse.config.load import load_config
    from dse.folding import standalone
    from dse.ir.hardware import RESOURCES
    from dse.search.score import constraints_of
    from dse.search.study import plan

    said = [k for k in ("board", "clock", "shape", "input_bits", "classes") if given[k] is not None]
    if said or given["options"]:
        msg = f"a study file says these itself: leave out {', '.join(said or ['option'])}"
        raise UsageError(msg)
    p = plan(load_config(path))
    own = p.space.compressions(p.space.baseline())
    compressions = standalone.with_bits(
        p.network, own, given["weight_bits"], given["activation_bits"]
    )
    rules = constraints_of(p.config)
    return standalone.Question(
        network=p.network,
        compressions=compressions,
        board=p.config.board,
        clock_mhz=p.config.clock_mhz,
        model=p.model,
        pins=p.space.layers,
        reserve=p.config.reserve,
        bounds={c.metric: c.limit for c in rules if c.metric in RESOURCES and c.op == "<="},
        rules=tuple(c for c in rules if c.metric not in RESOURCES),
    )


def _read(question: Question, path: Path) -> DesignPoint:
    from dse.ir.finn import read_folding
    from dse.ir.stages import flat
    from dse.lowering.pipeline import pipeline

    start = question.folder().solve(1, question.preference)
    return read_folding(_json(path), start, flat(pipeline(question.network, start)))


def _shape(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if not all(p.isdigit() and int(p) for p in parts):
        msg = f"--input must be like 32x32x3 or 784, got {text!r}"
        raise UsageError(msg)
    return tuple(int(p) for p in parts)


def _option(text: str) -> tuple[str, float]:
    key, _, value = text.partition("=")
    try:
        return key, float(value)
    except ValueError:
        msg = f"--option must be like width=0.25, got {text!r}"
        raise UsageError(msg) from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} must be a JSON file: {error}"
        raise UsageError(msg) from None


COMMANDS = (fold,)
