"""What prepares weights for their mask while they train: ADMM and the reweighted group lasso.

.. [Boyd2011] S. Boyd et al., Distributed optimization and statistical learning via the alternating direction
   method of multipliers, 2011. Its use for pruning, with a penalty that grows from 1e-4 to 1e-2, and the reweighted
   group lasso over rows and columns of blocks are reconstructed from openly described relatives of FINN-pruning.

Both penalties are of weights relative to the root mean square that they begin with: a batch normalisation
behind a product makes their absolute size arbitrary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dse.compression import scheme
from dse.ir.design import Compression
from dse.ir.units import Tiling

ROUNDS = 12  # of projections, or of new weights of the groups, in one training
# Of ADMM; it grows by the same factor in every round, as from 1e-4 to 1e-2 for weights as they are. Ten times as much
# outweighs the cross-entropy: all weights near their mask, and a network that has forgotten its classes.
FIRST_RHO, LAST_RHO = 3e-5, 3e-3
LASSO = 3e-4  # factor of the group lasso; of three times as much the same holds
FLOOR = 0.1  # what is added to the square of a group's norm, as a share of their mean: no weight is infinite


class Penalty(ABC):
    """A term of the loss for one matrix that is to be pruned; it changes in rounds."""

    def __init__(self, weights: nn.Parameter, compression: Compression, positions: int = 1) -> None:
        """Begin with the weights as they are.

        Args:
            weights: `(mh, mw)` what is trained, rows in the order of the hardware.
            compression: what will be left of them; canonical.
            positions: of the kernel; the columns are so many equal parts.
        """
        self.weights, self.compression, self.positions = weights, compression, positions
        self.scale = 1 / weights.detach().square().mean().sqrt().clamp(min=1e-12)
        self._round = 0
        self.renew(0.0)

    def update(self, share: float) -> None:
        """Begin a new round where it is time.

        Args:
            share: of the training, done so far.
        """
        if int(share * ROUNDS) > self._round:
            self._round = int(share * ROUNDS)
            self.renew(share)

    @abstractmethod
    def loss(self) -> Tensor:
        """Return the term."""

    @abstractmethod
    def renew(self, share: float) -> None:
        """Begin a round at a share of the training."""


class Admm(Penalty):
    """`rho / 2 * |W - Z + U|^2`: pulls weights to what the mask would leave of them.

    In every round `Z` becomes the projection of `W + U`, and `U` grows by `W - Z`.
    """

    def __init__(self, weights: nn.Parameter, compression: Compression, positions: int = 1) -> None:
        """Begin with U = 0."""
        self._dual = torch.zeros_like(weights)
        super().__init__(weights, compression, positions)

    def loss(self) -> Tensor:
        """Return the term."""
        return self._rho / 2 * ((self.weights - self._aim) * self.scale).square().sum()

    @torch.no_grad()
    def renew(self, share: float) -> None:
        """Project, and charge what is left to the dual variable."""
        wanted = self.weights + self._dual
        mask = projection(wanted, self.compression, self.positions)
        kept = torch.from_numpy(mask).to(wanted.device)
        projected = wanted * kept
        if share:
            self._dual = wanted - projected
        self._aim = projected - self._dual
        self._rho: float = FIRST_RHO * (LAST_RHO / FIRST_RHO) ** share


class GroupLasso(Penalty):
    """`sum of |g|^2 / (|g0|^2 + floor)` over groups g of weights, g0 being g at the beginning of the round.

    Groups are the rows and columns of every block, where the mask chooses among them; without blocks they are
    single weights.
    """

    def loss(self) -> Tensor:
        """Return the term."""
        pairs = zip(self._squares(), self._reweighted, strict=True)
        terms = [(s * w).sum() for s, w in pairs]
        return torch.stack(terms).sum() * LASSO

    @torch.no_grad()
    def renew(self, share: float) -> None:
        """Weigh every group by what it is now: small ones shrink further."""
        del share
        self._reweighted = [1 / (s + FLOOR * s.mean().clamp(min=1e-12)) for s in self._squares()]

    def _squares(self) -> list[Tensor]:
        """Return the squared norms of the groups."""
        tiling = tiling_of(self.weights, self.compression, self.positions)
        squares = (self.weights * self.scale).square()
        if tiling is None:
            return [squares]
        mh, _ = squares.shape
        p, q = tiling.block_rows, tiling.block_cols
        # columns that stay or go together are one group
        squares = squares.reshape(mh, tiling.positions, -1).sum(dim=1)
        blocks = squares.reshape(mh // p, p, -1, q)
        rows = [blocks.sum(dim=3)] if tiling.kept_rows < p else []
        columns = [blocks.sum(dim=1)] if tiling.kept_cols < q else []
        return rows + columns


PENALTIES: dict[str, type[Penalty]] = {"admm": Admm, "group_lasso": GroupLasso}


class Penalties:
    """The penalties of all layers of a network that are prepared."""

    def __init__(self, penalties: Sequence[Penalty]) -> None:
        """Add them up."""
        self._all = penalties

    def loss(self) -> Tensor:
        """Return the sum of the terms."""
        return torch.stack([p.loss() for p in self._all]).sum()

    def update(self, share: float) -> None:
        """Tell all of them how much of the training is done."""
        for penalty in self._all:
            penalty.update(share)


def projection(
    weights: Tensor, compression: Compression, positions: int = 1
) -> npt.NDArray[np.bool_]:
    """Return the `(mh, mw)` mask that a scheme would choose, rows in the order they have."""
    values = weights.detach().cpu().numpy().astype(np.float64)
    own = scheme(compression.scheme)
    return own.mask(values, compression, reorder=False, positions=positions).kept


def tiling_of(weights: Tensor, compression: Compression, positions: int = 1) -> Tiling | None:
    """Return the blocks that a compression leaves of `(mh, mw)` weights; None where it has none."""
    mh, mw = weights.shape
    own = scheme(compression.scheme)
    return own.structure(mh, mw, compression, positions=positions).tiling
