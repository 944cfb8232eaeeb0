"""The float network every candidate starts from: trained once per study."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from dse.data._dataset import Dataset
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.thresholding import Thresholding
from dse.ir.network import Network
from dse.training.base_weights import BaseWeights, BatchNorm, Floats, LayerWeights
from dse.training.fitting import Group, Recipe, accuracy, fit, settle_statistics
from dse.training.lanes import FloatLane, FloatThresholds
from dse.training.torch_ops import EPSILON, one_thread, pooled, product, resolved, run

RATE = 4e-3  # largest learning rate


class FloatLayer(nn.Module):
    """A product with batch normalisation and ReLU; a signed one without ReLU, the last one the product alone."""

    mean: Tensor
    variance: Tensor

    def __init__(self, layer: MatrixLayer, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = layer
        # He et al. 2015: keeps the variance through a ReLU
        initial = torch.randn(layer.mh, layer.mw, generator=generator) * math.sqrt(2 / layer.mw)
        self.weights = nn.Parameter(initial)
        if layer.activation:
            self.gain = nn.Parameter(torch.ones(layer.mh))
            self.offset = nn.Parameter(torch.zeros(layer.mh))
            self.register_buffer("mean", torch.zeros(layer.mh))
            self.register_buffer("variance", torch.ones(layer.mh))
            self.momentum = 1.0  # the last batch counts; `settle_statistics` averages at the end

    def forward(self, x: Tensor) -> Tensor:
        """Return activations, or class scores."""
        dot = product(self.layer, x, self.weights, 0.0)
        if not self.layer.activation:
            return dot
        y = f.batch_norm(
            dot,
            self.mean,
            self.variance,
            self.gain,
            self.offset,
            training=self.training,
            momentum=self.momentum,
            eps=EPSILON,
        )
        return y if self.layer.signed else f.relu(y)

    def trained(self) -> LayerWeights:
        """Return the parameters."""
        norm = None
        if self.layer.activation:
            norm = BatchNorm(*map(_plain, (self.gain, self.offset, self.mean, self.variance)))
        return LayerWeights(_plain(self.weights), norm)


class FloatNetwork(nn.Module):
    """All layers in order, in floating point."""

    def __init__(self, network: Network, seed: int) -> None:
        super().__init__()
        self.network = network
        self.input_scale = 2.0**-network.input_type.bits
        generator = torch.Generator().manual_seed(seed)
        self.matrices = nn.ModuleDict()
        for layer in network.layers:
            if isinstance(layer, Thresholding):
                self.matrices[layer.name] = FloatThresholds(layer)
            elif isinstance(layer, MatrixLayer):
                self.matrices[layer.name] = FloatLayer(layer, generator)
            elif isinstance(layer, FusedAdd):
                self.matrices[layer.name] = FloatLane(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(n, classes)` scores of integer images."""
        return run(self.network, x * self.input_scale, self._output)

    def _output(self, layer: Layer, inputs: tuple[Tensor, ...]) -> Tensor:
        if layer.name in self.matrices:
            return cast(Tensor, self.matrices[layer.name](*inputs))
        return _averaged(layer, inputs)


def _averaged(layer: Layer, inputs: tuple[Tensor, ...]) -> Tensor:
    """Return the output of a layer without weights; a mean, of which initial weights keep the variance, for a sum."""
    y = pooled(layer, *inputs)
    return y / layer.pixels if isinstance(layer, GlobalAveragePool) else y


def pretrain(
    network: Network,
    dataset: Dataset,
    epochs: int,
    seed: int,
    device: str = "cpu",
    start: BaseWeights | None = None,
) -> BaseWeights:
    """Train the float network of a study: batch normalisation and ReLU behind every product but the last.

    Args:
        network: the network of the study.
        dataset: its training part trains, its validation part is measured.
        epochs: passes over the training images.
        seed: of the initial weights and the order of the images.
        device: "cpu", "cuda" or "auto".
        start: weights to go on from instead of random ones.

    Returns:
        The weights and the validation accuracy.

    Raises:
        TrainingError: training diverged.
    """
    device = resolved(device)
    with one_thread():
        module = FloatNetwork(network, seed)
        if start is not None:
            _adopt(module, start)
        module.to(device)
        groups = [Group(list(module.parameters()), RATE)]
        fit(module, groups, dataset.train, Recipe(epochs), seed, device)
        settle_statistics(module, dataset.train, device)
        reached = accuracy(module, dataset.validation, device)
    layers = {name: cast(FloatLayer, m).trained() for name, m in module.matrices.items()}
    return BaseWeights(layers, reached)


@torch.no_grad()
def _adopt(module: FloatNetwork, start: BaseWeights) -> None:
    """Put weights and batch normalisations into the matrix layers of a network."""
    for name, found in start.layers.items():
        layer = cast(FloatLayer, module.matrices[name])
        layer.weights.copy_(torch.from_numpy(found.weights))
        if found.norm is not None:
            for own in ("gain", "offset", "mean", "variance"):
                getattr(layer, own).copy_(torch.from_numpy(getattr(found.norm, own)))


def _plain(parameter: Tensor) -> Floats:
    return parameter.detach().cpu().numpy().copy()
