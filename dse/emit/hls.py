"""From a design and its integers to the HLS project."""

from __future__ import annotations

import io
import json
from pathlib import PurePosixPath
from types import MappingProxyType

import numpy as np

import dse
from dse.emit.board import board_files, no_block_design
from dse.emit.edges import counted_edges
from dse.emit.finn_reports import finn_reports
from dse.emit.frame_cycles import frame_cycles
from dse.emit.golden import Port, golden_files
from dse.emit.layers import layer_benches, layer_files, layer_images
from dse.emit.loading import loading_files
from dse.emit.manifest import manifest
from dse.emit.names import identifier, identifiers, markdown, part_name
from dse.emit.order import Order
from dse.emit.processes import lower
from dse.emit.project import HlsProject, content_digest
from dse.emit.rendering import copied, rendered, with_tables
from dse.errors import UsageError
from dse.ir.accelerator import Accelerator
from dse.ir.finn import folding_config
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import flat
from dse.ir.units import Fifo, MatrixUnit, Unit
from dse.lowering.pipeline import pipeline

BATCH = 8  # golden images per call: streams of C simulation hold a whole call


def hls_project(order: Order) -> HlsProject:
    """Return the HLS project that computes what the accelerator computes, built as the design says.

    Raises:
        UsageError: the design is illegal, does not belong to the accelerator, or is beyond what HLS takes.
    """
    stages = pipeline(order.network, order.design)
    units, accelerator, images = flat(stages), order.accelerator, order.images
    names = identifiers(layer.name for layer in order.network.layers)
    chain = lower(stages, accelerator, names)
    source, target = _ports(units, accelerator.network)
    benches = layer_benches(chain, accelerator, names)
    few = layer_images(benches, len(images))
    context = {
        "version": dse.__version__,
        "study": identifier(order.study),
        "digest": order.design.digest,
        "board": markdown(order.board.name),
        "part": part_name(order.board.part),
        "clock_mhz": float(order.clock_mhz),
        "clock_ns": round(1000.0 / order.clock_mhz, 3),
        "chain": chain,
        "with_tables": with_tables(chain),
        "batch": BATCH,
        "max_bits": -(-chain.widest_bits // 1024) * 1024,
        "source": source,
        "target": target,
        "images": len(images),
        "benches": benches,
        "layer_images": few,
        "estimate": order.estimate,
        "accuracy": {identifier(k): float(v) for k, v in order.accuracy.items()},
        "no_block_design": no_block_design(order.board, source),
    }
    files: dict[PurePosixPath, str | bytes] = {
        **copied(),
        **rendered(context, chain),
        **board_files(context, "hls", order.board),
        **golden_files(accelerator, source, target, images, order.labels),
        **loading_files(chain, accelerator),
        **layer_files(benches, accelerator, images[:few]),
        **finn_reports(stages, order.estimate, order.clock_mhz),
        PurePosixPath("folding_config.json"): _json(folding_config(units)),
        PurePosixPath("accelerator.npz"): _archive(accelerator),
    }
    digests = {str(name): content_digest(content) for name, content in sorted(files.items())}
    files[PurePosixPath("design.json")] = _json(
        manifest(
            order,
            chain=chain,
            source=source,
            target=target,
            layers={"images": few, "benches": [b.to_json() for b in benches]},
            counted=frame_cycles(chain, accelerator, images, BATCH),
            files=digests,
            edges=counted_edges(chain, accelerator, images, BATCH),
        )
    )
    return HlsProject(MappingProxyType(dict(sorted(files.items()))))


def _ports(units: tuple[Unit, ...], network: Network) -> tuple[Port, Port]:
    """Return input and output side.

    Raises:
        UsageError: the network's input is 1 bit and not bipolar, which no unit computes.
    """
    element = network.input_type
    if element.bits == 1 and not element.bipolar:
        msg = (
            "a 1-bit network input must be bipolar (-1, +1), got 0 and 1; use 2-bit unsigned input"
        )
        raise UsageError(msg)
    first = units[0]
    last = [u for u in units if isinstance(u, MatrixUnit)][-1]
    assert not isinstance(first, Fifo)
    width = int(first.in_width)
    score = IntType(int(last.out_element_bits), signed=True)
    return (
        Port(width, element, int(np.prod(network.input_shape)) // width),
        Port(1, score, network.classes),
    )


def _archive(accelerator: Accelerator) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **accelerator.arrays())  # type: ignore[arg-type]
    return buffer.getvalue()


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
