"""The integer reference against torch and against plain loops."""

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dse.ir.accelerator import Accelerator, MatrixParameters, count_thresholds, max_pool, windows
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType

Ints = npt.NDArray[np.int64]


def network(input_type: IntType, stride: int = 1, padding: int = 1) -> Network:
    conv = Conv2d(
        "conv",
        ("input",),
        (7, 6, 3),
        True,
        out_channels=5,
        kernel=3,
        stride=stride,
        padding=padding,
    )
    pool = MaxPool2d("pool", ("conv",), conv.output_shape, kernel=2)
    hidden = Dense("fc", ("pool",), pool.output_shape, True, out_features=8)
    last = Dense("out", ("fc",), hidden.output_shape, False, out_features=4)
    return Network("net", (7, 6, 3), input_type, (conv, pool, hidden, last))


def parameters(
    net: Network, weight_bits: int, output_bits: int, seed: int
) -> dict[str, MatrixParameters]:
    """Draw weights, and thresholds that divide the sums of random images evenly."""
    rng = np.random.default_rng(seed)
    images = draw(net, 20, seed)
    top = 2 ** (weight_bits - 1) - 1
    result: dict[str, MatrixParameters] = {}
    for i, layer in enumerate(net.layers):
        if not isinstance(layer, MatrixLayer):
            continue
        shape = (layer.mh, layer.mw)
        kept = rng.random(shape) < 0.7
        signs = rng.choice([-1, 1], shape)
        weights = (signs if weight_bits == 1 else rng.integers(-top, top + 1, shape)) * kept
        p = MatrixParameters(weight_bits, weights, kept, None, None)
        if layer.activation:
            front = replace(net, layers=net.layers[: i + 1])
            sums = Accelerator(front, {**result, layer.name: p}).scores(images)
            shares = np.arange(1, 2**output_bits) / 2**output_bits
            thresholds = np.quantile(sums.reshape(-1, layer.mh), shares, axis=0).T.round()
            p = replace(p, output_bits=output_bits, thresholds=thresholds.astype(np.int64))
        result[layer.name] = p
    return result


def draw(net: Network, count: int, seed: int) -> Ints:
    rng = np.random.default_rng(seed)
    shape = (count, *net.input_shape)
    if net.input_type.bipolar:
        return rng.choice([-1, 1], shape)
    return rng.integers(net.input_type.min, net.input_type.max + 1, shape)


def by_torch(acc: Accelerator, images: Ints) -> Ints:
    """Compute the scores with torch in NCHW."""
    x = torch.from_numpy(images.astype(np.float64)).permute(0, 3, 1, 2)
    bipolar = acc.network.input_type.bipolar
    for layer in acc.network.layers:
        if isinstance(layer, MaxPool2d):
            x = torch.nn.functional.max_pool2d(x, layer.kernel)
            continue
        p = acc.parameters[layer.name]
        w = torch.from_numpy(p.weights.astype(np.float64))
        if isinstance(layer, Conv2d):
            k, c = layer.kernel, layer.input_shape[-1]
            w = w.reshape(-1, k, k, c).permute(0, 3, 1, 2)
            pad = torch.nn.functional.pad(x, [layer.padding] * 4, value=-1.0 if bipolar else 0.0)
            dot = torch.nn.functional.conv2d(pad, w, stride=layer.stride).movedim(1, -1)
        else:
            flat = x.permute(0, 2, 3, 1).flatten(1) if x.dim() == 4 else x
            dot = flat @ w.T
        if p.thresholds is None:
            scores: Ints = dot.numpy().astype(np.int64)
            return scores
        code = (dot[..., None] >= torch.from_numpy(p.thresholds)).sum(-1).to(torch.float64)
        bipolar = p.output_bits == 1
        x = 2 * code - 1 if bipolar else code
        x = x.movedim(-1, 1)
    raise AssertionError


@pytest.mark.parametrize(
    ("input_type", "weight_bits", "output_bits"),
    [
        (IntType(8, signed=False), 8, 8),
        (IntType(4, signed=False), 4, 2),
        (IntType(3, signed=True), 2, 3),
        (BIPOLAR, 1, 1),
        (IntType(8, signed=False), 1, 1),
        (IntType(2, signed=False), 3, 1),
    ],
)
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1)])
def test_scores_equal_torch(
    input_type: IntType, weight_bits: int, output_bits: int, stride: int, padding: int
) -> None:
    net = network(input_type, stride, padding)
    acc = Accelerator(net, parameters(net, weight_bits, output_bits, seed=padding))
    images = draw(net, 11, seed=9)
    scores = acc.scores(images, batch=4)
    assert scores.dtype == np.int64
    assert np.array_equal(scores, by_torch(acc, images))
    assert len(np.unique(scores, axis=0)) > 1


def test_accuracy_takes_the_first_of_equal_scores() -> None:
    layer = Dense("out", ("input",), (2,), False, out_features=3)
    net = Network("net", (2,), IntType(2, signed=False), (layer,))
    weights = np.array([[0, 1], [1, 0], [1, 0]])
    acc = Accelerator(
        net, {"out": MatrixParameters(2, weights, np.ones((3, 2), dtype=bool), None, None)}
    )
    images = np.array([[1, 0], [0, 1], [0, 0], [1, 0]])
    assert acc.accuracy(images, np.array([1, 0, 0, 2])) == 0.75


def test_windows_are_in_stream_order() -> None:
    layer = Conv2d("c", ("input",), (3, 4, 2), True, out_channels=1, kernel=2, stride=1, padding=1)
    x = np.arange(24.0).reshape(1, 3, 4, 2)
    found = windows(x, layer, pad=-1.0)
    assert found.shape == (1, *layer.output_shape[:2], layer.mw)
    for oy, ox in itertools.product(*(range(n) for n in layer.output_shape[:2])):
        expected = [
            x[0, y, z, c] if 0 <= y < 3 and 0 <= z < 4 else -1.0
            for y in (oy - 1, oy)
            for z in (ox - 1, ox)
            for c in range(2)
        ]
        assert found[0, oy, ox].tolist() == expected


def test_max_pool_drops_partial_windows() -> None:
    x = np.arange(15.0).reshape(1, 3, 5, 1)
    layer = MaxPool2d("p", ("input",), (3, 5, 1), 2)
    assert layer.output_shape == (1, 2, 1)
    assert max_pool(x, layer, pad=0.0).ravel().tolist() == [6.0, 8.0]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 2, 1), (3, 1, 1), (2, 3, 0), (3, 2, 0)]
)
def test_max_pool_of_windows_that_overlap(kernel: int, stride: int, padding: int) -> None:
    layer = MaxPool2d("p", ("input",), (7, 8, 2), kernel, stride, padding)
    assert layer.windowed
    x = np.random.default_rng(0).integers(0, 16, (2, 7, 8, 2)).astype(np.float64)
    found = max_pool(x, layer, pad=0.0)
    assert found.shape[1:] == layer.output_shape
    for n, oy, ox, c in np.ndindex(*found.shape):
        rows = [
            y for y in range(oy * stride - padding, oy * stride - padding + kernel) if 0 <= y < 7
        ]
        cols = [
            z for z in range(ox * stride - padding, ox * stride - padding + kernel) if 0 <= z < 8
        ]
        assert found[n, oy, ox, c] == max(x[n, y, z, c] for y in rows for z in cols)


def test_a_threshold_counts_when_it_is_reached() -> None:
    dot = np.array([[-1.0, 3.0], [0.0, 2.0], [5.0, 1.0]])
    thresholds = np.array([[0, 0, 5], [1, 2, 3]])
    assert count_thresholds(dot, thresholds).tolist() == [[0, 3], [2, 2], [3, 1]]


def test_element_types_follow_the_activations_through_pooling() -> None:
    net = network(IntType(8, signed=False))
    acc = Accelerator(net, parameters(net, 4, 1, 0))
    assert [acc.input_type(n) for n in ("conv", "pool", "fc", "out")] == [
        IntType(8, signed=False),
        BIPOLAR,
        BIPOLAR,
        BIPOLAR,
    ]


def test_arrays_rebuild_the_accelerator() -> None:
    net = network(IntType(8, signed=False))
    acc = Accelerator(net, parameters(net, 8, 4, 2))
    again = Accelerator.from_arrays(net, acc.arrays())
    assert again.digest == acc.digest
    assert again.parameters["out"].output_bits is None
    images = draw(net, 3, seed=0)
    assert np.array_equal(again.scores(images), acc.scores(images))


@pytest.mark.parametrize("field", ["weights", "kept", "thresholds", "weight_bits"])
def test_the_digest_sees_every_parameter(field: str) -> None:
    net = network(IntType(8, signed=False))
    old = parameters(net, 4, 2, 0)
    value = getattr(old["fc"], field)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value[0, 0] = not value[0, 0] if value.dtype == np.bool_ else value[0, 0] - 1
    else:
        value += 1
    new = {**old, "fc": replace(old["fc"], **{field: value})}
    assert Accelerator(net, new).digest != Accelerator(net, old).digest
