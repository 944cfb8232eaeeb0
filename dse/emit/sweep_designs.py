"""Whole designs of the sweep: small networks of layer shapes that no fitted unit has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cost_models import analytic
from cost_models._model import Floats
from dse.compression import canonical, effective
from dse.emit.order import Order
from dse.emit.project import HlsProject
from dse.emit.rtl import rtl_project
from dse.emit.sweep_integers import generator, random_integers
from dse.folding.estimate import estimate
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.stages import flat
from dse.ir.units import Ints, MatrixUnit, divisors, legal_folds
from dse.lowering.pipeline import pipeline
from dse.networks._build import Chain
from hw_templates._boards import load_board
from pruning._scheme import Structure

BOARDS = {"xc7": "Pynq-Z1", "xcup": "ZCU104"}
SQUARE = 0.05  # how much a folding as wide as high is preferred: of the logarithm of its cycles
UNSIGNED8 = IntType(8, signed=False)


@dataclass(frozen=True, slots=True)
class Style:
    """How all layers of a design are built.

    Attributes:
        weight_bits: of the layers in turn, again from the first after the last.
        activation_bits: the same.
        cycles: that every layer may take for a frame; the folding comes near.
        sparsity: of the layers that can be pruned to balanced blocks of 8 x 8.
        memory: of the weights.
        compute: what products are made of.
    """

    weight_bits: tuple[int, ...]
    activation_bits: tuple[int, ...]
    cycles: int
    sparsity: float = 0.0
    memory: str = "bram"
    compute: str = "lut"


def mlp(name: str, inputs: int, hidden: Sequence[int], element: IntType) -> Network:
    """Return a fully connected network of 10 classes."""
    chain = Chain(name, (inputs,), element)
    for i, features in enumerate(hidden, start=1):
        chain.dense(f"fc{i}", features)
    chain.dense("scores", 10, activation=False)
    return chain.network()


def cnn(name: str, size: int, channels: Sequence[int], kernel: int, element: IntType) -> Network:
    """Return a network of padded convolutions, pooling in between, and two dense layers."""
    first, *rest = channels
    chain = Chain(name, (size, size, first), element)
    for i, c in enumerate(rest, start=1):
        chain.conv(f"conv{i}", c, kernel=kernel if i == 1 else 3, padding=1)
        if i < len(rest):
            chain.pool(f"pool{i}")
    chain.pool(f"pool{len(rest)}")
    chain.dense("fc", 28)
    chain.dense("scores", 10, activation=False)
    return chain.network()


def cnv(name: str, size: int, channels: Sequence[int], element: IntType) -> Network:
    """Return pairs of convolutions without padding, as CNV has them."""
    chain = Chain(name, (size, size, 3), element)
    for i, c in enumerate(channels, start=1):
        chain.conv(f"conv{2 * i - 1}", c, kernel=3)
        chain.conv(f"conv{2 * i}", c, kernel=3)
        if i < len(channels):
            chain.pool(f"pool{i}")
    chain.dense("fc", 44)
    chain.dense("scores", 10, activation=False)
    return chain.network()


DESIGNS: Mapping[str, tuple[Callable[[str], Network], Style]] = {
    "tfc-w1a1": (lambda n: mlp(n, 100, (40, 40), BIPOLAR), Style((1,), (1,), 40)),
    "tfc-w2a2": (lambda n: mlp(n, 120, (56, 28), BIPOLAR), Style((2,), (2,), 90)),
    "tfc-w4a4-bcr": (
        lambda n: mlp(n, 120, (56, 40), UNSIGNED8),
        Style((4,), (4,), 120, 0.5, "lutram"),
    ),
    "jet-w6a6-dsp": (
        lambda n: mlp(n, 20, (60, 30), IntType(8, signed=True)),
        Style((6,), (6, 4), 120, compute="dsp"),
    ),
    "jet-w3a3": (
        lambda n: mlp(n, 20, (60, 30), IntType(8, signed=True)),
        Style((3,), (3,), 60, memory="lutram"),
    ),
    "cnn-w4a4": (lambda n: cnn(n, 11, (2, 10, 20), 3, UNSIGNED8), Style((4,), (4,), 2200)),
    "cnn-w2a2-bcr": (
        lambda n: cnn(n, 11, (2, 24, 40), 3, UNSIGNED8),
        Style((2,), (2,), 2400, 0.75),
    ),
    "cnn-mixed": (
        lambda n: cnn(n, 15, (2, 10, 20), 5, UNSIGNED8),
        Style((8, 3, 2, 4), (2, 4, 3), 6000, memory="lutram"),
    ),
    "lenet-w1a2": (
        lambda n: cnn(n, 13, (1, 6, 14), 5, UNSIGNED8),
        Style((1,), (2,), 1500),
    ),
    "cnv-w1a1": (lambda n: cnv(n, 15, (14, 20), UNSIGNED8), Style((1,), (1,), 6000)),
    "cnv-w2a2": (lambda n: cnv(n, 15, (6, 12), UNSIGNED8), Style((2,), (2,), 4000)),
    "cnv-w1a1-bcr": (
        lambda n: cnv(n, 15, (40, 24), UNSIGNED8),
        Style((1,), (1,), 12000, 0.5),
    ),
    "cnn-w8a8-dsp": (
        lambda n: cnn(n, 9, (2, 10, 20), 3, UNSIGNED8),
        Style((8,), (4,), 3000, compute="dsp"),
    ),
    "cnn-w4a2-bcr": (
        lambda n: cnn(n, 9, (5, 20, 24), 3, UNSIGNED8),
        Style((4, 4, 8), (2,), 2500, 0.5, "lutram"),
    ),
}


def built(name: str) -> tuple[Network, DesignPoint, Accelerator]:
    """Return a design with random integers."""
    make, style = DESIGNS[name]
    network = make(name)
    wanted = {
        layer.name: Compression(
            style.weight_bits[i % len(style.weight_bits)],
            style.activation_bits[i % len(style.activation_bits)] if layer.activation else None,
            "bcr" if style.sparsity else "dense",
            style.sparsity,
            (8, 8) if style.sparsity else None,
        )
        for i, layer in enumerate(network.matrix_layers)
    }
    compressions = canonical(network, wanted)
    narrowed, structures = effective(network, compressions)
    design = DesignPoint(
        tuple(
            (
                layer.name,
                LayerDesign(
                    compressions.get(layer.name),
                    _folding(layer, structures.get(layer.name), style),
                ),
            )
            for layer in narrowed.layers
        )
    )
    rng = generator(name)
    parameters = {
        unit.layer: random_integers(unit, rng)
        for unit in flat(pipeline(network, design))
        if isinstance(unit, MatrixUnit)
    }
    return network, design, Accelerator(narrowed, parameters)


def _folding(layer: Layer, structure: Structure | None, style: Style) -> Folding:
    """Return the folding whose cycles per frame come nearest to those of the style."""
    channels = layer.input_shape[-1]
    words = divisors(channels)
    pixels = int(np.prod(layer.input_shape[:-1]))
    if structure is None:
        return Folding(pe=int(words[_nearest(pixels * channels // words, style)]))
    assert isinstance(layer, MatrixLayer)
    pe, simd = legal_folds(structure.mh, structure.mw, structure.tiling)
    unit = MatrixUnit(
        layer.name, structure.mh, structure.mw, layer.vectors, pe, simd, 2, 2, False, 0, "bram",
        "lut", structure.tiling,
    )  # fmt: skip
    square = np.abs(np.log(pe / simd)) * SQUARE
    best = _nearest(unit.cycles, style, square)
    swu = 0
    if isinstance(layer, Conv2d):
        windows = layer.vectors * layer.kernel**2 * channels
        swu = int(words[_nearest(windows // words, style)])
    return Folding(int(pe[best]), int(simd[best]), swu, style.memory, style.compute)


def _nearest(cycles: Ints, style: Style, penalty: Floats | float = 0.0) -> int:
    return int(np.argmin(np.abs(np.log(np.asarray(cycles) / style.cycles)) + penalty))


def project(name: str, family: str) -> HlsProject:
    """Return the Verilog project of a design for a board of a family ("xc7", "xcup")."""
    network, design, accelerator = built(name)
    board = load_board(BOARDS[family])
    t = network.input_type
    shape = (1, *network.input_shape)
    return rtl_project(
        Order(
            study=name,
            network=network,
            design=design,
            accelerator=accelerator,
            board=board,
            clock_mhz=100.0,
            estimate=estimate(network, design, board, 100.0, analytic.load(board.family)),
            images=np.full(shape, t.max),
            labels=np.zeros(1, dtype=np.int64),
        )
    )
