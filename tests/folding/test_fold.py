"""The solver against brute force over every legal design of small networks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical, effective
from dse.config.values import Knobs
from dse.errors import UsageError
from dse.folding.estimate import price
from dse.folding.fold import Folder, cost_weights
from dse.folding.fold_front import fold_front
from dse.folding.options import STREAM_BITS
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.stages import flat
from dse.ir.timing import interval_cycles
from dse.ir.units import MatrixUnit, Unit, WidthConverter, divisors
from dse.lowering.main_units import element_types, layer_folds
from dse.lowering.pipeline import pipeline
from dse.search.pareto import non_dominated

BOARD = Board("toy", "toy", "7series", Resources(5000, 10000, 60, 40, 0), {}, 200.0, "made up")
MODEL = analytic.load("7series")
U8 = IntType(8, signed=False)


def chain(shape: tuple[int, ...], element: IntType, *parts: tuple[object, ...]) -> Network:
    layers: list[Layer] = []
    previous, first = "input", shape
    for i, (kind, *sizes) in enumerate(parts):
        name, last = f"l{i}", i == len(parts) - 1
        if kind == "conv":
            layers.append(Conv2d(name, (previous,), shape, not last, *sizes))
        elif kind == "depthwise":
            layers.append(DepthwiseConv2d(name, (previous,), shape, True, *sizes))
        elif kind == "mean":
            layers.append(GlobalAveragePool(name, (previous,), shape))
        elif kind == "pool":
            layers.append(MaxPool2d(name, (previous,), shape, *sizes))
        else:
            layers.append(Dense(name, (previous,), shape, not last, *sizes))
        previous, shape = name, layers[-1].output_shape
    return Network("toy", first, element, tuple(layers))


def residual(size: int, *parts: tuple[str, int, int, str]) -> Network:
    """Return a network of 1x1 convolutions and sums, of two channels, and a dense layer behind a mean.

    A part is "conv a", its stride, whether it is signed, what it reads; or "add", which sums two.
    """
    layers: dict[str, Layer] = {}
    shape: tuple[int, ...] = (size, size, 1)
    for kind, stride, signed, read in parts:
        inputs = tuple(read.split())
        before = layers[inputs[0]].output_shape if inputs[0] in layers else shape
        if kind.startswith("add"):
            signs = [isinstance(x := layers[n], Conv2d) and x.signed for n in inputs]
            layers[kind] = Add(kind, inputs, before, (signs[0], signs[1]))
        else:
            layers[kind] = Conv2d(kind, inputs, before, True, 2, 1, stride, signed=bool(signed))
    last = layers[kind]
    layers["mean"] = GlobalAveragePool("mean", (last.name,), last.output_shape)
    layers["out"] = Dense("out", ("mean",), (2,), False, 2)
    return Network("toy", shape, U8, tuple(layers.values()))


def compress(network: Network, *choices: tuple[object, ...]) -> dict[str, Compression]:
    wanted = {}
    for layer, choice in zip(network.matrix_layers, choices, strict=True):
        bits, *rest = choice
        wanted[layer.name] = Compression(bits, 2 if layer.activation else None, *rest)
    return canonical(network, wanted)


CONV = chain((5, 5, 2), U8, ("conv", 4, 3, 1, 1), ("pool", 2), ("dense", 3))
TWO_CONVS = chain((4, 4, 1), U8, ("conv", 2, 3), ("conv", 3, 2))
POOLED = chain((4, 4, 1), U8, ("conv", 4, 1), ("pool", 2), ("conv", 4, 1), ("dense", 2))
SEPARABLE = chain((4, 4, 2), U8, ("depthwise", 3, 1, 1), ("conv", 4, 1), ("mean",), ("dense", 2))
DENSE = chain((12,), BIPOLAR, ("dense", 4), ("dense", 6), ("dense", 2))
TILED = chain((16,), U8, ("dense", 8), ("dense", 4))
IDENTITY = residual(
    3, ("c", 1, 0, "input"), ("a", 1, 0, "c"), ("b", 1, 1, "a"), ("add", 1, 0, "b c")
)
PROJECTED = residual(
    4, ("c", 1, 0, "input"), ("a", 2, 1, "c"), ("p", 2, 1, "c"), ("add", 1, 0, "a p")
)
TWO_BLOCKS = residual(
    3,
    *(("c", 1, 0, "input"), ("a", 1, 1, "c"), ("add1", 1, 0, "a c")),
    *(("b", 1, 1, "add1"), ("add2", 1, 0, "add1 b")),
)
NESTED = residual(
    2,
    *(("c", 1, 0, "input"), ("a", 1, 0, "c"), ("b", 1, 1, "a"), ("add1", 1, 0, "b a")),
    *(("d", 1, 1, "add1"), ("add2", 1, 0, "d c")),
)
CASES = {
    "identity shortcut": (IDENTITY, compress(IDENTITY, *[(2,)] * 4), ("lutram",), ("lut",)),
    "projection": (PROJECTED, compress(PROJECTED, *[(3,)] * 4), ("lutram",), ("lut",)),
    "two blocks": (TWO_BLOCKS, compress(TWO_BLOCKS, *[(2,)] * 4), ("bram",), ("lut",)),
    "nested blocks": (NESTED, compress(NESTED, *[(2,)] * 5), ("lutram",), ("lut",)),
    "conv and pool": (CONV, compress(CONV, (2,), (4,)), ("bram",), ("lut",)),
    "two convs": (TWO_CONVS, compress(TWO_CONVS, (2,), (4,)), ("bram", "lutram"), ("lut",)),
    "conv behind a pool": (POOLED, compress(POOLED, (2,), (2,), (2,)), ("lutram",), ("lut",)),
    "separable": (
        SEPARABLE,
        compress(SEPARABLE, (4,), (2, "filter", 0.5), (2,)),
        ("bram", "lutram"),
        ("lut",),
    ),
    "binary": (DENSE, compress(DENSE, (1,), (1,), (2,)), ("lutram",), ("lut", "dsp")),
    "tiled": (
        TILED,
        compress(TILED, (2, "bcr", 0.5, (4, 8)), (2,)),
        ("lutram",),
        ("lut", "dsp"),
    ),
    "rows pruned": (
        TILED,
        compress(TILED, (2, "bcr", 0.875, (4, 8)), (1,)),
        ("bram", "lutram"),
        ("lut", "dsp"),
    ),
    "filters pruned": (
        CONV,
        compress(CONV, (2, "filter", 0.5), (4,)),
        ("bram", "lutram"),
        ("lut",),
    ),
}


def all_designs(
    network: Network,
    compressions: dict[str, Compression],
    memories: tuple[str, ...],
    computes: tuple[str, ...],
) -> Iterator[DesignPoint]:
    """Yield the full product of all legal foldings."""
    built, structures = effective(network, compressions)
    types = element_types(network, compressions)
    choices = []
    for layer in built.layers:
        channels = layer.input_shape[-1]
        if isinstance(layer, MatrixLayer):
            s = structures[layer.name]
            binary = min(s.stored_weight_bits, types[layer.name].bits) == 1
            words = [int(d) for d in divisors(channels)] if layer.windowed else [0]
            pairs = np.stack(layer_folds(layer, s), axis=1).tolist()
            parts = product(pairs, words, memories, ("lut",) if binary else computes)
            folds = [Folding(*pair, word, *style) for pair, word, *style in parts]
        else:
            folds = [Folding(int(pe)) for pe in divisors(channels)]
        choices.append([LayerDesign(compressions.get(layer.name), f) for f in folds])
    names = [layer.name for layer in built.layers]
    for picked in product(*choices):
        yield DesignPoint(tuple(zip(names, picked, strict=True)))


@cache
def resources_of(unit: Unit) -> np.ndarray:
    return price([unit], MODEL)[0, 0]


def facts(network: Network, design: DesignPoint) -> tuple[np.ndarray, dict[str, int], int]:
    """Return what a design takes, the cycles of every layer, and those between frames."""
    units = flat(pipeline(network, design))
    cycles: dict[str, int] = {}
    for unit in units:
        if isinstance(unit, WidthConverter):  # never the slowest, but for the one behind the last
            continue
        cycles[unit.layer] = max(cycles.get(unit.layer, 0), int(unit.cycles))
    return sum(resources_of(unit) for unit in units), cycles, interval_cycles(units)


@cache
def enumerated(case: str) -> tuple[list[DesignPoint], np.ndarray, np.ndarray, np.ndarray]:
    """Return all designs of a case, `(n, 5)` resources, `(n, layers)` cycles, `(n,)` intervals."""
    network, compressions, memories, computes = CASES[case]
    designs = list(all_designs(network, compressions, memories, computes))
    resources, cycles, intervals = zip(*(facts(network, d) for d in designs), strict=True)
    table = [[c[layer.name] for layer in network.layers] for c in cycles]
    return designs, np.stack(resources), np.array(table), np.array(intervals)


def folder(network: Network, compressions: dict[str, Compression], **pins: object) -> Folder:
    return Folder.build(
        network, compressions, BOARD, MODEL, {x.name: Knobs(**pins) for x in network.layers}
    )


@pytest.mark.parametrize("case", CASES)
def test_the_cheapest_folding_is_found(case: str) -> None:
    network, compressions, memories, computes = CASES[case]
    _, resources, cycles, intervals = enumerated(case)
    solver = folder(network, compressions, memory=memories, compute=computes)
    fastest, slowest = solver.targets()
    assert (fastest, slowest) == (intervals.min(), intervals.max())
    # a target below what a layer can do asks that layer for its best, no more
    for target in np.unique(np.geomspace(fastest / 3, slowest, 12).round()):
        limits = np.maximum(target, cycles.min(axis=0))
        meets = (cycles <= limits).all(axis=1)
        for preference in (0.0, 0.3, 1.0):
            design = solver.solve(float(target), preference)
            found, own, _ = facts(network, design)
            weights = cost_weights(BOARD.resources, preference)
            assert all(own[x.name] <= y for x, y in zip(network.layers, limits, strict=True))
            assert weights @ found == pytest.approx((resources[meets] @ weights).min(), rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_front_is_that_of_all_designs(case: str) -> None:
    network, compressions, memories, computes = CASES[case]
    _, resources, _, intervals = enumerated(case)
    front = fold_front(
        folder(network, compressions, memory=memories, compute=computes), BOARD.resources
    )
    assert front.exact
    traded = [RESOURCES.index(r) for r in ("lut", "bram18", "dsp")]
    fits = (resources <= [getattr(BOARD.resources, r) for r in RESOURCES]).all(axis=1)
    truth = np.column_stack([intervals, resources[:, traded]])[fits].round(6)
    truth = np.unique(truth[non_dominated(truth)], axis=0)
    found = np.column_stack([front.cycles, front.resources[:, traded]]).round(6)
    np.testing.assert_allclose(np.unique(found, axis=0), truth, rtol=1e-9, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_free_foldings_are_those_chosen_and_the_rest_keeps_pace(case: str) -> None:
    network, compressions, memories, computes = CASES[case]
    designs, resources, cycles, _ = enumerated(case)
    solver = folder(network, compressions, memory=memories, compute=computes)
    rng = np.random.default_rng(7)
    weights = cost_weights(BOARD.resources, 0.5)
    for _ in range(4):
        choices = {x.name: tuple(rng.random(2)) for x in network.matrix_layers}
        free = solver.free(choices, 0.5)
        folds = {n: (free[n].folding.pe, free[n].folding.simd) for n in choices}
        pins = solver.picked(choices)
        assert {n: (k.pe, k.simd) for n, k in pins.items()} == {
            n: ((pe,), (simd,)) for n, (pe, simd) in folds.items()
        }
        same = np.array(
            [
                all((d[n].folding.pe, d[n].folding.simd) == fold for n, fold in folds.items())
                for d in designs
            ]
        )
        units = flat(pipeline(network, free))
        matrix = {u.layer: int(u.cycles) for u in units if isinstance(u, MatrixUnit)}
        pace = [matrix.get(x.name, max(matrix.values())) for x in network.layers]
        keeps = same & (cycles <= np.maximum(pace, cycles[same].min(axis=0))).all(axis=1)
        cheapest = (resources[keeps] @ weights).min()
        assert weights @ facts(network, free)[0] == pytest.approx(cheapest, rel=1e-9)


def test_the_ends_of_a_free_choice_are_the_smallest_and_the_largest_fold() -> None:
    network, compressions, _, _ = CASES["conv and pool"]
    solver = folder(network, compressions)
    names = [x.name for x in network.matrix_layers]
    small = solver.free(dict.fromkeys(names, (0.0, 0.0)), 0.5)
    large = solver.free(dict.fromkeys(names, (1.0, 1.0)), 0.5)
    assert [(small[n].folding.pe, small[n].folding.simd) for n in names] == [(1, 1), (1, 1)]
    assert [(large[n].folding.pe, large[n].folding.simd) for n in names] == [(4, 18), (3, 16)]


def test_converters_never_set_the_pace() -> None:
    network, compressions, memories, computes = CASES["conv and pool"]
    for i, design in enumerate(all_designs(network, compressions, memories, computes)):
        if i % 97 == 0:
            units = flat(pipeline(network, design))
            others = [int(u.cycles) for u in units if not isinstance(u, WidthConverter)]
            assert interval_cycles(units) <= max(*others, network.classes)


def test_pins_restrict_and_illegal_values_are_dropped() -> None:
    network, compressions, _, _ = CASES["binary"]
    design = folder(network, compressions, pe=(2, 3, 5), memory=("bram",), compute=("dsp",)).solve(
        1.0, 0.5
    )
    assert [d.folding.pe for _, d in design.layers] == [2, 3, 2]
    assert {d.folding.memory for _, d in design.layers} == {"bram"}
    # a binary layer has no multipliers that could be DSPs
    assert [d.folding.compute for _, d in design.layers] == ["lut", "lut", "dsp"]


@pytest.mark.parametrize(
    ("pins", "sentence"),
    [
        ({"pe": (5, 7)}, "layer l0: pe must be one of 1, 2, 4, got only 5, 7"),
        ({"simd": (5,)}, "layer l0: simd must be one of 1, 2, 3, 4, 6, 12, got only 5"),
        ({"memory": ("uram",)}, "layer l0: memory must be one of bram, lutram, got only uram"),
    ],
)
def test_a_pin_without_legal_value_is_an_error(pins: dict[str, object], sentence: str) -> None:
    network, compressions, _, _ = CASES["binary"]
    with pytest.raises(UsageError, match=sentence):
        folder(network, compressions, **pins)


def test_a_layer_too_wide_for_any_folding_is_an_error() -> None:
    # 2028 x 2028 inputs need SIMD >= 4017, and words of 4056 * 8 bits
    network = chain((2028 * 2028,), U8, ("dense", 2))
    compressions = compress(network, (2,))
    with pytest.raises(UsageError, match=r"layer l0: .* 8,192 bits .* 4,112,784 inputs .* 32,448"):
        folder(network, compressions)


def test_a_pool_pinned_to_words_that_are_too_wide_is_an_error() -> None:
    network = chain((2, 2, 2048), U8, ("pool", 2), ("dense", 2))
    with pytest.raises(UsageError, match=r"layer l0: pe must be one of 1, .*, 1024, got only 2048"):
        folder(network, compress(network, (2,)), pe=(2048,))


def test_ultra_ram_is_not_offered() -> None:
    network, compressions, _, _ = CASES["two convs"]
    board = Board("u", "u", "ultrascale+", Resources(5000, 10000, 60, 40, 9), {}, 200.0, "made up")
    folder = Folder.build(network, compressions, board, analytic.load("ultrascale+"), {})
    assert {m for o in folder.options for m, _ in o.styles} == {"bram", "lutram"}


def test_preference_moves_weights_between_memories() -> None:
    network = chain((64,), U8, ("dense", 64), ("dense", 10))
    compressions = compress(network, (4,), (4,))
    saves_lut = folder(network, compressions).solve(512, 0.0)
    saves_bram = folder(network, compressions).solve(512, 1.0)
    assert {d.folding.memory for _, d in saves_lut.layers} == {"bram"}
    assert {d.folding.memory for _, d in saves_bram.layers} == {"lutram"}


def test_stream_words_stay_buildable() -> None:
    network = chain((2048,), U8, ("dense", 64), ("dense", 10))
    design = folder(network, compress(network, (2,), (2,))).solve(1.0, 0.5)
    assert design["l0"].folding.simd * 8 == STREAM_BITS


def test_equal_questions_have_equal_answers() -> None:
    network, compressions, _, _ = CASES["conv and pool"]
    answers = {folder(network, compressions).solve(200.0, 0.5).digest for _ in range(3)}
    assert len(answers) == 1
