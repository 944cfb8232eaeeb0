"""What commands share: options, study lookup, JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from dse import __version__
from dse.errors import UsageError

ROOT = "runs"
LOG = logging.getLogger("dse.cli")
Command = TypeVar("Command", bound=Callable[..., Any])


def common(command: Command) -> Command:
    """Add the options that every command takes."""
    options = (
        click.option(
            "-C",
            "--dir",
            "root",
            type=click.Path(path_type=Path),
            default=Path(ROOT),
            envvar="DSE_DIR",
            show_default=True,
            help="Where studies live.",
        ),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option(
            "--no-color",
            is_flag=True,
            expose_value=False,
            callback=_no_color,
            help="No colours; also NO_COLOR, TERM=dumb.",
        ),
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_verbose,
            help="Say more on stderr; twice: all there is, for debugging.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def _no_color(context: click.Context, option: click.Parameter, given: bool) -> None:
    """Tell rich, and what we start, by the variable that they all obey."""
    del context, option
    if given:
        os.environ["NO_COLOR"] = "1"


def _verbose(context: click.Context, option: click.Parameter, times: int) -> None:
    """Let libraries and ourselves talk on stderr, with time and origin; our own first, all of them for `-vv`."""
    del context, option
    if times == 0:
        return
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("dse").setLevel(logging.INFO if times == 1 else logging.DEBUG)
    if times > 1:
        logging.getLogger().setLevel(logging.DEBUG)
    from dse.config.source import masked

    said = masked(" ".join(sys.argv[1:]))
    LOG.info("dse %s, python %s: %s", __version__, sys.version.split()[0], said)


def complete_study(context: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Return the studies that a shell may offer."""
    del param
    root = context.params.get("root") or os.environ.get("DSE_DIR") or ROOT
    return [n for n in study_names(Path(root)) if n.startswith(typed)]


PICK_HELP = (
    "knee, most-accurate, fastest, smallest, a trial id, best:METRIC, or 'lut<=40%,max:accuracy'."
)


def wanted(trial: str | None, picked: str | None, otherwise: str) -> str:
    """Return which design is meant: `STUDY WHAT` and `STUDY --pick WHAT` are the same.

    Raises:
        UsageError: both say it.
    """
    if trial is not None and picked is not None:
        msg = f"{trial} and --pick {picked} both name a design; keep one"
        raise UsageError(msg)
    return trial or picked or otherwise


study_argument = click.argument("study", shell_complete=complete_study)

_printed: list[str] = []  # schemas of the documents on stdout; there is to be one


def print_json(kind: str, value: Mapping[str, Any]) -> None:
    """Print one JSON document with its schema name, "dse.<kind>/1"."""
    _printed.append(kind)
    click.echo(json.dumps({"schema": f"dse.{kind}/1"} | dict(value), indent=2))


def print_error(error: str, problems: Sequence[Mapping[str, Any]] = ()) -> None:
    """Print the error document where --json asks for one and no document was printed yet."""
    if "--json" in sys.argv and not _printed:
        print_json("error", {"error": error, "problems": list(problems)})


def study_folder(root: Path, study: str) -> Path:
    """Return the folder of a study given by name, by folder, or by its study file.

    Raises:
        UsageError: there is none.
    """
    given = Path(study)
    candidates = [root / study, given]
    if given.suffix in (".yaml", ".yml") and given.is_file():
        from dse.config.load import load_config

        candidates = [root / load_config(given).study]
    for folder in candidates:
        if (folder / "study.json").is_file():
            LOG.info("study folder %s", folder.resolve())
            return folder
    known = study_names(root)
    from dse.ir.plugins import suggestion

    hint = suggestion(study, known)
    has = ", ".join(known) or "no studies"
    msg = f"no study {study!r} in {root}{os.sep}.{hint} It has: {has}."
    raise UsageError(msg)


def called(root: Path, study: str) -> str:
    """Return how commands name a study from here: as it was typed, or by its folder where `-C` said where it is."""
    usual = root == Path(os.environ.get("DSE_DIR") or ROOT)
    here = not usual and (root / study / "study.json").is_file()
    return str(root / study) if here else study


def study_names(root: Path) -> tuple[str, ...]:
    """Return the studies in a folder, sorted."""
    return tuple(sorted(p.parent.name for p in root.glob("*/study.json")))
