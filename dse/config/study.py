"""The whole study file: its keys, and how they become a `StudyConfig`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dse import __version__
from dse.config.complaints import Complaints
from dse.config.cost_model import CONFIDENCE, cost_model_of
from dse.config.data import data_of, data_of_model
from dse.config.effort import (
    budget_of,
    sampler_of,
    seeds_of,
    stages_of,
)
from dse.config.goals import constraints_of, default_constraints, objectives_of
from dse.config.model import model_of
from dse.config.parallel import parallel_of
from dse.config.read import STUDY_FILE, entries, keys, scalar, whole
from dse.config.report import report_of
from dse.config.source import masked
from dse.config.space import space_of
from dse.config.storage import artifacts_of, storage_of
from dse.config.target import board_of, clock_of, reserve_of
from dse.config.tree import Map, Node, Scalar, describe, marks
from dse.config.values import (
    Budget,
    CostModelConfig,
    DataConfig,
    Objective,
    Parallel,
    ReportConfig,
    Stages,
    StudyConfig,
)
from dse.ir.hardware import Resources

T = TypeVar("T")
VERSION = 1
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
KEYS = keys(
    STUDY_FILE,
    (
        "version",
        "study",
        "extends",
        "description",
        "seed",
        "model",
        "data",
        "board",
        "clock",
        "reserve",
        "space",
        "objectives",
        "constraints",
        "seeds",
        "sampler",
        "budget",
        "stages",
        "cost_model",
        "parallel",
        "storage",
        "artifacts",
        "report",
    ),
    needed={
        "version": "version: 1",
        "study": "study: a-name",
        "model": "model: digits-cnn",
        "board": "board: Pynq-Z1",
        "clock": "clock: 100 MHz",
        "space": "space: {weight_bits: [2, 4, 8]}",
        "objectives": "objectives: {accuracy: maximize, lut: minimize}",
    },
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a configuration was read from; `folder` is where relative paths start."""

    path: Path
    text: str
    overrides: tuple[str, ...]
    folder: Path
    tree: Node  # what the text says, before overrides; every value knows its place


def study_of(
    root: Node, origin: Origin, check_files: bool, complaints: Complaints
) -> StudyConfig | None:
    """Read the whole tree; None where a required value is missing or wrong."""
    if _is_newer(root, complaints):
        return None
    found = entries(root, KEYS, complaints)

    def at(key: str, read: Callable[[Node, Complaints], T], default: T) -> T:
        return read(found[key].value, complaints) if key in found else default

    at("version", _version, None)
    study = at("study", _name, None)
    description = at("description", _description, "")
    seed = at("seed", _seed, 0)
    model = at("model", lambda n, c: model_of(n, origin.folder, check_files, c), None)
    data: DataConfig | None = None
    if "data" in found:
        data = data_of(found["data"].value, origin.folder, check_files, complaints)
    elif model is not None:
        data = data_of_model(model, found["model"].value, complaints)
    board = at("board", board_of, None)
    clock = at("clock", clock_of, None)
    reserve = at("reserve", lambda n, c: reserve_of(n, board, c), Resources())
    space = space_of(found["space"], board, complaints) if "space" in found else None
    objectives: tuple[Objective, ...] = at("objectives", objectives_of, ())
    rules = () if board is None else default_constraints(board, reserve)
    constraints = at("constraints", lambda n, c: constraints_of(n, board, reserve, c), rules)
    seeds: tuple[str, ...] = at(
        "seeds", lambda n, c: seeds_of(n, origin.folder, check_files, c), ("baseline",)
    )
    sampler = at("sampler", lambda n, c: sampler_of(n, len(objectives), c), "auto")
    budget = at("budget", budget_of, Budget())
    stages = at("stages", stages_of, Stages())
    cost_model = at(
        "cost_model",
        lambda n, c: cost_model_of(n, origin.folder, check_files, c),
        CostModelConfig(),
    )
    parallel = at("parallel", parallel_of, Parallel())
    storage = at("storage", lambda n, c: storage_of(n, origin.folder, c), "file")
    artifacts = at("artifacts", lambda n, c: artifacts_of(n, origin.folder, check_files, c), None)
    report: ReportConfig | None = ReportConfig()
    if "report" in found:
        report = report_of(found["report"].value, origin.folder, check_files, complaints)
    if (
        complaints
        or study is None
        or model is None
        or data is None
        or board is None
        or clock is None
        or space is None
    ):
        return None
    return StudyConfig(
        study=study,
        description=description,
        seed=seed,
        model=model,
        data=data,
        board=board,
        clock_mhz=clock,
        reserve=reserve,
        space=space,
        objectives=objectives,
        constraints=constraints,
        seeds=seeds,
        sampler=sampler,
        budget=budget,
        stages=stages,
        confidence=CONFIDENCE,
        parallel=parallel,
        storage=storage,
        artifacts=artifacts,
        report=report,
        path=origin.path,
        text=origin.text,
        marks=marks(root),
        overrides=origin.overrides,
        cost_model=cost_model,
        tree=origin.tree,
    )


def _is_newer(root: Node, complaints: Complaints) -> bool:
    """Whether the file is for a later dse, whose keys this one cannot judge."""
    entry = root.get("version") if isinstance(root, Map) else None
    value = entry.value if entry is not None else None
    if not isinstance(value, Scalar) or not isinstance(value.value, int | float):
        return False
    if not value.value > VERSION:
        return False
    message = f"this file needs a newer dse: it has version {value.text}, this is dse {__version__}"
    complaints.add(value.span, "newer-version", message, f"upgrade dse, or write {VERSION}")
    return True


def _version(node: Node, complaints: Complaints) -> None:
    found = scalar(node, "version", complaints, f"version: {VERSION}")
    # True == 1, but is no version
    if found is not None and (found.value != VERSION or isinstance(found.value, bool)):
        message = f"version is {VERSION}, not {describe(found)}"
        complaints.add(found.span, "bad-value", message, f"write {VERSION}")


def _name(node: Node, complaints: Complaints) -> str | None:
    found = scalar(node, "study", complaints, "a name such as digits-pynq")
    if found is None or NAME.fullmatch(found.text):
        return None if found is None else found.text
    better = re.sub(r"[^a-z0-9]+", "-", masked(found.text).lower()).strip("-")[:63]
    complaints.add(
        found.span,
        "bad-name",
        f"a study name has up to 63 of a-z, 0-9 and '-', not {describe(found)}",
        f"write {better}" if better else "",
    )
    return None


def _description(node: Node, complaints: Complaints) -> str:
    found = scalar(node, "description", complaints)
    return "" if found is None else found.text


def _seed(node: Node, complaints: Complaints) -> int:
    return whole(node, "seed", 0, 2**32 - 1, complaints) or 0
