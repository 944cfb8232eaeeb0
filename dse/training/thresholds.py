"""From a trained network to the integers that are emitted: the same code for every attainable sum.

Batch normalisation, activation step and rounding are a monotone function of the integer sum of a row: each floating-point
operation on the way is. So the sums at which the code steps up are found by bisection on that very function.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.numbers import IntType, activation_type
from dse.ir.spatial import SpatialMask
from dse.training.quantised_network import QuantisedLayer, QuantisedNetwork

Ints = npt.NDArray[np.int64]


@torch.no_grad()
def accelerator(network: QuantisedNetwork) -> Accelerator:
    """Return the integer network that computes what `network` computes in evaluation mode, in float64.

    Args:
        network: trained; it is left in float64 and in evaluation mode on the CPU.
    """
    network.to("cpu", torch.float64).eval()
    names = [layer.name for layer in network.network.matrix_layers]
    parameters = {name: _parameters(network.matrix(name)) for name in names}
    lanes = {name: network.lane(name).parameters_now() for name in network.lanes}
    return Accelerator(network.network, parameters, lanes)


def _parameters(layer: QuantisedLayer) -> MatrixParameters:
    weights = layer.integer_weights().numpy().astype(np.int64)
    kept = np.ones(weights.shape, np.bool_)
    if layer.kept is not None:
        kept = layer.kept.numpy() > 0
    bits = layer.compression.weight_bits
    if not layer.normalised:
        if float(layer.logit_scale) < 0:  # the largest score would be the smallest sum
            weights = -weights
        return MatrixParameters(bits, weights, kept, None, None)
    sign = np.where(layer.gain.numpy() < 0, -1, 1)
    weights = weights * sign[:, None]
    output_bits = layer.compression.activation_bits
    assert output_bits is not None
    thresholds = _thresholds(layer, sign, weights, output_bits)
    return MatrixParameters(
        bits, weights, kept, output_bits, thresholds, _spatial(layer, output_bits)
    )


def _spatial(layer: QuantisedLayer, bits: int) -> SpatialMask | None:
    """Return what decides on the positions of a layer."""
    if layer.gate is None:
        return None
    return layer.gate.mask(_codes(layer.filling().numpy().astype(np.int64), layer, bits))


def _thresholds(layer: QuantisedLayer, sign: Ints, weights: Ints, bits: int) -> Ints:
    """Return `(mh, 2**bits - 1)` thresholds of the rows after a flip by `sign`, within what is attainable.

    The smallest attainable sum stands for "always reached", one more than the largest for "never".
    """
    low, high = attainable(weights, layer.source)
    codes = np.arange(1, 2**bits)
    # the sum searched for is above `below` and at most `reached`
    below = np.repeat(low[:, None] - 1, len(codes), axis=1)
    reached = np.repeat(high[:, None] + 1, len(codes), axis=1)
    while np.any(between := reached - below > 1):
        middle = (below + reached) // 2
        up = _code(layer, middle * sign[:, None], bits) >= codes
        reached = np.where(between & up, middle, reached)
        below = np.where(between & ~up, middle, below)
    return reached


def attainable(weights: Ints, source: IntType) -> tuple[Ints, Ints]:
    """Return the smallest and largest sum of every row of `(mh, mw)` weights over inputs of type `source`."""
    positive = np.maximum(weights, 0).sum(axis=1)
    negative = np.minimum(weights, 0).sum(axis=1)
    low = positive * source.min + negative * source.max
    return low, positive * source.max + negative * source.min


def _code(layer: QuantisedLayer, dot: Ints, bits: int) -> Ints:
    """Return the codes of `(mh, n)` sums from 0 on; a bipolar activation is its bit."""
    values = layer.activate(_rows_second(dot)).T.numpy().astype(np.int64)
    return _codes(values, layer, bits)


def _codes(values: Ints, layer: QuantisedLayer, bits: int) -> Ints:
    """Return the codes of activations, from 0 on; a bipolar activation is its bit."""
    if bits == 1:
        return (values + 1) // 2
    codes: Ints = values - activation_type(bits, signed=layer.layer.signed).min
    return codes


def _rows_second(dot: Ints) -> Tensor:
    return torch.from_numpy(dot.T.astype(np.float64))
