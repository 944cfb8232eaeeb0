"""Units that skip edges against numpy: outputs after the pool, and cycles, both exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.ir.accelerator import MatrixParameters
from dse.ir.edge_cycles import edge_work, frame_ends
from dse.ir.edge_skip import EdgeSkipUnit, Pooling
from dse.ir.numbers import BIPOLAR

# (mh, mw), (PE, SIMD), map of a frame, kernel of the pool (0: none)
SHAPES = (
    ((8, 48), (4, 4), (4, 4), 2),
    ((6, 30), (2, 5), (5, 7), 2),
    ((4, 24), (4, 8), (6, 6), 3),
    ((6, 20), (3, 10), (1, 5), 0),
    ((5, 12), (1, 1), (2, 4), 2),
    ((4, 130), (2, 130), (4, 2), 2),
)


def edge_case(
    case_type: Any, rng: np.random.Generator, mode: str, shape: Any, frames: int = 2
) -> Any:
    (mh, mw), (pe, simd), (height, width), kernel = shape
    unit = EdgeSkipUnit(
        layer="l",
        mh=mh,
        mw=mw,
        vectors=height * width,
        pe=pe,
        simd=simd,
        weight_bits=1,
        input_bits=1,
        input_signed=True,
        output_bits=1,
        memory="bram",
        compute="lut",
        mode=mode,
        pooling=Pooling(kernel, height, width) if kernel else None,
    )
    # weights and inputs lean to one side, so that sums lie far from some thresholds
    weights = rng.choice([-1, 1], (mh, mw), p=[0.3, 0.7])
    lean = rng.random((frames * height * width, 1))
    x = np.where(rng.random((len(lean), mw)) < lean, 1, -1)
    sums = x @ weights.T
    thresholds = np.take_along_axis(sums, rng.integers(0, len(x), (1, mh)), 0).T
    thresholds[0, 0], thresholds[-1, 0] = -(10**6), 10**6  # always, and never
    p = MatrixParameters(1, weights, np.ones((mh, mw), dtype=bool), 1, thresholds)
    return case_type(unit, x, BIPOLAR, p, frames)


def pooled(case: Any, bits: np.ndarray) -> np.ndarray:
    """What comes out of the pool behind the unit; the bits themselves where there is none."""
    pool = case.unit.pooling
    if pool is None:
        return bits.reshape(-1, case.unit.mh)
    k, h, w = pool.kernel, pool.height, pool.width
    maps = bits.reshape(-1, h, w, case.unit.mh)[:, : h // k * k, : w // k * k]
    return maps.reshape(-1, h // k, k, w // k, k, case.unit.mh).max(axis=(2, 4))


def dense(case: Any) -> np.ndarray:
    return (case.elements @ case.parameters.weights.T >= case.parameters.thresholds[:, 0]).astype(
        int
    )


def check(cases: list[Any], results: list[Any], cycles: bool = True) -> None:
    for case, (codes, trips) in zip(cases, results, strict=True):
        work = edge_work(case.unit, case.parameters, case.elements)
        np.testing.assert_array_equal(codes.reshape(work.outputs.shape), work.outputs)
        np.testing.assert_array_equal(pooled(case, codes), pooled(case, dense(case).ravel()))
        if cycles:
            assert trips == frame_ends(case.unit, work)[-1], case.unit


def test_equals_the_dense_unit_and_the_cycle_model(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(5)
    cases = [edge_case(case_type, rng, m, s) for m in ("lockstep", "ooo") for s in SHAPES]
    check(cases, simulate(cases, exact=True))


def test_words_that_come_late_change_nothing(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(6)
    cases = [edge_case(case_type, rng, m, s) for m in ("lockstep", "ooo") for s in SHAPES[:3]]
    check(cases, simulate(cases, stalling=True), cycles=False)
