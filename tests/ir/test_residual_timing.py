"""Interval, latency and FIFO depths of residual networks against a cycle-by-cycle simulation (conftest.py)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical, effective
from dse.folding.fold import Folder
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import Board, Resources
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import Parallel, Stages, flat
from dse.ir.timing import interval_cycles, latency_cycles
from dse.ir.units import AddUnit, Fifo, ForkUnit, divisors
from dse.lowering.joints import PLAIN_DEPTH
from dse.lowering.main_units import layer_folds
from dse.lowering.pipeline import pipeline
from dse.networks import resnet8

BOARD = Board("big", "x", "7series", Resources(10**6, 10**6, 10**4, 10**4, 0), {}, 200.0, "made up")
LONGEST = 10**6  # words of a stream: all are followed
SLOWEST = 6000  # cycles of an interval that is simulated


class Layers:
    """Layers while they are listed."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape: tuple[int, ...] = shape
        self.last = "input"
        self.listed: list[Layer] = []

    def add(self, layer: Layer) -> None:
        self.listed.append(layer)
        self.last, self.shape = layer.name, layer.output_shape

    def conv(
        self, name: str, channels: int, kernel: int, stride: int = 1, *, signed: bool = False
    ) -> None:
        where = (name, (self.last,), self.shape, True, channels, kernel, stride, kernel // 2)
        self.add(Conv2d(*where, signed=signed))


def random_network(rng: np.random.Generator, *, sides: bool = False) -> Network:
    """Blocks of one to three layers, with and without projections, pools and depthwise layers.

    sides: the branches of most blocks are concatenated, not added.
    """
    size = int(rng.integers(5, 10))
    net = Layers((size, size, 3))
    net.conv("stem", int(rng.choice([4, 6, 8])), int(rng.choice([1, 3])))
    if rng.random() < 0.3:
        net.add(MaxPool2d("pool", ("stem",), net.shape, *((2,) if size % 2 else (3, 2, 1))))
    for b in range(int(rng.integers(1, 3))):
        source, shape = net.last, net.shape
        stride = int(rng.choice([1, 1, 2]))
        projected = stride == 2 or rng.random() < 0.3
        concat = sides and rng.random() < 0.7
        channels = int(rng.choice([4, 8, 12])) if projected else shape[-1]
        count = int(rng.integers(1, 4))
        for i in range(count):
            last = i == count - 1
            kernel = int(rng.choice([1, 3, 3, 5])) if net.shape[0] >= 3 else 1
            inner = channels if last else int(rng.choice([4, 8]))
            net.conv(
                f"b{b}_{i}", inner, kernel, stride if i == 0 else 1, signed=last and not concat
            )
            if not last and rng.random() < 0.15 and net.shape[0] >= 3:
                net.add(DepthwiseConv2d(f"d{b}_{i}", (net.last,), net.shape, True, 3, 1, 1))
        end, out = net.last, net.shape
        if projected:
            net.last, net.shape = source, shape
            beside = int(rng.choice([2, 4, 12])) if concat else channels
            net.conv(f"p{b}", beside, 1, stride, signed=not concat)
            source, shape = net.last, net.shape
        if concat:
            net.add(Concat(f"s{b}", (end, source), out, shape[-1]))
        else:
            net.add(Add(f"s{b}", (end, source), out, (True, projected)))
    if rng.random() < 0.5:
        net.add(GlobalAveragePool("mean", (net.last,), net.shape))
    net.add(Dense("fc", (net.last,), net.shape, False, 10))
    return Network("random", (size, size, 3), IntType(4, signed=False), tuple(net.listed))


def compressed(network: Network, rng: np.random.Generator) -> dict[str, Compression]:
    wanted = {}
    for layer in network.matrix_layers:
        c = Compression(2, 2)
        if rng.random() < 0.3:
            c = replace(c, scheme=str(rng.choice(["bcr", "filter"])), sparsity=0.5, block=(4, 4))
        wanted[layer.name] = c
    return canonical(network, wanted)


def random_design(network: Network, rng: np.random.Generator) -> DesignPoint:
    compressions = compressed(network, rng)
    built, structures = effective(network, compressions)
    layers = []
    for layer in built.layers:
        words = divisors(layer.word_channels)
        folding = Folding(int(rng.choice(words)))
        if isinstance(layer, MatrixLayer):
            folds = np.stack(layer_folds(layer, structures[layer.name]), axis=1)
            word = int(rng.choice(words)) if layer.windowed else 0
            folding = Folding(*rng.choice(folds).tolist(), word)
        layers.append((layer.name, LayerDesign(compressions.get(layer.name), folding)))
    return DesignPoint(tuple(layers))


def balanced(
    network: Network, compressions: dict[str, Compression], target: int, preference: float
) -> Stages:
    folder = Folder.build(network, compressions, BOARD, analytic.load("7series"), {})
    return pipeline(network, folder.solve(target, preference))


def deep(stages: Stages, depth: int) -> Stages:
    """Return stages all of whose FIFOs hold so many words."""
    parts: list[Any] = []
    for stage in stages:
        if isinstance(stage, Parallel):
            first, second = (deep(branch, depth) for branch in stage.branches)
            parts.append(replace(stage, branches=(first, second)))
        else:
            parts.append(replace(stage, depth=depth) if isinstance(stage, Fifo) else stage)
    return tuple(parts)


def check(sim: Any, stages: Stages, frames: int = 9) -> None:
    if interval_cycles(stages) > SLOWEST:
        return
    ends = sim.simulate(stages, frames)
    assert sim.steady(ends) == interval_cycles(stages)
    assert latency_cycles(stages, most=LONGEST) == ends[0]
    assert latency_cycles(stages) == pytest.approx(ends[0], rel=0.002)


@pytest.mark.parametrize("seed", range(40))
def test_random_designs(seed: int, sim: Any) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    check(sim, pipeline(network, random_design(network, rng)))


@pytest.mark.parametrize("seed", range(24))
def test_random_designs_of_branches_side_by_side(seed: int, sim: Any) -> None:
    rng = np.random.default_rng(2000 + seed)
    network = random_network(rng, sides=True)
    check(sim, pipeline(network, random_design(network, rng)))


@pytest.mark.parametrize("seed", range(24))
def test_balanced_designs_of_branches_side_by_side(seed: int, sim: Any) -> None:
    rng = np.random.default_rng(3000 + seed)
    network = random_network(rng, sides=True)
    target = int(rng.choice([100, 300, 1000, 2500]))
    check(sim, balanced(network, compressed(network, rng), target, float(rng.random())))


@pytest.mark.parametrize("seed", range(40))
def test_balanced_designs(seed: int, sim: Any) -> None:
    rng = np.random.default_rng(1000 + seed)
    network = random_network(rng)
    target = int(rng.choice([100, 300, 1000, 2500]))
    check(sim, balanced(network, compressed(network, rng), target, float(rng.random())))


def test_a_published_network(sim: Any) -> None:
    network = resnet8.build((16, 16, 3), IntType(8, signed=False), 10, width=0.25)
    wanted = {x.name: Compression(4, 4) for x in network.matrix_layers}
    check(sim, balanced(network, canonical(network, wanted), 3000, 0.5), frames=7)


def residual(branch: int = 3) -> tuple[Network, Stages]:
    """Return a network of one block with an identity shortcut, folded for 600 cycles."""
    net = Layers((8, 8, 4))
    net.conv("stem", 4, 1)
    for i in range(branch):
        net.conv(f"c{i}", 4, 3, signed=i == branch - 1)
    net.add(Add("sum", (net.last, "stem"), net.shape, (True, False)))
    net.add(Dense("fc", ("sum",), net.shape, False, 4))
    network = Network("net", (8, 8, 4), IntType(4, signed=False), tuple(net.listed))
    wanted = {x.name: Compression(2, 2) for x in network.matrix_layers}
    return network, balanced(network, canonical(network, wanted), 600, 0.5)


def shortened(stages: Stages, depth: int) -> Stages:
    """Return stages with another depth of the FIFO of the shortcut."""
    (block,) = (s for s in stages if isinstance(s, Parallel))
    long, short = block.branches
    last = short[-1]
    assert isinstance(last, Fifo)
    shorter = replace(block, branches=(long, (*short[:-1], replace(last, depth=depth))))
    return tuple(shorter if s is block else s for s in stages)


def test_a_shortcut_needs_its_fifo(sim: Any) -> None:
    _, stages = residual()
    interval = interval_cycles(stages)
    (block,) = (s for s in stages if isinstance(s, Parallel))
    long, short = block.branches
    assert isinstance(long[-1], Fifo)
    assert long[-1].depth == PLAIN_DEPTH  # what is late need not wait
    assert isinstance(short[-1], Fifo)
    depth = int(short[-1].depth)
    assert depth > 3 * 8 * (4 // block.join.pe)  # three windows of three rows: a row each, and more
    assert sim.steady(sim.simulate(stages, 9)) == interval
    # as tried: 119 words keep the pace, 115 lose it, and with 111 the layers in the branch never see enough
    assert sim.steady(sim.simulate(shortened(stages, 119), 9)) == interval
    assert np.diff(sim.simulate(shortened(stages, 115), 9))[-1] > 1.1 * interval
    with pytest.raises(AssertionError, match="deadlock"):
        sim.simulate(shortened(stages, PLAIN_DEPTH), 3)


@pytest.mark.parametrize("depth", [112, 113, 115, 119, 130])
def test_latency_depends_on_the_fifo_of_a_shortcut(depth: int, sim: Any) -> None:
    stages = shortened(residual()[1], depth)
    assert latency_cycles(stages, most=LONGEST) == sim.simulate(stages, 1)[0]


@pytest.mark.parametrize("depth", [PLAIN_DEPTH, 111])
def test_no_latency_where_a_word_waits_for_itself(depth: int, sim: Any) -> None:
    stages = shortened(residual()[1], depth)
    with pytest.raises(AssertionError, match="deadlock"):
        sim.simulate(stages, 1)
    with pytest.raises(ValueError, match="a word waits for itself"):
        latency_cycles(stages)


def test_latency_counts_waiting_for_room(sim: Any) -> None:
    """A fork whose one branch has no room holds up the other one."""
    rng = np.random.default_rng(1019)
    network = random_network(rng)
    target = int(rng.choice([100, 300, 1000, 2500]))
    stages = balanced(network, compressed(network, rng), target, float(rng.random()))
    free = deep(stages, 10**6)
    assert latency_cycles(free) == sim.simulate(free, 1)[0] == 1936
    assert latency_cycles(stages) == sim.simulate(stages, 1)[0] == 2144


@pytest.mark.parametrize("seed", range(4))
def test_few_words_of_long_streams_say_as_much(seed: int) -> None:
    """Of streams of up to 150,000 words."""
    rng = np.random.default_rng(seed)
    network = resnet8.build((32, 32, 3), IntType(8, signed=False), 10, width=0.5)
    wanted = canonical(network, {x.name: Compression(4, 4) for x in network.matrix_layers})
    target = int(rng.choice([5000, 20000, 100000]))
    for stages in (
        balanced(network, wanted, target, 0.5),
        pipeline(network, random_design(network, rng)),
    ):
        exact = latency_cycles(stages, most=LONGEST)
        assert latency_cycles(stages) == pytest.approx(exact, rel=0.002)


def test_stages_of_a_block_by_hand() -> None:
    network, stages = residual(branch=1)
    (block,) = (s for s in stages if isinstance(s, Parallel))
    assert (block.fork.layer, block.fork.cycles) == ("stem", 64 * 4 // block.fork.pe)
    assert block.join.signed == (True, False)
    assert [type(u) for u in flat((block,))][:1] == [ForkUnit]
    units = flat(stages)
    assert isinstance(units[-1], Fifo)
    assert [u.layer for u in units if isinstance(u, AddUnit)] == ["sum"]
    assert len(units) == len({id(u) for u in units})
    assert {u.layer for u in units} == {x.name for x in network.layers}


def test_latency_of_a_fork_and_a_join_by_hand() -> None:
    fork, join = ForkUnit("f", 5, 4, 2, 3), AddUnit("a", 5, 4, 2, 3, (False, False))
    fifo = Fifo("a", 2, 6)
    block = Parallel(fork, ((fifo,), (fifo,)), join)
    assert fork.cycles == join.cycles == interval_cycles((block,)) == 10
    assert latency_cycles((block,)) == 11  # one cycle behind the fork
