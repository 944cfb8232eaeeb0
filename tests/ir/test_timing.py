"""Interval and latency of chains against a cycle-by-cycle simulation (conftest.py)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical, effective
from dse.folding.fold import Folder
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import Board, Resources
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.timing import interval_cycles, latency_cycles
from dse.ir.units import (
    DepthwiseUnit,
    Fifo,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    SumUnit,
    Tiling,
    Unit,
    WidthConverter,
    divisors,
)
from dse.lowering.main_units import layer_folds
from dse.lowering.pipeline import PLAIN_DEPTH, pipeline
from dse.networks import cnv, digits_cnn, lenet5, tfc

FOREVER = 10**9
LONGEST = 10**6  # words of a stream: all are followed


def random_network(rng: np.random.Generator, separable: float = 0.0) -> Network:
    size = int(rng.integers(6, 12))
    shape: tuple[int, ...] = (size, size, int(rng.choice([1, 3, 4])))
    layers: list[Layer] = []
    previous, first = "input", shape
    for i in range(int(rng.integers(1, 4))):
        kernel = int(rng.choice([1, 2, 3, 3, 5]))
        stride = int(rng.choice([1, 1, 2]))
        padding = int(rng.choice([0, kernel // 2]))
        if shape[0] + 2 * padding < kernel + 1:
            break
        channels = int(rng.choice([4, 6, 8, 12]))
        layers.append(Conv2d(f"c{i}", (previous,), shape, True, channels, kernel, stride, padding))
        previous, shape = layers[-1].name, layers[-1].output_shape
        if shape[0] >= 3 and rng.random() < separable:
            geometry = (3, int(rng.choice([1, 2])), int(rng.choice([0, 1])))
            layers.append(DepthwiseConv2d(f"d{i}", (previous,), shape, True, *geometry))
            previous, shape = layers[-1].name, layers[-1].output_shape
        if shape[0] >= 4 and rng.random() < 0.5:
            layers.append(MaxPool2d(f"p{i}", (previous,), shape, int(rng.choice([2, 2, 3]))))
            previous, shape = layers[-1].name, layers[-1].output_shape
    if rng.random() < separable:
        layers.append(GlobalAveragePool("mean", (previous,), shape))
        previous, shape = layers[-1].name, layers[-1].output_shape
    layers.append(Dense("fc", (previous,), shape, True, int(rng.choice([8, 12, 16]))))
    layers.append(Dense("out", ("fc",), layers[-1].output_shape, False, 10))
    return Network("random", first, IntType(8, signed=False), tuple(layers))


def random_compression(network: Network, rng: np.random.Generator) -> dict[str, Compression]:
    wanted = {}
    for layer in network.matrix_layers:
        c = Compression(2, 2 if layer.activation else None)
        if rng.random() < 0.6:
            sparsity = float(rng.choice([0.5, 0.75]))
            c = replace(c, scheme="filter", sparsity=sparsity)
            if rng.random() < 0.6:
                c = replace(c, scheme="bcr", block=(4, 8))
        wanted[layer.name] = c
    return canonical(network, wanted)


def random_design(network: Network, rng: np.random.Generator) -> DesignPoint:
    compressions = random_compression(network, rng)
    built, structures = effective(network, compressions)
    layers = []
    for layer in built.layers:
        words = [int(d) for d in divisors(layer.input_shape[-1])]
        folding = Folding(int(rng.choice(words)))
        if isinstance(layer, MatrixLayer):
            s = structures[layer.name]
            pe, simd = rng.choice(np.stack(layer_folds(layer, s), axis=1)).tolist()
            word = int(rng.choice(words)) if layer.windowed else 0
            folding = Folding(pe, simd, word)
        layers.append((layer.name, LayerDesign(compressions.get(layer.name), folding)))
    return DesignPoint(tuple(layers))


BOARD = Board("big", "x", "7series", Resources(10**6, 10**6, 10**4, 10**4, 0), {}, 200.0, "made up")


def balanced(
    network: Network, compressions: dict[str, Compression], target: float, preference: float = 0.5
) -> tuple[Unit, ...]:
    """Return the units of the cheapest design that meets a target."""
    folder = Folder.build(network, compressions, BOARD, analytic.load("7series"), {})
    return pipeline(network, folder.solve(target, preference))


def check(sim: Any, units: tuple[Unit, ...], frames: int = 7) -> None:
    ends = sim.simulate(units, frames)
    assert sim.steady(ends) == interval_cycles(units) == max(int(u.cycles) for u in units)
    assert latency_cycles(units, most=LONGEST) == ends[0]
    assert latency_cycles(units) == pytest.approx(ends[0], rel=0.002)


@pytest.mark.parametrize("seed", range(40))
def test_random_chains(seed: int, sim: Any) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    check(sim, pipeline(network, random_design(network, rng)))


@pytest.mark.parametrize("seed", range(30))
def test_balanced_random_chains(seed: int, sim: Any) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    compressions = random_compression(network, rng)
    for target in (200, 1000):
        check(sim, balanced(network, compressions, target, float(rng.random())))


@pytest.mark.parametrize("seed", range(30))
def test_separable_random_chains(seed: int, sim: Any) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, separable=0.7)
    check(sim, pipeline(network, random_design(network, rng)))
    check(sim, balanced(network, random_compression(network, rng), 400, float(rng.random())))


NETWORKS = {
    "digits-cnn": (digits_cnn.build((8, 8, 1), IntType(4, signed=False), 10), (300, 1000, 2000)),
    "lenet5": (lenet5.build((28, 28, 1), IntType(8, signed=False), 10), (8000,)),
    "tfc": (tfc.build((784,), BIPOLAR, 10), (16, 200, 3000)),
    "narrow cnv": (cnv.build((32, 32, 3), IntType(8, signed=False), 10, width=0.125), (9000,)),
}
COMPRESSIONS = {
    "binary": Compression(1, 1),
    "dense": Compression(4, 4),
    "tiled": Compression(2, 2, "bcr", 0.75, (8, 16)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_balanced_designs(name: str, kind: str, sim: Any) -> None:
    network, targets = NETWORKS[name]
    c = COMPRESSIONS[kind]
    wanted = {
        x.name: c if x.activation else replace(c, activation_bits=None)
        for x in network.matrix_layers
    }
    for target in targets:
        check(sim, balanced(network, canonical(network, wanted), target))


def test_fifos_are_needed(sim: Any) -> None:
    network, _ = NETWORKS["digits-cnn"]
    wanted = {x.name: Compression(2, 2 if x.activation else None) for x in network.matrix_layers}
    units = balanced(network, canonical(network, wanted), 1000)
    shallow = [replace(u, depth=PLAIN_DEPTH) if isinstance(u, Fifo) else u for u in units]
    assert sim.steady(sim.simulate(units, 7)) == interval_cycles(units)
    assert np.diff(sim.simulate(shallow, 7))[-1] > 1.1 * interval_cycles(units)


def paced(words: int, period: int) -> list[bool]:
    """Return in which of `period` cycles one of so many words passes, evenly spread."""
    return [i * words // period != (i + 1) * words // period for i in range(period)]


def keeps_pace(sim: Any, unit: SlidingWindowUnit, ring: int) -> bool:
    """Whether neither of two neighbours without a cycle to spare ever waits for the unit."""
    period = int(unit.cycles)
    source, entering, leaving, sink = (
        sim.Stream(FOREVER),
        sim.Stream(2),
        sim.Stream(2),
        sim.Stream(FOREVER),
    )
    before = [(False, passes) for passes in paced(int(unit.words_loaded), period)]
    behind = [(passes, False) for passes in paced(int(unit.words_written), period)]
    behind[-1] = (behind[-1][0], True)  # one word a frame
    actors = [
        sim.Loop(before, source, entering),
        sim.Window(unit, entering, leaving, ring),
        sim.Loop(behind, leaving, sink),
    ]
    ends = sim.run(actors, [source, entering, leaving, sink], 1, 7, 30 * period + 1000)
    return np.diff(ends)[-3:].tolist() == [period] * 3


GEOMETRIES = [
    (kernel, stride, padding)
    for kernel, stride in product((1, 2, 3, 4, 5), (1, 2, 3, 4))
    for padding in range(min(kernel, 3))
]


@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
def test_the_ring_keeps_the_pace(kernel: int, stride: int, padding: int, sim: Any) -> None:
    for height, width, words in product((kernel, 7, 10), (5, 6), (1, 3)):
        unit = SlidingWindowUnit("w", height, width, words, kernel, stride, padding, 1, 2)
        assert keeps_pace(sim, unit, unit.ring_rows)


@pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (2, 0), (3, 0), (3, 1), (5, 0), (5, 2)])
def test_no_smaller_ring_would_do(kernel: int, padding: int, sim: Any) -> None:
    unit = SlidingWindowUnit("w", 9, 12, 3, kernel, 1, padding, 1, 2)
    assert keeps_pace(sim, unit, unit.ring_rows)
    assert not keeps_pace(sim, unit, unit.ring_rows - 1)


def test_latency_of_single_units_by_hand() -> None:
    matrix = MatrixUnit("m", 8, 12, 5, 2, 3, 2, 2, False, 2, "bram", "lut")
    assert latency_cycles([matrix]) == matrix.cycles == 5 * 4 * 4
    window = SlidingWindowUnit("w", 6, 6, 4, 3, 1, 0, 2, 2)
    # the third word of the last row of the first window is loaded 2 * 6 + 2 pixels after the first
    # and written 8 pixels after the first
    assert window.fill_cycles == (2 * 6 + 2 - 8) * 2 + 1
    assert latency_cycles([window]) == window.cycles + window.fill_cycles
    pool = PoolUnit("p", 7, 6, 4, 2, 2, 2)
    assert latency_cycles([pool]) == 6 * 6 * 2  # its seventh row is read and dropped
    assert latency_cycles([WidthConverter("c", 6, 4, 2, 48)]) == 12
    depthwise = DepthwiseUnit("d", 8, 9, 5, 2, 1, 2, 2, False, 2, "bram", "lut")
    assert latency_cycles([depthwise]) == depthwise.cycles == 5 * 9 * 4
    mean = SumUnit("m", 49, 12, 3, 2, 8)
    assert latency_cycles([mean]) == mean.cycles == 49 * 4
    tiled = MatrixUnit("t", 8, 16, 3, 2, 2, 2, 2, False, 2, "bram", "lut", Tiling(4, 8, 4, 4))
    # two block row groups of 2 * 2 * 2 steps; the two parts of the last group leave afterwards
    assert tiled.cycles == 3 * 2 * 8
    assert latency_cycles([tiled]) == tiled.cycles + 2
