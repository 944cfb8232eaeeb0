"""Masks against loops in plain Python, and cycles of a frame whose positions are all kept."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from dse.ir.data_dependent import FrameCycles, interval
from dse.ir.design import Compression, compression_digest
from dse.ir.layers.conv2d import Conv2d
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.spatial import SpatialMask
from dse.ir.spatial_cycles import vector_cycles, window_cycles
from dse.ir.units import SkippingWindowUnit, SlidingWindowUnit


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "tile"),
    [(3, 1, 1, 1), (3, 1, 1, 2), (2, 2, 0, 2), (3, 2, 1, 2), (1, 1, 0, 2), (2, 3, 1, 1)],
)
@pytest.mark.parametrize("element", [BIPOLAR, IntType(4, signed=True)])
def test_a_tile_is_kept_where_its_windows_differ_enough(
    kernel: int, stride: int, padding: int, tile: int, element: IntType
) -> None:
    rng = np.random.default_rng(1)
    layer = Conv2d("c", ("input",), (7, 6, 3), True, 4, kernel, stride, padding)
    values = np.array([-1, 1]) if element.bipolar else np.arange(element.min, element.max + 1)
    x, reference = rng.choice(values, (2, 7, 6, 3)), rng.choice(values, 3)
    height, width, _ = layer.output_shape
    far = np.zeros((2, height, width), dtype=np.int64)
    for n, oy, ox in np.ndindex(2, height, width):
        ty, tx = oy // tile * tile, ox // tile * tile
        pixels = {
            (y * stride - padding + ky, z * stride - padding + kx)
            for y in range(ty, ty + tile)
            for z in range(tx, tx + tile)
            for ky in range(kernel)
            for kx in range(kernel)
        }
        if stride > kernel:  # between windows there are pixels that count, too
            span = kernel + (tile - 1) * stride
            pixels = {
                (ty * stride - padding + i, tx * stride - padding + j)
                for i in range(span)
                for j in range(span)
            }
        far[n, oy, ox] = sum(
            int((x[n, i, j] != reference).sum())
            if element.bipolar
            else int(abs(x[n, i, j] - reference).sum())
            for i, j in pixels
            if 0 <= i < 7 and 0 <= j < 6
        )
    least = int(np.median(far)) + 1
    mask = SpatialMask(reference, least, np.zeros(4, dtype=np.int64), tile)
    found = mask.keeps(x.astype(np.float64), layer, element)
    assert np.array_equal(found, far >= least)
    assert 0 < found.mean() < 1


@pytest.mark.parametrize("padding", [0, 1])
def test_where_all_is_kept_a_window_unit_takes_what_a_plain_one_takes(padding: int) -> None:
    unit = SkippingWindowUnit("w", 6, 5, 4, 3, 1, padding, 2, 4, 1, 0.5)
    names = [f.name for f in fields(SlidingWindowUnit)]
    plain = SlidingWindowUnit(**{n: getattr(unit, n) for n in names})
    masks = np.ones((5, unit.out_height, unit.out_width_pixels), dtype=bool)
    counted = window_cycles(unit, masks, batch=5)
    assert counted.processes[1].sum() == 5 * plain.cycles + plain.fill_cycles
    assert counted.total(5) == counted.processes[1].sum()


def test_where_nothing_is_kept_loading_sets_the_pace() -> None:
    unit = SkippingWindowUnit("w", 6, 5, 4, 3, 1, 1, 2, 4, 1, 0.5)
    counted = window_cycles(unit, np.zeros((4, 6, 5), dtype=bool), batch=2)
    assert counted.processes[1].sum() == 4 * unit.words_loaded
    # a step for each word of the map, and one for each pixel below and beside it
    assert (counted.processes[0] == 6 * 5 * 2 + 7 * 6 - 6 * 5).all()


def test_mean_and_high_percentile_of_a_design() -> None:
    masks = np.arange(20)[:, None, None] > np.zeros((20, 1, 4))
    slow = vector_cycles(masks, 10)
    assert slow.processes[0].tolist() == [1] + 19 * [41]
    other = FrameCycles((np.full(20, 30),))
    mean, high = interval([slow, other], others=35)
    assert (mean, high) == (19 * 41 / 20 + 1 / 20, 41.0)
    assert interval([slow, other], others=100) == (100.0, 100.0)
    assert slow.total(3) == 83


def test_a_share_of_all_says_nothing_in_a_digest() -> None:
    dense = Compression(4, 4)
    same = replace(dense, spatial_keep=1.0, spatial_tile=1)
    assert compression_digest({"a": dense}) == compression_digest({"a": same})
    assert compression_digest({"a": dense}) != compression_digest(
        {"a": replace(dense, spatial_keep=0.5)}
    )
