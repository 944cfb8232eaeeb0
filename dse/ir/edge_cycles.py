"""Edges and cycles of a unit that skips edges, counted on the activations of real images.

`edge_work` says which edges are executed; `frame_ends` is the schedule of hw_templates/kernels/edge_skip_unit.hpp,
cycle by cycle, for an input that is always there and an output that is always taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dse.ir.accelerator import Accelerator, Integers, MatrixParameters, windows
from dse.ir.edge_skip import EdgeSkipUnit, Pooling
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.network import Network

Array = npt.NDArray[np.int64]
Inputs = npt.NDArray[np.integer] | npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ELEMENTS = 2**24  # numbers of a batch held at once


@dataclass(frozen=True, slots=True)
class EdgeCounts:
    """Edges of some images: all of them, and why those that are not executed are not.

    Edges are consumed in words of SIMD; what is left of a row after its last word is pruned.
    """

    total: int
    by_one: int  # the threshold was reached (T1)
    by_zero: int  # the threshold could not be reached any more (T0)
    by_pool: int  # the pooled output was 1 already, or no window needs the row (PL)

    @property
    def executed(self) -> int:
        """Edges that are executed."""
        return self.total - self.by_one - self.by_zero - self.by_pool

    @property
    def pruned(self) -> float:
        """Share of the edges that is not executed."""
        return 1 - self.executed / self.total

    def __add__(self, other: EdgeCounts) -> EdgeCounts:
        return EdgeCounts(
            self.total + other.total,
            self.by_one + other.by_one,
            self.by_zero + other.by_zero,
            self.by_pool + other.by_pool,
        )


@dataclass(frozen=True, slots=True)
class EdgeWork:
    """What a unit does for some vectors.

    Attributes:
        words: `(vectors, mh)` words of SIMD edges that every row takes; 0 where the pool decided.
        outputs: `(vectors, mh)` output bits; 1 where the pool decided, whatever the sum would have been.
        edges: the counts.
    """

    words: Array
    outputs: Mask
    edges: EdgeCounts


def edge_work(unit: EdgeSkipUnit, p: MatrixParameters, x: Inputs) -> EdgeWork:
    """Return what a unit does.

    Args:
        unit: with plain numbers.
        p: its integers.
        x: `(vectors, mw)` inputs of whole frames, -1 and +1, in stream order.
    """
    simd, n, mh = int(unit.simd), int(unit.mw), int(unit.mh)
    count, words = len(x), n // simd
    assert p.thresholds is not None
    tau = np.clip(-(-(p.thresholds[:, 0].astype(np.int64) + n) // 2), 0, n + 1)
    # float32 sums of ones below 2**24 are exact
    parts = x.reshape(count, words, simd).transpose(1, 0, 2).astype(np.float32)
    weights = p.weights.reshape(mh, words, simd).transpose(1, 2, 0).astype(np.float32)
    matches = np.cumsum(((parts @ weights).astype(np.int64) + simd) // 2, axis=0)
    left = n - simd * np.arange(1, words + 1)[:, None, None]
    one, zero = matches >= tau, matches + left < tau
    stop = (one | zero).argmax(axis=0)
    outputs = np.take_along_axis(one, stop[None], axis=0)[0]
    taken = stop + 1
    cancelled = _cancelled(unit.pooling, outputs)
    saved = n - taken * simd
    edges = EdgeCounts(
        total=count * mh * n,
        by_one=int(saved[outputs & ~cancelled].sum()),
        by_zero=int(saved[~outputs & ~cancelled].sum()),
        by_pool=int(cancelled.sum()) * n,
    )
    return EdgeWork(np.where(cancelled, 0, taken), outputs | cancelled, edges)


def _cancelled(pooling: Pooling | None, outputs: Mask) -> Mask:
    """Return which rows a pool makes unnecessary: a 1 came earlier in their window, or they are in none."""
    if pooling is None:
        return np.zeros_like(outputs)
    k, h, w = pooling.kernel, pooling.height, pooling.width
    rows = outputs.shape[-1]
    maps = outputs.reshape(-1, h, w, rows)
    result = np.ones_like(maps)
    inside = maps[:, : h // k * k, : w // k * k].reshape(-1, h // k, k, w // k, k, rows)
    order = inside.transpose(0, 1, 3, 5, 2, 4).reshape(-1, h // k, w // k, rows, k * k)
    seen = np.logical_or.accumulate(order, axis=-1)
    before = np.concatenate([np.zeros_like(seen[..., :1]), seen[..., :-1]], axis=-1)
    back = before.reshape(-1, h // k, w // k, rows, k, k).transpose(0, 1, 4, 2, 5, 3)
    result[:, : h // k * k, : w // k * k] = back.reshape(-1, h // k * k, w // k * k, rows)
    return result.reshape(outputs.shape)


def frame_ends(unit: EdgeSkipUnit, work: EdgeWork) -> Array:
    """Return `(frames,)`: cycles from the first one on until a frame is taken and its last output word has left."""
    last = np.maximum(*vector_times(unit, work))
    ends: Array = last.reshape(-1, int(unit.vectors))[:, -1] + 1
    return ends


def vector_times(unit: EdgeSkipUnit, work: EdgeWork) -> tuple[Array, Array]:
    """Return the cycles `(vectors,)` in which the last word of a vector is taken, and its last output word leaves.

    Taking vectors, adding and writing run side by side, each by the state before the cycle: a word can be
    added two cycles after it was taken (memory, register), an output word leaves in the cycle after the last
    PE has finished it, a vector is taken where one of `held_vectors` places is free.
    """
    pe, steps = int(unit.pe), int(unit.mw // unit.simd)
    passes, held = int(unit.mh) // pe, unit.held_vectors
    # row pass * pe + lane belongs to the lane; in lockstep the slowest lane counts
    cycles = np.maximum(work.words, 1).reshape(-1, passes, pe)
    if unit.mode == "lockstep":
        cycles = cycles.max(axis=2, keepdims=True)
    run = np.cumsum(cycles, axis=1)
    done = np.full(cycles.shape[2], -1, dtype=np.int64)  # last busy cycle of every PE
    place = np.arange(passes)
    left = np.full(len(cycles) + held, -1, dtype=np.int64)  # when the last word of a vector left
    whole = np.empty(len(cycles), dtype=np.int64)  # when the last word of a vector was taken
    taken = -steps
    for v, ahead in enumerate(run):
        taken = max(taken + steps, int(left[v]) + 1)
        whole[v] = taken + steps - 1
        begin = np.maximum(done + 1, taken + 2)
        finished = begin + ahead - 1
        done = finished[-1]
        ready = finished.max(axis=1) + 1
        ready[0] = max(int(ready[0]), int(left[v + held - 1]) + 1)
        left[v + held] = int((np.maximum.accumulate(ready - place) + place)[-1])
    return whole, left[held:]


def work_on(unit: EdgeSkipUnit, accelerator: Accelerator, images: Integers) -> EdgeWork:
    """Return what a unit of a trained network does for `(n, *input_shape)` images, one after the other."""
    p = accelerator.parameters[unit.layer]
    parts = [edge_work(unit, p, x) for _, x in layer_inputs(accelerator, unit.layer, images)]
    return EdgeWork(
        words=np.concatenate([w.words for w in parts]),
        outputs=np.concatenate([w.outputs for w in parts]),
        edges=sum((w.edges for w in parts), EdgeCounts(0, 0, 0, 0)),
    )


def layer_inputs(
    accelerator: Accelerator, name: str, images: Integers
) -> Iterator[tuple[slice, Inputs]]:
    """Yield images and the vectors `(images * vectors, mw)` that enter a matrix layer, in stream order.

    Args:
        accelerator: the integer network.
        name: a convolution or dense layer behind another matrix layer.
        images: `(n, *input_shape)` integers.
    """
    network = accelerator.network
    layer = network[name]
    assert isinstance(layer, MatrixLayer)
    end = [x.name for x in network.layers].index(layer.inputs[0]) + 1
    before = Network(network.name, network.input_shape, network.input_type, network.layers[:end])
    part = Accelerator(before, accelerator.parameters)
    batch = max(1, ELEMENTS // (layer.vectors * layer.mw))
    for i in range(0, len(images), batch):
        chosen = slice(i, min(i + batch, len(images)))
        x = part.scores(images[chosen]).astype(np.float64)
        if isinstance(layer, Conv2d):
            x = windows(x, layer, pad=float(accelerator.input_type(name).min_code_value))
        yield chosen, x.reshape(-1, layer.mw)
