"""Synthesise the units of an emitted Verilog project, and set the result beside the prediction."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import count, islice
from pathlib import Path
from typing import Any

from cost_models import learned
from cost_models._model import CostModel
from cost_models.reports import ReportError, read_report
from dse.calibration.project import built_unit
from dse.emit import synth_yosys
from dse.emit.project import content_digest
from dse.emit.synthesis import Synthesis, SynthesisedUnit, device_family, ends, estimates
from dse.emit.verify import read_manifest
from dse.errors import ExternalToolError, UsageError
from dse.ir.hardware import UnitEstimate
from dse.ir.units import LaneUnit, Unit
from dse.store import write_atomic

MODEL = "yosys-rtl"  # the cost model of the same tool and units
REPORTS = Path("reports/yosys")  # in the project
PROCESSES = 2  # by default; each takes up to 1 GB on a large unit
INSTANCE = re.compile(r"^  (\w+) #\(\n((?:    \.\w+\(.*\),?\n)+)  \) (\w+) \($", re.MULTILINE)
PARAMETER = re.compile(r"^    \.(\w+)\((.*)\),?$", re.MULTILINE)


@dataclass(frozen=True)
class _Job:
    """One row to be: what yosys is asked, and the name of the module in its report."""

    name: str
    label: str
    kind: str
    predicted: UnitEstimate
    commands: str
    key: str


def synthesise(
    folder: Path,
    *,
    units: Sequence[str] = (),
    top: bool = True,
    timeout: float = 3600.0,
    processes: int = PROCESSES,
    say: Callable[[str], None] = lambda _: None,
) -> Synthesis:
    """Synthesise units of a Verilog project out of context, and the whole design.

    Keeps `reports/yosys/<instance>.json` per unit and `reports/yosys/synth.json` in the project.

    Args:
        folder: of the project.
        units: names in design.json; none: all of them.
        top: the whole design, too; not where units are named.
        timeout: seconds for one run of yosys.
        processes: runs of yosys at once.
        say: takes a line per run that is done.

    Raises:
        UsageError: the folder is no Verilog project, or has no such unit.
        ExternalToolError: yosys is missing or fails; reports that are finished are kept.
    """
    manifest = read_manifest(folder)
    if manifest.get("flow") != "rtl":
        msg = f"{folder} must be a Verilog project, it is an HLS project; emit with --flow rtl"
        raise UsageError(msg)
    device = device_family(manifest["part"])
    built = [built_unit(row) for row in manifest["units"]]
    if unknown := sorted(set(units) - {name for name, _, _ in built}):
        msg = (
            f"--unit must be a unit of design.json, {', '.join(unknown)} is none; there are"
            f" {', '.join(name for name, _, _ in built)}"
        )
        raise UsageError(msg)
    tool = synth_yosys.find()
    model = learned.shipped(MODEL, device)
    jobs = _jobs(folder, manifest, tool, synth_yosys.FAMILIES[device], model)
    chosen = [j for j in jobs if (j.name in units if units else top or j.kind)]
    (folder / REPORTS).mkdir(parents=True, exist_ok=True)
    runs = _run(
        tool, folder, [j for j in chosen if _kept(folder, j) is None], timeout, processes, say
    )
    result = Synthesis(
        design=manifest["digests"]["design"],
        tool=f"yosys {tool.version}",
        stage="synthesised, not placed",
        family=synth_yosys.FAMILIES[device],
        part=manifest["part"],
        predicted_by=model.source,
        runs=len(runs),
        units=tuple(_row(folder, job, job.key not in runs) for job in chosen),
    )
    value = {"schema": "dse.synth/1", **asdict(result)}
    write_atomic(folder / REPORTS / "synth.json", json.dumps(value, indent=1) + "\n")
    return result


def _jobs(
    folder: Path,
    manifest: Mapping[str, Any],
    tool: synth_yosys.Yosys,
    family: str,
    model: CostModel,
) -> list[_Job]:
    """Return the jobs of all units and, last, of the whole design."""
    sources = sorted(p.name for p in (folder / "rtl").glob("*.v"))
    text = (folder / "rtl" / "accelerator.v").read_text()
    verilog = {m[3]: (m[1], dict(PARAMETER.findall(m[2]))) for m in INSTANCE.finditer(text)}
    modules = (s for s in sources if s != "accelerator.v")
    common: list[str | bytes] = [tool.version]
    common += [(folder / "rtl" / s).read_bytes() for s in modules]
    jobs = []
    built = [built_unit(row) for row in manifest["units"]]
    *each, whole = estimates([unit for _, _, unit in built], model)
    for (name, (label,), unit), expected in zip(built, each, strict=True):
        if label not in verilog:
            msg = f"{folder / 'rtl' / 'accelerator.v'} must have the instance {label}, it has none; emit it again"
            raise UsageError(msg)
        module, parameters = verilog[label]
        dsp = _multiplies(unit)
        commands = synth_yosys.script(module, parameters, sources, family=family, dsp=dsp)
        memories = sorted(v.strip('"') for v in parameters.values() if v.endswith('.hex"'))
        # what is in a memory file counts, not its name
        asked = re.sub(r'"\w+\.hex"', '"memory"', commands)
        key = _digest([*common, asked, *((folder / "rtl" / m).read_bytes() for m in memories)])
        jobs.append(_Job(name, label, type(unit).__name__, expected, commands, key))
    top = manifest["top"]
    dsp = any(_multiplies(unit) for _, _, unit in built)
    commands = synth_yosys.script(top, {}, sources, family=family, dsp=dsp)
    inside = sorted((folder / "rtl").glob("*.hex"))
    key = _digest([*common, commands, text, *(p.read_bytes() for p in inside)])
    jobs.append(_Job(top, top, "", whole, commands, key))
    return jobs


def _multiplies(unit: Unit) -> bool:
    """Return whether products of a unit are meant for DSP blocks."""
    if isinstance(unit, LaneUnit):
        return not unit.shifts
    return getattr(unit, "compute", "lut") == "dsp"


def _digest(parts: Iterable[str | bytes]) -> str:
    h = blake2b(digest_size=8)
    for part in parts:
        h.update(content_digest(part).encode())
    return h.hexdigest()


def _run(
    tool: synth_yosys.Yosys,
    folder: Path,
    jobs: Sequence[_Job],
    timeout: float,
    processes: int,
    say: Callable[[str], None],
) -> frozenset[str]:
    """Run yosys once per key, and write the report of every job; return the keys.

    The whole design, which takes longest, comes first. When the user stops it, no other run begins.

    Raises:
        ExternalToolError: the first failure, after the others have run.
    """
    by_key: dict[str, list[_Job]] = {}
    for job in jobs:
        by_key.setdefault(job.key, []).append(job)
    done = count(1)

    def run(same: Sequence[_Job]) -> None:
        start = time.monotonic()
        first = same[0]
        report = synth_yosys.synthesise(tool, first.commands, first.label, folder / "rtl", timeout)
        seconds = round(time.monotonic() - start, 1)
        for job in same:
            # the reader joins by the name of the module; the creator must stay the first key
            named = {f"\\{job.label}": next(iter(report["modules"].values()))}
            value = report | {"modules": named, "dse": {"key": job.key, "seconds": seconds}}
            write_atomic(folder / _report(job), json.dumps(value, indent=1) + "\n")
        names = ", ".join(j.name for j in same)
        say(f"{names}: {seconds:.1f} s ({next(done)} of {len(by_key)})")

    waiting = iter(sorted(by_key.values(), key=lambda same: same[0].kind != ""))
    failures: list[BaseException] = []
    with ThreadPoolExecutor(processes) as pool:
        running = {pool.submit(run, same) for same in islice(waiting, processes)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            failures += [e for e in (f.exception() for f in ended) if e is not None]
            running |= {pool.submit(run, same) for same in islice(waiting, len(ended))}
    if failures:
        raise failures[0]
    return frozenset(by_key)


def _report(job: _Job) -> Path:
    return REPORTS / f"{job.label}.json"


def _kept(folder: Path, job: _Job) -> dict[str, Any] | None:
    """Return what `_run` noted in the report of just this job, None where there is no such report."""
    try:
        noted = json.loads((folder / _report(job)).read_text())["dse"]
        return dict(noted) if noted["key"] == job.key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _row(folder: Path, job: _Job, reused: bool) -> SynthesisedUnit:
    path = _report(job)
    noted = _kept(folder, job)
    try:
        (measured,) = read_report(folder / path)
    except ReportError as error:
        msg = f"{folder / path}: {error}; delete it and run again"
        raise ExternalToolError(msg) from None
    assert noted is not None  # `_run` has just written it, or it was found
    return SynthesisedUnit(
        name=job.name,
        kind=job.kind,
        **ends(job.predicted),
        reported=dict(measured.resources),
        report=path.as_posix(),
        seconds=noted["seconds"],
        reused=reused,
    )
