"""design.json: everything needed to rebuild a project and to join a synthesis report with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

import dse
from dse.emit.chain import Chain
from dse.emit.finn_reports import ABOUT
from dse.emit.frame_cycles import golden_interval
from dse.emit.golden import Port
from dse.emit.loading import loading_json
from dse.emit.order import Order
from dse.ir.data_dependent import FrameCycles
from dse.ir.network import Network
from dse.ir.units import SlidingWindowUnit, Unit, parameters

SCHEMA = "dse.design/1"


def manifest(
    order: Order,
    *,
    chain: Chain,
    source: Port,
    target: Port,
    layers: Mapping[str, Any],
    counted: Mapping[str, FrameCycles],
    files: Mapping[str, str],
    edges: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the JSON values of design.json.

    Args:
        order: what was asked for.
        chain: the emitted processes.
        source: input side.
        target: output side.
        layers: on how many of the golden images every layer is run alone, and what it consists of (`dse.emit.layers`).
        counted: by the name of a unit, its cycles for them where they depend on the image.
        files: digest of every other file of the project.
        edges: what is counted on the golden images where edges are skipped (`dse.emit.edges`).
    """
    design, images = order.design, len(order.images)
    return {
        "schema": SCHEMA,
        "written_by": f"dse {dse.__version__}",
        "study": order.study,
        "network": network_json(order.network),
        "design": design.to_json(),
        "digests": {
            "network": order.network.digest,
            "design": design.digest,
            "compression": design.compression_digest,
            "accelerator": order.accelerator.digest,
        },
        "board": order.board.name,
        "part": order.board.part,
        "clock_mhz": order.clock_mhz,
        "top": "accelerator",
        "accuracy": {"kind": "measured on the integer network", **order.accuracy},
        "estimate": {"kind": "predicted", **order.estimate.to_json()},
        "report": {**ABOUT, "source": order.estimate.source},
        "units": [
            *(
                unit_json(m.name, m.unit, [p.name for p in m.processes])
                | {"traits": dict(m.traits)}
                | _golden_cycles(counted.get(m.name))
                for m in chain.modules
            ),
            *(unit_json(name, fifo, [name]) for name, fifo in chain.fifos),
        ],
        "input": port_json(source),
        "output": port_json(target),
        "golden": {
            "images": images,
            "words": images * target.words,
            "layers": dict(layers),
            **({"interval_cycles": golden_interval(chain, counted)} if counted else {}),
        },
        **({"edge_skip": dict(edges)} if edges else {}),
        **loading_json(chain),
        "files": dict(files),
    }


def unit_json(name: str, unit: Unit, instances: list[str]) -> dict[str, Any]:
    """Return one row of the units table.

    `kind` and `parameters` rebuild the value of `dse.ir.units`; `instances` are the functions (or, for a
    FIFO, the stream) of that unit in the HLS code, and therefore in its reports. `fill_predicted` are cycles
    that the first of many frames takes longer.
    """
    return {
        "name": name,
        "instances": instances,
        "layer": unit.layer,
        "kind": type(unit).__name__,
        "parameters": {key: _plain(value) for key, value in parameters(unit).items()},
        "cycles_predicted": int(unit.cycles),
        "fill_predicted": int(unit.fill_cycles) if isinstance(unit, SlidingWindowUnit) else 0,
    }


def _golden_cycles(counted: FrameCycles | None) -> dict[str, list[list[int]]]:
    """Return, of every process of a unit, the cycles of every golden image where they depend on it."""
    return {} if counted is None else {"golden_cycles": [p.tolist() for p in counted.processes]}


def port_json(port: Port) -> dict[str, Any]:
    """Return the format of the words of one side."""
    return {
        "words_per_frame": port.words,
        "elements_per_word": port.elements,
        "element": asdict(port.element),
        "axis_bits": port.axis_bits,
        "order": "element 0 in the low bits; channels fastest, then columns, then rows",
    }


def network_json(network: Network) -> dict[str, Any]:
    """Return the structure of a network with all shapes."""
    return {
        "name": network.name,
        "input_shape": list(network.input_shape),
        "input_type": asdict(network.input_type),
        "layers": [
            {
                "type": type(layer).__name__,
                **asdict(layer),
                "output_shape": list(layer.output_shape),
            }
            for layer in network.layers
        ],
    }


def _plain(value: object) -> object:
    """Turn numpy scalars, which units may hold, into Python numbers."""
    return value.item() if isinstance(value, np.generic | np.ndarray) else value
