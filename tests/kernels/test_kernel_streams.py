"""Sliding window, max-pool and width converter against numpy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.ir.accelerator import max_pool, windows
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.units import PoolUnit, SlidingWindowUnit, WidthConverter
from hw_templates import folder

FRAMES = 3
SIGNED = IntType(5, signed=True)
UNSIGNED = IntType(3, signed=False)


def random_map(rng: np.random.Generator, shape: tuple[int, ...], element: IntType) -> np.ndarray:
    if element.bipolar:
        return rng.choice([-1, 1], shape)
    return rng.integers(element.min, element.max + 1, shape)


def as_codes(values: np.ndarray, element: IntType) -> np.ndarray:
    values = values.astype(np.int64).ravel()
    return (values > 0).astype(np.int64) if element.bipolar else values % 2**element.bits


def check(simulate: Any, made: list[tuple[Any, np.ndarray]]) -> None:
    for (case, expected), (got, trips) in zip(made, simulate([c for c, _ in made]), strict=True):
        np.testing.assert_array_equal(got, expected, err_msg=str(case.unit))
        fill = getattr(case.unit, "fill_cycles", 0)
        assert trips == case.frames * case.unit.cycles + fill, case.unit


MAPS = (
    # height, width, channels, kernel, stride, padding, simd
    (5, 5, 1, 3, 1, 1, 1, UNSIGNED),
    (2, 3, 2, 3, 1, 2, 1, SIGNED),
    (6, 2, 2, 2, 1, 1, 1, UNSIGNED),
    (10, 4, 1, 4, 3, 3, 1, BIPOLAR),  # the last row is needed by the first row of a window
    (6, 7, 4, 3, 1, 0, 2, SIGNED),
    (7, 6, 6, 3, 2, 1, 3, BIPOLAR),
    (8, 8, 2, 2, 2, 0, 2, UNSIGNED),
    (9, 9, 2, 3, 3, 0, 1, UNSIGNED),
    (6, 6, 4, 1, 1, 0, 4, SIGNED),
    (7, 7, 3, 1, 2, 0, 1, SIGNED),  # rows and columns that no window uses
    (5, 5, 2, 5, 1, 2, 2, BIPOLAR),
    (3, 9, 2, 3, 4, 1, 2, UNSIGNED),
    (9, 8, 2, 2, 3, 1, 1, SIGNED),  # rows between the windows
    (1, 1, 2, 3, 1, 1, 1, UNSIGNED),
    (4, 4, 200, 3, 1, 1, 200, SIGNED),
)


def window_cases(case_type: Any) -> list[tuple[Any, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = []
    for h, w, c, k, s, p, simd, element in MAPS:
        x = random_map(rng, (FRAMES, h, w, c), element)
        layer = Conv2d("l", ("input",), (h, w, c), True, 4, k, s, p)
        expected = windows(x.astype(float), layer, float(element.min_code_value))
        unit = SlidingWindowUnit("l", h, w, c, k, s, p, simd, element.bits)
        assert unit.out_height * unit.out_width_pixels == layer.vectors
        made.append((case_type(unit, x, element, frames=FRAMES), as_codes(expected, element)))
    return made


def test_sliding_window(simulate: Any, case_type: Any) -> None:
    check(simulate, window_cases(case_type))


def test_sliding_window_loads_and_writes_when_it_can(simulate: Any, case_type: Any) -> None:
    made = window_cases(case_type)
    results = simulate([case for case, _ in made], stalling=True)
    for (case, expected), (got, trips) in zip(made, results, strict=True):
        np.testing.assert_array_equal(got, expected, err_msg=str(case.unit))
        assert trips > case.frames * case.unit.cycles


def test_max_pool(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(0)
    made = []
    for h, w, c, k, pe, element in (
        (4, 4, 1, 2, 1, UNSIGNED),
        (5, 7, 6, 2, 3, UNSIGNED),  # incomplete windows
        (6, 6, 4, 3, 4, BIPOLAR),
        (8, 5, 4, 3, 1, SIGNED),
        (3, 3, 2, 3, 2, SIGNED),
        (8, 8, 2, 3, 1, UNSIGNED),
    ):
        x = random_map(rng, (FRAMES, h, w, c), element)
        unit = PoolUnit("l", h, w, c, k, pe, element.bits)
        layer = MaxPool2d("l", ("input",), (h, w, c), k)
        expected = as_codes(max_pool(x.astype(float), layer, pad=0.0), element)
        made.append((case_type(unit, x, element, frames=FRAMES), expected))
    check(simulate, made)


def test_width_converter_keeps_the_order_of_elements(simulate: Any, case_type: Any) -> None:
    rng = np.random.default_rng(0)
    made = []
    for a, b, elements, element in (
        (1, 8, 24, UNSIGNED),
        (12, 3, 36, SIGNED),
        (4, 6, 48, UNSIGNED),  # neither divides the other
        (9, 6, 36, SIGNED),
        (5, 3, 30, BIPOLAR),
        (7, 30, 420, UNSIGNED),
        (96, 64, 384, BIPOLAR),
    ):
        x = random_map(rng, (FRAMES, elements), element)
        unit = WidthConverter("l", a, b, element.bits, elements)
        made.append((case_type(unit, x, element, frames=FRAMES), as_codes(x, element)))
    check(simulate, made)


@pytest.mark.parametrize("header", sorted(p.name for p in folder("kernels").glob("*.hpp")))
def test_header_compiles_alone_without_warnings(header: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")
    source = tmp_path / "alone.cpp"
    source.write_text(f'#include "{header}"\n#include "{header}"\n')
    paths = ["-I", str(folder("kernels")), "-isystem", str(folder("csim"))]
    flags = ["-std=c++14", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    subprocess.run(["g++", *flags, *paths, str(source)], check=True)
