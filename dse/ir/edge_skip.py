"""A matrix unit that stops adding once the output bit is decided (O3BNN-R: run-time edge pruning).

An edge is one weight times one activation. Of N edges, P matches were counted after k: the output is 1
where P reaches the threshold, 0 where the N - k edges that are left cannot reach it any more; and a
max-pool of bits is an OR, so a row whose pooled output is 1 already need not be counted at all. All three
are exact. Reconstructed from the abstracts (Geng et al., ICS 2019, TPDS 2021): schedule, buffers and
sizes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dse.ir.layers._base import Layer
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.product_units import Ints, MatrixUnit

Floats = npt.NDArray[np.float64]

# vectors that wait in the unit: one is taken while another is used, or PEs run ahead of each other
VECTORS = {"lockstep": 2, "ooo": 4}
SPREAD = 2.0  # assumed before training: standard deviation of a sum, in sqrt(N)
SAMPLES = 512  # quantiles of the normal distribution


@dataclass(frozen=True, slots=True)
class Pooling:
    """A max-pool with stride = kernel behind a unit, and the map that enters it."""

    kernel: int
    height: int
    width: int

    @property
    def columns(self) -> int:
        """Columns of the pooled map."""
        return self.width // self.kernel


def pooling_behind(network: Network, layer: Layer) -> Pooling | None:
    """Return the max-pool that alone reads a convolution, its windows side by side; None: there is none.

    A mean is no OR. Windows that overlap are left out: a row would be unnecessary only where all of them are decided.
    """
    readers = [other for other in network.layers if layer.name in other.inputs]
    if not isinstance(layer, Conv2d) or len(readers) != 1:
        return None
    (pool,) = readers
    if not isinstance(pool, MaxPool2d) or isinstance(pool, AveragePool2d) or pool.windowed:
        return None
    height, width, _ = layer.output_shape
    return Pooling(pool.kernel, height, width)


@dataclass(frozen=True, slots=True)
class EdgeSkipUnit(MatrixUnit):
    """XNOR-popcount unit of 1-bit outputs whose PEs stop early, `mode` saying how they go on.

    lockstep: all PEs take the same word of the vector; they go on when all of them are decided. ooo: every
    PE has its own reading port and goes on by itself, up to `VECTORS` vectors apart; words of outputs leave in
    order. A decision takes the cycle of its word, a row that the pool decided takes one cycle.
    """

    mode: str = "ooo"
    pooling: Pooling | None = None

    @property
    def held_vectors(self) -> int:
        """Vectors that wait in the unit."""
        return VECTORS[self.mode]

    @property
    def groups(self) -> Ints:
        """PEs, or sets of PEs in lockstep, that go on by themselves."""
        return self.pe if self.mode == "ooo" else 1

    @property
    def dense_cycles(self) -> Ints:
        """Cycles per frame where nothing is skipped."""
        return self.vectors * (self.mh // self.pe) * (self.mw // self.simd)

    @property
    def cycles(self) -> Ints:
        """Mean cycles per frame that are expected before anything is trained.

        The slower of taking the vectors and of adding up; `dse.ir.edge_cycles` counts a trained layer. Sums
        are taken as normal around the threshold with a deviation of SPREAD * sqrt(N), so a row stops after
        N / (1 + |dot| / N) edges; of a pooling window a row is cancelled where one before it gave 1. A channel
        has a share of ones of its own, anything from 0 to 1: behind j pixels 1 / (j + 1) of its rows are left.
        In lockstep the slowest PE counts; PEs by themselves lose what they cannot even out.
        """
        mh, mw, pe, simd = np.broadcast_arrays(self.mh, self.mw, self.pe, self.simd)
        siblings = 1 if self.pooling is None else self.pooling.kernel**2
        words = np.empty(mh.shape)
        for n, s in {(int(n), int(s)) for n, s in zip(mw.flat, simd.flat, strict=True)}:
            here = (mw == n) & (simd == s)
            words[here] = self._words(n, s, siblings, mh[here], pe[here])
        rate = np.asarray(self.vectors) * np.maximum(words * (mh // pe), mw // simd)
        expected: Ints = np.minimum(np.ceil(rate), self.dense_cycles).astype(np.int64)
        return expected

    def _words(self, n: int, simd: int, siblings: int, mh: Floats, pe: Floats) -> Floats:
        """Return the mean cycles of a row (a set of rows in lockstep) of n edges."""
        undecided = _undecided(n, simd, siblings)
        if self.mode == "lockstep":
            late: Floats = 1 - (1 - undecided[..., None]) ** pe
            # of a set that is cancelled as a whole one cycle is left
            total: Floats = (late.sum(axis=1) + 1 - late[:, 0]).mean(axis=0)
            return total
        steps = np.arange(undecided.shape[1])
        mean = float((undecided.sum(axis=1) + 1 - undecided[:, 0]).mean())
        square = float(
            ((2 * steps + 1) * undecided).sum(axis=1).mean() + 1 - undecided[:, 0].mean()
        )
        deviation = max(square - mean**2, 0.0) ** 0.5
        apart = self.held_vectors * (mh // pe)  # rows of a PE that may wait for each other
        uneven: Floats = mean + deviation * np.vectorize(_largest)(pe) / np.sqrt(apart)
        return uneven


def _largest(count: int) -> float:
    """Return the expected largest of so many standard normal numbers, nearly (Blom 1958)."""
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25))


@lru_cache(maxsize=256)
def _undecided(n: int, simd: int, siblings: int) -> Floats:
    """Return `(siblings, n / simd)`: probability that a row needs word 0, 1, ..., by its place in the window."""
    normal = NormalDist()
    quantiles = [abs(normal.inv_cdf((i + 0.5) / SAMPLES)) for i in range(SAMPLES)]
    edges = n / (1 + SPREAD * np.array(quantiles) / n**0.5)
    stop = np.clip(np.ceil(edges / simd), 1, n // simd)
    needed = (stop[:, None] > np.arange(n // simd)).mean(axis=0)
    alive = 1 / (1 + np.arange(siblings))  # the mean of (1 - q)**j for q between 0 and 1
    undecided: Floats = alive[:, None] * needed
    return undecided
