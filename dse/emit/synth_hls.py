"""The estimates of Vitis HLS for an emitted HLS project, where the tool is installed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cost_models import analytic
from dse.calibration.project import read_projects
from dse.emit import vendor
from dse.emit.synthesis import Synthesis, SynthesisedUnit, device_family, ends, estimates
from dse.emit.verify import SHOWN_LINES
from dse.errors import ExternalToolError, UsageError

COMMAND = ("vitis_hls", "-f", "run_hls.tcl", "-tclargs", "csynth")
REPORTS = Path("hls/build_hls/solution1/syn/report")  # as run_hls.tcl names its project


def estimate(folder: Path, manifest: dict[str, Any], *, timeout: float) -> Synthesis:
    """Run `vitis_hls` on an HLS project, and set the estimates of its reports beside the prediction.

    Args:
        folder: of the project.
        manifest: its design.json.
        timeout: seconds.

    Raises:
        UsageError: Vitis HLS is not on PATH; the message says what would be run.
        ExternalToolError: it fails, takes too long or reports none of the units.
    """
    device = device_family(manifest["part"])
    program = shutil.which(COMMAND[0])
    if program is None:
        msg = (
            f"{folder} is an HLS project, for which {COMMAND[0]} must be on PATH, it is not; it would run"
            f" `cd {folder / 'hls'} && {' '.join(COMMAND)}`. Without it: emit the design with --flow rtl"
        )
        raise UsageError(msg)
    run = vendor.run([program, *COMMAND[1:]], folder / "hls", timeout)
    records, _ = read_projects([folder / REPORTS], folder / "design.json", "csynth")
    if run.returncode or not records:
        said = "\n".join(run.stdout.splitlines()[-SHOWN_LINES:])
        msg = (
            f"{COMMAND[0]} must report units of {folder}, it ended with status {run.returncode} and"
            f" {len(records)} of them in {REPORTS}:\n{said}"
        )
        raise ExternalToolError(msg)
    model = analytic.load(device)
    predicted = estimates([r.unit for r in records], model)[:-1]
    return Synthesis(
        design=manifest["digests"]["design"],
        tool=f"{records[0].origin.tool} {records[0].version}".strip(),
        stage="estimated by HLS, not synthesised",
        family=device,
        part=manifest["part"],
        predicted_by=model.source,
        runs=1,
        units=tuple(
            SynthesisedUnit(
                name=r.instance,
                kind=type(r.unit).__name__,
                **ends(expected),
                reported=dict(r.actual),
                report=REPORTS.as_posix(),
                seconds=None,
                reused=False,
            )
            for r, expected in zip(records, predicted, strict=True)
        ),
    )
