"""`dse export`, `dse compare`: a study taken elsewhere, or laid beside another one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dse.cli.output import common, complete_study, print_json, study_argument, study_folder
from dse.errors import UsageError

if TYPE_CHECKING:
    from dse.report.values import ReportView

FORMATS = ("csv", "json", "parquet", "optuna")
ENDINGS = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".log": "optuna"}


@click.command()
@study_argument
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), help="Default: by the name, else csv."
)
@click.option("-o", "--out", metavar="FILE", help="A file; of optuna also a URL. Default: stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@common
def export(
    study: str, kind: str | None, out: str | None, force: bool, root: Path, as_json: bool
) -> None:
    """Write the trials of a study as CSV, JSON, Parquet, or an Optuna storage.

    The Optuna storage is one that optuna-dashboard shows with feasibility: a journal file, or the URL of a database.
    """
    from dse.report import export as table
    from dse.report.view import build_view
    from dse.search.study import snapshot
    from dse.store.files import write_atomic, writing

    if kind is None:
        is_url = out is not None and "://" in out
        kind = "optuna" if is_url else ENDINGS.get(Path(out or "").suffix.lower(), "csv")
    if out is None and kind in ("parquet", "optuna"):
        msg = f"{kind} must be written to a file, none was given; add -o FILE"
        raise UsageError(msg)
    if out is None and as_json and kind != "json":
        msg = "--json prints one document on stdout, and so would the table: add -o FILE, or --format json"
        raise UsageError(msg)
    path = Path(out) if out is not None and "://" not in out else None
    if path is not None and path.exists():
        if not force:
            msg = f"{path} is there already; name another file, or replace it with --force"
            raise UsageError(msg)
        if kind == "optuna":
            path.unlink()
    folder = study_folder(root, study)
    found = snapshot(folder)
    # a view of a design is dear, and the table takes only its test accuracy
    tested = [r.id for r in found.records if r.design.digest in found.finals]
    view = build_view(found, extra=tested)
    names, rows = table.columns(view), table.rows(view)
    document = {"study": view.study, "columns": list(names), "trials": [dict(r) for r in rows]}
    if kind == "optuna":
        from dse.search.mirror import mirror

        assert out is not None
        mirror(found, folder, out)
    elif kind == "parquet":
        assert path is not None
        with writing(path):
            table.write_parquet(names, rows, path)
    elif path is None and kind == "json":
        print_json("export", document)
    elif path is None:
        click.echo(table.csv_text(names, rows), nl=False)
    elif kind == "json":
        write_atomic(path, json.dumps({"schema": "dse.export/1"} | document, indent=1) + "\n")
    else:
        write_atomic(path, table.csv_text(names, rows))
    if out is not None:
        if as_json:
            print_json("exported", {"file": _shown(out), "format": kind, "trials": len(rows)})
        else:
            click.echo(f"{len(rows)} trials written to {_shown(out)}", err=True)


@click.command()
@click.argument("first", metavar="STUDY[:TRIAL]", shell_complete=complete_study)
@click.argument("second", metavar="STUDY[:TRIAL]", shell_complete=complete_study)
@common
def compare(first: str, second: str, root: Path, as_json: bool) -> None:
    """Compare two studies, or two designs (STUDY:TRIAL each): fronts, hypervolume, what differs."""
    from dse.report import compare as report

    asked = [_split(x) for x in (first, second)]
    trials = [trial for _, trial in asked]
    if (trials[0] is None) != (trials[1] is None):
        msg = f"compare two studies, or two designs: {first} and {second} are one of each"
        raise UsageError(msg)
    views = [_view(study_folder(root, name), trial) for name, trial in asked]
    if trials[0] is None or trials[1] is None:
        found = report.compare_studies(views[0], views[1])
        if as_json:
            print_json("compare", asdict(found))
        else:
            click.echo(report.fronts_text(found, (views[0], views[1])))
        return
    designs = []
    for view, trial in zip(views, (trials[0], trials[1]), strict=True):
        if trial not in view.designs:
            msg = f"{view.study} has no trial {trial}; `dse inspect {view.study}` lists the front"
            raise UsageError(msg)
        designs.append(view.designs[trial])
    difference = report.designs_json(designs[0], designs[1])
    if as_json:
        print_json("compare-designs", {"studies": [v.study for v in views]} | difference)
    else:
        click.echo(report.designs_text(difference, (first, second)))


def _split(text: str) -> tuple[str, int | None]:
    name, colon, trial = text.rpartition(":")
    return (name, int(trial)) if colon and trial.isdigit() else (text, None)


def _view(folder: Path, trial: int | None) -> ReportView:
    from dse.report.view import build_view
    from dse.search.study import snapshot

    return build_view(snapshot(folder), extra=() if trial is None else (trial,))


def _shown(target: str) -> str:
    """Return a target as it may be printed: without the password of a URL."""
    from dse.config.source import masked

    return masked(target)


COMMANDS = (export, compare)
