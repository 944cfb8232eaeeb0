"""Networks: shapes, what filter pruning leaves, digests, and the number types."""

from dataclasses import replace

import pytest
import torch

from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType, activation_type, weight_type

NETWORK = Network(
    "net",
    (9, 8, 3),
    IntType(8, signed=False),
    (
        Conv2d("a", ("input",), (9, 8, 3), True, out_channels=16, kernel=3, padding=1),
        MaxPool2d("pool", ("a",), (9, 8, 16), kernel=2),
        Conv2d("b", ("pool",), (4, 4, 16), True, out_channels=8, kernel=3),
        Dense("c", ("b",), (2, 2, 8), True, out_features=12),
        Dense("d", ("c",), (12,), False, out_features=10),
    ),
)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_convolution_shapes_are_those_of_torch(kernel: int, stride: int, padding: int) -> None:
    layer = Conv2d("c", ("input",), (9, 8, 3), True, 5, kernel, stride, padding)
    module = torch.nn.Conv2d(3, 5, kernel, stride, padding)
    _, c, h, w = module(torch.zeros(1, 3, 9, 8)).shape
    assert layer.output_shape == (h, w, c)
    assert (layer.mh, layer.mw, layer.vectors) == (5, module.weight[0].numel(), h * w)
    assert layer.macs == h * w * module.weight.numel()


def test_sizes_of_a_network() -> None:
    assert [layer.name for layer in NETWORK.matrix_layers] == ["a", "b", "c", "d"]
    assert NETWORK.classes == 10
    assert NETWORK.weights == 16 * 27 + 8 * 144 + 12 * 32 + 10 * 12
    assert NETWORK["c"].input_shape == (2, 2, 8)
    assert not NETWORK["pool"].is_matrix


def test_narrowing_reaches_the_layers_behind() -> None:
    narrow = NETWORK.narrowed({"a": 8, "b": 4, "c": 6})
    assert [layer.input_shape for layer in narrow.layers] == [
        (9, 8, 3),
        (9, 8, 8),
        (4, 4, 8),
        (2, 2, 4),
        (6,),
    ]
    assert [(m.mh, m.mw) for m in narrow.matrix_layers] == [(8, 27), (4, 72), (6, 16), (10, 6)]
    assert narrow.layers[1].output_shape == (4, 4, 8)
    for layer, source in zip(narrow.layers[1:], narrow.layers, strict=False):
        assert layer.input_shape == source.output_shape


def test_narrowing_to_the_same_channels_changes_nothing() -> None:
    assert NETWORK.narrowed({}) == NETWORK
    assert NETWORK.narrowed({"a": 16, "d": 10}).digest == NETWORK.digest


def test_the_digest_sees_structure() -> None:
    a, pool, *rest = NETWORK.layers
    assert isinstance(a, Conv2d)
    changed = [
        replace(NETWORK, input_type=BIPOLAR),
        replace(NETWORK, layers=(replace(a, stride=2), pool, *rest)),
        replace(NETWORK, layers=(replace(a, name="x"), replace(pool, inputs=("x",)), *rest)),
        NETWORK.narrowed({"b": 4}),
    ]
    digests = {n.digest for n in (NETWORK, *changed)}
    assert len(digests) == 1 + len(changed)


@pytest.mark.parametrize(
    ("kind", "low", "high", "cpp"),
    [
        (BIPOLAR, -1, 1, "ap_uint<1>"),
        (IntType(1, signed=False), 0, 1, "ap_uint<1>"),
        (IntType(4, signed=False), 0, 15, "ap_uint<4>"),
        (IntType(4, signed=True), -8, 7, "ap_int<4>"),
    ],
)
def test_ranges_of_types(kind: IntType, low: int, high: int, cpp: str) -> None:
    assert (kind.min, kind.max, kind.cpp) == (low, high, cpp)


def test_types_of_weights_and_activations() -> None:
    assert weight_type(1) is BIPOLAR
    assert activation_type(1) is BIPOLAR
    assert weight_type(3) == IntType(3, signed=True)
    assert activation_type(3) == IntType(3, signed=False)
    assert [t.min_code_value for t in (BIPOLAR, activation_type(2), weight_type(4))] == [-1, 0, 0]
