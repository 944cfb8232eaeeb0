"""Depthwise units and global pools against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.ir.accelerator import MatrixParameters, count_thresholds
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.numbers import BIPOLAR, IntType, activation_type
from dse.ir.units import DepthwiseUnit, MatrixUnit, SumUnit

FRAMES, VECTORS = 2, 3
SIGNED = IntType(8, signed=True)


def drawn(element: IntType, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    x = rng.integers(element.min, element.max + 1, shape)
    return rng.choice([-1, 1], shape) if element.bipolar else x


def depthwise_case(
    case_type: Any,
    rng: np.random.Generator,
    shape: tuple[int, int],
    pe: int,
    weight_bits: int,
    element: IntType,
    output_bits: int,
    compute: str = "lut",
) -> tuple[Any, np.ndarray]:
    """Return the case and the expected codes of its outputs."""
    channels, pixels = shape
    limit = max(1, 2 ** (weight_bits - 1) - 1)
    weights = rng.integers(-limit, limit + 1, shape)
    weights = np.where(weights == 0, 1, weights) if weight_bits == 1 else weights
    weights[0] = limit
    x = drawn(element, (FRAMES * VECTORS, pixels, channels), rng)
    x[0], x[1] = element.max, element.min  # the ends of the accumulator
    sums = (x * weights.T).sum(axis=1)
    thresholds = None
    if output_bits:
        picks = rng.integers(0, len(x), (2**output_bits - 1, channels))
        thresholds = np.sort(np.take_along_axis(sums, picks, 0), axis=0).T
        thresholds = thresholds + rng.integers(0, 2, (channels, 1))
        thresholds[0, 0], thresholds[-1, -1] = -(2**40), 2**40
    kept = np.ones(shape, dtype=bool)
    p = MatrixParameters(weight_bits, weights, kept, output_bits or None, thresholds)
    unit = DepthwiseUnit(
        "l",
        *(channels, pixels, VECTORS, pe, 1),
        *(weight_bits, element.bits, element.signed, output_bits),
        "bram",
        compute,
    )
    codes = sums if thresholds is None else count_thresholds(sums.astype(float), thresholds)
    expected = codes.astype(np.int64) % 2 ** int(unit.out_element_bits)
    return case_type(unit, x, element, p, FRAMES), expected.ravel()


def check(simulate: Any, made: list[tuple[Any, np.ndarray]]) -> None:
    results = simulate([case for case, _ in made], exact=True)
    for (case, expected), (got, trips) in zip(made, results, strict=True):
        np.testing.assert_array_equal(got, expected, err_msg=str(case.unit))
        assert trips == case.frames * case.unit.cycles, case.unit


def test_depthwise_units(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(1)
    u = activation_type
    made = [
        depthwise_case(case_type, rng, *arguments)
        for arguments in (
            ((6, 9), 2, 1, BIPOLAR, 1),
            ((4, 9), 4, 1, BIPOLAR, 2),
            ((3, 4), 1, 1, BIPOLAR, 0),
            ((6, 9), 3, 1, u(3), 2),
            ((5, 9), 5, 1, SIGNED, 0),
            ((6, 25), 1, 4, BIPOLAR, 1),
            ((8, 9), 2, 4, u(4), 4),
            ((4, 1), 2, 8, SIGNED, 8),
            ((40, 9), 40, 2, u(8), 3),
        )
    ]
    made.append(depthwise_case(case_type, rng, (4, 9), 2, 5, u(6), 2, compute="dsp"))
    check(simulate, made)


def test_global_sums(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(2)
    made = []
    for height, width, channels, pe, element in (
        (3, 2, 4, 2, IntType(3, signed=False)),
        (7, 7, 2, 2, IntType(8, signed=False)),
        (2, 4, 6, 1, SIGNED),
        (4, 4, 6, 3, BIPOLAR),
        (1, 7, 5, 5, BIPOLAR),
        (1, 1, 4, 2, BIPOLAR),
        (1, 1, 4, 1, IntType(4, signed=False)),
    ):
        layer = GlobalAveragePool("l", ("input",), (height, width, channels))
        sums = layer.output_type(element)
        unit = SumUnit("l", layer.pixels, channels, pe, element.bits, sums.bits)
        x = drawn(element, (FRAMES, layer.pixels, channels), rng)
        x[0] = element.max
        total = x.sum(axis=1).ravel()
        expected = (total > 0) * 1 if sums.bipolar else total % 2**sums.bits
        made.append((case_type(unit, x, element, frames=FRAMES), expected))
    check(simulate, made)


def test_sums_beyond_32_bits(simulate: Any, case_type: Any) -> None:
    """Behind a global pool of a large map a classifier may need them."""
    element = IntType(16, signed=False)
    weights = np.full((2, 1024), 127)
    weights[1] *= -1
    unit = MatrixUnit("l", 2, 1024, 1, 1, 64, 8, 16, False, 0, "bram", "lut")
    assert unit.acc_bits > 32
    x = np.full((1, 1024), element.max)
    p = MatrixParameters(8, weights, np.ones_like(weights, dtype=bool), None, None)
    expected = (x @ weights.T).ravel() % 2 ** int(unit.out_element_bits)
    ((got, _),) = simulate([case_type(unit, x, element, p, 1)])
    np.testing.assert_array_equal(got, expected)
