"""Reports of an emitted project, joined with its design.json by instance name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from cost_models.reports import read_reports
from dse.calibration.records import Origin, Skipped, SynthesisRecord
from dse.errors import UsageError
from dse.ir import units
from dse.ir.edge_skip import EdgeSkipUnit, Pooling
from dse.ir.hardware import RESOURCES
from dse.ir.measurement import Measurement

MANIFEST = "design.json"
SUMMARY = "reports/yosys/synth.json"  # of `dse synth`
BUILT = "build/"  # what `dse verify` compiles
STAGES = ("route", "synth", "csynth")  # the nearest to the device first


def read_projects(
    paths: Sequence[Path], design: Path | None, stage: str | None
) -> tuple[tuple[SynthesisRecord, ...], tuple[Skipped, ...]]:
    """Read reports, and join each with the design.json of the project it lies in.

    Args:
        paths: reports, or folders of them.
        design: the design.json of all of them; None: the nearest above, or those inside a folder.
        stage: only measurements of this stage; None: of every report file's own.

    Raises:
        UsageError: a design.json is missing or damaged.
    """
    records: list[SynthesisRecord] = []
    skipped: list[Skipped] = []
    for path, inside in _projects(paths, design):
        manifest = _manifest(path)
        emitted = {MANIFEST, SUMMARY, *manifest.get("files", ())}  # by dse: no reports
        measured, unread = read_reports(inside)
        predicted = {PurePosixPath(name).name for name in emitted}  # under FINN's names
        measured = tuple(m for m in measured if m.kind != "estimate" or m.source not in predicted)
        skipped += [
            Skipped(s.name, s.reason)
            for s in unread
            if s.name not in emitted and not s.name.startswith(BUILT)
        ]
        found, left = joined(manifest, path.parent.name, measured, stage)
        records += found
        skipped += left
    return tuple(records), tuple(skipped)


def joined(
    manifest: Mapping[str, Any],
    design: str,
    measured: Sequence[Measurement],
    stage: str | None = None,
) -> tuple[tuple[SynthesisRecord, ...], tuple[Skipped, ...]]:
    """Join measurements with the units of a manifest.

    A unit of several instances is the sum of all of them. Of several reports of an instance at one
    stage, the first counts.

    Raises:
        UsageError: the manifest is not one of `dse emit`.
    """
    by_stage: dict[tuple[str, str], dict[str, Measurement]] = {}
    known: set[str] = set()
    built = [built_unit(row) for row in manifest["units"]]
    instances = {i for _, names, _ in built for i in names}
    for m in measured:
        instance = instance_of(m.name, instances, manifest.get("top", ""))
        if instance is None or m.kind not in STAGES or not m.resources:
            continue
        if stage is None or m.kind == stage:
            by_stage.setdefault((m.kind, m.tool), {}).setdefault(instance, m)
            known.add(instance)
    records, skipped = [], []
    for (kind, tool), found in by_stage.items():
        name, _, version = tool.partition(" ")
        for unit_name, names, unit in built:
            parts = [found[i] for i in names if i in found]
            if parts and len(parts) < len(names):
                missing = ", ".join(i for i in names if i not in found)
                skipped.append(Skipped(f"{design}/{unit_name}", f"no {kind} report of {missing}"))
            elif parts:
                stated = [r for r in RESOURCES if all(r in p.resources for p in parts)]
                records.append(
                    SynthesisRecord(
                        design,
                        unit_name,
                        unit,
                        {r: sum(p.resources[r] for p in parts) for r in stated},
                        Origin(name, kind, "dse"),
                        version,
                        parts[0].part or manifest.get("part", ""),
                        parts[0].target_clock_ns or _period(manifest),
                    )
                )
    if measured and not known:
        reason = (
            f"none of its instances is one of design.json ({', '.join(sorted(instances)[:4])}, ...)"
        )
        skipped += [Skipped(s, reason) for s in sorted({m.source for m in measured})]
    return tuple(records), tuple(skipped)


def _period(manifest: Mapping[str, Any]) -> float | None:
    """Return the period in ns that a project was emitted for."""
    clock = manifest.get("clock_mhz")
    return None if clock is None else 1e3 / float(clock)


def instance_of(reported: str, instances: set[str], top: str) -> str | None:
    """Return the instance that a report means: HLS adds the top in front, and `_U0` or `_s` behind."""
    name = reported.removeprefix(f"{top}_") if top else reported
    if name in instances:
        return name
    bare = re.sub(r"(_U\d+|_s|_\d+_U\d+)$", "", name)
    return bare if bare in instances else None


def _projects(paths: Sequence[Path], design: Path | None) -> list[tuple[Path, list[Path]]]:
    found: dict[Path, list[Path]] = {}
    for path in paths:
        inside = sorted(path.rglob(MANIFEST)) if path.is_dir() and design is None else []
        if inside:
            for manifest in inside:
                found.setdefault(manifest, []).append(manifest.parent)
        else:
            above = [p / MANIFEST for p in path.resolve().parents]
            own = design or next((m for m in above if m.is_file()), None)
            if own is None:
                msg = (
                    f"{path} must lie in a project of `dse emit`, there is no design.json above it;"
                    " give --design design.json or --csv FILE"
                )
                raise UsageError(msg)
            found.setdefault(own, []).append(path)
    return list(found.items())


def _manifest(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not str(value["schema"]).startswith("dse.design/") or not value["units"]:
            msg = f"schema {value['schema']}"
            raise ValueError(msg)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} must be the design.json of an emitted project: {error}; emit it again"
        raise UsageError(msg) from None
    return dict(value)


def built_unit(row: Mapping[str, Any]) -> tuple[str, tuple[str, ...], units.Unit]:
    """Return name, instances and unit of one row of the units table.

    Raises:
        UsageError: it is not a unit of this version.
    """
    try:
        kind = EdgeSkipUnit if row["kind"] == "EdgeSkipUnit" else getattr(units, row["kind"])
        values = dict(row["parameters"])
        if values.get("tiling") is not None:
            values["tiling"] = units.Tiling(**values["tiling"])
        if values.get("pooling") is not None:
            values["pooling"] = Pooling(**values["pooling"])
        if "signed" in values:  # of both inputs of a sum
            values["signed"] = tuple(values["signed"])
        return str(row["name"]), tuple(row["instances"]), kind(**values)
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"a unit of design.json is not one of this version of dse ({error}); emit it again"
        raise UsageError(msg) from None
