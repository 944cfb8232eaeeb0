"""Removing and permuting channels leaves the function of the network as it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dse.compression import canonical, effective
from dse.ir.design import Compression
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.training.base_weights import BaseWeights, BatchNorm, LayerWeights
from dse.training.errors import TrainingError
from dse.training.pretraining import FloatNetwork
from dse.training.pruned import PrunedLayer, pruned
from dse.training.torch_ops import as_input
from pruning._scheme import Mask

NETWORK = Network(
    "small",
    (6, 6, 2),
    IntType(4, signed=False),
    (
        Conv2d("conv1", ("input",), (6, 6, 2), activation=True, out_channels=8, kernel=3),
        Conv2d("conv2", ("conv1",), (4, 4, 8), activation=True, out_channels=8, kernel=1),
        MaxPool2d("pool", ("conv2",), (4, 4, 8), 2),
        DepthwiseConv2d("dw", ("pool",), (2, 2, 8), activation=True, kernel=2, padding=1),
        Conv2d("pw", ("dw",), (3, 3, 8), activation=True, out_channels=8, kernel=1),
        GlobalAveragePool("mean", ("pw",), (3, 3, 8)),
        Dense("fc1", ("mean",), (8,), activation=True, out_features=12),
        Dense("fc2", ("fc1",), (12,), activation=False, out_features=3),
    ),
)


@pytest.fixture
def base() -> BaseWeights:
    rng = np.random.default_rng(5)
    layers = {}
    for layer in NETWORK.matrix_layers:
        weights = rng.normal(size=(layer.mh, layer.mw)).astype(np.float32)
        norm = None
        if layer.activation:
            parts = rng.uniform(0.5, 1.5, size=(4, layer.mh)).astype(np.float32)
            norm = BatchNorm(*parts)
        layers[layer.name] = LayerWeights(weights, norm)
    return BaseWeights(layers, 0.5)


def scores(network: Network, layers: dict[str, tuple[np.ndarray, BatchNorm | None]]) -> np.ndarray:
    """Compute a float network of given weights."""
    module = FloatNetwork(network, seed=0).double().eval()
    with torch.no_grad():
        for name, (weights, norm) in layers.items():
            matrix = module.matrices[name]
            matrix.weights.copy_(torch.tensor(weights))
            if norm is not None:
                for own, value in (
                    (matrix.gain, norm.gain),
                    (matrix.offset, norm.offset),
                    (matrix.mean, norm.mean),
                    (matrix.variance, norm.variance),
                ):
                    own.copy_(torch.tensor(value))
        images = np.random.default_rng(6).integers(0, 16, size=(20, *network.input_shape))
        return module(as_input(torch.tensor(images), torch.float64)).numpy()


def of(layers: tuple[PrunedLayer, ...]) -> dict[str, tuple[np.ndarray, BatchNorm | None]]:
    return {p.layer.name: (p.weights * p.kept, p.norm) for p in layers}


def compress(scheme: str, sparsity: float) -> dict[str, Compression]:
    wanted = {m.name: Compression(4, 4, scheme, sparsity, (4, 4)) for m in NETWORK.matrix_layers}
    return canonical(NETWORK, wanted)


def test_dense_keeps_everything(base: BaseWeights) -> None:
    built, layers = pruned(NETWORK, compress("dense", 0.0), base)
    assert built == NETWORK
    for layer in layers:
        assert layer.kept.all()
        np.testing.assert_array_equal(layer.weights, base.layers[layer.layer.name].weights)


def test_filter_pruning_is_the_network_without_the_weak_channels(base: BaseWeights) -> None:
    compressions = compress("filter", 0.5)
    built, layers = pruned(NETWORK, compressions, base)
    assert built == effective(NETWORK, compressions)[0]
    assert [m.mh for m in built.matrix_layers] == [4, 4, 4, 4, 6, 3]

    # the same by hand: in the full network nobody listens to the channels that go
    full = {n: (w.weights.copy(), w.norm) for n, w in base.layers.items()}
    silent: np.ndarray | None = None
    names = [m.name for m in NETWORK.matrix_layers]
    for name, built_layer in zip(names, built.matrix_layers, strict=True):
        weights = full[name][0]
        if name == "dw":  # the same channels are silent behind it
            continue
        if silent is not None:
            by_channel = weights.reshape(len(weights), -1, len(silent))
            by_channel[:, :, silent] = 0
        energy = np.square(weights, dtype=np.float64).sum(axis=1)
        silent = energy < np.sort(energy)[len(energy) - built_layer.mh]
    np.testing.assert_allclose(scores(built, of(layers)), scores(NETWORK, full), rtol=1e-9)


class Shuffled:
    """A scheme that keeps all weights and puts the rows in a random order."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(8)

    def mask(
        self,
        weights: np.ndarray,
        compression: Compression,
        *,
        reorder: bool,
        positions: int,
        seed: int,
    ) -> Mask:
        order = self.rng.permutation(len(weights)) if reorder else np.arange(len(weights))
        return Mask(np.ones(weights.shape, np.bool_), order)


def test_a_row_order_is_absorbed_by_the_next_columns(
    base: BaseWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    shuffled = Shuffled()
    monkeypatch.setattr("dse.training.pruned.scheme", lambda name: shuffled)
    built, layers = pruned(NETWORK, compress("dense", 0.0), base)
    assert np.any(layers[0].weights != base.layers["conv1"].weights)
    expected = scores(NETWORK, {n: (w.weights, w.norm) for n, w in base.layers.items()})
    np.testing.assert_allclose(scores(built, of(layers)), expected, rtol=1e-9)


def test_masks_have_the_sparsity_of_the_compression(base: BaseWeights) -> None:
    compressions = compress("bcr", 0.5)
    _, layers = pruned(NETWORK, compressions, base)
    for layer in layers:
        sparsity = compressions[layer.layer.name].sparsity
        assert 1 - layer.kept.mean() == pytest.approx(sparsity)


def test_weights_of_another_network_are_refused(base: BaseWeights) -> None:
    wider = NETWORK.narrowed({"conv1": 6})
    wanted = {m.name: Compression(4, 4) for m in wider.matrix_layers}
    with pytest.raises(TrainingError, match=r"layer conv1 must be 6 x 18, got \(8, 18\)"):
        pruned(wider, canonical(wider, wanted), base)


def test_base_weights_survive_a_file(base: BaseWeights) -> None:
    again = BaseWeights.from_arrays(base.arrays())
    assert again.digest == base.digest
    assert again.accuracy == base.accuracy
    assert list(again.layers) == list(base.layers)
    assert again.layers["fc2"].norm is None
