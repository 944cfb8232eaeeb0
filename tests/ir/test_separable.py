"""Depthwise convolutions and global pools: shapes, integers, pruning in front of them, units."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest
import torch

from cost_models import analytic
from dse.compression import canonical, effective
from dse.errors import UsageError
from dse.folding.estimate import stored_bits
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.units import DepthwiseUnit, MatrixUnit, SlidingWindowUnit, SumUnit
from dse.lowering.main_units import element_types, layer_folds
from dse.lowering.pipeline import pipeline

SHAPE = (7, 6, 3)


def network(element: IntType, stride: int = 1, padding: int = 1) -> Network:
    layers: list[Layer] = [Conv2d("conv", ("input",), SHAPE, True, 8, 1)]
    layers.append(DepthwiseConv2d("dw", ("conv",), (7, 6, 8), True, 3, stride, padding))
    layers.append(Conv2d("pw", ("dw",), layers[-1].output_shape, True, 12, 1))
    layers.append(GlobalAveragePool("mean", ("pw",), layers[-1].output_shape))
    layers.append(Dense("fc", ("mean",), (12,), False, 5))
    return Network("net", SHAPE, element, tuple(layers))


def integers(
    net: Network, weight_bits: int, output_bits: int, seed: int = 0
) -> dict[str, MatrixParameters]:
    rng = np.random.default_rng(seed)
    top = max(1, 2 ** (weight_bits - 1) - 1)
    result = {}
    for layer in net.matrix_layers:
        weights = rng.integers(-top, top + 1, (layer.mh, layer.mw))
        weights = np.where(weights == 0, 1, weights) if weight_bits == 1 else weights
        kept = np.ones_like(weights, dtype=bool)
        steps = 2**output_bits - 1
        spread = int(top * layer.mw**0.5) + 1
        thresholds = np.sort(rng.integers(-spread, spread + 1, (layer.mh, steps)), axis=1)
        last = not layer.activation
        result[layer.name] = MatrixParameters(
            weight_bits, weights, kept, None if last else output_bits, None if last else thresholds
        )
    return result


def by_torch(acc: Accelerator, images: np.ndarray) -> np.ndarray:
    """Compute the scores with torch in NCHW."""
    x = torch.from_numpy(images.astype(np.float64)).permute(0, 3, 1, 2)
    bipolar = acc.network.input_type.bipolar
    for layer in acc.network.layers:
        if isinstance(layer, GlobalAveragePool):
            x = torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1) * layer.pixels
            continue
        p = acc.parameters[layer.name]
        w = torch.from_numpy(p.weights.astype(np.float64))
        if isinstance(layer, Dense):
            return np.rint((x @ w.T).numpy()).astype(np.int64)
        assert isinstance(layer, Conv2d | DepthwiseConv2d)
        groups = x.shape[1] if isinstance(layer, DepthwiseConv2d) else 1
        k = layer.kernel
        x = torch.nn.functional.pad(x, [layer.padding] * 4, value=-1.0 if bipolar else 0.0)
        w = w.reshape(layer.mh, k, k, -1).permute(0, 3, 1, 2)
        dot = torch.nn.functional.conv2d(x, w, stride=layer.stride, groups=groups).movedim(1, -1)
        code = (dot[..., None] >= torch.from_numpy(p.thresholds)).sum(-1).to(torch.float64)
        bipolar = p.output_bits == 1
        x = (2 * code - 1 if bipolar else code).movedim(-1, 1)
    raise AssertionError


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1])
def test_depthwise_shapes_are_those_of_torch(kernel: int, stride: int, padding: int) -> None:
    layer = DepthwiseConv2d("d", ("input",), (9, 8, 6), True, kernel, stride, padding)
    module = torch.nn.Conv2d(6, 6, kernel, stride, padding, groups=6)
    _, c, h, w = module(torch.zeros(1, 6, 9, 8)).shape
    assert layer.output_shape == (h, w, c)
    assert layer.mh * layer.mw == module.weight.numel()
    assert layer.macs == h * w * module.weight.numel()


@pytest.mark.parametrize(
    ("element", "weight_bits", "output_bits"),
    [(IntType(4, signed=False), 4, 3), (BIPOLAR, 1, 1), (IntType(3, signed=True), 1, 2)],
)
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1)])
def test_scores_equal_torch(
    element: IntType, weight_bits: int, output_bits: int, stride: int, padding: int
) -> None:
    net = network(element, stride, padding)
    acc = Accelerator(net, integers(net, weight_bits, output_bits))
    rng = np.random.default_rng(1)
    images = rng.integers(element.min, element.max + 1, (9, *SHAPE))
    images = rng.choice([-1, 1], images.shape) if element.bipolar else images
    scores = acc.scores(images, batch=4)
    np.testing.assert_array_equal(scores, by_torch(acc, images))
    assert len(np.unique(scores, axis=0)) > 1
    again = Accelerator.from_arrays(net, acc.arrays())
    assert again.digest == acc.digest


@pytest.mark.parametrize(
    ("element", "shape", "expected"),
    [
        (IntType(4, signed=False), (7, 7, 2), IntType(10, signed=False)),  # 735
        (IntType(2, signed=False), (5, 1, 2), IntType(4, signed=False)),  # 15
        (BIPOLAR, (2, 4, 1), IntType(5, signed=True)),  # -8 .. 8
        (BIPOLAR, (1, 7, 1), IntType(4, signed=True)),  # -7 .. 7
        (IntType(3, signed=True), (2, 2, 1), IntType(5, signed=True)),  # -16 .. 12
        (BIPOLAR, (1, 1, 4), BIPOLAR),
    ],
)
def test_a_sum_has_the_bits_it_needs(
    element: IntType, shape: tuple[int, ...], expected: IntType
) -> None:
    layer = GlobalAveragePool("mean", ("input",), shape)
    found = layer.output_type(element)
    assert found == expected
    assert layer.output_shape == shape[-1:]
    ends = layer.pixels * element.min, layer.pixels * element.max
    assert found.min <= ends[0] <= ends[1] <= found.max


def test_types_follow_the_sum_in_pipeline_and_accelerator() -> None:
    net = network(IntType(4, signed=False))
    compressions = canonical(net, {m.name: Compression(3, 2) for m in net.matrix_layers})
    acc = Accelerator(net, integers(net, 3, 2))
    types = element_types(net, compressions)
    assert types["fc"] == IntType(7, signed=False)  # 3 * 42
    assert {n: acc.input_type(n) for n in types} == types


def test_filter_pruning_goes_through_a_depthwise_layer() -> None:
    net = network(IntType(4, signed=False))
    half = Compression(4, 4, "filter", 0.5)
    compressions = canonical(net, {m.name: half for m in net.matrix_layers})
    assert compressions["dw"] == Compression(4, 4)
    assert compressions["fc"] == Compression(4, None)
    built, structures = effective(net, compressions)
    assert [(s.mh, s.mw) for s in structures.values()] == [(4, 3), (4, 9), (6, 4), (5, 6)]
    assert [layer.input_shape[-1] for layer in built.layers] == [3, 4, 4, 6, 6]


@pytest.mark.parametrize("scheme", ["unstructured", "bcr", "filter"])
def test_a_depthwise_layer_is_never_pruned_itself(scheme: str) -> None:
    net = network(BIPOLAR)
    wanted = {m.name: Compression(1, 1) for m in net.matrix_layers}
    asked = wanted | {"dw": Compression(1, 1, scheme, 0.75, (4, 3))}
    assert canonical(net, asked) == canonical(net, wanted)


def design(net: Network, pe: int = 2) -> DesignPoint:
    compressions = canonical(net, {m.name: Compression(4, 4) for m in net.matrix_layers})
    foldings = {
        "conv": Folding(4, 3),
        "dw": Folding(pe, 1, 4),
        "pw": Folding(3, 4),
        "mean": Folding(6),
        "fc": Folding(5, 2),
    }
    return DesignPoint(tuple((n, LayerDesign(compressions.get(n), f)) for n, f in foldings.items()))


def test_units_and_their_cycles() -> None:
    net = network(IntType(4, signed=False), stride=2)
    units = pipeline(net, design(net))
    main = {u.layer: u for u in units if isinstance(u, MatrixUnit | DepthwiseUnit | SumUnit)}
    # FINN: channels * kernel * kernel / PE a pixel; a global pool takes a word every cycle
    assert main["dw"].cycles == 4 * 3 * 8 * 9 // 2
    assert main["mean"].cycles == 4 * 3 * 12 // 6
    assert main["pw"].cycles == 4 * 3 * (12 // 3) * (8 // 4)
    assert [u.layer for u in units if isinstance(u, SlidingWindowUnit)] == ["dw"]
    dw, mean = main["dw"], main["mean"]
    assert isinstance(dw, DepthwiseUnit)
    assert dw.in_width == dw.out_width == 2
    assert dw.acc_bits == 1 + int(np.ceil(np.log2(9 * 7 * 16 + 1)))
    assert stored_bits(dw) == 8 * 9 * 4
    assert isinstance(mean, SumUnit)
    assert mean.out_element_bits == 8  # 12 pixels of 15


def test_a_depthwise_layer_folds_over_channels_only() -> None:
    net = network(IntType(4, signed=False))
    layer = net["dw"]
    assert isinstance(layer, MatrixLayer)
    _, structures = effective(net, design(net).compressions)
    pes, simds = layer_folds(layer, structures["dw"])
    assert pes.tolist() == [1, 2, 4, 8]
    assert simds.tolist() == [1, 1, 1, 1]
    with pytest.raises(UsageError, match=r"layer dw: PE 3 x SIMD 1 is not legal .* PE may be 1, 2"):
        pipeline(net, design(net, pe=3))


def test_a_depthwise_unit_costs_what_its_parts_do() -> None:
    """The terms of FINN's VVAU: those of a matrix unit of one column, and a memory of sums."""
    unit = DepthwiseUnit("d", 64, 9, 10, 4, 1, 4, 4, False, 4, "bram", "lut")
    kind, terms = analytic.decompose(unit)
    assert kind == "depthwise"
    assert terms.lut["multiply"] == 4 * (2 * 2 - 1) * 8
    assert terms.lut["compare"] == 4 * 15 * int(unit.acc_bits)
    assert terms.lut["accumulators"] == 4 * int(unit.acc_bits)  # 16 words in LUT RAM of 32
    assert terms.bram18 == 1  # 144 words of 16 bits
    assert set(analytic.load("7series").kinds["depthwise"]["lut"]["factors"]) == set(terms.lut)
    whole = analytic.decompose(replace(unit, pe=64))[1]
    assert whole.lut["accumulators"] == 0  # one word of sums is a register
    assert prod((4, 9, 64)) == unit.depth * unit.pe * unit.weight_bits
