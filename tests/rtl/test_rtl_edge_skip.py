"""Verilog units that skip edges against numpy: output bits, and the cycle of the last word of every vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.ir.accelerator import MatrixParameters
from dse.ir.edge_cycles import edge_work, vector_times
from dse.ir.edge_skip import EdgeSkipUnit, Pooling
from dse.ir.numbers import BIPOLAR

FRAMES = 3
# (mh, mw), (PE, SIMD), map of a frame, kernel of the pool (0: none), memory
SHAPES = (
    ((8, 48), (4, 4), (4, 4), 2, "bram"),
    ((6, 30), (2, 5), (5, 7), 2, "lutram"),
    ((4, 24), (4, 8), (6, 6), 3, "bram"),
    ((6, 20), (3, 10), (1, 5), 0, "bram"),
    ((5, 12), (1, 1), (2, 4), 2, "bram"),
    ((4, 26), (2, 26), (4, 2), 2, "bram"),
    ((1, 9), (1, 3), (2, 2), 2, "bram"),
)


def edge_case(case_type: Any, rng: np.random.Generator, mode: str, shape: Any) -> tuple[Any, Any]:
    """Return a case, and the cycle model's view of it."""
    (mh, mw), (pe, simd), (height, width), kernel, memory = shape
    pooling = Pooling(kernel, height, width) if kernel else None
    unit = EdgeSkipUnit(
        *("l", mh, mw, height * width, pe, simd, 1, 1, True, 1, memory, "lut"),
        mode=mode,
        pooling=pooling,
    )
    weights = rng.choice([-1, 1], (mh, mw), p=[0.3, 0.7])
    lean = rng.random((FRAMES * height * width, 1))
    x = np.where(rng.random((len(lean), mw)) < lean, 1, -1)
    thresholds = np.take_along_axis(x @ weights.T, rng.integers(0, len(x), (1, mh)), 0).T
    if mh > 1:
        thresholds[0, 0], thresholds[-1, 0] = -(10**6), 10**6  # always, and never
    p = MatrixParameters(1, weights, np.ones((mh, mw), dtype=bool), 1, thresholds)
    work = edge_work(unit, p, x)
    case = case_type(unit, x, BIPOLAR, work.outputs.ravel().astype(int), p)
    return case, vector_times(unit, work)[1]


def test_outputs_and_cycles(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(8)
    made = [edge_case(case_type, rng, m, s) for m in ("lockstep", "ooo") for s in SHAPES]
    cases = [case for case, _ in made]
    for stalled, results in enumerate(simulate_units(cases)):
        for (case, left), got in zip(made, results, strict=True):
            np.testing.assert_array_equal(got.codes, case.expected, err_msg=str(case.unit))
            if not stalled:
                last = np.array(got.times).reshape(len(left), -1)[:, -1]
                # the register of the unit and the FIFO behind it, in front of which nothing waits
                np.testing.assert_array_equal(
                    last - left, last[0] - left[0], err_msg=str(case.unit)
                )
                assert last[0] - left[0] == 3
