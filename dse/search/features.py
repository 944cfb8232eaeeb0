"""A compression as numbers, for the model that predicts its accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dse.ir.design import Compression
from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network
from dse.search.accuracy_model import LEAST_ERROR

Floats = npt.NDArray[np.float64]

LARGEST_BITS = 8
KINDS = (
    "bcr",
    "filter",
    "unstructured",
    "kernel",
    "small_world",
)  # any other scheme is told apart by having none of these


def features(network: Network, compressions: Mapping[str, Compression]) -> Floats:
    """Return what accuracy may depend on, every number between 0 and about 1.

    Per matrix layer: bits and how coarse they are (the error of a quantiser falls by half per bit), what is
    pruned, by which scheme and in which blocks, and which share of positions is skipped; then the same
    over the network, weighted by weights and by work, and the coarsest layer, which can spoil all others.

    Args:
        network: the network of the study.
        compressions: canonical, one per matrix layer.

    Returns:
        `(d,)`, d the same for all compressions of a network.
    """
    layers = network.matrix_layers
    rows = np.array([_layer(compressions[layer.name]) for layer in layers])
    weights = np.array([layer.mh * layer.mw for layer in layers], dtype=np.float64)
    work = np.array([_macs(layer) for layer in layers])
    together = [rows.T @ (weights / weights.sum()), rows.T @ (work / work.sum()), rows.max(axis=0)]
    return np.concatenate([rows.ravel(), *together])


def with_short(x: Floats, accuracy: float) -> Floats:
    """Return the features with the accuracy after a short training, which weighs as much as half of them."""
    error = -math.log(1 - accuracy + LEAST_ERROR) / 3
    return np.concatenate([x, np.repeat([accuracy - 0.5, error], max(1, len(x) // 4))])


def _layer(c: Compression) -> list[float]:
    """Return the numbers of one layer; its activations count as exact where it has none."""
    activation = c.activation_bits or LARGEST_BITS
    kept = 1 - c.sparsity
    block = math.log2(c.block[0] * c.block[1]) / 10 if c.block else 0.0
    return [
        math.log2(c.weight_bits) / 3,
        2.0 ** (1 - c.weight_bits),
        math.log2(activation) / 3,
        2.0 ** (1 - activation),
        c.sparsity,
        -math.log2(kept) / 4,
        block,
        1 - c.spatial_keep,
        (1 - c.spatial_keep) * (c.spatial_tile - 1),
        *(c.sparsity * (c.scheme == kind) for kind in KINDS),
        c.sparsity * (c.beta or 0.0),
    ]


def _macs(layer: MatrixLayer) -> float:
    return float(layer.mh * layer.mw * layer.vectors)


def work(network: Network, compressions: Mapping[str, Compression]) -> float:
    """Return the logarithm of the bit operations per image: a rough measure of what a compression costs."""
    bits, total = network.input_type.bits, 0.0
    for layer in network.matrix_layers:
        c = compressions[layer.name]
        total += _macs(layer) * (1 - c.sparsity) * c.spatial_keep * c.weight_bits * bits
        bits = c.activation_bits or bits
    return math.log(total)
