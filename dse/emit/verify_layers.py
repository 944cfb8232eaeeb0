"""Run every layer of an emitted project alone, and say which of them differ from the integer network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dse.emit.session import run_session
from dse.emit.verify import SHOWN_LINES, changed_files, check_runnable, read_manifest
from dse.errors import ExternalToolError, UsageError

RESULTS = "build/layers"  # a JSON file per layer, written by the testbenches
TARGET = {"hls": "csim-layers", "rtl": "sim-layers"}
PACKAGES = {"iverilog": "iverilog", "vvp": "iverilog"}  # of Debian; else build-essential


@dataclass(frozen=True)
class Difference:
    """The first word of a layer that differs.

    Attributes:
        stream: on which it leaves the layer.
        image: which of the golden images, from 0; as many as there are where words came behind the last one.
        word: which of the image, from 0.
    """

    stream: str
    image: int
    word: int


@dataclass(frozen=True)
class LayerResult:
    """What a layer alone showed.

    Attributes:
        name: of its testbench.
        layers: of the network.
        units: that it consists of.
        words: that were compared.
        mismatches: words that differ, are missing, or are too many.
        first: of them; None where there is none.
    """

    name: str
    layers: tuple[str, ...]
    units: tuple[str, ...]
    words: int
    mismatches: int
    first: Difference | None


@dataclass(frozen=True)
class LayerVerification:
    """What the layers of a project showed, each alone on golden inputs.

    Attributes:
        images: golden images that every layer ran.
        layers: in stream order.
        changed: files that differ from what design.json says was written, or are missing.
        seconds: time of compilation and simulation.
    """

    images: int
    layers: tuple[LayerResult, ...]
    changed: tuple[str, ...]
    seconds: float

    @property
    def differing(self) -> LayerResult | None:
        """The first layer that differs."""
        return next((r for r in self.layers if r.mismatches), None)

    @property
    def passed(self) -> bool:
        """True where every word of every layer agrees and no file was changed."""
        return self.differing is None and not self.changed


def verify_layers(
    folder: Path, *, images: int | None = None, clean: bool = True, within_s: float | None = None
) -> LayerVerification:
    """Run the testbenches of all layers of an emitted project.

    HLS: C simulation. Verilog: Icarus Verilog, with random gaps and back-pressure; a large layer takes it minutes an
    image.

    Args:
        folder: of the project.
        images: run the first so many of the images that there are golden words of.
        clean: compile, whatever the time stamps say; False right after a verification, which did.
        within_s: seconds after which the run is given up; None: never.

    Raises:
        UsageError: the folder is no whole emitted project, or was emitted without testbenches of its layers.
        ExternalToolError: a tool is missing, or a testbench does not compile or run to its end in time.
    """
    manifest = read_manifest(folder)
    check_runnable(folder)
    golden = manifest["golden"].get("layers")
    if golden is None:
        msg = f"{folder} has no testbenches of layers: an earlier version wrote it; emit it again"
        raise UsageError(msg)
    count = min(images or golden["images"], golden["images"])
    start = time.monotonic()
    found = _run(
        folder,
        manifest.get("flow", "hls"),
        [b["name"] for b in golden["benches"]],
        count,
        clean,
        within_s,
    )
    of = {f["design"] for f in found}
    if of != {manifest["digests"]["design"]}:
        msg = (
            f"{folder}: testbenches are of design {', '.join(sorted(of))}, design.json is of"
            f" {manifest['digests']['design']}; emit the project again"
        )
        raise UsageError(msg)
    return LayerVerification(
        images=count,
        layers=tuple(_result(b, f) for b, f in zip(golden["benches"], found, strict=True)),
        changed=changed_files(folder, manifest["files"]),
        seconds=time.monotonic() - start,
    )


def _result(bench: Mapping[str, Any], found: Mapping[str, Any]) -> LayerResult:
    first = found["first"]
    return LayerResult(
        bench["name"],
        tuple(bench["layers"]),
        tuple(bench["units"]),
        found["words"],
        found["mismatches"],
        None if first is None else Difference(**first),
    )


def _run(
    folder: Path, flow: str, names: list[str], images: int, clean: bool, within_s: float | None
) -> list[dict[str, Any]]:
    """Return what the testbench of every layer wrote."""
    compiler = os.environ.get("CXX", "g++")
    tools = ("make", compiler.split()[0]) if flow == "hls" else ("make", "iverilog", "vvp")
    for tool in tools:
        if shutil.which(tool) is None:
            package = PACKAGES.get(tool, "build-essential")
            msg = f"testbenches of layers need {tool}, which is not on PATH; install it (Debian: {package})"
            raise ExternalToolError(msg)
    shutil.rmtree(folder / RESULTS, ignore_errors=True)
    # -k: a layer that differs does not stop the others
    command = ["make", "-k", "-j2", TARGET[flow], f"CXX={compiler}", f"IMAGES={images}"]
    command += ["-B"] if clean else []
    status, output = _make(command, folder, within_s)
    found = []
    for name in names:
        try:
            found.append(dict(json.loads((folder / RESULTS / f"{name}.json").read_text())))
        except (OSError, ValueError) as e:
            lines = output.splitlines()
            errors = [line for line in lines if "error: " in line.lower()]
            shown = "\n".join(errors[:SHOWN_LINES] or lines[-SHOWN_LINES:])
            msg = (
                f"`make {TARGET[flow]}` must run layer {name} in {folder}, it ended with status"
                f" {status}:\n{shown}"
            )
            raise ExternalToolError(msg) from e
    return found


def _make(command: list[str], folder: Path, within_s: float | None) -> tuple[int, str]:
    """Run make; return its status and what it and its children said.

    Raises:
        ExternalToolError: it was not done in time.
    """
    try:
        done = run_session(command, folder, within_s, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired as e:
        msg = f"not done in {within_s:g} s; `dse verify --layers {folder}` takes its time"
        raise ExternalToolError(msg) from e
    return done.returncode, done.stderr + done.stdout
