"""Verilog depthwise units and global pools against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.emit.rtl_timing import rtl_latency_cycles
from dse.ir.accelerator import MatrixParameters, count_thresholds
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.numbers import BIPOLAR, IntType, activation_type
from dse.ir.units import DepthwiseUnit, SumUnit

VECTORS, FRAMES = 5, 3
SIGNED = IntType(8, signed=True)


def drawn(element: IntType, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    x = rng.integers(element.min, element.max + 1, shape)
    return rng.choice([-1, 1], shape) if element.bipolar else x


def check(simulate: Any, cases: list[Any], groups: int) -> None:
    """Compare the codes, and the time of every group of words that leaves at once."""
    plain, stalled = simulate(cases)
    for case, free, held in zip(cases, plain, stalled, strict=True):
        np.testing.assert_array_equal(free.codes, case.expected, err_msg=str(case.unit))
        np.testing.assert_array_equal(held.codes, case.expected, err_msg=str(case.unit))
        words, period = len(free.times) // groups, int(case.unit.cycles)
        if isinstance(case.unit, DepthwiseUnit):
            assert free.times[-1] == rtl_latency_cycles([case.unit, case.fifo]), case.unit
            period //= groups
        else:
            assert free.times[words - 1] == rtl_latency_cycles([case.unit, case.fifo]), case.unit
        assert (np.diff(free.times[::words]) == period).all(), case.unit


def depthwise_case(
    case_type: Any,
    rng: np.random.Generator,
    shape: tuple[int, int],
    pe: int,
    weight_bits: int,
    element: IntType,
    output_bits: int,
    *styles: str,
) -> Any:
    channels, pixels = shape
    limit = max(1, 2 ** (weight_bits - 1) - 1)
    weights = rng.integers(-limit, limit + 1, shape)
    weights = np.where(weights == 0, 1, weights) if weight_bits == 1 else weights
    weights[0] = limit
    x = drawn(element, (VECTORS, pixels, channels), rng)
    x[0], x[1] = element.max, element.min  # the ends of the accumulator
    sums = (x * weights.T).sum(axis=1)
    thresholds = None
    if output_bits:
        picks = rng.integers(0, VECTORS, (2**output_bits - 1, channels))
        thresholds = np.sort(np.take_along_axis(sums, picks, 0), axis=0).T
        thresholds = thresholds + rng.integers(0, 2, (channels, 1))
        thresholds[0, 0], thresholds[-1, -1] = -(2**40), 2**40
    unit = DepthwiseUnit(
        "l",
        *(channels, pixels, VECTORS, pe, 1),
        *(weight_bits, element.bits, element.signed, output_bits),
        *(styles or ("bram", "lut")),
    )
    codes = sums if thresholds is None else count_thresholds(sums.astype(np.float64), thresholds)
    expected = codes.astype(np.int64).ravel() % 2 ** int(unit.out_element_bits)
    kept = np.ones(shape, dtype=bool)
    p = MatrixParameters(weight_bits, weights, kept, output_bits or None, thresholds)
    return case_type(unit, x, element, expected, p)


def test_depthwise_units(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(1)
    u = activation_type
    cases = [
        depthwise_case(case_type, rng, *arguments)
        for arguments in (
            ((6, 9), 2, 1, BIPOLAR, 1),
            ((4, 9), 4, 1, BIPOLAR, 2),
            ((3, 4), 1, 1, BIPOLAR, 0),
            ((6, 9), 3, 1, u(3), 2),
            ((5, 9), 5, 1, SIGNED, 0),
            ((6, 25), 1, 4, BIPOLAR, 1),
            ((8, 9), 2, 4, u(4), 4),
            ((4, 1), 2, 8, SIGNED, 3),  # a single weight per channel
            ((3, 1), 3, 2, u(2), 1),
            ((4, 9), 2, 5, u(6), 2, "lutram", "dsp"),
        )
    ]
    check(simulate_units, cases, VECTORS)


def test_global_sums(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(2)
    cases = []
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
        cases.append(case_type(unit, x, element, expected))
    check(simulate_units, cases, FRAMES)
