"""`budget`, `stages`, `parallel` and `sampler`: how the search is run."""

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
    not_supported,
    one_of,
    quantity,
    scalar,
    whole,
)
from dse.config.tree import Map, Node, Scalar, describe, quoted
from dse.config.values import SAMPLERS, Budget, Keep, Stages

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

BUDGET = keys("budget", ("trials", "time", "patience", "failures"))
STAGES = {
    "pretrain": ("epochs",),
    "estimate": ("keep",),
    "short": ("epochs",),
    "finetune": ("epochs", "images"),
    "final": ("epochs",),
}
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
    """Read the training effort: a list of one-key maps in the order of `STAGES`."""
    effort: dict[str, Any] = {}
    done: list[str] = []
    order = tuple(STAGES)
    for item in items(node, "stages", complaints):
        if not isinstance(item, Map) or len(item.entries) != 1:
            message = f"a stage is one name with its options, not {describe(item)}"
            complaints.add(item.span, "bad-type", message, "write - finetune: {epochs: 5}")
            continue
        key, value = item.entries[0].key, item.entries[0].value
        name = key.text
        if name == "accuracy":
            not_supported(key, "the stage 'accuracy'", OWN_RULE, complaints)
        elif name not in order:
            complaints.add(
                key.span,
                "unknown-key",
                f"unknown stage {quoted(name)}",
                did_you_mean(name, order),
                [f"stages, in this order: {listed(order)}"],
                order,
            )
        elif name in done or any(order.index(d) > order.index(name) for d in done):
            message = f"stage {name!r} cannot follow {done[-1]!r}"
            notes = [f"stages, in this order: {listed(order)}"]
            complaints.add(key.span, "bad-order", message, notes=notes)
        else:
            done.append(name)
            if not (isinstance(value, Scalar) and value.value is None):
                effort |= _effort(name, value, complaints)
    return Stages(**effort)


def _effort(name: str, node: Node, complaints: Complaints) -> dict[str, Any]:
    """Return the fields of `Stages` that a stage sets."""
    later = {} if "keep" in STAGES[name] else {"keep": OWN_RULE}
    options = keys(f"stage {name}", STAGES[name], later=later)
    if name == "estimate":
        keep = entries(node, options, complaints).get("keep")
        return {} if keep is None else {"keep": one_of(keep.value, "keep", KEEPS, complaints)}
    lowest = {"epochs": 0, "images": 1}
    return {
        f"{name}_{k}": whole(e.value, k, lowest[k], ANY, complaints)
        for k, e in entries(node, options, complaints).items()
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


def report_of(node: Node, complaints: Complaints) -> bool:
    """Read whether a report is written at the end."""
    if isinstance(node, Map):
        not_supported(node, "a map for report", "write report: auto", complaints)
        return True
    return one_of(node, "report", ("auto", "off"), complaints) != "off"


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
