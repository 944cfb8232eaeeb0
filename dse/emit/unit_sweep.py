"""Synthesise the sweep of units and designs, and add what comes out to the table of records.

`python -m dse.emit.unit_sweep` (`make calibration-data`): about an hour on one core. Records that are there are
not made again; delete lines of the table to have them made anew.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath

import click

from cost_models import _sweep
from cost_models._sweep import SweepRecord
from cost_models.reports import read_report
from dse.calibration.project import built_unit
from dse.emit import sweep_designs, synth_yosys
from dse.emit.rtl_instance import Instance
from dse.emit.rtl_units import instance
from dse.emit.sweep_integers import generator, random_integers
from dse.emit.sweep_units import Planned, planned
from dse.ir.hardware import RESOURCES
from dse.ir.units import MatrixUnit
from hw_templates import folder

KEPT = (*(r for r in RESOURCES if r != "uram"), "lutram", "srl")
EVERY = {"xc7": 1, "xcup": 4}  # of the planned units, for a family
TIMEOUT = 600.0  # seconds for one run


def synthesised(plan: Planned, family: str, tool: synth_yosys.Yosys) -> SweepRecord:
    """Synthesise one unit out of context.

    Raises:
        ExternalToolError: yosys fails or takes too long.
    """
    unit = plan.unit
    rng = generator(plan.name)
    integers = random_integers(unit, rng) if isinstance(unit, MatrixUnit) else None
    built = instance("unit", unit, integers)  # pooling is of what activations give: unsigned
    dsp = getattr(unit, "compute", "lut") == "dsp"
    modules = sources()
    commands = synth_yosys.script(
        built.module, literals(built), sorted(modules), family=family, dsp=dsp
    )
    files = {**modules, **built.memories}
    actual, seconds = run(tool, commands, files)
    return SweepRecord(
        plan.name, family, plan.split, (unit,), actual, f"yosys {tool.version}", seconds
    )


def synthesised_design(name: str, family: str, tool: synth_yosys.Yosys) -> SweepRecord:
    """Synthesise the top of a design, flattened.

    Raises:
        ExternalToolError: yosys fails or takes too long.
    """
    files = sweep_designs.project(name, family).files
    manifest = json.loads(files[PurePosixPath("design.json")])
    units = tuple(built_unit(row)[2] for row in manifest["units"])
    texts = {f.name: str(text) for f, text in files.items() if f.parts[0] == "rtl"}
    sources = sorted(f for f in texts if f.endswith(".v"))
    dsp = any(getattr(u, "compute", "lut") == "dsp" for u in units)
    commands = synth_yosys.script(manifest["top"], {}, sources, family=family, dsp=dsp)
    actual, seconds = run(tool, commands, texts)
    return SweepRecord(name, family, "design", units, actual, f"yosys {tool.version}", seconds)


def run(
    tool: synth_yosys.Yosys, commands: str, files: Mapping[str, str]
) -> tuple[dict[str, float], float]:
    """Return what a script makes of files, and the seconds it took.

    Raises:
        ExternalToolError: yosys fails or takes too long.
    """
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        for file, text in files.items():
            (where / file).write_text(text)
        start = time.monotonic()
        report = synth_yosys.synthesise(tool, commands, "unit", where, TIMEOUT)
        seconds = round(time.monotonic() - start, 1)
        path = where / "report.json"
        path.write_text(json.dumps(report))
        (measured,) = read_report(path)
    counts = {**measured.resources, **measured.extras}
    return {r: float(counts.get(r, 0)) for r in KEPT}, seconds


@cache
def sources() -> dict[str, str]:
    """Return all Verilog modules by file name."""
    return {p.name: p.read_text() for p in sorted(folder("rtl").glob("*.v"))}


def literals(built: Instance) -> dict[str, str]:
    """Return the parameters of an instance as Verilog literals."""
    return {k: f'"{v}"' if isinstance(v, str) else str(v) for k, v in built.parameters.items()}


def wanted(families: Iterable[str]) -> Iterator[tuple[str, Planned | None, str]]:
    """Yield what the table is to have, in the order in which it is made: name, unit if it is one, family."""
    plans, names = planned(), tuple(sweep_designs.DESIGNS)
    after = len(plans) // len(names)  # units between two designs
    for i, plan in enumerate(plans):
        for family in families:
            if plan.number % EVERY[family] == 0:
                yield plan.name, plan, family
        at, rest = divmod(i, after)
        for family in families:
            if rest == after - 1 and at < len(names) and at % EVERY[family] == 0:
                yield names[at], None, family


def write(path: Path, records: Iterable[SweepRecord]) -> None:
    """Write a table, sorted."""
    lines = sorted((r.family, r.split, r.name, r.to_line()) for r in records)
    scratch = path.with_suffix(".part")
    scratch.write_text("".join(f"{line}\n" for *_, line in lines), encoding="utf-8")
    shutil.move(scratch, path)


@click.command()
@click.option("--only", type=click.IntRange(min=1), help="Make at most this many records.")
@click.option("--family", "families", multiple=True, type=click.Choice(tuple(EVERY)))
@click.option("--output", type=click.Path(path_type=Path), default=_sweep.TABLE, show_default=True)
def main(only: int | None, families: tuple[str, ...], output: Path) -> None:
    """Make the records that the table does not have yet."""
    tool = synth_yosys.find()
    known = {(r.name, r.family) for r in _sweep.read(output)}
    missing = (w for w in wanted(families or tuple(EVERY)) if (w[0], w[2]) not in known)
    for name, plan, family in islice(missing, only):
        record = (
            synthesised_design(name, family, tool)
            if plan is None
            else synthesised(plan, family, tool)
        )
        # read again: somebody may have changed the table in the meantime
        write(output, [*_sweep.read(output), record])
        click.echo(f"{name} {family}: {record.actual['lut']:.0f} LUT, {record.seconds:.1f} s")


if __name__ == "__main__":
    main()
