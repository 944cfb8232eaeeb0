"""Layers that skip positions: the integer network computes what the torch module computes, and keeps what was asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dse.compression import canonical
from dse.data._dataset import Dataset
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.training import BaseWeights
from dse.training.finetuning import (
    GATE_IMAGES,
    finetune,
    groups,
    quantised,
    settle_gates,
)
from dse.training.fitting import Recipe, fit, settle_statistics
from dse.training.spatial import keep_loss
from dse.training.thresholds import accelerator
from dse.training.torch_ops import as_input

KEEP = 0.6


def skipping(network: Network, bits: int, tile: int) -> dict[str, Compression]:
    wanted = Compression(bits, bits, spatial_keep=KEEP, spatial_tile=tile)
    return canonical(network, {layer.name: wanted for layer in network.matrix_layers})


@pytest.mark.parametrize(("bits", "tile"), [(1, 1), (1, 2), (3, 1), (4, 2)])
def test_scores_and_shares(
    bits: int, tile: int, network: Network, base: BaseWeights, data: Dataset
) -> None:
    compressions = skipping(network, bits, tile)
    module = quantised(network, compressions, base, data)
    assert len(module.gates) == 3
    loss = keep_loss(module.gates)
    fit(module, groups(module, 0.3), data.train, Recipe(1), 0, "cpu", loss)
    settle_statistics(module, data.train, "cpu")
    settle_gates(module, data.train, "cpu")
    integer = accelerator(module)
    images = data.test.first(100).images
    with torch.no_grad():
        scores = module.eval()(as_input(torch.tensor(images)).double())
    last = module.matrix(network.layers[-1].name)
    sums = (scores / last.logit_scale.detach()).round().numpy().astype(np.int64)
    assert np.array_equal(integer.scores(images), sums)
    # the threshold was settled on these images
    masks = integer.masks(data.train.first(GATE_IMAGES).images)
    assert set(masks) == {"conv1", "conv2", "conv3"}
    assert all(0 < m.mean() <= KEEP for m in masks.values())


def test_layers_that_cannot_skip_keep_all(network: Network) -> None:
    found = skipping(network, 4, 2)
    assert [c.spatial_keep for c in found.values()] == [KEEP, KEEP, KEEP, 1.0, 1.0]
    assert found["fc1"].spatial_tile == 1


def test_a_whole_training_is_what_is_built(
    network: Network, base: BaseWeights, data: Dataset
) -> None:
    trained = finetune(network, skipping(network, 4, 1), base, data, epochs=2, seed=0)
    validation = data.validation
    again = trained.accelerator.accuracy(validation.images, validation.labels)
    assert trained.validation_accuracy == again
