"""A few digits and a small network that has learned a little: enough where exactness counts, not accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch

from dse.config.values import DataConfig
from dse.data import digits
from dse.data._dataset import Dataset
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.networks import digits_cnn
from dse.training import BaseWeights, pretrain
from dse.training.finetuning import groups, quantised
from dse.training.fitting import Recipe, fit, settle_statistics
from dse.training.quantised_network import QuantisedNetwork

Trained = Callable[[Network, Mapping[str, Compression], BaseWeights, Dataset], QuantisedNetwork]


@pytest.fixture(scope="package")
def data() -> Dataset:
    return digits.load(DataConfig("digits", limit={"train": 320}), seed=0)


@pytest.fixture(scope="package")
def network(data: Dataset) -> Network:
    return digits_cnn.build(data.input_shape, data.input_type, data.classes, width=0.5)


@pytest.fixture(scope="package")
def base(network: Network, data: Dataset) -> BaseWeights:
    return pretrain(network, data, epochs=3, seed=1)


def _trained(
    network: Network, compressions: Mapping[str, Compression], base: BaseWeights, data: Dataset
) -> QuantisedNetwork:
    module = quantised(network, compressions, base, data)
    fit(module, groups(module, 0.3), data.train, Recipe(epochs=1), seed=0, device="cpu")
    settle_statistics(module, data.train, "cpu")
    with torch.no_grad():  # what training rarely leaves behind: inverted and constant channels
        for matrix in (module.matrix(name) for name in module.matrices):
            if matrix.normalised:
                matrix.gain[0] *= -1
                matrix.gain[1] = 0
                matrix.gain[2] *= -1
    return module


@pytest.fixture(scope="package")
def trained() -> Trained:
    """Factory: network, compressions, weights, data -> a module after one epoch, with odd gains."""
    return _trained
