"""What a training adds to the loss so that 1-bit outputs are decided early (O3BNN-R).

The abstract names two terms, "for pooling pruning and for threshold pruning"; their formulas are not public.
These are a reconstruction:

    R_T = mean of max(0, MARGIN - |dot - threshold| / N)   sums move away from their threshold
    R_P = max(0, ONES - mean of sigmoid(SLOPE * y))        more ones in front of a max-pool, which is an OR

with N edges of a row and y the normalised sum, whose sign is the output. The loss is cross-entropy +
sum over layers of lambda_threshold * R_T + lambda_pooling * R_P. ONES bounds R_P: without it all outputs become 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as f

from dse.training.quantised_network import QuantisedLayer, QuantisedNetwork
from dse.training.torch_ops import EPSILON

MARGIN = 0.2
ONES = 0.65
SLOPE = 4.0
LEAST_GAIN = 1e-3  # of a batch normalisation: smaller ones put the threshold out of reach anyway


def edge_losses(module: QuantisedNetwork) -> Callable[[], Tensor] | None:
    """Return what gives the losses of the last forward pass in training; None where no layer has a weight for them."""
    layers = [module.matrix(name) for name in module.matrices]
    asked = [m for m in layers if m.compression.lambda_threshold or m.compression.lambda_pooling]
    if not asked:
        return None
    for layer in asked:
        layer.keeps_sums = True

    def total() -> Tensor:
        return torch.stack([_loss(layer) for layer in asked]).sum()

    return total


def _loss(layer: QuantisedLayer) -> Tensor:
    """Return the weighted losses of one layer, from the sums and normalised sums of its last forward pass."""
    assert layer.sums is not None
    dot, y = layer.sums
    c = layer.compression
    return c.lambda_threshold * threshold_loss(
        dot, y, layer.gain, layer.layer.mw
    ) + c.lambda_pooling * pooling_loss(y)


def threshold_loss(dot: Tensor, y: Tensor, gain: Tensor, edges: int) -> Tensor:
    """Return R_T.

    Args:
        dot: `(n, mh, ...)` sums of a batch.
        y: the same, normalised over the batch: 0 at the threshold.
        gain: `(mh,)` of the batch normalisation.
        edges: N of a row.
    """
    shape = (-1,) + (1,) * (dot.ndim - 2)
    others = [d for d in range(dot.ndim) if d != 1]
    deviation = torch.sqrt(dot.var(dim=others, unbiased=False) + EPSILON)
    scale = deviation / gain.abs().clamp(min=LEAST_GAIN)
    distance = y.abs() * scale.view(shape) / edges
    return f.relu(MARGIN - distance).mean()


def pooling_loss(y: Tensor) -> Tensor:
    """Return R_P of normalised sums."""
    return f.relu(ONES - torch.sigmoid(SLOPE * y).mean())
