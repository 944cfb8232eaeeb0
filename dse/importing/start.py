"""The weights of an imported model as the float network that every candidate of a study starts from."""

from __future__ import annotations

import numpy as np
import torch

from dse.data._dataset import Dataset
from dse.importing.graph import Floats
from dse.importing.values import Lowered, Numbers
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.training.base_weights import BaseWeights, BatchNorm, LayerWeights
from dse.training.torch_ops import EPSILON, as_input, one_thread, pooled, product, run

IMAGES = 1000  # of the training part, on which means and variances of products are measured


@torch.no_grad()
def base_weights(model: Lowered, dataset: Dataset) -> BaseWeights:
    """Return weights and batch normalisations that compute what the model computes with ReLU alone.

    Quantisers of activations are left out, and so is the bias of the class scores. What stood behind a
    product, gain * y + offset, becomes a batch normalisation with the mean and variance that y has on
    training images, as training measures them.

    Args:
        model: lowered plainly.
        dataset: of the study.

    Returns:
        The weights, and the accuracy on the validation images.
    """
    layers: dict[str, LayerWeights] = {}

    def output(layer: Layer, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if not isinstance(layer, MatrixLayer):
            y = pooled(layer, *inputs)
            return y / layer.pixels if isinstance(layer, GlobalAveragePool) else y
        n = model.numbers[layer.name]
        weights, offset = _real(model, layer, n)
        y = product(layer, inputs[0], torch.tensor(weights), 0.0)
        if not layer.activation:
            layers[layer.name] = LayerWeights(weights.astype(np.float32), None)
            return y
        if layer.name not in layers:
            layers[layer.name] = LayerWeights(weights.astype(np.float32), _norm(y, n, offset))
        shape = (1, -1) + (1,) * (y.ndim - 2)
        y = y * torch.tensor(n.gain).view(shape) + torch.tensor(offset).view(shape)
        return y if layer.signed else torch.relu(y)

    network = model.network
    scale = 2.0**-network.input_type.bits  # as pretraining has it

    def scores(images: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> Floats:
        x = as_input(torch.tensor(images), torch.float64) * scale
        found: Floats = run(network, x, output).numpy()
        return found

    with one_thread():
        scores(dataset.ranges.first(IMAGES).images)
        validation = dataset.validation
        parts = np.array_split(validation.images, -(-len(validation) // 256))
        best = np.concatenate([scores(part).argmax(axis=1) for part in parts])
    return BaseWeights(layers, float(np.mean(best == validation.labels)))


def _norm(y: torch.Tensor, n: Numbers, offset: Floats) -> BatchNorm:
    axes = [0, *range(2, y.ndim)]
    mean, variance = y.mean(dim=axes).numpy(), y.var(dim=axes, unbiased=False).numpy()
    gain = n.gain * np.sqrt(variance + EPSILON)
    plain = (a.astype(np.float32) for a in (gain, offset + n.gain * mean, mean, variance))
    return BatchNorm(*plain)


def _real(model: Lowered, layer: MatrixLayer, n: Numbers) -> tuple[Floats, Floats]:
    """Return weights and offset of a layer; the first one gets integers times 2**-bits, not what they stand for."""
    if n.reads is None:
        return n.start, n.offset
    a, b = n.reads
    columns = layer.mw // max(a.size, b.size)
    per_column = np.tile(np.broadcast_to(a, max(a.size, b.size)), columns)
    shift = np.tile(np.broadcast_to(b, max(a.size, b.size)), columns)
    weights = n.start * per_column * 2.0**model.network.input_type.bits
    return weights, n.offset + n.gain * (n.start @ shift)
