"""The first epochs of a candidate whose masks are trained: all weights are there, under a penalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from dse.data._dataset import Split
from dse.ir.design import Compression
from dse.training.base_weights import Floats
from dse.training.fitting import Group, Recipe, fit
from dse.training.penalties import PENALTIES, Penalties, projection
from dse.training.pruned import PrunedLayer
from dse.training.quantised_network import QuantisedNetwork

SHARE = 0.5  # of a candidate's first epochs; the mask is fixed for the others
# A weight that shrinks must be able to become 0, which a 1-bit weight cannot: until the mask is fixed, weights of
# these layers have so many bits.
BITS = 8


def prepared_epochs(compressions: Mapping[str, Compression], epochs: int) -> int:
    """Return how many of so many epochs come before the masks are fixed; 0 where magnitude decides."""
    asked = any(c.prune_by in PENALTIES for c in compressions.values())
    return int(SHARE * epochs) if asked else 0


def unmasked(layers: Sequence[PrunedLayer]) -> tuple[PrunedLayer, ...]:
    """Return the layers as they are before masks are chosen; those that magnitude decides on stay."""
    return tuple(_unmasked(own) if _asks(own) else own for own in layers)


def prepare(
    module: QuantisedNetwork,
    layers: Sequence[PrunedLayer],
    groups: Sequence[Group],
    train: Split,
    epochs: int,
    seed: int,
    device: str,
) -> None:
    """Train a network of `unmasked` layers in place, each under the penalty that it asks for and no other.

    Args:
        module: the network.
        layers: its layers, with their own compressions.
        groups: what is trained, and how fast.
        train: what is trained on.
        epochs: passes over it.
        seed: of the order of the images.
        device: a torch device.
    """
    penalties = [
        PENALTIES[own.compression.prune_by](
            module.matrix(own.layer.name).weights, own.compression, own.layer.positions
        )
        for own in layers
        if _asks(own)
    ]
    total = Penalties(penalties)
    recipe = Recipe(epochs)
    fit(module, groups, train, recipe, seed, device, total.loss, total.update)


def chosen(layers: Sequence[PrunedLayer], trained: QuantisedNetwork) -> tuple[PrunedLayer, ...]:
    """Return the layers with trained weights and batch normalisations, and the masks that these ask for.

    Rows keep their order: only masks are chosen anew.
    """
    return tuple(_chosen(own, trained) for own in layers)


def _asks(own: PrunedLayer) -> bool:
    return own.compression.prune_by in PENALTIES


def _unmasked(own: PrunedLayer) -> PrunedLayer:
    wide = replace(own.compression, weight_bits=max(BITS, own.compression.weight_bits))
    return replace(own, compression=wide, kept=np.ones_like(own.kept))


def _chosen(own: PrunedLayer, network: QuantisedNetwork) -> PrunedLayer:
    trained = network.matrix(own.layer.name)
    norm = own.norm
    # sums that go on to a `FusedAdd` have no batch normalisation of their own
    if norm is not None and not trained.raw:
        norm = replace(norm, gain=_plain(trained.gain), offset=_plain(trained.offset))
    kept = own.kept
    if _asks(own):
        kept = projection(trained.weights, own.compression, own.layer.positions)
    return replace(own, weights=_plain(trained.weights), norm=norm, kept=kept)


def _plain(parameter: Tensor) -> Floats:
    array: Floats = parameter.detach().cpu().numpy().copy()
    return array
