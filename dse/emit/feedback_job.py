"""One synthesis beside the search, in a process of its own: emit, synthesise, learn from the reports.

A process, not a thread: torch's settings and random numbers of the search stay untouched, the whole group of
tools can be ended at once, and a search that is killed takes its synthesis with it.

The project holds the integers of the network that every candidate starts from, pruned and quantised as the
design says, but not trained: the search keeps no trained weights, and units are built for bit widths, folding and
structure. What a tool makes of constants in LUTs depends on the integers a little (docs/study-file.md).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from cost_models import learned
from cost_models.learned import LearnedModel
from dse.calibration.calibrate import calibrate
from dse.calibration.project import read_projects
from dse.config.values import StudyConfig
from dse.emit import synth_hls
from dse.emit.hls import hls_project
from dse.emit.order import Order
from dse.emit.project import HlsProject
from dse.emit.rtl import rtl_project
from dse.emit.synth import synthesise
from dse.emit.synthesis import Synthesis
from dse.emit.verify import read_manifest
from dse.errors import DseError, UsageError
from dse.ir.accelerator import Accelerator
from dse.ir.record import TrialRecord
from dse.search.study import CORRECTS, Plan, cost_model, plan, stored_config
from dse.store import Store

PROJECTS = "synthesised"  # folder of the projects, in the folder of a study or of its artifacts
FLOWS = {"yosys": rtl_project, "vitis_hls": hls_project}
STAGES = {"yosys": "synth", "vitis_hls": "csynth"}  # of `Measurement.kind`: what is learned from
CALIBRATION_IMAGES = 256  # that set the steps of the quantisers
NICENESS = 5  # the search comes first, but a synthesis shall end


def run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what is asked.

    Args:
        request: `folder` of the study, `tool`, `timeout` in seconds of one run of it, and `record`: the
            trial to synthesise as JSON, None where only the model is to be made anew.

    Returns:
        `synthesis` as JSON, None where none was asked for; `model`: the text of its file, None where held-out
        records show no correction to be better; `refused`: why none could be learned, else empty.

    Raises:
        DseError: the design cannot be emitted or synthesised.
    """
    folder, tool = Path(request["folder"]), request["tool"]
    config = stored_config(folder, Store(folder, "file").header())
    result = None
    if request["record"] is not None:
        record = TrialRecord.from_json(request["record"])
        out = (config.artifacts or folder) / PROJECTS / record.design.digest
        if not out.exists() or (read_manifest(out).get("flow") == "rtl") != (tool == "yosys"):
            project(plan(config), folder, record, tool).write(out, force=True)
        result = synthesised(out, tool, request["timeout"])
    model, refused = None, ""
    try:
        model = corrected(folder, config, tool)
    except DseError as error:  # the counts are worth having all the same
        refused = str(error)
    return {
        "synthesis": None if result is None else asdict(result),
        "model": None if model is None else learned.dumps(model),
        "refused": refused,
    }


def project(p: Plan, folder: Path, record: TrialRecord, tool: str) -> HlsProject:
    """Return the project of a trial, with the integers of the network before training.

    Args:
        p: the study.
        folder: its folder.
        record: the trial, priced.
        tool: that is to read the project.

    Raises:
        UsageError: the study has no base weights.
    """
    store = Store(folder, "file", p.config.artifacts)
    base = store.load_arrays("base")
    if base is None:
        msg = f"{store.artifacts / 'base.npz'} must hold the weights of the study, it does not; run it again"
        raise UsageError(msg)
    shown = p.dataset.test.first(1)
    assert record.hardware is not None
    return FLOWS[tool](
        Order(
            study=p.config.study,
            network=p.network,
            design=record.design,
            accelerator=Accelerator.from_arrays(p.network, base)
            if p.frozen
            else _untrained(p, record, base),
            board=p.config.board,
            clock_mhz=p.config.clock_mhz,
            estimate=record.hardware,
            images=shown.images,
            labels=shown.labels,
        )
    )


def _untrained(p: Plan, record: TrialRecord, base: Mapping[str, npt.NDArray[Any]]) -> Accelerator:
    """Return the integers of a trial before training."""
    from dse.training import BaseWeights, finetune

    return finetune(
        p.network,
        record.design.compressions,
        BaseWeights.from_arrays(base),
        p.dataset,
        epochs=0,
        images=CALIBRATION_IMAGES,
        seed=p.config.seed,
    ).accelerator


def synthesised(folder: Path, tool: str, timeout: float) -> Synthesis:
    """Run the tool on a project, one process at a time; what was reported before is kept.

    Raises:
        DseError: it is missing, fails or takes too long.
    """
    if tool == "vitis_hls":
        return synth_hls.estimate(folder, read_manifest(folder), timeout=timeout)
    return synthesise(folder, timeout=timeout, processes=1)


def corrected(folder: Path, config: StudyConfig, tool: str) -> LearnedModel | None:
    """Return the model that the study file names, corrected by all that was synthesised for the study.

    As `dse calibrate` does it, and with its judge: None where held-out records show no correction to be
    better. Units of designs that were not finished count, too.
    """
    chosen = config.cost_model
    found, _ = read_projects([(config.artifacts or folder) / PROJECTS], None, STAGES[tool])
    records = [r for r in found if r.origin.tool == tool]
    if not records:
        return None
    name = chosen.name if chosen.file is None else str(chosen.file)
    base = learned.named(name, config.board.family)
    result = calibrate(records, base, name=f"{base.name}+{config.study}")
    if not result.improved:
        return None
    facts = {**result.model.facts, CORRECTS: cost_model(config).source}
    return replace(result.model, facts=facts)


def main() -> None:
    """Answer the request on standard input with one line of JSON."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    try:
        answer: dict[str, Any] = run(request)
    except DseError as error:
        answer = {"error": str(error)}
    print("\n" + json.dumps(answer), flush=True)


def _end_with_parent() -> None:
    """End the group of processes once the search, which holds the other end of the pipe, is gone."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
