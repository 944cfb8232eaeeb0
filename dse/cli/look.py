"""`dse status`, `dse list`, `dse inspect`, `dse report`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dse.cli.output import (
    PICK_HELP,
    called,
    common,
    complete_study,
    print_json,
    study_argument,
    study_folder,
    study_names,
)
from dse.errors import DseError, UsageError
from dse.ir.hardware import RESOURCES

if TYPE_CHECKING:
    from dse.report.values import DesignView, ReportView
    from dse.snapshot import StudySnapshot

WATCH_S = 5.0
PLUGINS = {
    "pruning": "pruning",
    "models": "dse.networks",
    "data": "dse.data",
    "cost_models": "cost_models",
}
MOST_DESIGNS = 2  # that fit side by side


@click.command()
@click.argument("study", required=False, shell_complete=complete_study)
@click.option("--watch", is_flag=True, help="Show it again when it changes, while one is running.")
@common
def status(study: str | None, watch: bool, root: Path, as_json: bool) -> None:
    """Show how far one study is, or all of them."""
    if watch and as_json:
        msg = "--json prints one document, --watch many lines; `dse run --log json` prints events"
        raise UsageError(msg)
    found = _found(study, root)
    if as_json:
        print_json("status", {"studies": found})
        return
    if not found:
        click.echo(f"no studies in {root}; `dse run STUDY.yaml` makes one", err=True)
    shown = _status_lines(found)
    click.echo(shown, nl=False)
    while watch and any(s.get("state") == "running" for s in found):
        time.sleep(WATCH_S)
        found = _found(study, root)
        if (now := _status_lines(found)) != shown:
            shown = now
            click.echo(shown, nl=False)


def _found(study: str | None, root: Path) -> list[dict[str, Any]]:
    names = [study] if study else list(study_names(root))
    found = []
    for name in names:
        try:
            found.append(_status(_view(study_folder(root, name))))
        except DseError as error:
            if study:
                raise
            found.append({"study": name, "error": str(error)})  # the others are still to be seen
    return found


def _status_lines(found: list[dict[str, Any]]) -> str:
    lines = ""
    for s in found:
        if "error" in s:
            lines += f"{s['study']:<24} cannot be read: {s['error']}\n"
            continue
        t = s["trials"]
        # neither counts against the budget, so both are told apart from what does
        more = f" + {t['foldings']} foldings" if t["foldings"] else ""
        passed = f"   passed over {t['passed']}" if t["passed"] else ""
        lines += (
            f"{s['study']:<24} {s['state']:<9} {t['finished']:>5} / {t['budget']} trials{more}"
            f"   feasible {t['feasible']}{passed}   infeasible {t['infeasible']}   failed {t['failed']}"
            f"   repeated {t['repeated']}   front {t['front']}\n"
        )
        if len(found) == 1 and s["stop_reason"]:
            lines += f"{'':<24} ended: {s['stop_reason']}\n"
    return lines


@click.command("list")
@click.argument("what", required=False, type=click.Choice(["studies", *PLUGINS]))
@common
def list_(what: str | None, root: Path, as_json: bool) -> None:
    """List studies (default), or what is built in: pruning, models, data, cost_models."""
    if what in PLUGINS:
        import importlib

        from dse.ir import plugins

        package = PLUGINS[what]
        found = [
            (n.replace("_", "-"), importlib.import_module(f"{package}.{n}").__doc__ or "")
            for n in plugins.names(package)
        ]
        rows = [{"name": n, "about": doc.strip().splitlines()[0]} for n, doc in found]
    else:
        rows = [{"name": n, "about": str(root / n)} for n in study_names(root)]
    if as_json:
        print_json("list", {"what": what or "studies", "items": rows})
        return
    if not rows:
        click.echo(f"no studies in {root}; `dse run STUDY.yaml` makes one", err=True)
    for row in rows:
        click.echo(f"{row['name']:<16} {row['about']}")


@click.command()
@study_argument
@click.argument("designs", nargs=-1, metavar="[WHAT [WHAT]]")
@click.option("--pick", metavar="WHAT", help=PICK_HELP)
@click.option("--failed", is_flag=True, help="Show the failed trials and why.")
@common
def inspect(
    study: str, designs: tuple[str, ...], pick: str | None, failed: bool, root: Path, as_json: bool
) -> None:
    """Show the front, one design layer by layer, or two side by side where they differ.

    A design is named as for --pick: a trial id, knee, best:latency, ... Hardware is predicted and, where it was, synthesised.
    """
    from dse.report import compare
    from dse.report.text import design_table, front_table
    from dse.report.view import build_view
    from dse.search.study import snapshot

    asked = designs if pick is None else (*designs, pick)
    if len(asked) > MOST_DESIGNS:
        msg = f"inspect shows one design or two, not {len(asked)}; `dse export` has all"
        raise UsageError(msg)
    found = snapshot(study_folder(root, study))
    ids = [_id(found, text) for text in asked]
    view = build_view(found, extra=ids, priced=bool(ids))
    if failed:
        rows = [asdict(f) for f in view.failures]
        if as_json:
            print_json("failures", {"study": view.study, "failures": rows})
        for row in [] if as_json else rows:
            click.echo(f"{row['count']:>4} x  {row['reason']}   (e.g. trial {row['example']})")
        return
    if len(ids) > 1:
        difference = compare.designs_json(*(view.designs[i] for i in ids))
        if as_json:
            print_json("compare-designs", {"studies": [view.study] * 2} | difference)
        else:
            first, second = (f"trial {i}" for i in ids)
            click.echo(compare.designs_text(difference, (first, second)))
        return
    if ids:
        if as_json:
            print_json("trial", {"study": view.study} | design_json(view.designs[ids[0]]))
        else:
            click.echo(design_table(view, ids[0], called(root, study)))
        return
    if as_json:
        print_json("inspect", inspect_json(view))
    else:
        click.echo(front_table(view, called(root, study)))


@click.command()
@study_argument
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write.")
@click.option("--small", is_flag=True, help="Compress it: less than half, for browsers since 2023.")
@click.option("--open", "shown", is_flag=True, help="Also open it in the browser.")
@common
def report(
    study: str, out: Path | None, small: bool, shown: bool, root: Path, as_json: bool
) -> None:
    """Write the HTML report: one file, no network."""
    from dse.report.html import write
    from dse.report.view import build_view
    from dse.search.study import snapshot

    folder = study_folder(root, study)
    found = snapshot(folder)
    asked = found.config.report
    target = out or (asked and asked.file) or folder / "report.html"
    write(build_view(found, priced=True), target, small=small)
    if as_json:
        print_json("report", {"file": str(target)})
    else:
        click.echo(target)
    if shown:
        click.launch(str(target))


def inspect_json(view: ReportView) -> dict[str, Any]:
    """Return the stable document of `dse inspect STUDY --json`."""
    from dse.report.trust_words import detail, headline

    return _status(view) | {
        "objectives": [asdict(o) for o in view.objectives],
        "constraints": [c.text for c in view.constraints],
        "picks": dict(view.picks),
        "front": [design_json(view.designs[i]) for i in view.front],
        "hardware_is": f"{headline(view)}. {detail(view)}",
        "trust": asdict(view.trust),
        "warnings": list(view.warnings),
    }


def design_json(design: DesignView) -> dict[str, Any]:
    """Return one design: metrics with units in the key names, intervals, layers."""
    absent = {r: {"low": 0.0, "high": 0.0} for r in RESOURCES}  # what the board has none of
    tested = {"test_accuracy": design.test_accuracy, "test_images": design.test_images}
    return {
        "id": design.id,
        "digest": design.digest,
        "origin": design.origin,
        "feasible": design.feasible,
        "names": list(design.names),
        "metrics": dict(design.metrics) | tested,
        "accuracy_is": f"measured, integer network, after {design.accuracy_after or 'nothing'}",
        **({"accuracies": [asdict(a) for a in design.accuracies]} if design.accuracies else {}),
        "hardware_is": f"predicted by {design.source}",
        "clock_mhz": design.clock_mhz,
        "interval_cycles": design.interval_cycles,
        "latency_cycles": design.latency_cycles,
        "loading_cycles": design.loading_cycles,
        "counted_interval": None if design.counted is None else asdict(design.counted),
        "intervals": absent | {u.resource: {"low": u.low, "high": u.high} for u in design.usage},
        "layers": [asdict(layer) for layer in design.layers],
        "synthesised": None if design.synthesised is None else asdict(design.synthesised),
    }


def _status(view: ReportView) -> dict[str, Any]:
    return {
        "study": view.study,
        "state": view.state,
        "stop_reason": view.stop_reason,
        "seconds": view.seconds,
        "board": view.board.name,
        "clock_mhz": view.clock_mhz,
        "trials": asdict(view.counts),
    }


def _view(folder: Path) -> ReportView:
    from dse.report.view import build_view
    from dse.search.study import snapshot

    return build_view(snapshot(folder))


def _id(study: StudySnapshot, text: str) -> int:
    """Return the trial that a pick names."""
    from dse.search.pick import pick

    finals = study.finals if study.state == "complete" else {}
    return pick(study.config, study.records, finals, text).id


COMMANDS = (status, list_, inspect, report)
