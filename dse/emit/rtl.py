"""From a design and its integers to the Verilog project."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import dse
from dse.emit.board import board_files, no_block_design
from dse.emit.finn_reports import FOLDER as REPORTS
from dse.emit.golden import Port
from dse.emit.hls import hls_project
from dse.emit.layers import layer_benches
from dse.emit.names import identifier, identifiers, markdown, part_name
from dse.emit.order import Order
from dse.emit.processes import lower
from dse.emit.project import HlsProject, content_digest
from dse.emit.rendering import environment
from dse.emit.rtl_chain import instances
from dse.emit.rtl_instance import Instance
from dse.emit.rtl_layers import TEMPLATE, layer_testbenches
from dse.emit.rtl_timing import rtl_latency_cycles
from dse.ir.numbers import IntType
from dse.ir.timing import interval_cycles
from dse.lowering.pipeline import pipeline
from hw_templates import folder

SHARED = (
    "accelerator.npz",
    "folding_config.json",
)  # what both flows write, beside tb/*.hex and labels
PARTS = (TEMPLATE, "rtl/_instances.v.j2")  # rendered elsewhere, or part of others
PATIENCE = 20  # frames without a word after which a simulation is stuck; back-pressure costs less


def rtl_project(order: Order) -> HlsProject:
    """Return the Verilog project that computes what the accelerator computes, built as the design says.

    It is the HLS project with other sources: folding, integers, golden vectors, names and design.json
    are the same. Errors are those of `hls_project`.
    """
    hls, accelerator = hls_project(order), order.accelerator
    names = identifiers(layer.name for layer in order.network.layers)
    stages = pipeline(order.network, order.design)
    chain = lower(stages, accelerator, names)
    built = instances(chain, accelerator)
    benches = layer_benches(chain, accelerator, names)
    manifest = json.loads(hls.files[PurePosixPath("design.json")])
    latency = rtl_latency_cycles(stages)
    source, target = _port(manifest["input"]), _port(manifest["output"])
    context = {
        "version": dse.__version__,
        "study": identifier(order.study),
        "digest": order.design.digest,
        "board": markdown(order.board.name),
        "part": part_name(order.board.part),
        "clock_mhz": float(order.clock_mhz),
        "instances": built,
        "chain": chain,
        "benches": benches,
        "layer_images": manifest["golden"]["layers"]["images"],
        "source": source,
        "target": target,
        "images": len(order.images),
        "estimate": order.estimate,
        "accuracy": {identifier(k): float(v) for k, v in order.accuracy.items()},
        "latency_cycles": latency,
        "patience": PATIENCE * latency,
        "no_block_design": no_block_design(order.board, source),
    }
    files: dict[PurePosixPath, str | bytes] = {
        **{name: text for name, text in hls.files.items() if _shared(name)},
        **_copied(),
        **_rendered(context),
        **layer_testbenches(benches, chain, built, latency, context),
        **board_files(context, "rtl", order.board),
        **{PurePosixPath("rtl") / n: text for i in built for n, text in i.memories.items()},
    }
    digests = {str(name): content_digest(content) for name, content in sorted(files.items())}
    manifest |= {
        "flow": "rtl",
        "rtl": {
            "interval_cycles": interval_cycles(stages),
            "latency_cycles": latency,
        },
        "units": _in_stream_order(manifest["units"], built),
        "files": digests,
    }
    files[PurePosixPath("design.json")] = json.dumps(manifest, indent=1) + "\n"
    return HlsProject(MappingProxyType(dict(sorted(files.items()))))


def _shared(name: PurePosixPath) -> bool:
    if name.parts[0] == REPORTS:
        return True
    return str(name) in SHARED or (name.parts[0] == "tb" and name.suffix in (".hex", ".txt"))


def _port(value: Mapping[str, Any]) -> Port:
    element = IntType(**value["element"])
    return Port(value["elements_per_word"], element, value["words_per_frame"])


def _in_stream_order(
    rows: Sequence[dict[str, Any]], built: Sequence[Instance]
) -> list[dict[str, Any]]:
    """Return the rows of the units table with the instances of the Verilog."""
    by_name = {row["name"]: row for row in rows}
    return [by_name[i.name] | {"instances": [i.label]} for i in built]


def _copied() -> dict[PurePosixPath, str]:
    return {
        PurePosixPath("rtl") / path.name: path.read_text()
        for path in sorted(folder("rtl").glob("*.v"))
    }


def _rendered(context: Mapping[str, Any]) -> dict[PurePosixPath, str]:
    root = folder("project_rtl")
    templates = environment(root)
    names = (p.relative_to(root).as_posix() for p in sorted(root.rglob("*.j2")))
    return {
        PurePosixPath(name.removesuffix(".j2")): templates.get_template(name).render(context)
        for name in names
        if name not in PARTS
    }
