"""From the base weights to the matrices that are built: rows removed, permuted, masked."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dse.compression import effective, scheme
from dse.ir.design import Compression
from dse.ir.graph import fixed_channels
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.concat import Concat
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.duplicate import Duplicate
from dse.ir.network import Network
from dse.training.base_weights import BaseWeights, BatchNorm, Floats
from dse.training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class PrunedLayer:
    """A matrix layer as it is built, before quantisation.

    Attributes:
        layer: the layer of the network that is built.
        compression: its compression.
        weights: `(mh, mw)` base weights in the order of the hardware's rows and columns.
        kept: `(mh, mw)` booleans; False where pruned.
        norm: batch normalisation of its rows; None for the last layer.
    """

    layer: MatrixLayer
    compression: Compression
    weights: Floats
    kept: npt.NDArray[np.bool_]
    norm: BatchNorm | None


def pruned(
    network: Network, compressions: Mapping[str, Compression], base: BaseWeights
) -> tuple[Network, tuple[PrunedLayer, ...]]:
    """Apply the compressions to the base weights, first layer to last.

    Masks are chosen by magnitude on matrices that have lost the channels of the layers in front, or drawn
    with a seed that is the CRC-32 of the layer's name, so that layers of one shape differ. The
    columns of a layer follow the row order of the one in front, and so do the channels of a depthwise
    layer; the last layer keeps its own, and so do layers whose channels meet others in a sum.

    Args:
        network: the network of the study.
        compressions: canonical, one per matrix layer.
        base: weights of `network`.

    Returns:
        The network that is built, and its matrix layers in order.

    Raises:
        TrainingError: the base weights belong to another network.
    """
    built, structures = effective(network, compressions)
    whole = fixed_channels(network)
    # by layer, the order of the channels it hands on; None: their own
    orders: dict[str, npt.NDArray[np.int64] | None] = {"input": None}
    layers = []
    for own in network.layers:
        channels = orders[own.name] = orders[own.inputs[0]]
        if isinstance(own, Duplicate | Concat):
            orders[own.name] = None  # channels of a residual stream or of a join keep their order
        if not isinstance(own, MatrixLayer):
            continue
        now = built[own.name]
        assert isinstance(now, MatrixLayer)
        weights = _base_matrix(base, own)
        norm = base.layers[own.name].norm
        c = compressions[own.name]
        if isinstance(own, DepthwiseConv2d):
            order = np.arange(own.mh) if channels is None else channels
            kept = np.ones((len(order), own.mw), dtype=np.bool_)
            norm = None if norm is None else norm.rows(order)
            layers.append(PrunedLayer(now, c, weights[order], kept, norm))
            continue
        if channels is not None:
            # columns are (position, channel); the channels that are left, in their new order
            by_channel = weights.reshape(own.mh, -1, own.input_shape[-1])
            weights = by_channel[:, :, channels].reshape(own.mh, -1)
        reorder = own.activation and own.name not in whole
        mask = scheme(c.scheme).mask(
            weights.astype(np.float64),
            c,
            reorder=reorder,
            positions=own.positions,
            seed=zlib.crc32(own.name.encode()),
        )
        channels = orders[own.name] = mask.row_order[: structures[own.name].mh]
        layers.append(
            PrunedLayer(
                now,
                c,
                weights[channels],
                mask.kept[channels],
                None if norm is None else norm.rows(channels),
            )
        )
    return built, tuple(layers)


def _base_matrix(base: BaseWeights, layer: MatrixLayer) -> Floats:
    found = base.layers[layer.name].weights.shape if layer.name in base.layers else None
    if found != (layer.mh, layer.mw):
        msg = (
            f"the base weights of layer {layer.name} must be {layer.mh} x {layer.mw},"
            f" got {found}; pretrain this network again"
        )
        raise TrainingError(msg)
    return base.layers[layer.name].weights
