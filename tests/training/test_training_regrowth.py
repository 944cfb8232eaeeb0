"""Masks that move while training goes on: gradients, schedule, and the structure at the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dse.compression import canonical, effective
from dse.config.values import DataConfig
from dse.data import digits
from dse.data._dataset import Dataset
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.networks import digits_cnn
from dse.training import BaseWeights, finetune, pretrain
from dse.training.finetuning import quantised
from dse.training.regrowth import PULL, pruned_share, regrowth
from pruning._pack import tile_indices


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits.load(DataConfig("digits"), seed=0)


@pytest.fixture(scope="module")
def network(data: Dataset) -> Network:
    return digits_cnn.build(data.input_shape, data.input_type, data.classes)


@pytest.fixture(scope="module")
def scratch(network: Network, data: Dataset) -> BaseWeights:
    return pretrain(network, data, epochs=0, seed=0)


def compress(network: Network, scheme: str, prune_by: str = "regrow") -> dict[str, Compression]:
    beta = 0.1 if scheme == "small_world" else None
    c = Compression(2, 2, scheme, 0.5, (4, 4), prune_by, beta=beta)
    return canonical(network, {m.name: c for m in network.matrix_layers})


def test_the_sparsity_rises_between_warm_up_and_ramp() -> None:
    shares = [pruned_share(s) for s in (0.0, 0.08, 0.19, 0.3, 0.9)]
    assert shares == pytest.approx([0, 0, 0.5, 1, 1])


def test_pruned_weights_get_gradients_until_masks_are_fixed(
    network: Network, scratch: BaseWeights, data: Dataset
) -> None:
    module = quantised(network, compress(network, "kernel"), scratch, data)
    layer = module.matrix("conv2")
    images = torch.tensor(data.train.images[:64]).permute(0, 3, 1, 2).float()

    def reached() -> float:
        layer.weights.grad = None
        module(images).square().sum().backward()
        assert layer.weights.grad is not None
        assert layer.kept is not None
        return float(layer.weights.grad[layer.kept == 0].abs().sum())

    assert reached() == 0
    term = regrowth(module, 10)
    assert term is not None
    assert layer.kept is not None
    assert bool(layer.kept.all())  # dense at first
    term.update(0.4)
    assert float(layer.kept.mean()) == pytest.approx(0.5)
    assert reached() > 0
    before = layer.kept.clone()
    with torch.no_grad():
        layer.weights.copy_(layer.weights.roll(1, dims=1))
    term.update(0.6)
    assert not torch.equal(layer.kept, before)  # the mask follows the weights
    term.update(0.7)
    assert reached() == 0
    before = layer.kept.clone()
    with torch.no_grad():
        layer.weights.copy_(layer.weights.roll(1, dims=1))
    term.update(0.8)
    assert torch.equal(layer.kept, before)


def test_the_pull_is_that_of_sr_ste(network: Network, scratch: BaseWeights, data: Dataset) -> None:
    module = quantised(network, compress(network, "kernel"), scratch, data)
    term = regrowth(module, 10)
    assert term is not None
    term.update(0.5)
    term.loss().backward()
    layer = module.matrix("conv2")
    assert layer.kept is not None
    expected = PULL * layer.weights.detach() * (1 - layer.kept)
    assert layer.weights.grad is not None
    torch.testing.assert_close(layer.weights.grad, expected)


@pytest.mark.parametrize(
    ("scheme", "prune_by"), [("kernel", "regrow"), ("bcr", "regrow"), ("kernel", "group_lasso")]
)
def test_training_from_scratch_ends_with_the_structure_that_is_built(
    scheme: str, prune_by: str, network: Network, scratch: BaseWeights, data: Dataset
) -> None:
    compressions = compress(network, scheme, prune_by)
    trained = finetune(network, compressions, scratch, data, epochs=8, seed=0)
    assert trained.validation_accuracy > 0.85
    _, structures = effective(network, compressions)
    for name, p in trained.accelerator.parameters.items():
        assert 1 - p.kept.mean() == pytest.approx(compressions[name].sparsity)
        assert not p.weights[~p.kept].any()
        tiling = structures[name].tiling
        if tiling is not None:
            tile_indices(p.kept, tiling)  # raises where the structure is another


def test_few_epochs_still_end_at_the_full_sparsity(
    network: Network, scratch: BaseWeights, data: Dataset
) -> None:
    for epochs in (0, 1, 2):
        compressions = compress(network, "kernel")
        trained = finetune(network, compressions, scratch, data, epochs=epochs, images=200, seed=0)
        for name, p in trained.accelerator.parameters.items():
            assert 1 - p.kept.mean() == pytest.approx(compressions[name].sparsity)


def test_masks_that_are_known_before_training_do_not_regrow(
    network: Network, scratch: BaseWeights, data: Dataset
) -> None:
    compressions = compress(network, "small_world")
    assert {c.prune_by for c in compressions.values()} == {"magnitude"}
    module = quantised(network, compressions, scratch, data)
    assert regrowth(module, 10) is None
    first, second = (
        finetune(network, compressions, scratch, data, epochs=e, images=200, seed=e).accelerator
        for e in (0, 1)
    )
    for name, p in first.parameters.items():
        assert np.array_equal(p.kept, second.parameters[name].kept)
    # layers of one shape have graphs of their own: the seed is that of the layer's name


def test_a_base_without_training_says_so(
    network: Network, scratch: BaseWeights, data: Dataset
) -> None:
    assert not scratch.trained
    assert pretrain(network, data, epochs=1, seed=0).trained
