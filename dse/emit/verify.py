"""Compile an emitted project with an open compiler and compare it with its golden vectors."""

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

from dse.emit.edges import call_cycles
from dse.emit.manifest import SCHEMA
from dse.emit.project import content_digest
from dse.errors import ExternalToolError, UsageError

RESULT = "build/csim.json"  # written by the testbench
GOLDEN = ("tb/inputs.hex", "tb/expected.hex", "tb/labels.txt")
SHOWN_LINES = 12  # of the compiler, for an error message


@dataclass(frozen=True)
class Verification:
    """What C simulation of a project showed.

    Attributes:
        images: golden images that ran.
        words: output words that were compared.
        mismatches: words that differ from the integer reference.
        accuracy: fraction of the images that the compiled design classified as labelled.
        loop_trips: simulated loop iterations of every unit over all images (II = 1: its cycles).
        predicted: the same by design.json: cycles of every image, and the fill of every call; where cycles
            depend on the image, those that the integer network says, of units that skip edges by their cycle model.
        changed: files that differ from what design.json says was written, or are missing.
        seconds: time of compilation and simulation.
    """

    images: int
    words: int
    mismatches: int
    accuracy: float
    loop_trips: Mapping[str, int]
    predicted: Mapping[str, int]
    changed: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """True where every word agrees, every unit took the predicted trips and no file was changed.

        Golden images reach only some of the bits of a design, so a changed file fails by itself.
        """
        return (
            self.mismatches == 0
            and not self.changed
            and dict(self.loop_trips) == dict(self.predicted)
        )


def verify(folder: Path, *, images: int | None = None) -> Verification:
    """Run `make csim` in an emitted project, from clean, and return what it showed.

    Args:
        folder: of the project.
        images: run the first so many golden images only.

    Raises:
        UsageError: the folder is no whole emitted project, or `images` is not positive.
        ExternalToolError: make or the compiler is missing, or the project does not compile or run.
    """
    if images is not None and images < 1:
        msg = f"at least one image must be verified, got {images}; leave it out for all"
        raise UsageError(msg)
    manifest = read_manifest(folder)
    check_runnable(folder)
    start = time.monotonic()
    result = _simulate(folder, images or 0)
    seconds = time.monotonic() - start
    if result["design"] != manifest["digests"]["design"]:
        msg = (
            f"{folder}: the sources are of design {result['design']}, design.json is of"
            f" {manifest['digests']['design']}; emit the project again"
        )
        raise UsageError(msg)
    return Verification(
        images=result["images"],
        words=result["words"],
        mismatches=result["mismatches"],
        accuracy=result["correct"] / result["images"],
        loop_trips=result["loop_trips"],
        predicted={
            u["name"]: _trips(manifest, u, result) for u in manifest["units"] if u["kind"] != "Fifo"
        },
        changed=changed_files(folder, manifest["files"]),
        seconds=seconds,
    )


def _trips(manifest: Mapping[str, Any], unit: Mapping[str, Any], result: Mapping[str, Any]) -> int:
    """Return the loop trips of a unit: those counted for each image where they depend on it."""
    images, calls, skips = result["images"], result["calls"], manifest.get("edge_skip")
    if "golden_cycles" in unit:
        return max(int(sum(process[:images])) for process in unit["golden_cycles"])
    if skips is not None and unit["name"] in skips["units"]:
        return call_cycles(skips, unit["name"], images)
    return int(images * unit["cycles_predicted"] + calls * unit["fill_predicted"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the design.json of an emitted project.

    Raises:
        UsageError: there is none, or it is none.
    """
    path = folder / "design.json"
    try:
        value = json.loads(path.read_text())
        if value["schema"] == SCHEMA:
            return dict(value)
        found = value["schema"]
    except FileNotFoundError:
        found = "no such file"
    except (OSError, ValueError, KeyError, TypeError) as e:
        found = f"{type(e).__name__}: {e}"
    msg = f"an emitted project has a design.json of schema {SCHEMA}; {path}: {found}"
    raise UsageError(msg)


def check_runnable(folder: Path) -> None:
    """Check that a project has what a simulation of it begins with.

    Raises:
        UsageError: the Makefile is missing, or a file of golden vectors is missing or empty.
    """
    if not (folder / "Makefile").is_file():
        msg = f"an emitted project has a Makefile; {folder} has none: emit the project again"
        raise UsageError(msg)
    for path in (folder / name for name in GOLDEN):
        if not path.is_file() or not path.read_bytes().strip():
            found = "is empty" if path.is_file() else "is missing"
            msg = f"{path} must hold golden vectors, but it {found}; emit the project again"
            raise UsageError(msg)


def _simulate(folder: Path, images: int) -> dict[str, Any]:
    compiler = os.environ.get("CXX", "g++")
    for tool in ("make", compiler.split()[0]):
        if shutil.which(tool) is None:
            msg = f"C simulation needs {tool}, which is not on PATH; install it (Debian: build-essential)"
            raise ExternalToolError(msg)
    result = folder / RESULT
    result.unlink(missing_ok=True)
    # -B: whatever the time stamps say, what runs is compiled from the sources that are there
    command = ["make", "-B", "-j2", "csim", f"IMAGES={images}", f"CXX={compiler}"]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    try:
        return dict(json.loads(result.read_text()))
    except (OSError, ValueError) as e:
        lines = (run.stderr + run.stdout).splitlines()
        # a compiler repeats itself after its first errors; a simulation stops with its last line
        errors = [line for line in lines if " error: " in line or "ERROR" in line]
        shown = "\n".join(errors[:SHOWN_LINES] or lines[-SHOWN_LINES:])
        msg = f"`make csim` must compile and finish in {folder}, it ended with status {run.returncode}:\n{shown}"
        raise ExternalToolError(msg) from e


def changed_files(folder: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files that differ from their digests, or are missing."""
    return tuple(
        name
        for name, digest in files.items()
        if not (folder / name).is_file() or content_digest((folder / name).read_bytes()) != digest
    )
