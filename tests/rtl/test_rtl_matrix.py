"""Verilog matrix units against numpy: four arithmetics, with and without thresholds, dense and tiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dse.emit.rtl_timing import rtl_latency_cycles
from dse.emit.sweep_integers import random_mask
from dse.ir.accelerator import MatrixParameters, count_thresholds
from dse.ir.numbers import BIPOLAR, IntType, activation_type
from dse.ir.units import MatrixUnit, Tiling, legal_folds

VECTORS = 5
SIGNED = IntType(8, signed=True)


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
    memory: str = "bram",
    ternary: bool = False,
) -> Any:
    mh, mw = shape
    kept = np.ones(shape, dtype=bool)
    if tiling is not None:
        kept = random_mask(*shape, tiling, rng)
    if ternary:
        kept = kept & (rng.random(shape) < 0.6)
    limit = 2 ** (weight_bits - 1) - 1
    weights = (
        rng.choice([-1, 1], shape) if weight_bits == 1 else rng.integers(-limit, limit + 1, shape)
    )
    weights[0] = limit or 1
    weights *= kept
    x = rng.integers(element.min, element.max + 1, (VECTORS, mw))
    if element.bipolar:
        x = rng.choice([-1, 1], x.shape)
    x[0], x[1] = element.max, element.min  # the ends of the accumulator
    dot = x @ weights.T
    thresholds = None
    if output_bits:
        picks = rng.integers(0, VECTORS, (2**output_bits - 1, mh))
        thresholds = np.sort(np.take_along_axis(dot, picks, 0), axis=0).T
        thresholds = thresholds + rng.integers(0, 2, (mh, 1))  # between and on the sums
        thresholds[0, 0], thresholds[-1, -1] = -(2**40), 2**40
    unit = MatrixUnit(
        layer="l",
        mh=mh,
        mw=mw,
        vectors=VECTORS,
        pe=fold[0],
        simd=fold[1],
        weight_bits=2 if ternary else weight_bits,
        input_bits=element.bits,
        input_signed=element.signed,
        output_bits=output_bits,
        memory=memory,
        compute=compute,
        tiling=tiling,
    )
    codes = dot if thresholds is None else count_thresholds(dot.astype(np.float64), thresholds)
    expected = codes.astype(np.int64).ravel() % 2 ** int(unit.out_element_bits)
    p = MatrixParameters(weight_bits, weights, kept, output_bits or None, thresholds)
    return case_type(unit, x, element, expected, p)


def check(simulate: Any, cases: list[Any]) -> None:
    plain, stalled = simulate(cases)
    for case, free, held in zip(cases, plain, stalled, strict=True):
        np.testing.assert_array_equal(free.codes, case.expected, err_msg=str(case.unit))
        np.testing.assert_array_equal(held.codes, case.expected, err_msg=str(case.unit))
        # all vectors back to back, then the registers
        assert free.times[-1] == rtl_latency_cycles([case.unit, case.fifo]), case.unit
        # a vector, from the first word on, takes its cycles and no more
        words = len(free.times) // VECTORS
        gaps = np.diff(free.times[::words])
        assert (gaps == case.unit.cycles // VECTORS).all(), case.unit


def test_dense_units(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(1)
    u = activation_type
    cases = [
        matrix_case(case_type, rng, *arguments)
        for arguments in (
            ((6, 20), (3, 5), 1, BIPOLAR, 1),
            ((4, 12), (1, 1), 1, BIPOLAR, 3),
            ((4, 74), (2, 37), 1, BIPOLAR, 0),
            ((6, 20), (2, 10), 1, u(3), 2),
            ((5, 9), (5, 3), 1, SIGNED, 0),
            ((6, 20), (3, 4), 4, BIPOLAR, 1),
            ((6, 20), (2, 5), 4, u(4), 4),
            ((4, 18), (2, 9), 8, SIGNED, 3),
            ((3, 17), (3, 17), 3, u(8), 1),  # one step a vector
        )
    ]
    cases.append(matrix_case(case_type, rng, (4, 24), (2, 6), 1, BIPOLAR, 1, ternary=True))
    cases.append(
        matrix_case(case_type, rng, (4, 8), (2, 4), 5, u(6), 2, compute="dsp", memory="lutram")
    )
    check(simulate_units, cases)


@pytest.mark.slow
def test_wide_dense_units(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(4)
    cases = [
        matrix_case(case_type, rng, *arguments)
        for arguments in (
            ((4, 130), (2, 130), 1, BIPOLAR, 1),
            ((4, 18), (4, 9), 8, SIGNED, 8),
            ((6, 150), (3, 75), 3, activation_type(8), 1),
        )
    ]
    check(simulate_units, cases)


TILES = (
    # tiling, shape, foldings: parts of a tile, whole tiles, several block rows (n), ... and columns (m)
    (Tiling(4, 6, 4, 3), (8, 18), ((2, 1), (8, 3), (4, 9), (1, 3))),
    (Tiling(8, 5, 2, 2), (16, 20), ((1, 1), (2, 2), (4, 2))),
    (Tiling(6, 12, 3, 10), (12, 24), ((1, 5), (6, 10))),
    (Tiling(4, 4, 1, 1), (12, 16), ((1, 1), (3, 1))),
    (Tiling(12, 2, 6, 1), (24, 4), ((2, 1), (12, 1))),
    # the same columns at every position, of shared rows and of every row; runs of channels
    (Tiling(2, 4, 2, 2, positions=4), (4, 48), ((4, 2), (1, 4))),
    (Tiling(1, 3, 1, 1, positions=9), (6, 81), ((2, 9),)),
    (Tiling(4, 12, 4, 6, positions=3, run=3), (8, 36), ((2, 1), (8, 6))),
    (Tiling(2, 16, 2, 8, positions=2, run=4), (4, 64), ((1, 2), (2, 16))),
)


def test_tiled_units(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(2)
    kinds = ((1, BIPOLAR), (1, activation_type(3)), (4, BIPOLAR), (3, SIGNED))
    cases = []
    for tiling, shape, folds in TILES:
        for fold in folds:
            # walk through arithmetics and output widths so that each meets each kind of folding
            bits, element = kinds[len(cases) % 4]
            output_bits = (1, 2, 0)[len(cases) % 3]
            cases.append(
                matrix_case(case_type, rng, shape, fold, bits, element, output_bits, tiling)
            )
    check(simulate_units, cases)


@pytest.mark.slow
def test_every_fold_of_every_tile(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(3)
    kinds = ((1, BIPOLAR), (1, activation_type(2)), (2, BIPOLAR), (6, activation_type(5)))
    cases = []
    for tiling, shape, _ in TILES:
        for pe, simd in zip(*(f.tolist() for f in legal_folds(*shape, tiling)), strict=True):
            bits, element = kinds[len(cases) % 4]
            output_bits = (0, 1, 3)[len(cases) % 3]
            cases.append(
                matrix_case(case_type, rng, shape, (pe, simd), bits, element, output_bits, tiling)
            )
    check(simulate_units, cases)
