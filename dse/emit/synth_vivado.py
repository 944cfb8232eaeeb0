"""Synthesis of an emitted Verilog project with Vivado, where the tool is installed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cost_models import analytic
from cost_models.reports import ReportError, read_report
from dse.calibration.project import built_unit
from dse.emit import vendor
from dse.emit.synthesis import Synthesis, SynthesisedUnit, device_family, ends, estimates
from dse.emit.verify import SHOWN_LINES
from dse.errors import ExternalToolError, UsageError
from dse.ir.measurement import Measurement

SCRIPTS = Path("vivado")  # in the project, as hw_templates/project_rtl/vivado
REPORTS = Path("reports/vivado")
COMMAND = (
    "vivado",
    *("-mode", "batch", "-nojournal", "-notrace", "-log", "../reports/vivado/vivado.log"),
    *("-source", "run_vivado.tcl"),
)
PLACE = ("-tclargs", "place")


def implement(
    folder: Path, manifest: Mapping[str, Any], *, place: bool, timeout: float
) -> Synthesis:
    """Run Vivado out of context on the whole design; its table by hierarchy has the units.

    Keeps its reports in `reports/vivado` of the project.

    Args:
        folder: of the project.
        manifest: its design.json.
        place: place and route, too; the reports of the routed design then count.
        timeout: seconds.

    Raises:
        UsageError: Vivado is not on PATH (the message says what would be run), or the project was
            emitted without its script.
        ExternalToolError: it fails, takes too long or leaves no whole reports.
    """
    device = device_family(manifest["part"])
    command = (*COMMAND, *(PLACE if place else ()))
    program = shutil.which(command[0])
    if program is None:
        msg = (
            f"{command[0]} must be on PATH, it is not; it would run `cd {folder / SCRIPTS} &&"
            f" {' '.join(command)}`. Without it: leave --tool and --place out"
        )
        raise UsageError(msg)
    if not (folder / SCRIPTS / "run_vivado.tcl").is_file():
        msg = f"{folder / SCRIPTS} must hold run_vivado.tcl, it does not; emit the project again"
        raise UsageError(msg)
    (folder / REPORTS).mkdir(parents=True, exist_ok=True)
    for old in (folder / REPORTS).glob("*.rpt"):
        old.unlink()  # of a run before: they must not pass for those of this one
    run = vendor.run([program, *command[1:]], folder / SCRIPTS, timeout)
    if run.returncode:
        said = "\n".join(run.stdout.splitlines()[-SHOWN_LINES:])
        msg = (
            f"{command[0]} must synthesise {folder}, it ended with status {run.returncode}:\n{said}"
        )
        raise ExternalToolError(msg)
    state = "routed" if place else "synth"
    hierarchy = _read(folder, f"hierarchy_{state}.rpt")
    (timing,) = _read(folder, f"timing_{state}.rpt")
    return Synthesis(
        design=manifest["digests"]["design"],
        tool=hierarchy[0].tool,
        stage="placed and routed" if place else "synthesised, not placed",
        family=device,
        part=manifest["part"],
        predicted_by=analytic.load(device).source,
        runs=1,
        units=_rows(manifest, hierarchy, device, (REPORTS / f"hierarchy_{state}.rpt").as_posix()),
        clock_ns=timing.clock_ns,
    )


def _read(folder: Path, name: str) -> tuple[Measurement, ...]:
    try:
        return read_report(folder / REPORTS / name)
    except ReportError as error:
        msg = f"vivado must write {folder / REPORTS / name}: {error}; see vivado.log beside it"
        raise ExternalToolError(msg) from None


def _rows(
    manifest: Mapping[str, Any], hierarchy: tuple[Measurement, ...], device: str, report: str
) -> tuple[SynthesisedUnit, ...]:
    """Return the units in stream order, then the whole design."""
    model = analytic.load(device)
    top = str(manifest["top"])
    found = {m.instance: m.resources for m in hierarchy}
    if top not in found:
        msg = f"vivado must report {top}, {report} has {', '.join(list(found)[:4])}; see vivado.log"
        raise ExternalToolError(msg)
    built = [built_unit(row) for row in manifest["units"]]
    rows = [(name, type(unit).__name__, f"{top}/{i}") for name, (i,), unit in built]
    rows.append((top, "", top))
    predicted = estimates([unit for _, _, unit in built], model)
    return tuple(
        SynthesisedUnit(
            name=name,
            kind=kind,
            **ends(expected),
            reported=dict(found.get(path, {})),
            report=report,
            seconds=None,
            reused=False,
        )
        for (name, kind, path), expected in zip(rows, predicted, strict=True)
    )
