"""Masks that are chosen while training goes on: what is pruned may grow back.

All weights train first. Then the sparsity rises to its value, and at the end of every epoch the mask is
chosen again from the weights as they are; later it is fixed. Meanwhile pruned weights get the gradients
that they would have if they were there (straight through the mask), and are pulled to zero (SR-STE: Zhou
et al., ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dse.compression import scheme
from dse.training.quantised_network import QuantisedLayer, QuantisedNetwork

# shares of the training; reconstructed from the abstract of Fu et al. (ICCAD 2022), which has no numbers
WARM_UP = 0.08  # nothing is pruned
RAMP = 0.3  # the sparsity is reached
FIXED = 0.7  # masks stay
PULL = 2e-4  # of pruned weights to zero (SR-STE)


def regrowth(module: QuantisedNetwork, epochs: int) -> Regrowth | None:
    """Return the regrowth of the layers that ask for it; None where none does.

    Args:
        module: the network, with the masks that it would have without.
        epochs: passes over the images; with none, masks are left as they are.
    """
    layers = [module.matrix(name) for name in module.matrices]
    asking = [own for own in layers if own.compression.prune_by == "regrow" and epochs]
    return Regrowth(asking, epochs) if asking else None


class Regrowth:
    """A term of the loss that also moves the masks."""

    def __init__(self, layers: Sequence[QuantisedLayer], epochs: int) -> None:
        self.layers = layers
        self.epochs = epochs
        self.done = 0  # epochs
        for layer in layers:
            layer.regrows = True
            assert layer.kept is not None
            layer.kept.fill_(1.0)

    def loss(self) -> Tensor:
        """Return the pull on what is pruned."""
        pulled = [
            (layer.weights * (1 - layer.kept)).square().sum()
            for layer in self.layers
            if layer.kept is not None
        ]
        return PULL / 2 * torch.stack(pulled).sum()

    def update(self, share: float) -> None:
        """Choose the masks again at the end of an epoch, when `share` of the training is done."""
        done = int(share * self.epochs + 1e-9)
        if done == self.done:
            return
        self.done = done
        for layer in self.layers:
            if layer.regrows:
                # also where few epochs skip the ramp, the last choice is at the full sparsity
                choose(layer, pruned_share(max(share, RAMP) if share >= FIXED else share))
                layer.regrows = share < FIXED


def pruned_share(share: float) -> float:
    """Return how much of the sparsity is asked for when `share` of the training is done."""
    return min(1.0, max(0.0, (share - WARM_UP) / (RAMP - WARM_UP)))


@torch.no_grad()
def choose(layer: QuantisedLayer, share: float) -> None:
    """Set the mask of a layer to that of its weights as they are, at a share of its sparsity."""
    c, now = layer.compression, layer.layer
    assert layer.kept is not None
    own = scheme(c.scheme)
    sparsity = c.sparsity
    if share < 1:
        sparsity, _ = own.legalise(
            now.mh, now.mw, share * c.sparsity, c.block, positions=now.positions
        )
    if sparsity == 0:
        layer.kept.fill_(1.0)
        return
    weights = layer.weights.cpu().numpy().astype(np.float64)
    chosen = own.mask(
        weights, replace(c, sparsity=sparsity), reorder=False, positions=now.positions
    )
    layer.kept.copy_(torch.tensor(chosen.kept).to(layer.kept))
