"""Training of candidates: useful accuracy, the same result every time, and failures that say why."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from dse.compression import canonical
from dse.config.values import DataConfig
from dse.data import digits
from dse.data._dataset import Dataset, Split
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.networks import digits_cnn
from dse.training import BaseWeights, TrainingError, finetune, pretrain
from dse.training.base_weights import LayerWeights


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits.load(DataConfig("digits"), seed=0)


@pytest.fixture(scope="module")
def network(data: Dataset) -> Network:
    return digits_cnn.build(data.input_shape, data.input_type, data.classes)


@pytest.fixture(scope="module")
def base(network: Network, data: Dataset) -> BaseWeights:
    return pretrain(network, data, epochs=15, seed=0)


def compress(
    network: Network, weight_bits: int, activation_bits: int, scheme: str, sparsity: float
) -> dict[str, Compression]:
    c = Compression(weight_bits, activation_bits, scheme, sparsity, (4, 4))
    return canonical(network, {m.name: c for m in network.matrix_layers})


def test_the_float_network_learns(base: BaseWeights) -> None:
    assert base.accuracy >= 0.97


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "scheme", "sparsity", "least"),
    [
        (8, 8, "dense", 0.0, 0.97),
        (4, 4, "filter", 0.25, 0.95),
        (2, 4, "bcr", 0.5, 0.93),
        (1, 1, "dense", 0.0, 0.75),
    ],
)
def test_candidates_reach_a_useful_accuracy(
    weight_bits: int,
    activation_bits: int,
    scheme: str,
    sparsity: float,
    least: float,
    network: Network,
    base: BaseWeights,
    data: Dataset,
) -> None:
    compressions = compress(network, weight_bits, activation_bits, scheme, sparsity)
    trained = finetune(network, compressions, base, data, epochs=6, seed=0)
    assert trained.validation_accuracy >= least
    validation = data.validation
    measured = trained.accelerator.accuracy(validation.images, validation.labels)
    assert trained.validation_accuracy == measured
    for name, p in trained.accelerator.parameters.items():
        assert 1 - p.kept.mean() == pytest.approx(
            0 if scheme == "filter" else compressions[name].sparsity
        )


def frozen(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


def test_the_result_depends_on_the_arguments_alone(
    network: Network, base: BaseWeights, data: Dataset
) -> None:
    compressions = compress(network, 3, 2, "bcr", 0.5)

    def digest(seed: int, dataset: Dataset = data) -> str:
        trained = finetune(network, compressions, base, dataset, epochs=1, images=200, seed=seed)
        return trained.accelerator.digest

    first = digest(4)
    torch.manual_seed(99)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert digest(4) == first
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert digest(5) != first
    # arrays out of an object store are read-only; test images are not looked at
    read_only = Split(frozen(data.train.images), frozen(data.train.labels))
    other_test = Split(data.test.images[:0], data.test.labels[:0])
    assert digest(4, replace(data, train=read_only, test=other_test)) == first


def test_pretraining_is_reproducible(network: Network, data: Dataset) -> None:
    small = replace(data, train=data.train.first(100))
    assert pretrain(network, small, 1, seed=3).digest == pretrain(network, small, 1, seed=3).digest
    assert pretrain(network, small, 1, seed=3).digest != pretrain(network, small, 1, seed=4).digest


def test_no_epochs_is_quantisation_without_training(
    network: Network, base: BaseWeights, data: Dataset
) -> None:
    trained = finetune(network, compress(network, 8, 8, "dense", 0.0), base, data, epochs=0, seed=0)
    assert trained.validation_accuracy >= base.accuracy - 0.02


@pytest.mark.parametrize("images", [2, 33, 257])
def test_any_number_of_images_trains(
    images: int, network: Network, base: BaseWeights, data: Dataset
) -> None:
    compressions = compress(network, 4, 4, "dense", 0.0)
    trained = finetune(network, compressions, base, data, epochs=1, images=images, seed=0)
    assert trained.accelerator.network == network


def test_one_image_is_refused(network: Network, base: BaseWeights, data: Dataset) -> None:
    compressions = compress(network, 4, 4, "dense", 0.0)
    with pytest.raises(TrainingError, match="at least 2 images, got 1"):
        finetune(network, compressions, base, data, epochs=1, images=1, seed=0)


def test_lost_numbers_name_the_layer(network: Network, base: BaseWeights, data: Dataset) -> None:
    broken = np.full_like(base.layers["conv3"].weights, np.nan)
    layers = dict(base.layers) | {"conv3": LayerWeights(broken, base.layers["conv3"].norm)}
    compressions = compress(network, 4, 4, "dense", 0.0)
    with pytest.raises(TrainingError, match="finite numbers, but layer conv3 lost them"):
        finetune(network, compressions, BaseWeights(layers, 0.5), data, epochs=1, seed=0)


def test_importing_training_imports_neither_ray_nor_optuna() -> None:
    code = "import sys, dse.training; print([m for m in ('ray', 'optuna') if m in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def learned(network: Network, data: Dataset) -> BaseWeights:
    """The float network after as many epochs as a study gives it."""
    epochs = digits_cnn.STAGES.pretrain_epochs
    assert epochs is not None
    return pretrain(network, data, epochs=epochs, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "scheme", "sparsity", "least"),
    [
        (8, 8, "dense", 0.0, 0.97),
        (4, 4, "bcr", 0.5, 0.97),
        (2, 2, "dense", 0.0, 0.97),
        (1, 1, "dense", 0.0, 0.92),
    ],
)
def test_full_budget_reaches_the_test_accuracy(
    weight_bits: int,
    activation_bits: int,
    scheme: str,
    sparsity: float,
    least: float,
    network: Network,
    learned: BaseWeights,
    data: Dataset,
) -> None:
    epochs = digits_cnn.STAGES.final_epochs
    assert epochs is not None
    compressions = compress(network, weight_bits, activation_bits, scheme, sparsity)
    final = finetune(network, compressions, learned, data, epochs=epochs, seed=0)
    assert final.accelerator.accuracy(data.test.images, data.test.labels) >= least
