"""Random integers for a unit of the sweep: weights, masks and thresholds as trained ones lie."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from dse.ir.accelerator import MatrixParameters
from dse.ir.units import MatrixUnit, Tiling

SPREAD = 0.5  # standard deviation of a weight over the largest one
VECTORS = 200  # random inputs whose sums the thresholds are taken from, at least
PER_THRESHOLD = 6  # the same for every threshold of a row


def generator(name: str) -> np.random.Generator:
    """Return a generator of random numbers that depends on the name alone."""
    seed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed)


def random_integers(unit: MatrixUnit, rng: np.random.Generator) -> MatrixParameters:
    """Return integers of a matrix unit: normal weights, thresholds among the sums of random inputs."""
    mh, mw, bits = int(unit.mh), int(unit.mw), int(unit.weight_bits)
    limit = max(1, 2 ** (bits - 1) - 1)
    drawn = np.rint(rng.normal(0.0, SPREAD * limit, (mh, mw))).clip(-limit, limit)
    weights = (rng.choice([-1, 1], (mh, mw)) if bits == 1 else drawn).astype(np.int64)
    kept = random_mask(mh, mw, unit.tiling, rng)
    weights *= kept
    output = int(unit.output_bits)
    if not output:
        return MatrixParameters(bits, weights, kept, None, None)
    steps = 2**output - 1
    sums = _inputs(unit, max(VECTORS, PER_THRESHOLD * steps), rng) @ weights.T
    picks = rng.integers(0, len(sums), (steps, mh))
    thresholds = np.sort(np.take_along_axis(sums, picks, 0), axis=0).T
    return MatrixParameters(bits, weights, kept, output, thresholds)


def random_mask(
    mh: int, mw: int, tiling: Tiling | None, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return a random `(mh, mw)` mask of a structure: runs of columns of a block, a row of every residue class."""
    if tiling is None:
        return np.ones((mh, mw), dtype=np.bool_)
    p, q, r, c = tiling.block_rows, tiling.block_cols, tiling.kept_rows, tiling.kept_cols
    grid, run = (mh // p, mw // q), tiling.run
    runs = rng.random((mh // p, mw // q // tiling.positions, q // run)).argsort(axis=-1) < c // run
    columns = np.tile(runs.repeat(run, axis=-1), (1, tiling.positions, 1))
    rows = rng.random((*grid, p // r, r)).argsort(axis=2) < 1
    blocks = rows.reshape(*grid, p, 1) & columns[:, :, None, :]
    return blocks.transpose(0, 2, 1, 3).reshape(mh, mw)


def _inputs(unit: MatrixUnit, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    bits, shape = int(unit.input_bits), (count, int(unit.mw))
    if bits == 1:
        return rng.choice([-1, 1], shape).astype(np.int64)
    half = 2 ** (bits - 1)
    low, high = (-half, half) if unit.input_signed else (0, 2 * half)
    return rng.integers(low, high, shape)
