"""The integer network computes what the torch module computes: every code of every layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dse.compression import canonical
from dse.data._dataset import Dataset
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression
from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network
from dse.networks import digits_separable
from dse.training import BaseWeights, pretrain
from dse.training.finetuning import quantised
from dse.training.quantised_network import QuantisedNetwork
from dse.training.thresholds import accelerator, attainable
from dse.training.torch_ops import as_input, pooled


@pytest.fixture(scope="module")
def separable(data: Dataset) -> tuple[Network, BaseWeights]:
    built = digits_separable.build(data.input_shape, data.input_type, data.classes, width=0.5)
    return built, pretrain(built, data, epochs=2, seed=1)


def compressed(
    network: Network, weight_bits: int, activation_bits: int, *schemes: tuple[str, float]
) -> dict[str, Compression]:
    """Compress the layers with `schemes` in turn."""
    wanted = {}
    for i, layer in enumerate(network.matrix_layers):
        scheme, sparsity = schemes[i % len(schemes)]
        wanted[layer.name] = Compression(weight_bits, activation_bits, scheme, sparsity, (4, 4))
    return canonical(network, wanted)


CASES = [
    (1, 1, [("dense", 0.0)]),
    (1, 1, [("unstructured", 0.5), ("filter", 0.5)]),
    (1, 2, [("bcr", 0.5)]),
    (2, 1, [("filter", 0.25), ("bcr", 0.5)]),
    (2, 3, [("bcr", 0.75), ("dense", 0.0)]),
    (4, 4, [("unstructured", 0.9)]),
    (5, 6, [("bcr", 0.5), ("filter", 0.5), ("unstructured", 0.5)]),
    (7, 7, [("filter", 0.5), ("dense", 0.0)]),
    (8, 8, [("dense", 0.0)]),
]


def integer_outputs(integer: Accelerator, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the output of every layer, each computed as an accelerator of one layer."""
    outputs: dict[str, np.ndarray] = {}
    x = images
    for layer in integer.network.layers:
        alone = Network(
            layer.name,
            layer.input_shape,
            integer.input_type(layer.name),
            (replace(layer, inputs=("input",)),),
        )
        x = outputs[layer.name] = Accelerator(alone, integer.parameters).scores(x)
    return outputs


@pytest.mark.parametrize(("weight_bits", "activation_bits", "schemes"), CASES)
def test_every_code_agrees(
    weight_bits: int,
    activation_bits: int,
    schemes: list[tuple[str, float]],
    network: Network,
    base: BaseWeights,
    data: Dataset,
    trained: Any,
) -> None:
    compressions = compressed(network, weight_bits, activation_bits, *schemes)
    assert_codes_agree(trained(network, compressions, base, data), data)


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "schemes"),
    [
        (1, 1, [("dense", 0.0)]),
        (4, 3, [("filter", 0.5)]),  # channels vanish from the depthwise layers, too
        (2, 4, [("bcr", 0.5)]),  # and follow the order of the rows in front
    ],
)
def test_every_code_of_a_separable_network_agrees(
    weight_bits: int,
    activation_bits: int,
    schemes: list[tuple[str, float]],
    separable: tuple[Network, BaseWeights],
    data: Dataset,
    trained: Any,
) -> None:
    network, base = separable
    compressions = compressed(network, weight_bits, activation_bits, *schemes)
    assert_codes_agree(trained(network, compressions, base, data), data)


def assert_codes_agree(module: QuantisedNetwork, data: Dataset) -> None:
    integer = accelerator(module)
    images = data.test.images
    expected = integer_outputs(integer, images)

    x = as_input(torch.from_numpy(images), torch.float64)
    with torch.no_grad():
        for layer in integer.network.layers[:-1]:
            x = module.matrix(layer.name)(x) if isinstance(layer, MatrixLayer) else pooled(layer, x)
            codes = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
            np.testing.assert_array_equal(codes.numpy(), expected[layer.name], layer.name)
        last = integer.network.layers[-1].name
        # a scale that training made negative turns the signs of the emitted weights
        sign = 1 if float(module.matrix(last).logit_scale) > 0 else -1
        np.testing.assert_array_equal(sign * module.matrix(last).dot(x).numpy(), expected[last])
        scores = module(as_input(torch.from_numpy(images), torch.float64))
    classes = expected[last].argmax(axis=1)
    np.testing.assert_array_equal(scores.argmax(dim=1).numpy(), classes)
    np.testing.assert_array_equal(integer.scores(images), expected[last])


@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(1, 1), (3, 2), (8, 8)])
def test_thresholds_hold_for_every_attainable_sum(
    weight_bits: int,
    activation_bits: int,
    network: Network,
    base: BaseWeights,
    data: Dataset,
    trained: Any,
) -> None:
    compressions = compressed(
        network, weight_bits, activation_bits, ("bcr", 0.5), ("unstructured", 0.5)
    )
    module = trained(network, compressions, base, data)
    integer = accelerator(module)
    for name, p in integer.parameters.items():
        matrix = module.matrix(name)
        assert np.all(np.abs(p.weights) <= max(1, 2 ** (weight_bits - 1) - 1))
        assert not p.weights[~p.kept].any()
        if weight_bits == 1:
            assert np.all(np.abs(p.weights[p.kept]) == 1)
        if p.thresholds is None:
            continue
        low, high = attainable(p.weights, integer.input_type(name))
        assert np.all(np.diff(p.thresholds, axis=1) >= 0)
        assert np.all(p.thresholds >= low[:, None])
        assert np.all(p.thresholds <= high[:, None] + 1)
        for row in range(0, len(low), 5):
            sums = np.arange(low[row], high[row] + 1)
            if len(sums) > 20_000:  # both sides of every step, and the ends
                near = np.concatenate([p.thresholds[row] - 1, p.thresholds[row], sums[[0, -1]]])
                sums = np.unique(near.clip(low[row], high[row]))
            code = (sums[:, None] >= p.thresholds[row]).sum(axis=1)
            sign = -1.0 if float(matrix.gain[row].detach()) < 0 else 1.0
            dot = torch.zeros(len(sums), len(low), dtype=torch.float64)
            dot[:, row] = torch.from_numpy(sign * sums)
            with torch.no_grad():
                value = matrix.activate(dot)[:, row].numpy()
            np.testing.assert_array_equal(2 * code - 1 if activation_bits == 1 else code, value)


def test_a_negative_score_scale_keeps_the_class(
    network: Network, base: BaseWeights, data: Dataset
) -> None:
    module = quantised(network, compressed(network, 4, 4, ("dense", 0.0)), base, data)
    with torch.no_grad():
        module.matrix("fc2").logit_scale.mul_(-1)
    integer = accelerator(module)
    with torch.no_grad():
        scores = module(as_input(torch.from_numpy(data.test.images), torch.float64))
    expected = scores.argmax(dim=1).numpy()
    np.testing.assert_array_equal(integer.scores(data.test.images).argmax(axis=1), expected)
