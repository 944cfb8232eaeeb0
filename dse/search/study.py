"""From a checked study file to everything a search needs; opening and reading studies."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from cost_models import learned
from cost_models._model import CostModel
from cost_models._named import model_of
from dse.config.load import load_config
from dse.config.problems import problem_at
from dse.config.values import Constraint, DataConfig, Measured, Stages, StudyConfig
from dse.data._dataset import Dataset
from dse.errors import StudyConflictError, UsageError
from dse.folding.estimate import estimate
from dse.importing.imported import STAGES as IMPORTED_STAGES
from dse.importing.imported import Imported, imported_of, is_frozen
from dse.ir import plugins
from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.search.divisors import check_divisors
from dse.search.made_from import made_from, trained_from
from dse.search.score import constraints_of, newest, reestimate, rescore
from dse.search.space import SearchSpace, build
from dse.search.widen import widens
from dse.snapshot import StudySnapshot
from dse.store import MODEL, Store

DIFF_LINES, DIFF_CHARS = 40, 120  # longer differences are only named
# what a finished trial depends on: none of it may change on resume
FROZEN = ("model", "data", "board", "clock_mhz", "space", "objectives", "stages", "seed")
# of an imported network with images to calibrate on and none to train on: what its weights are worth as they are
POST_TRAINING = Stages(finetune_epochs=0, post_training=Measured())
CORRECTED = "cost_model.json"  # in the folder of a study, written by synthesis in the loop
CORRECTS = "corrects"  # what it states about itself: source of the model that it corrects
PACKAGES = ("optuna", "ray", "torch", "brevitas", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Plan:
    """Everything a search needs, made from a study file."""

    config: StudyConfig
    dataset: Dataset
    network: Network
    model: CostModel
    space: SearchSpace
    constraints: tuple[Constraint, ...]
    stages: Stages  # no field is None but images (all of them), stages that are not there, and `final_epochs`
    imported: Imported | None = None  # where the network comes from outside
    frozen: bool = False  # the integers of the imported network are searched for foldings only

    @property
    def trains(self) -> bool:
        """Whether candidates are trained; without real images hardware alone decides."""
        return self.dataset.learnable

    def hardware(self, design: DesignPoint) -> HardwareEstimate:
        """Predict what a design costs."""
        c = self.config
        return estimate(self.network, design, c.board, c.clock_mhz, self.model)


def plan(config: StudyConfig, folder: Path | None = None) -> Plan:
    """Load the data, build the network and the search space.

    Args:
        config: the checked study file.
        folder: of the study, whose own cost model is used where there is one.

    Raises:
        UsageError: something in the study file does not fit the model or the data.
    """
    dataset = load_data(config)
    if not dataset.learnable:
        _check_untrained(config)
    shape, imported, frozen = dataset.input_shape, None, False
    if config.model.imported:
        imported = imported_of(config.model, shape, dataset.input_type, dataset.classes)
        frozen = is_frozen(imported, config.space)
        dataset = dataset.reshaped(imported.network(frozen=frozen).input_shape)
    network = build_network(config, shape, dataset.input_type, dataset.classes)
    own = {} if imported is None else imported.knobs(frozen=frozen)
    check_divisors(config, network)
    model = cost_model(config, folder)
    return Plan(
        config=config,
        dataset=dataset,
        network=network,
        model=model,
        space=build(config, network, model, own),
        constraints=constraints_of(config),
        stages=stages_of(config),
        imported=imported,
        frozen=frozen,
    )


def _check_untrained(config: StudyConfig) -> None:
    asked = [o.metric for o in config.objectives] + [c.metric for c in config.constraints]
    if "accuracy" in asked:
        msg = (
            f"data {config.data.name!r} has nothing to learn, and the study asks for accuracy:"
            " give real images, or leave accuracy out of objectives and constraints"
        )
        raise UsageError(msg)
    if config.cost_model.synthesise is not None:
        msg = (
            f"data {config.data.name!r} has nothing to learn, so there are no weights to synthesise:"
            " give real images, or leave out cost_model.synthesise"
        )
        raise UsageError(msg)


def cost_model(config: StudyConfig, folder: Path | None = None) -> CostModel:
    """Return the cost model of a study: what its file names, corrected by what was synthesised for it.

    Args:
        config: the checked study file.
        folder: of the study; None: what the file names. A correction of another model is left alone.

    Raises:
        UsageError: its file is none.
    """
    chosen, family = config.cost_model, config.board.family
    if chosen.file is not None:
        model: CostModel = learned.read(chosen.file, family)
    else:
        model = model_of(chosen.name, family)
    if folder is not None and (path := folder / CORRECTED).is_file():
        corrected = learned.read(path, family)
        if corrected.facts.get(CORRECTS) == model.source:
            return corrected
    return model


def load_data(config: StudyConfig) -> Dataset:
    """Load the data set of a study."""
    loader = plugins.load("dse.data", config.data.name)
    try:
        return cast(Dataset, loader.load(config.data, config.seed))
    except UsageError as error:
        for part, path in config.data.files.items():
            if str(error).startswith(str(path)):
                raise problem_at(config, f"data.{part}", "bad-data", str(error)) from error
        raise


def build_network(
    config: StudyConfig, input_shape: Sequence[int], input_type: IntType, classes: int
) -> Network:
    """Build the network of a study for the shape of its data."""
    if config.model.imported:
        found = imported_of(config.model, tuple(input_shape), input_type, classes)
        return found.network(frozen=is_frozen(found, config.space))
    builder = plugins.load("dse.networks", config.model.name)
    return cast(
        Network, builder.build(tuple(input_shape), input_type, classes, **config.model.options)
    )


def stages_of(config: StudyConfig) -> Stages:
    """Return the training effort: what the file says, else the default of the model.

    A file that lists `accuracy` says everything behind the float network: without `final` the front keeps the
    networks that were scored (`final_epochs` stays None).
    """
    default, said = IMPORTED_STAGES, config.stages
    if not config.model.imported:
        default = plugins.load("dse.networks", config.model.name).STAGES
    elif said == Stages() and config.data.files and "train" not in config.data.files:
        said = POST_TRAINING
    if said.lists_accuracy:
        default = replace(default, final_epochs=None)
        if said.post_training is not None:
            default = replace(default, keep="all")
    values = {f.name: getattr(said, f.name) for f in fields(Stages)}
    return Stages(**{k: getattr(default, k) if v is None else v for k, v in values.items()})


def open_study(p: Plan, folder: Path, overrides: Sequence[str]) -> Store:
    """Hold the study's folder as its one driver, creating it or checking that it is the same study.

    Raises:
        StudyConflictError: another driver holds it, or the file asks for another study.
    """
    config = p.config
    store = Store(folder, config.storage, config.artifacts)
    store.hold()
    try:
        header = {
            "study": config.study,
            "folder": str(config.path.resolve().parent),
            "overrides": list(overrides),
            "input": {
                "shape": list(p.network.input_shape),
                "type": asdict(p.network.input_type),
                "classes": p.network.classes,
            },
            "data": p.dataset.digest,
            "network": p.network.digest,
            **({} if p.imported is None else {"imported": p.imported.digest}),
            "cost_model": p.model.source,
            "created": now(),
            "versions": versions(),
            "machine": machine(),
            "base_accuracy": None,
        }
        if store.exists:
            old = store.header()
            _check_same(p, store, old)
            header |= {k: old[k] for k in ("created", "base_accuracy", "forked") if k in old}
            if config.path.resolve().parent == folder.resolve():  # continued by name, from its copy
                header["folder"] = old["folder"]
        store.claim_artifacts(config.study, trained_from(p))
        store.open_trials(
            config.study,
            [o.direction for o in config.objectives],
            [o.metric for o in config.objectives],
            made_from(p),
        )
        store.create(config.text, header)
        if p.imported is not None and p.imported.module:
            store.keep_model(p.imported.module)
    except BaseException:
        store.release()
        raise
    return store


def _check_same(p: Plan, store: Store, old: Mapping[str, Any]) -> None:
    before = stored_config(store.folder, old, check_files=False)
    names = [
        n for n in (*FROZEN, "storage", "artifacts") if getattr(before, n) != getattr(p.config, n)
    ]
    if names == ["space"] and _is_wider(p, before):
        store.write_driver_state(replace(store.driver_state(), complete=False))
        names = []
    changed = [_difference(n, getattr(before, n), getattr(p.config, n)) for n in names]
    if changed:
        new, was = p.config.text.splitlines(), before.text.splitlines()
        lines = list(difflib.unified_diff(was, new, "before", "now", lineterm="", n=0))
        changed += lines[2:] if len(lines) < DIFF_LINES else []
    else:
        check_data(p, old)
    if changed:
        msg = (
            f"study {p.config.study!r} in {store.folder} was made from another study file:\n  "
            + "\n  ".join(changed)
            + "\nUndo the change, or use another study name (`--fork NAME` takes its trials along)"
        )
        raise StudyConflictError(msg)


def _is_wider(p: Plan, before: StudyConfig) -> bool:
    """Whether the space only has more values, and no more requirements, than it had."""
    if p.imported is not None or not set(p.config.space.require) <= set(before.space.require):
        return False
    return widens(p.space, build(before, p.network, p.model))


def check_data(p: Plan, header: Mapping[str, Any]) -> None:
    """Raise StudyConflictError where the data or the network behind the study's names have changed."""
    model = None if p.imported is None else p.imported.digest
    before = header["data"], header["network"], header.get("imported")
    if before != (p.dataset.digest, p.network.digest, model):
        msg = (
            f"the data or the network of study {p.config.study!r} are not those it was made with:"
            f" restore {data_name(p.config.data)}"
            f"{'' if model is None else f' and model {p.config.model.name}'}, or use another study name"
        )
        raise StudyConflictError(msg)


def _difference(name: str, before: object, now_: object) -> str:
    """Return one line saying that a setting changed, with both values where they are short."""
    values = f"{name}: {before} -> {now_}"
    return values if len(values) <= DIFF_CHARS else f"{name} is not the same:"


def stored_config(
    folder: Path, header: Mapping[str, Any], more: Sequence[str] = (), *, check_files: bool = True
) -> StudyConfig:
    """Read the study file that is kept in a study's folder; relative paths start from the original's.

    A torch module is read as it is kept there: its function is not called.
    """
    overrides = [*header["overrides"], *more]
    base = Path(header["folder"])
    config = load_config(folder / "study.yaml", overrides, base=base, check_files=check_files)
    if config.model.function is None:
        return config
    return replace(config, model=replace(config.model, kept=folder / MODEL))


def snapshot(folder: Path) -> StudySnapshot:
    """Read a study, running or not; nothing is written.

    Raises:
        UsageError: there is no study in the folder.
    """
    header = Store(folder, "file").header()
    config = stored_config(folder, header, check_files=False)
    store = Store(folder, config.storage)
    shape = header["input"]
    network = build_network(config, shape["shape"], IntType(**shape["type"]), shape["classes"])
    records = store.records(config.study)
    file = config.cost_model.file
    facts: Mapping[str, Any] = {}
    price: Callable[[DesignPoint], HardwareEstimate] | None = None
    if file is None or file.is_file():  # a study can be looked at where its cost model is not
        model = cost_model(config, folder)
        facts = getattr(model, "facts", {})
        price = partial(
            estimate, network, board=config.board, clock_mhz=config.clock_mhz, model=model
        )
        records = tuple(reestimate(r, network, config, model) for r in records)
    rules = constraints_of(config)
    records = newest(rescore(r, rules) for r in records)
    state = store.driver_state()
    finished = "complete" if state.complete else "stopped"
    return StudySnapshot(
        config=config,
        network=network,
        records=records,
        finals=store.finals(),
        repeated=state.repeated,
        state="running" if store.is_held() else finished,  # type: ignore[arg-type]
        stop_reason=state.stop_reason,
        seconds=state.seconds,
        created=header["created"],
        updated=max((r.finished for r in records), default=header["created"]),
        written_by=header["written_by"],
        versions=header["versions"],
        machine=str(header.get("machine", "")),  # studies begun before it was kept have none
        base_accuracy=header["base_accuracy"],
        synthesised=store.synthesised(),
        model_facts=facts,
        milestones=store.milestones(),
        overrides=tuple(header["overrides"]),
        forked=header.get("forked", ""),
        price=price,
    )


def data_name(data: DataConfig) -> str:
    """Return what the data of a study are called: their files, else the loader."""
    files = [data.path] if data.path is not None else [*data.files.values()]
    return ", ".join(str(path) for path in files) or data.name


def now() -> str:
    """Return the time, UTC, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine() -> str:
    """Return what class of machine this is; not which one."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB"
    )


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    found = {"python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}
