"""`budget`, `stages`, `sampler` and `seeds`: how the search is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dse.config.complaints import Complaints, did_you_mean, listed
from dse.config.paths import existing
from dse.config.quantities import fraction, seconds
from dse.config.read import (
    ANY,
    Kind,
    entries,
    items,
    keys,
    one_of,
    quantity,
    scalar,
    whole,
)
from dse.config.tree import Map, Node, Scalar, describe, quoted
from dse.config.values import SAMPLERS, Budget, Keep, Measured, Stages

TIME = Kind(
    noun="a time",
    unit="a unit of time",
    convert=seconds,
    low=1e-3,
    high=3.2e9,  # a century
    bounds="1 ms or more",
    examples="'15 min', '2 h' or '3 d'",
)
SHARE = Kind(
    noun="a percentage",
    unit="a percentage",
    convert=fraction,
    low=0.0,
    high=1.0,
    bounds="from 0 to 100 %",
    examples="'10 %'",
)

KEEP = Kind(
    noun="a percentage",
    unit="a percentage",
    convert=fraction,
    low=1e-6,
    high=1.0,
    bounds="above 0, up to 100 %",
    examples="'40 %', or all",
)

BUDGET = keys("budget", ("trials", "time", "patience", "failures"))
STAGES = {
    "pretrain": ("epochs",),
    "estimate": ("keep",),
    "accuracy": ("images", "keep"),
    "short": ("epochs",),
    "finetune": ("epochs", "images", "keep"),
    "final": ("epochs",),
}
POST_TRAINING = "post_training"  # the slot of `accuracy` in front of all training
ORDER = ("pretrain", "estimate", POST_TRAINING, "short", "finetune", "accuracy", "final")
ORDER_SHOWN = tuple(slot.replace(POST_TRAINING, "accuracy") for slot in ORDER)
OWN_RULE = "`- estimate: {keep: front}` trains what may move the front, {keep: all} everything"
KEEPS: tuple[Keep, ...] = ("front", "all")
SEED_STUDY = re.compile(r"study:[a-z0-9][a-z0-9-]{0,62}")
REFUSED_SAMPLERS = {
    "cmaes": "it needs one objective and no choices",
    "grid": "no budget covers every design",
}
IN_WORDS = ("no", "one", "two", "three", "four")


def budget_of(node: Node, complaints: Complaints) -> Budget:
    """Read the totals at which the search ends."""
    found = {k: e.value for k, e in entries(node, BUDGET, complaints).items()}
    default = Budget()
    trials: int | None = default.trials
    failures: float | None = default.failures
    time = patience = None
    if "trials" in found:
        trials = whole(found["trials"], "trials", 1, ANY, complaints)
    if "time" in found:
        time = quantity(found["time"], "time", TIME, complaints)
    if "patience" in found:
        patience = whole(found["patience"], "patience", 1, ANY, complaints)
    if "failures" in found:
        failures = quantity(found["failures"], "failures", SHARE, complaints)
    return Budget(trials or 0, time, patience, failures or 0.0)


def stages_of(node: Node, complaints: Complaints) -> Stages:
    """Read the training effort: a list of one-key maps in the order of `ORDER`."""
    effort: dict[str, Any] = {}
    done: list[str] = []  # slots
    order = tuple(STAGES)
    shown = [f"stages, in this order: {listed(ORDER_SHOWN)}"]
    for item in items(node, "stages", complaints):
        if not isinstance(item, Map) or len(item.entries) != 1:
            message = f"a stage is one name with its options, not {describe(item)}"
            complaints.add(item.span, "bad-type", message, "write - finetune: {epochs: 5}")
            continue
        key, value = item.entries[0].key, item.entries[0].value
        name = key.text
        slot = name
        if name == "accuracy" and not {POST_TRAINING, "short", "finetune"} & set(done):
            slot = POST_TRAINING
        if name not in order:
            complaints.add(
                key.span,
                "unknown-key",
                f"unknown stage {quoted(name)}",
                did_you_mean(name, order),
                shown,
                order,
            )
        elif slot in done or any(ORDER.index(d) > ORDER.index(slot) for d in done):
            last = done[-1].replace(POST_TRAINING, "accuracy")
            message = f"stage {name!r} cannot follow {last!r}"
            complaints.add(key.span, "bad-order", message, notes=shown)
        else:
            done.append(slot)
            empty = isinstance(value, Scalar) and value.value is None
            if name == "accuracy":
                effort[slot] = Measured() if empty else _measured(value, complaints)
            elif not empty:
                effort |= _effort(name, value, complaints)
    if {POST_TRAINING, "accuracy"} & set(done) and not {"short", "finetune"} & set(done):
        effort["finetune_epochs"] = (
            0  # a file that says where accuracies are measured says all that is trained
        )
    return Stages(**effort)


def _measured(node: Node, complaints: Complaints) -> Measured:
    """Read a stage `accuracy`."""
    found = entries(node, keys("stage accuracy", STAGES["accuracy"]), complaints)
    images = None
    if "images" in found:
        images = whole(found["images"].value, "images", 1, ANY, complaints)
    return Measured(images, _kept(found["keep"].value, complaints) if "keep" in found else 1.0)


def _kept(node: Node, complaints: Complaints) -> float:
    """Read the share of the designs that a stage passes on."""
    if isinstance(node, Scalar) and node.text == "all":
        return 1.0
    return quantity(node, "keep", KEEP, complaints) or 1.0


def _effort(name: str, node: Node, complaints: Complaints) -> dict[str, Any]:
    """Return the fields of `Stages` that a stage sets."""
    later = {} if "keep" in STAGES[name] else {"keep": OWN_RULE}
    options = keys(f"stage {name}", STAGES[name], later=later)
    found = {k: e.value for k, e in entries(node, options, complaints).items()}
    keep = found.pop("keep", None)
    effort: dict[str, Any] = {}
    if keep is not None and name == "estimate":
        effort["keep"] = one_of(keep, "keep", KEEPS, complaints)
    elif keep is not None:
        effort[f"{name}_keep"] = _kept(keep, complaints)
    lowest = {"epochs": 0, "images": 1}
    return effort | {
        f"{name}_{k}": whole(v, k, lowest[k], ANY, complaints) for k, v in found.items()
    }


def sampler_of(node: Node, objectives: int, complaints: Complaints) -> str:
    """Read the sampler; `objectives` is how many there are. A wrong one is answered by the default."""
    found = scalar(node, "sampler", complaints)
    if found is None or found.text in SAMPLERS:
        return SAMPLERS[0] if found is None else found.text
    name = found.text
    message, hint = f"unknown sampler {describe(found)}", did_you_mean(name, SAMPLERS)
    if name in REFUSED_SAMPLERS:
        number = IN_WORDS[objectives] if objectives < len(IN_WORDS) else str(objectives)
        message, hint = f"sampler {name!r} cannot be used: {REFUSED_SAMPLERS[name]}", ""
        if name == "cmaes" and objectives > 1:
            message = f"sampler 'cmaes' cannot search {number} objectives"
    complaints.add(
        found.span, "bad-sampler", message, hint, [f"samplers here: {listed(SAMPLERS)}"], SAMPLERS
    )
    return SAMPLERS[0]


def seeds_of(
    node: Node, folder: Path, check_files: bool, complaints: Complaints
) -> tuple[str, ...]:
    """Read the designs that are tried first.

    Args:
        node: the value of `seeds`: a list of `baseline`, `study:NAME` and paths.
        folder: of the study file; paths are relative to it.
        check_files: whether the files must be there.
        complaints: receives what is wrong.

    Returns:
        "baseline", "study:NAME" or an absolute path each.
    """
    listed_items = (node,) if isinstance(node, Scalar) else items(node, "seeds", complaints)
    found = []
    for item in listed_items:
        word = scalar(item, "a seed", complaints, "baseline, study:NAME or designs/mine.json")
        if word is None:
            continue
        if word.text == "baseline" or SEED_STUDY.fullmatch(word.text):
            found.append(word.text)
        elif not word.text.endswith(".json"):
            message = f"a seed is baseline, study:NAME or a .json file, not {describe(word)}"
            complaints.add(word.span, "bad-seed", message, did_you_mean(word.text, ("baseline",)))
        elif (path := existing(word, "seeds", folder, check_files, complaints)) is not None:
            found.append(str(path))
    return tuple(dict.fromkeys(found))
