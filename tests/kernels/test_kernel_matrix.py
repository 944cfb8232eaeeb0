"""Matrix units against numpy: four arithmetics, with and without thresholds, dense and tiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dse.ir.accelerator import MatrixParameters
from dse.ir.numbers import BIPOLAR, IntType, activation_type
from dse.ir.units import MatrixUnit, Tiling


def random_mask(mh: int, mw: int, t: Tiling | None, rng: np.random.Generator) -> np.ndarray:
    """A balanced mask: any c columns, one row of every residue class modulo r, of every block."""
    kept = np.ones((mh, mw), dtype=bool)
    if t is None:
        return kept
    kept[:] = False
    part = mw // t.positions
    for u in range(0, mh, t.block_rows):
        for v in range(0, part, t.block_cols):
            runs = rng.choice(t.block_cols // t.run, t.kept_cols // t.run, replace=False)
            choice = (v + runs[:, None] * t.run + np.arange(t.run)).ravel()
            columns = (choice + np.arange(0, mw, part)[:, None]).ravel()
            per_class = t.block_rows // t.kept_rows
            rows = (
                u + np.arange(t.kept_rows) + t.kept_rows * rng.integers(0, per_class, t.kept_rows)
            )
            kept[np.ix_(rows, columns)] = True
    return kept


def reference(p: MatrixParameters, x: np.ndarray) -> np.ndarray:
    dot = x @ p.weights.T
    if p.thresholds is None:
        return dot
    return (dot[:, :, None] >= p.thresholds).sum(axis=2)


def matrix_case(
    case_type: Any,
    rng: np.random.Generator,
    shape: tuple[int, int],
    fold: tuple[int, int],
    weight_bits: int,
    element: IntType,
    output_bits: int,
    tiling: Tiling | None = None,
    compute: str = "lut",
    ternary: bool = False,
) -> tuple[Any, np.ndarray]:
    """Return the case and the expected codes of its outputs."""
    mh, mw = shape
    vectors, frames = 3, 2
    kept = random_mask(mh, mw, tiling, rng)
    if ternary:
        kept &= rng.random(kept.shape) < 0.6
    limit = 2 ** (weight_bits - 1) - 1
    weights = (
        rng.choice([-1, 1], shape) if weight_bits == 1 else rng.integers(-limit, limit + 1, shape)
    )
    x = rng.integers(element.min, element.max + 1, (frames * vectors, mw))
    if element.bipolar:
        x = rng.choice([-1, 1], x.shape)
    x[0], x[1] = element.max, element.min  # the ends of the accumulator
    weights[0] = 1 if weight_bits == 1 else limit
    thresholds = None
    if output_bits:
        sums = x @ (weights * kept).T
        picks = rng.integers(0, len(x), (2**output_bits - 1, mh))
        thresholds = np.sort(np.take_along_axis(sums, picks, 0), axis=0).T
        thresholds = thresholds + rng.integers(0, 2, (mh, 1))  # between and on the sums
        thresholds[0, 0], thresholds[-1, -1] = -(2**40), 2**40
    p = MatrixParameters(weight_bits, weights * kept, kept, output_bits or None, thresholds)
    unit = MatrixUnit(
        layer="l",
        mh=mh,
        mw=mw,
        vectors=vectors,
        pe=fold[0],
        simd=fold[1],
        weight_bits=2 if ternary else weight_bits,
        input_bits=element.bits,
        input_signed=element.signed,
        output_bits=output_bits,
        memory="bram",
        compute=compute,
        tiling=tiling,
    )
    expected = reference(p, x) % 2 ** int(unit.out_element_bits)
    return case_type(unit, x, element, p, frames), expected.ravel()


def check(simulate: Any, made: list[tuple[Any, np.ndarray]], **options: bool) -> None:
    results = simulate([case for case, _ in made], **options)
    for (case, expected), (got, trips) in zip(made, results, strict=True):
        np.testing.assert_array_equal(got, expected, err_msg=str(case.unit))
        assert trips == case.frames * case.unit.cycles, case.unit


SIGNED = IntType(8, signed=True)


def test_dense(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(1)
    wide, u = (6, 150), activation_type
    made = [
        matrix_case(case_type, rng, *arguments)
        for arguments in (
            ((6, 20), (3, 5), 1, BIPOLAR, 1),
            ((4, 12), (1, 1), 1, BIPOLAR, 3),
            (wide, (2, 75), 1, BIPOLAR, 0),
            ((4, 130), (4, 130), 1, BIPOLAR, 1),
            ((6, 20), (2, 10), 1, u(3), 2),
            ((5, 9), (5, 3), 1, SIGNED, 0),
            ((6, 20), (3, 4), 4, BIPOLAR, 1),
            ((3, 30), (1, 30), 3, BIPOLAR, 0),
            ((6, 20), (2, 5), 4, u(4), 4),
            ((4, 18), (4, 9), 8, SIGNED, 8),
            ((2, 40), (2, 20), 2, u(8), 0),
            (wide, (3, 150), 3, u(8), 1),
        )
    ]
    made.append(matrix_case(case_type, rng, (4, 24), (2, 6), 1, BIPOLAR, 1, ternary=True))
    made.append(matrix_case(case_type, rng, (4, 24), (2, 6), 1, u(2), 0, ternary=True))
    made.append(matrix_case(case_type, rng, (4, 8), (2, 4), 5, u(6), 2, compute="dsp"))
    check(simulate, made, exact=True)


TILES = (
    # tiling, shape, foldings (PE, SIMD): all rows and columns of a tile, parts, several block rows (n), ...
    (Tiling(4, 6, 4, 3), (8, 18), ((2, 1), (8, 3), (4, 9), (8, 9), (1, 3))),
    (Tiling(8, 5, 2, 2), (16, 20), ((1, 1), (2, 2), (4, 2), (2, 1))),
    (Tiling(6, 70, 3, 66), (12, 140), ((1, 33), (6, 66))),
    (Tiling(4, 4, 1, 1), (12, 16), ((1, 1), (3, 1))),
    # the same columns at every position, of shared rows and of every row; runs of channels
    (Tiling(2, 4, 2, 2, positions=4), (4, 48), ((4, 2), (1, 4), (2, 12))),
    (Tiling(1, 3, 1, 1, positions=9), (6, 81), ((3, 3), (2, 9))),
    (Tiling(4, 12, 4, 6, positions=3, run=3), (8, 36), ((2, 1), (8, 6))),
    (Tiling(2, 16, 2, 8, positions=2, run=4), (4, 64), ((1, 2), (2, 16))),
)


def test_tiled(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(2)
    kinds = ((1, BIPOLAR), (1, activation_type(3)), (4, BIPOLAR), (3, SIGNED))
    made = []
    number = 0
    for tiling, shape, folds in TILES:
        for fold in folds:
            # walk through arithmetics and output widths so that each meets each kind of folding
            weight_bits, element = kinds[number % 4]
            made.append(
                matrix_case(
                    case_type, rng, shape, fold, weight_bits, element, (1, 2, 0)[number % 3], tiling
                )
            )
            number += 1
    check(simulate, made, exact=True)


@pytest.mark.slow
def test_every_folding_meets_every_arithmetic(simulate: Any, case_type: Any) -> None:
    """And each of both meets every width of the output."""
    rng = np.random.default_rng(3)
    kinds = ((1, BIPOLAR), (1, activation_type(2)), (2, BIPOLAR), (6, activation_type(5)))
    places = [(tiling, shape, fold) for tiling, shape, folds in TILES for fold in folds]
    made = []
    for i, (tiling, shape, fold) in enumerate(places):
        for j, (weight_bits, element) in enumerate(kinds):
            output_bits = (0, 1, 3)[(i + j) % 3]
            made.append(
                matrix_case(case_type, rng, shape, fold, weight_bits, element, output_bits, tiling)
            )
    check(simulate, made)
