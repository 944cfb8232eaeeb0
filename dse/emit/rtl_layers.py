"""Verilog testbenches of single layers: which instances stand in them, and which wires enter and leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from dse.emit.chain import Chain
from dse.emit.layers import FOLDER, GoldenStream, LayerBench
from dse.emit.rendering import environment
from dse.emit.rtl_chain import INPUT
from dse.emit.rtl_instance import Instance
from hw_templates import folder

TEMPLATE = f"{FOLDER}/LAYER.v.j2"
PATIENCE = (
    2  # latencies of the whole design without a word, in or out, after which a layer is stuck
)
BEHIND = 100  # cycles that a word too many is waited for


@dataclass(frozen=True)
class Wiring:
    """The instances of a layer, the FIFOs in front of its units included, and its golden wires."""

    instances: tuple[Instance, ...]
    inputs: tuple[tuple[GoldenStream, str], ...]
    outputs: tuple[tuple[GoldenStream, str], ...]


def layer_testbenches(
    benches: Sequence[LayerBench],
    chain: Chain,
    built: Sequence[Instance],
    latency: int,
    context: Mapping[str, Any],
) -> dict[PurePosixPath, str]:
    """Return a testbench per layer.

    Args:
        benches: of the layers.
        chain: all modules.
        built: all instances.
        latency: predicted cycles of the whole design.
        context: what the templates of the project read.
    """
    template = environment(folder("project_rtl")).get_template(TEMPLATE)
    files = {}
    for bench in benches:
        wiring = layer_wiring(bench, chain, built)
        text = template.render(
            context,
            bench=bench,
            instances=wiring.instances,
            inputs=wiring.inputs,
            outputs=wiring.outputs,
            name_length=max(len(s.name) for s in bench.outputs),
            patience=PATIENCE * latency,
            behind=BEHIND,
        )
        files[PurePosixPath(FOLDER) / f"{bench.name}.v"] = text
    return files


def layer_wiring(bench: LayerBench, chain: Chain, built: Sequence[Instance]) -> Wiring:
    """Return what stands between the golden streams of a layer.

    A FIFO belongs to the unit that reads it, the last one of the design to the unit in front of it.
    """
    driver = _drivers(chain, built)
    reads = [s for m in bench.modules for p in m.processes for s in p.sources]
    own = {m.name for m in bench.modules} | {s.name for s in reads}
    if any(s.stream == chain.output for s in bench.outputs):
        own.add(chain.output.name)
    members = tuple(i for i in built if i.name in own)
    labels = {i.name: i.label for i in members}
    return Wiring(
        members,
        tuple((s, driver[s.name]) for s in bench.inputs),
        tuple((s, labels.get(s.name, driver[s.name])) for s in bench.outputs),
    )


def _drivers(chain: Chain, built: Sequence[Instance]) -> dict[str, str]:
    """Return of every stream the wires that its unit drives, in front of a FIFO."""
    outputs = {i.name: i.outputs for i in built}
    wires = {chain.input.name: INPUT}
    for m in chain.modules:
        written = [s for s in m.processes[-1].targets if not s.counts]
        wires |= dict(zip((s.name for s in written), outputs[m.name], strict=True))
    return wires
