"""`cost_model`: what predicts resources, and which designs are synthesised to correct it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from cost_models._named import model_names
from dse.config.complaints import Complaints
from dse.config.effort import SHARE, TIME
from dse.config.paths import existing
from dse.config.read import ANY, entries, keys, not_supported, one_of, quantity, scalar, whole
from dse.config.tree import Map, Node, Scalar
from dse.config.values import CHOICES, SYNTHESISERS, CostModelConfig, Synthesise

CONFIDENT = replace(SHARE, examples="'90 %'")
CONFIDENCE = 0.9  # of the intervals that cost models give
COST_MODEL = keys("cost_model", ("name", "file", "confidence", "synthesise"))
SYNTHESISE = keys("synthesise", ("top", "every", "choose", "tool", "timeout"))
YOSYS = "yosys"  # what a model of it is called, or states as its tool, begins with this


def cost_model_of(
    node: Node, folder: Path, check_files: bool, complaints: Complaints
) -> CostModelConfig:
    """Read the cost model: its name or file, what is synthesised; of the confidence only 90 %.

    Args:
        node: the value of `cost_model`.
        folder: of the study file; the path is relative to it.
        check_files: whether files and tools must be there.
        complaints: receives what is wrong.
    """
    before = len(complaints)
    found = entries(node, COST_MODEL, complaints)
    name, file = CostModelConfig().name, None
    if "name" in found:
        name = one_of(found["name"].value, "name", model_names(), complaints) or name
    if "file" in found and (word := scalar(found["file"].value, "file", complaints)) is not None:
        file = existing(word, "cost_model.file", folder, check_files, complaints)
        if "name" in found:
            message = "cost_model takes name or file, not both"
            complaints.add(found["name"].key.span, "bad-value", message, "remove name")
    if "confidence" in found:
        value = quantity(found["confidence"].value, "confidence", CONFIDENT, complaints)
        if value is not None and value != CONFIDENCE:
            not_supported(
                found["confidence"].value,
                "another confidence than 90 %",
                "the intervals of the cost models are 90 % intervals",
                complaints,
            )
    chosen = CostModelConfig(name, file)
    if "synthesise" not in found:
        return chosen
    asked = found["synthesise"]
    synthesise = _synthesise(asked.value, complaints)
    place = asked.value
    if isinstance(place, Map) and (tool := place.get("tool")) is not None:
        place = tool.value
    if not isinstance(place, Scalar):
        place = asked.key  # of a block, its key is shown
    if len(complaints) == before:
        _check_tool(place, synthesise.tool, chosen, check_files, complaints)
    return replace(chosen, synthesise=synthesise)


def _synthesise(node: Node, complaints: Complaints) -> Synthesise:
    found = {k: e.value for k, e in entries(node, SYNTHESISE, complaints).items()}
    default = Synthesise()
    top: int | None = default.top
    every = default.every
    choose, tool, timeout = default.choose, default.tool, default.timeout_s
    if "top" in found:
        top = whole(found["top"], "top", 1, ANY, complaints)
    if "every" in found:
        every = whole(found["every"], "every", 1, ANY, complaints)
    if "choose" in found:
        choose = one_of(found["choose"], "choose", CHOICES, complaints) or choose
    if "tool" in found:
        tool = one_of(found["tool"], "tool", SYNTHESISERS, complaints) or tool
    if "timeout" in found:
        timeout = quantity(found["timeout"], "timeout", TIME, complaints) or timeout
    return Synthesise(top or 0, every, choose, tool, timeout)


def _check_tool(
    place: Scalar, tool: str, model: CostModelConfig, check_files: bool, complaints: Complaints
) -> None:
    """Complain where the reports of a tool would correct the model of another, or where it is not there."""
    if model.file is not None and not check_files:
        return
    of = model.name if model.file is None else _tool_of(model.file)
    named = f"the cost model {model.name!r}" if model.file is None else str(model.file.name)
    if (tool == YOSYS) != of.startswith(YOSYS):
        message = f"reports of {tool} cannot correct {named}, which is of {of or 'no tool'}"
        if model.file is None:
            message = f"reports of {tool} cannot correct {named}"
        hint = "write name: yosys-rtl, or tool: vitis_hls" if tool == YOSYS else "write tool: yosys"
        notes = ["counts of different tools are not mixed in one model"]
        complaints.add(place.span, "mixed-tools", message, hint, notes)
    elif check_files and tool != YOSYS and shutil.which(tool) is None:
        message = f"tool {tool} must be on PATH, it is not"
        hint = "install it, or write name: yosys-rtl and tool: yosys"
        complaints.add(place.span, "no-such-tool", message, hint)


def _tool_of(file: Path) -> str:
    """Return the tool that a model's file states; what is no model file is told when it is used."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["tool"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
