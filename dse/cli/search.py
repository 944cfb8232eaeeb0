"""`dse run`, `dse resume`, `dse check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dse.cli.output import called, common, print_json, study_argument, study_folder
from dse.errors import NoFeasibleDesignError, TooManyFailuresError

if TYPE_CHECKING:
    from dse.config.values import StudyConfig


def _complete_key(context: click.Context, param: click.Parameter, typed: str) -> list[str]:
    """Return the keys of a study file that a shell may offer behind --set."""
    del context, param
    from dse.config.reference import rows
    from dse.config.schema import study_schema

    keys = (path for path, value in rows(study_schema()) if "[]" not in path and not _is_map(value))
    return [f"{key}=" for key in keys if key.startswith(typed)]


def _is_map(value: Any) -> bool:
    return "properties" in value


SET = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value.",
    shell_complete=_complete_key,
)


def _run_options(command: Any) -> Any:
    options = (
        click.option("--trials", metavar="N", help="Total budget; +N adds to what is done."),
        click.option("--time", "time_", metavar="T", help="Total time, e.g. '2 h'."),
        click.option("-j", "--workers", type=click.IntRange(1), help="Trials at once."),
        click.option("--ray", envvar="RAY_ADDRESS", help="local, auto, or host:port."),
        click.option("--inline", is_flag=True, help="No Ray: one process."),
        click.option("--storage", envvar="DSE_STORAGE", help="Instead of the study file's own."),
        SET,
        click.option("--seed", type=int, help="Seed of everything random."),
        click.option("--retry-failed", is_flag=True, help="Run trials that failed again."),
        click.option("--no-report", is_flag=True, help="Do not write report.html at the end."),
        click.option(
            "--log",
            type=click.Choice(["auto", "live", "plain", "json"]),
            default="auto",
            help="How progress is shown.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Errors only."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("study_file", metavar="STUDY.yaml", type=click.Path(path_type=Path))
@_run_options
@click.option("-n", "--dry-run", is_flag=True, help="The same as `dse check`.")
@click.option("--fork", metavar="NAME", help="A new study that starts from this one's trials.")
@common
def run(study_file: Path, dry_run: bool, fork: str | None, **options: Any) -> None:
    """Run a study, or continue it, until its budget is met."""
    from dse.config.load import load_config

    source = None
    if fork is not None:
        source = study_folder(options["root"], load_config(study_file, options["sets"]).study)
        options["sets"] = (*options["sets"], f"study={fork}")
    overrides = _overrides(options, 0)
    config = load_config(study_file, overrides)
    if str(options["trials"] or "").startswith("+"):
        folder = options["root"] / config.study
        if source is not None and not (folder / "study.json").exists():
            folder = source
        overrides = _overrides(options, _finished(folder))
        config = load_config(study_file, overrides)
    if dry_run:
        _check(config, options["root"], timed=False, as_json=options["as_json"])
        return
    _search(config, overrides, options, source)


@click.command()
@study_argument
@_run_options
@common
def resume(study: str, **options: Any) -> None:
    """Continue a study by name (the same as `dse run` with its file)."""
    from dse.search.study import stored_config
    from dse.store import Store

    folder = study_folder(options["root"], study)
    options["root"] = folder.parent  # elsewhere, where the study was named by its folder
    header = Store(folder, "file").header()
    more = _overrides(options, _finished(folder))
    config = stored_config(folder, header, more)
    _search(config, [*header["overrides"], *more], options)


@click.command()
@click.argument("study_file", metavar="STUDY.yaml", type=click.Path(path_type=Path))
@SET
@click.option("--time", "timed", is_flag=True, help="Also train one candidate, for its time.")
@common
def check(study_file: Path, sets: tuple[str, ...], timed: bool, root: Path, as_json: bool) -> None:
    """Validate a study file, and size the search."""
    from dse.config.load import load_config

    _check(load_config(study_file, sets), root, timed=timed, as_json=as_json)


def _overrides(options: dict[str, Any], finished: int) -> list[str]:
    found = list(options["sets"])
    if options["trials"]:
        text = options["trials"]
        total = finished + int(text[1:]) if text.startswith("+") and text[1:].isdigit() else text
        found.append(f"budget.trials={total}")
    for name, key in (
        ("time_", "budget.time"),
        ("workers", "parallel.workers"),
        ("ray", "parallel.ray"),
        ("seed", "seed"),
        ("storage", "storage"),
    ):
        if options[name] is not None:
            found.append(f"{key}={options[name]}")
    return found


def _finished(folder: Path) -> int:
    if not (folder / "study.json").exists():
        return 0
    from dse.search.study import snapshot

    return sum(r.counts for r in snapshot(folder).records)


def _check(config: StudyConfig, root: Path, *, timed: bool, as_json: bool) -> None:
    from dse.emit.feedback import require_tool
    from dse.search.outlook import outlook

    require_tool(config)
    found = outlook(config, timed=timed, studies=root)
    if as_json:
        print_json("check", found.to_json())
    else:
        click.echo(found.text())


def _search(
    config: StudyConfig,
    overrides: list[str],
    options: dict[str, Any],
    source: Path | None = None,
) -> None:
    from dse.cli.progress import progress
    from dse.cli.reporting import Reporting
    from dse.cli.signals import StopRequest
    from dse.emit.feedback import synthesis_feedback
    from dse.report.html import write
    from dse.report.text import summary
    from dse.report.view import build_view
    from dse.search.run import run as search
    from dse.search.study import snapshot

    folder = options["root"] / config.study
    stop = StopRequest()
    stop.install()
    shown = progress(options["log"], config, quiet=options["quiet"])
    asked = None if options["no_report"] else config.report
    file = folder / "report.html" if asked is None or asked.file is None else asked.file
    if asked is not None and asked.every_s is not None:
        shown = Reporting(shown, folder.resolve(), file, asked.every_s)
    try:
        result = search(
            config,
            folder,
            overrides,
            inline=options["inline"],
            progress=shown,
            stop=stop,
            feedback=synthesis_feedback(config, folder, shown, stop),
            source=source,
            retry_failed=options["retry_failed"],
        )
    except KeyboardInterrupt:
        result = None
    except Exception:
        if not stop.requested:
            raise
        result = None  # the interrupt came out of a half-done import as some other error
    if result is None and not (folder / "study.json").exists():
        click.echo("Stopped before the first trial; nothing was written.", err=True)
        sys.exit(stop.exit_code)
    view = build_view(snapshot(folder), priced=asked is not None)
    if asked is not None:
        write(view, file)
    if result is None or stop.requested:
        done, budget = view.counts.finished, config.budget.trials
        again = f"dse resume {called(options['root'], config.study)}"
        click.echo(f"Stopped at {done} of {budget} trials. Continue with: {again}", err=True)
        sys.exit(stop.exit_code)
    if options["as_json"] and options["log"] != "json":
        from dse.cli.look import inspect_json

        print_json("inspect", inspect_json(view))
    elif options["log"] != "json" and not options["quiet"]:
        click.echo(summary(view, called(options["root"], config.study)))
        if asked is not None:
            click.echo(f"  report        {file}")
    if result.too_many_failures:
        msg = f"{result.stop_reason}; `dse inspect {config.study} --failed` shows why"
        raise TooManyFailuresError(msg)
    if result.feasible == 0:
        msg = (
            f"no design of {config.study} meets the constraints; the report shows the nearest one"
            " and which constraint to relax"
        )
        raise NoFeasibleDesignError(msg)


COMMANDS = (run, resume, check)
