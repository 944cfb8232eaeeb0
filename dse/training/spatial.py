"""The gate that decides on the positions of a layer, as it is trained (`dse.ir.spatial` says what it decides).

Reconstructed from the abstract of Fu et al. (ICCAD 2022): a threshold per layer, learned with a straight-through
gate and a penalty on the share of positions that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from dse.ir.layers.conv2d import Conv2d
from dse.ir.numbers import IntType
from dse.ir.spatial import SpatialMask, grid_of

SLOPE = 5.0  # of the sigmoid whose gradient the gate has, per standard deviation (FracBNN's gate has 5, too)
MOMENTUM = 0.1  # of the reference, while training
STRENGTH = 10.0  # of the penalty on the share of kept positions


class SpatialGate(nn.Module):
    """Decides which positions are computed, and knows what stands at the others.

    The reference is the running median of every channel: where more than half of a map shows one thing, the
    reference is that.
    """

    average: Tensor
    scale: Tensor

    def __init__(self, layer: Conv2d, source: IntType, keep: float, tile: int) -> None:
        super().__init__()
        self.source, self.keep, self.grid = source, keep, grid_of(layer, tile)
        self.register_buffer("average", torch.zeros(layer.input_shape[-1]))
        self.register_buffer("scale", torch.ones(()))  # the unit of the threshold
        self.threshold = nn.Parameter(torch.zeros(()))
        self.constant = nn.Parameter(torch.zeros(layer.mh))  # normalised sums of a skipped position
        self.momentum = MOMENTUM
        self.excess = torch.zeros(())  # share of kept positions above what is asked for

    @property
    def reference(self) -> Tensor:
        """Return the `(channels,)` input values that count as nothing."""
        if self.source.bipolar:
            return torch.where(self.average >= 0, 1.0, -1.0).to(self.average.dtype)
        return self.average.round()

    def sums(self, x: Tensor) -> Tensor:
        """Return the deviations around every output position of `(n, C, H, W)`, `(n, 1, OH, OW)`."""
        g, p = self.grid, self.grid.padding
        far = (x.detach() - self.reference.view(-1, 1, 1)).abs().sum(dim=1, keepdim=True)
        if self.source.bipolar:
            far = far / 2
        far = f.pad(far, (p, g.steps_wide - g.width, p, g.steps_high - g.height))
        tiles = f.conv2d(far, far.new_ones(1, 1, g.span, g.span), stride=g.step)
        tiles = tiles[:, :, : g.rows, : g.cols]
        spread = tiles.repeat_interleave(g.tile, dim=2).repeat_interleave(g.tile, dim=3)
        return spread[:, :, : g.out_height, : g.out_width]

    def mix(self, x: Tensor, computed: Tensor, filling: Tensor) -> Tensor:
        """Return what was computed where positions are kept, and the filling elsewhere.

        Args:
            x: `(n, C, H, W)` inputs of the layer.
            computed: `(n, mh, OH, OW)` its activations.
            filling: `(mh,)` codes.
        """
        if self.training:
            self._observe(x)
        sums = self.sums(x)
        limit = self.threshold * self.scale
        kept = (sums >= limit).to(computed.dtype)
        if self.training:
            soft = torch.sigmoid(SLOPE * (sums - limit) / self.scale)
            kept = kept + soft - soft.detach()
        self.excess = kept.mean() - self.keep
        return kept * computed + (1 - kept) * filling.view(-1, 1, 1)

    @torch.no_grad()
    def calibrate(self, x: Tensor, values: Tensor) -> None:
        """Begin: reference, threshold and constants from the inputs and normalised sums of some images."""
        self.average.copy_(_medians(x))
        sums = self.sums(x)
        self.scale.copy_(sums.std().clamp(min=1.0))
        self.threshold.copy_(self._least(sums) / self.scale)
        skipped = (sums < self.threshold * self.scale).to(values.dtype)
        count = skipped.sum()
        there = skipped if bool(count > 0) else torch.ones_like(skipped)
        self.constant.copy_((values * there).sum(dim=(0, 2, 3)) / there.sum())

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """Set the threshold to a whole number: as many positions of the images are kept as asked for, no more."""
        least = self._least(self.sums(x))
        self.scale.fill_(1.0)
        self.threshold.copy_(least)

    def mask(self, constants: npt.NDArray[np.int64]) -> SpatialMask:
        """Return what is built, after `settle`; `constants` are `(mh,)` codes from 0 on."""
        return SpatialMask(
            reference=self.reference.cpu().numpy().astype(np.int64),
            least=int(self.threshold * self.scale),
            constants=constants,
            tile=self.grid.tile,
        )

    @torch.no_grad()
    def _observe(self, x: Tensor) -> None:
        self.average.lerp_(_medians(x).to(self.average.dtype), self.momentum)

    def _least(self, sums: Tensor) -> Tensor:
        """Return the smallest whole threshold that keeps no more of some positions than asked for."""
        ordered = sums.flatten().sort(descending=True).values
        kept = min(int(self.keep * len(ordered)), len(ordered) - 1)
        return ordered[kept] + 1


def keep_loss(gates: Sequence[SpatialGate]) -> Callable[[], Tensor] | None:
    """Return what gives the penalty on the shares of kept positions of the last forward pass; None without gates."""
    if not gates:
        return None

    def total() -> Tensor:
        return STRENGTH * torch.stack([gate.excess.square() for gate in gates]).sum()

    return total


def _medians(x: Tensor) -> Tensor:
    """Return the median of every channel of `(n, C, H, W)`."""
    return x.detach().transpose(0, 1).flatten(1).median(dim=1).values
