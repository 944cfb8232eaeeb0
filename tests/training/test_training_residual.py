"""Residual networks: the integer network computes what the torch module computes, and it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dse.compression import canonical
from dse.config.values import DataConfig
from dse.data import digits
from dse.data._dataset import Dataset
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression
from dse.ir.graph import shared_codes
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.networks import resnet8
from dse.training import BaseWeights, finetune, pretrain
from dse.training.finetuning import quantised
from dse.training.quantised_network import QuantisedNetwork
from dse.training.thresholds import accelerator
from dse.training.torch_ops import as_input


@pytest.fixture(scope="module")
def residual(data: Dataset) -> tuple[Network, BaseWeights]:
    built = resnet8.build(data.input_shape, data.input_type, data.classes, width=0.5)
    return built, pretrain(built, data, epochs=3, seed=1)


@pytest.fixture(scope="module")
def pooled(data: Dataset) -> tuple[Network, BaseWeights]:
    """A pool between a sum and its inputs, whose windows overlap, and a sum read twice."""
    shape, half = (8, 8, 8), (4, 4, 8)
    built = Network(
        "pooled",
        data.input_shape,
        data.input_type,
        (
            Conv2d("stem", ("input",), data.input_shape, True, 8, 3, 1, 1),
            MaxPool2d("pool", ("stem",), shape, 3, 2, 1),
            Conv2d("a1", ("pool",), half, True, 8, 3, 1, 1),
            Conv2d("a2", ("a1",), half, True, 8, 3, 1, 1, signed=True),
            Add("a", ("a2", "pool"), half, (True, False)),
            Conv2d("b1", ("a",), half, True, 8, 1, signed=True),
            Add("b", ("a", "b1"), half, (False, True)),
            GlobalAveragePool("mean", ("b",), half),
            Dense("fc", ("mean",), (8,), False, data.classes),
        ),
    )
    return built, pretrain(built, data, epochs=3, seed=1)


@pytest.fixture(scope="module")
def concatenated(data: Dataset) -> tuple[Network, BaseWeights]:
    """Two kernels side by side, and a layer beside what it reads."""
    shape = (8, 8, 8)
    built = Network(
        "concatenated",
        data.input_shape,
        data.input_type,
        (
            Conv2d("stem", ("input",), data.input_shape, True, 8, 3, 1, 1),
            Conv2d("one", ("stem",), shape, True, 4, 1),
            Conv2d("three", ("stem",), shape, True, 6, 3, 1, 1),
            Concat("fire", ("one", "three"), (8, 8, 4), 6),
            MaxPool2d("pool", ("fire",), (8, 8, 10), 2),
            Conv2d("grown", ("pool",), (4, 4, 10), True, 4, 3, 1, 1),
            Concat("dense", ("pool", "grown"), (4, 4, 10), 4),
            Dense("fc", ("dense",), (4, 4, 14), False, data.classes),
        ),
    )
    return built, pretrain(built, data, epochs=3, seed=1)


def compressed(network: Network, *wanted: Compression) -> dict[str, Compression]:
    """Compress the layers with each of `wanted` in turn."""
    layers = network.matrix_layers
    return canonical(network, {x.name: wanted[i % len(wanted)] for i, x in enumerate(layers)})


def codes_of_torch(module: QuantisedNetwork, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the output of every layer, channels last; of the last one the sums."""
    seen: dict[str, np.ndarray] = {}
    for name in module.matrices:
        layer = module.matrix(name)

        def keep(_: object, inputs: tuple[Tensor, ...], output: Tensor, name: str = name) -> None:
            matrix = module.matrix(name)
            seen[name] = channels_last(output if matrix.normalised else matrix.dot(*inputs))

        layer.register_forward_hook(keep)
    with torch.no_grad():
        module(as_input(torch.from_numpy(images), torch.float64))
    return seen


def channels_last(x: Tensor) -> np.ndarray:
    return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).numpy()


def codes_of_integers(integer: Accelerator, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the output of every layer: the network up to there."""
    layers, found = integer.network.layers, {}
    for i, layer in enumerate(layers):
        part = Network(
            "part", integer.network.input_shape, integer.network.input_type, layers[: i + 1]
        )
        found[layer.name] = Accelerator(part, integer.parameters).scores(images)
    return found


CASES = [
    ("residual", [Compression(1, 2)]),
    ("residual", [Compression(2, 3, "bcr", 0.5, (4, 4)), Compression(3, 3, "filter", 0.5)]),
    ("concatenated", [Compression(1, 1)]),
    ("concatenated", [Compression(3, 3, "unstructured", 0.5), Compression(2, 3, "filter", 0.5)]),
    ("pooled", [Compression(4, 4, "unstructured", 0.5)]),
    ("pooled", [Compression(8, 8), Compression(2, 3, "bcr", 0.5, (2, 4))]),
]


@pytest.mark.parametrize(("which", "wanted"), CASES)
def test_every_code_agrees(
    which: str,
    wanted: list[Compression],
    request: pytest.FixtureRequest,
    data: Dataset,
    trained: Any,
) -> None:
    network, base = request.getfixturevalue(which)
    module = trained(network, compressed(network, *wanted), base, data)
    integer = accelerator(module)
    images = data.test.images[:40]
    expected = codes_of_integers(integer, images)
    got = codes_of_torch(module, images)
    assert set(got) == {x.name for x in network.matrix_layers}
    for name, codes in got.items():
        np.testing.assert_array_equal(codes, expected[name], name)
    for layer in integer.network.layers:  # sums of codes, by their definition
        if isinstance(layer, Concat):
            sides = [expected[name] for name in layer.inputs]
            np.testing.assert_array_equal(np.concatenate(sides, axis=-1), expected[layer.name])
        if isinstance(layer, Add):
            a, b = (expected[name] for name in layer.inputs)
            limit = 2 ** activation_bits(integer, layer) - 1
            np.testing.assert_array_equal((a + b).clip(0, limit), expected[layer.name], layer.name)
            assert [int(a.min()) < 0, int(b.min()) < 0] == list(layer.signed)


def activation_bits(integer: Accelerator, layer: Layer) -> int:
    while not isinstance(layer, MatrixLayer):
        layer = integer.network[layer.inputs[0]]
    bits = integer.parameters[layer.name].output_bits
    assert bits is not None
    return bits


def test_layers_that_are_added_share_one_step(
    residual: tuple[Network, BaseWeights], data: Dataset
) -> None:
    network, base = residual
    module = quantised(network, compressed(network, Compression(4, 4)), base, data)
    found = shared_codes(network)
    assert len(found) == 3
    steps = []
    for group in found:
        own = {float(module.matrix(name).activation.step) for name in group}  # type: ignore[union-attr]
        assert len(own) == 1
        steps += own
    assert len(set(steps)) == 3


@pytest.mark.slow
def test_a_quantised_residual_network_learns(data: Dataset) -> None:
    """4 bits, and 2 bits with half of the weights, lose little of the float network."""
    whole = digits.load(DataConfig("digits"), seed=0)
    network = resnet8.build(data.input_shape, data.input_type, data.classes, width=0.5)
    base = pretrain(network, whole, epochs=15, seed=1)
    assert base.accuracy > 0.95
    for wanted, lost in (
        (Compression(4, 4), 0.02),
        (Compression(2, 2, "bcr", 0.5, (4, 4)), 0.06),
    ):
        result = finetune(network, compressed(network, wanted), base, whole, epochs=6, seed=1)
        assert result.validation_accuracy > base.accuracy - lost
