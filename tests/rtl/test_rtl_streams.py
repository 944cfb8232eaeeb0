"""Verilog window units, pools, converters and FIFOs against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.emit.rtl_timing import rtl_latency_cycles
from dse.emit.words import codes
from dse.ir.accelerator import max_pool, windows
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.units import Fifo, PoolUnit, SlidingWindowUnit, WidthConverter

FRAMES = 3
SIGNED = IntType(5, signed=True)
UNSIGNED = IntType(3, signed=False)


def elements(element: IntType, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if element.bipolar:
        return rng.choice([-1, 1], shape)
    return rng.integers(element.min, element.max + 1, shape)


def check(simulate: Any, cases: list[Any]) -> None:
    plain, stalled = simulate(cases)
    for case, free, held in zip(cases, plain, stalled, strict=True):
        size, unit = case.expected.size, case.unit
        for run in (free, held):
            np.testing.assert_array_equal(run.codes[:size], case.expected, err_msg=str(unit))
            # padding of the next frame waits for nothing
            assert not run.codes[size:].any(), unit
            assert len(run.codes) - size <= padding_first(unit) * int(unit.out_width), unit
        words = size // int(unit.out_width) // FRAMES
        ends = free.times[words - 1 : FRAMES * words : words]
        # ... so neither does that of the first frame
        early = rtl_latency_cycles([unit, case.fifo]) - ends[0]
        assert 0 <= early <= padding_first(unit), unit
        assert (np.diff(ends)[1:] == unit.cycles).all(), unit


def padding_first(unit: Any) -> int:
    """Words of padding that a frame begins with."""
    if not isinstance(unit, SlidingWindowUnit):
        return 0
    return unit.padding * (unit.kernel + 1) * int(unit.channels // unit.simd)


def test_sliding_windows(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(1)
    cases = []
    for height, width, channels, kernel, stride, padding, simd, element in (
        (5, 5, 2, 3, 1, 1, 1, SIGNED),
        (6, 4, 4, 3, 1, 0, 4, UNSIGNED),
        (7, 6, 2, 3, 2, 1, 2, BIPOLAR),
        (8, 7, 1, 3, 2, 0, 1, UNSIGNED),  # a row that no window needs
        (5, 6, 2, 2, 2, 1, 1, UNSIGNED),
        (6, 6, 3, 1, 1, 0, 3, BIPOLAR),
        (7, 7, 2, 1, 2, 0, 2, SIGNED),  # rows between the windows are dropped
        (
            9,
            8,
            1,
            2,
            3,
            0,
            1,
            UNSIGNED,
        ),  # a column that no window needs comes after its row is done
        (5, 6, 1, 1, 2, 0, 1, SIGNED),
        (5, 5, 1, 5, 1, 2, 1, SIGNED),
        (3, 3, 2, 3, 1, 2, 2, BIPOLAR),
        (4, 40, 4, 3, 1, 1, 1, UNSIGNED),  # ring in block RAM
    ):
        layer = Conv2d("l", ("input",), (height, width, channels), True, 1, kernel, stride, padding)
        unit = SlidingWindowUnit(
            "l", height, width, channels, kernel, stride, padding, simd, element.bits
        )
        x = elements(element, (FRAMES, height, width, channels), rng)
        # of each pixel of a window all its words of `simd` channels, one after the other
        expected = windows(x.astype(np.float64), layer, float(element.min_code_value))
        values = codes(expected.astype(np.int64), element).astype(np.int64).ravel()
        cases.append(case_type(unit, x, element, values))
    check(simulate_units, cases)


def test_max_pools(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(2)
    cases = []
    for height, width, channels, kernel, pe, element in (
        (4, 6, 4, 2, 2, UNSIGNED),
        (5, 7, 2, 2, 2, SIGNED),  # a column and a row are dropped
        (8, 7, 3, 3, 1, BIPOLAR),  # two rows are dropped
        (3, 4, 2, 1, 1, UNSIGNED),
        (4, 4, 6, 4, 6, SIGNED),
    ):
        unit = PoolUnit("l", height, width, channels, kernel, pe, element.bits)
        x = elements(element, (FRAMES, height, width, channels), rng)
        layer = MaxPool2d("l", ("input",), (height, width, channels), kernel)
        expected = max_pool(x.astype(np.float64), layer, pad=0.0).astype(np.int64)
        cases.append(case_type(unit, x, element, codes(expected, element).astype(np.int64).ravel()))
    check(simulate_units, cases)


def test_converters_and_fifos(simulate_units: Any, case_type: Any) -> None:
    rng = np.random.default_rng(3)
    cases = []
    for source, target, depth in (
        (1, 4, 2),
        (3, 6, 2),
        (8, 2, 5),
        (6, 1, 2),
        (4, 6, 2),
        (6, 4, 16),
        (3, 7, 2),
        (9, 2, 3),
        (1, 2, 300),  # in block RAM
    ):
        unit = WidthConverter("l", source, target, UNSIGNED.bits, np.lcm(source, target) * 4)
        x = elements(UNSIGNED, (FRAMES, int(unit.elements)), rng)
        expected = codes(x, UNSIGNED).astype(np.int64).ravel()
        cases.append(case_type(unit, x, UNSIGNED, expected, None, Fifo("l", depth, 1)))
    check(simulate_units, cases)
