"""Designs that a study starts from: a design.json, a FINN folding, the front of another study."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dse.config.problems import problem_at
from dse.errors import UsageError
from dse.ir.design import DesignPoint
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.search.pareto import front
from dse.search.recover import compression_values, folding_values, recovered
from dse.search.study import Plan, snapshot

STUDY = "study:"
# FINN's names of a matrix unit, newest first; of a depthwise one
MATRIX = ("MVAU", "MatrixVectorActivation", "StreamingFCLayer")
DEPTHWISE = ("VVAU", "VectorVectorActivation", "Vector_Vector_Activate")

Knobs = Mapping[str, Any]


def seed_designs(plan: Plan, root: Path) -> list[tuple[str, Knobs]]:
    """Return (origin, knobs) of the designs that the study file names, the baseline excepted.

    Args:
        plan: of the study.
        root: the folder of the studies.

    Raises:
        StudyFileError: a seed cannot be read, or is outside of the space.
    """
    found: list[tuple[str, Knobs]] = []
    for i, seed in enumerate(plan.config.seeds):
        try:
            if seed.startswith(STUDY):
                found += of_study(plan, root, seed.removeprefix(STUDY))
            elif seed != "baseline":
                path = Path(seed)
                found.append((path.name, of_file(plan, path)))
        except UsageError as error:
            raise problem_at(plan.config, f"seeds[{i}]", "bad-seed", str(error)) from error
    return found


def of_study(plan: Plan, root: Path, name: str) -> list[tuple[str, Knobs]]:
    """Return the designs on the front of another study that are in the space.

    Raises:
        UsageError: there is no such study, it has no front, or none of it is in the space.
    """
    other = snapshot(root / name)
    best = front(other.records, other.config.objectives)
    if not best:
        msg = f"seed study:{name}: it has no feasible design yet; run it, or leave it out"
        raise UsageError(msg)
    found: list[tuple[str, Knobs]] = []
    reasons = []
    for record in best:
        try:
            _check_layers(plan, record.design)
            found.append((f"{name}/{record.id}", recovered(plan, record.design)))
        except UsageError as error:
            reasons.append(f"trial {record.id}: {error}")
    if not found:
        msg = f"seed study:{name}: none of its {len(best)} designs is in the space; {reasons[0]}"
        raise UsageError(msg)
    return found


def of_file(plan: Plan, path: Path) -> Knobs:
    """Return the knobs of a design.json of ours, or of a FINN folding (with the baseline's compression).

    Raises:
        UsageError: it is neither, or outside of the space.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"seed {path} cannot be read: {error}"
        raise UsageError(msg) from None
    try:
        if isinstance(value, dict) and isinstance(value.get("design"), dict):
            design = _design(plan, value["design"])
            return recovered(plan, design)
        if isinstance(value, dict) and any(k.startswith((*MATRIX, *DEPTHWISE)) for k in value):
            base = plan.space.baseline()
            wanted = plan.space.compressions(base)
            values = compression_values(plan.space, wanted)
            return folding_values(plan, values, _finn_folds(plan, value))
    except UsageError as error:
        msg = f"seed {path}: {error}"
        raise UsageError(msg) from None
    msg = f"seed {path} is neither a design.json of dse nor a folding configuration of FINN"
    raise UsageError(msg)


def _design(plan: Plan, value: Mapping[str, Any]) -> DesignPoint:
    try:
        design = DesignPoint.from_json(value)
    except (KeyError, TypeError, AttributeError, IndexError):
        msg = "its `design` is damaged; write it again with `dse emit`"
        raise UsageError(msg) from None
    _check_layers(plan, design)
    return design


def _check_layers(plan: Plan, design: DesignPoint) -> None:
    names, ours = [n for n, _ in design.layers], [x.name for x in plan.network.layers]
    if names != ours:
        msg = (
            f"it is a design of another network, with the layers {', '.join(names)};"
            f" {plan.network.name} has {', '.join(ours)}"
        )
        raise UsageError(msg)


def _finn_folds(plan: Plan, value: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return PE and SIMD by layer; FINN numbers its nodes from input to output, each type by itself."""
    folds = {}
    for prefixes, wide in ((MATRIX, False), (DEPTHWISE, True)):
        nodes = sorted((k for k in value if k.startswith(prefixes)), key=_number)
        layers = [
            x.name for x in plan.network.matrix_layers if isinstance(x, DepthwiseConv2d) == wide
        ]
        if len(nodes) != len(layers):
            msg = (
                f"it has {len(nodes)} {prefixes[0]} nodes, and {plan.network.name} has {len(layers)} such"
                f" layers{': ' if layers else ''}{', '.join(layers)}"
            )
            raise UsageError(msg)
        for node, layer in zip(nodes, layers, strict=True):
            entry = value[node]
            folds[layer] = (int(entry.get("PE", 1)), int(entry.get("SIMD", 1)))
    return folds


def _number(node: str) -> int:
    match = re.search(r"(\d+)$", node)
    return int(match[1]) if match else 0
