"""`dse calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dse.cli.output import common, print_json
from dse.ir.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dse.calibration.calibrate import CalibrationResult
    from dse.calibration.judge import Errors, Verdict
    from dse.calibration.records import Skipped

SHOWN = 12  # skipped files that are listed; the JSON document has all


@click.command()
@click.argument(
    "reports", metavar="REPORT...", nargs=-1, type=click.Path(path_type=Path, exists=True)
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option(
    "--base",
    metavar="MODEL",
    help="analytic, vivado-finn, yosys-rtl, or a file; default: the nearest.",
)
@click.option(
    "--design",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="design.json of the reports; default: the one above them.",
)
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Table of units, with FINN's names (docs/cost-models.md).",
)
@click.option(
    "--stage",
    type=click.Choice(["csynth", "synth", "route"]),
    help="Only reports of this stage.",
)
@click.option("--force", is_flag=True, help="Write the model even if it is not shown to be better.")
@common
def calibrate(
    reports: tuple[Path, ...],
    out: Path,
    base: str | None,
    design: Path | None,
    table: Path | None,
    stage: str | None,
    force: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Correct a cost model by synthesis reports (folders or files), and judge it on held-out ones."""
    del root
    from cost_models import learned
    from dse.calibration import calibrate as calibration
    from dse.calibration.read import read_records
    from dse.store import write_atomic

    records, skipped = read_records(reports, design, table, stage)
    _show_skipped(skipped)
    start = calibration.base_model(base, records)
    result = calibration.calibrate(records, start, name=out.stem, force=force)
    if not as_json:
        click.echo(_table(result))
    if not force:
        calibration.require_improvement(result)
    write_atomic(out, learned.dumps(result.model))
    if as_json:
        left = [{"name": s.name, "reason": s.reason} for s in skipped]
        print_json(
            "calibrate", dict(calibration.to_json(result)) | {"file": str(out), "skipped": left}
        )
    else:
        click.echo(f"\nwritten to {out}; use it with `cost_model: {{file: {out}}}` in study.yaml")


def _show_skipped(skipped: Sequence[Skipped]) -> None:
    for item in skipped[:SHOWN]:
        click.echo(f"skipped {item.name}: {item.reason}", err=True)
    if len(skipped) > SHOWN:
        click.echo(f"skipped {len(skipped) - SHOWN} more; --json lists all", err=True)


def _table(result: CalibrationResult) -> str:
    before, after = (f"{when}: mean, median, in 90 %" for when in ("before", "after"))
    lines = [
        f"{plural(result.records, 'distinct configuration')} of {plural(result.designs, 'design')}; base {result.base}",
        "error |predicted / actual - 1|, each record by a model that has not seen its design",
        "",
        f"{'unit':<10} {'':<7} {'records':>7}  {before:>30}  {after:>30}",
    ]
    for v in result.verdicts:
        lines.append(
            f"{v.kind:<10} {v.resource:<7} {v.records:>7}  {_errors(v.before):>30}"
            f"  {_errors(v.after) if v.after else 'too few to hold out':>30}"
            f"  {_outcome(v)}"
        )
    for kind, resource in result.exact:
        lines.append(f"{kind:<10} {resource:<7} every record was predicted exactly before")
    return "\n".join(lines)


def _outcome(verdict: Verdict) -> str:
    if verdict.improved:
        return "better"
    kept = "not shown to be better: base kept"
    return f"{kept}, its interval widened" if verdict.widened else kept


def _errors(e: Errors) -> str:
    return f"{e.mean:.1%} {e.median:.1%} {e.coverage:.0%}"


COMMANDS = (calibrate,)
