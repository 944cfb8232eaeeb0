"""Every layer alone: the units of a layer between streams whose words the integer network knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from dse.emit.chain import Chain, Loading, Module, Stream, word_bits
from dse.emit.words import codes, hex_lines
from dse.ir.accelerator import Accelerator, Integers
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.numbers import IntType
from dse.ir.units import Fifo, ProductUnit, WidthConverter

FOLDER = "tb/layers"
MOST_IMAGES = 4  # state that is left from a frame shows in the next
MOST_DIGITS = 2 * 2**20  # hexadecimal digits of all golden words; one image may have more


@dataclass(frozen=True)
class GoldenStream:
    """A stream between two layers, and what travels on it.

    Attributes:
        stream: of the chain.
        elements: per word.
        element: their type.
        words: per frame.
        values: the layer of the network whose outputs they are, or "input".
    """

    stream: Stream
    elements: int
    element: IntType
    words: int
    values: str

    @property
    def name(self) -> str:
        """Name of the stream and of its file."""
        return self.stream.name

    @property
    def bits(self) -> int:
        """Bits of a word."""
        return self.elements * self.element.bits

    @property
    def file_bits(self) -> int:
        """Bits of a word in its file: whole bytes."""
        return -(-self.bits // 8) * 8


@dataclass(frozen=True)
class LayerBench:
    """The units of a layer, to be run alone.

    Attributes:
        name: the identifier of the layer, or of the first of several.
        layers: of the network: one, and the max-pool behind it where units that skip edges look at that.
        modules: in stream order; a fork belongs to the layer whose output it is.
        inputs: streams that enter.
        outputs: streams that leave.
    """

    name: str
    layers: tuple[str, ...]
    modules: tuple[Module, ...]
    inputs: tuple[GoldenStream, ...]
    outputs: tuple[GoldenStream, ...]

    @property
    def inner(self) -> tuple[Stream, ...]:
        """Streams between its processes."""
        leaving = {s.name for s in self.outputs}
        return tuple(
            t for m in self.modules for p in m.processes for t in p.targets if t.name not in leaving
        )

    @property
    def loading(self) -> Loading | None:
        """How its weights are loaded; None where they are constants."""
        return next((m.loading for m in self.modules if m.loading is not None), None)

    def to_json(self) -> dict[str, Any]:
        """Return what design.json says of it."""
        return {
            "name": self.name,
            "layers": list(self.layers),
            "units": [m.name for m in self.modules],
            "inputs": [s.name for s in self.inputs],
            "outputs": [s.name for s in self.outputs],
        }


def layer_benches(
    chain: Chain, accelerator: Accelerator, names: Mapping[str, str]
) -> tuple[LayerBench, ...]:
    """Return the benches of all layers in stream order.

    Args:
        chain: the modules.
        accelerator: what they compute.
        names: layer -> identifier.
    """
    benches = []
    for members in _grouped(chain):
        written = [s for m in members for p in m.processes for s in p.targets]
        reads = [s for m in members for p in m.processes for s in p.sources]
        layers = tuple(dict.fromkeys(m.unit.layer for m in members))
        benches.append(
            LayerBench(
                names[layers[0]],
                layers,
                members,
                tuple(_golden(s, chain, accelerator) for s in reads if s not in written),
                tuple(_golden(s, chain, accelerator) for s in written if s not in reads),
            )
        )
    return tuple(benches)


def layer_images(benches: Sequence[LayerBench], images: int) -> int:
    """Return how many of the golden images the layers are run on: at least one, four at most."""
    digits = sum(s.words * s.file_bits // 4 for s in _streams(benches))
    return int(min(images, MOST_IMAGES, max(1, MOST_DIGITS // digits)))


def layer_files(
    benches: Sequence[LayerBench], accelerator: Accelerator, images: Integers
) -> dict[PurePosixPath, str]:
    """Return the golden words of every stream between layers.

    Args:
        benches: of the layers.
        accelerator: the integer reference.
        images: `(n, *input_shape)` integers, a few.
    """
    values = {"input": np.asarray(images), **accelerator.outputs(images)}
    return {
        PurePosixPath(FOLDER) / f"{s.name}.hex": hex_lines(
            codes(values[s.values], s.element).reshape(-1, s.elements),
            s.element.bits,
            s.file_bits,
        )
        for s in _streams(benches)
    }


def _streams(benches: Sequence[LayerBench]) -> tuple[GoldenStream, ...]:
    """Return every stream that enters or leaves a layer, once."""
    return tuple({s.name: s for b in benches for s in (*b.inputs, *b.outputs)}.values())


def _grouped(chain: Chain) -> list[tuple[Module, ...]]:
    """Return the modules of every layer.

    Behind a unit that skips edges by its max-pool stands no map that the integer network knows: of a window that
    has its maximum the rest is not computed. So the two are one.
    """
    groups: dict[str, list[Module]] = {}
    goes_on: dict[str, str] = {}  # layer -> where its units stand
    pending = ""
    for m in chain.modules:
        layer = m.unit.layer
        if layer not in goes_on:
            goes_on[layer] = pending or layer
            pending = ""
        groups.setdefault(goes_on[layer], []).append(m)
        if isinstance(m.unit, EdgeSkipUnit) and m.unit.pooling is not None:
            pending = goes_on[layer]
    return [tuple(g) for g in groups.values()]


def _golden(stream: Stream, chain: Chain, accelerator: Accelerator) -> GoldenStream:
    if stream == chain.output:
        last = chain.modules[-1].unit
        bits = next(
            int(m.unit.out_element_bits)
            for m in reversed(chain.modules)
            if isinstance(m.unit, ProductUnit)
        )
        element = IntType(bits, signed=True)
        return GoldenStream(stream, 1, element, accelerator.network.classes, last.layer)
    module, port = _reader(chain, stream)
    unit = module.unit
    assert not isinstance(unit, Fifo)
    read, at = module, port
    while isinstance(read.unit, WidthConverter):
        read, at = _reader(chain, read.processes[-1].targets[0])
    layer = accelerator.network[read.unit.layer]
    of = layer.inputs[at]
    elements = int(unit.in_width)
    word = word_bits(unit, port)[0]
    kind = accelerator.output_type(of) or IntType(word // elements, signed=True)
    assert kind.bits * elements == word
    network = accelerator.network
    shape = network.input_shape if of == "input" else network[of].output_shape
    return GoldenStream(stream, elements, kind, int(np.prod(shape)) // elements, of)


def _reader(chain: Chain, stream: Stream) -> tuple[Module, int]:
    """Return the module that reads a stream, and at which of its inputs."""
    found = (
        (m, p.sources.index(stream))
        for m in chain.modules
        for p in m.processes
        if stream in p.sources
    )
    return next(found)
