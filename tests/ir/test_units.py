"""Cycles, memories and widths of the units against loops that count."""

import itertools

import numpy as np
import pytest

from dse.ir.units import (
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    Tiling,
    WidthConverter,
    divisors,
    legal_folds,
)


def matrix(
    mh: int,
    mw: int,
    vectors: int,
    pe: object,
    simd: object,
    *,
    weight_bits: int = 4,
    input_bits: int = 4,
    input_signed: bool = False,
    output_bits: int = 4,
    tiling: Tiling | None = None,
) -> MatrixUnit:
    return MatrixUnit(
        "m",
        mh,
        mw,
        vectors,
        pe,  # type: ignore[arg-type]
        simd,  # type: ignore[arg-type]
        weight_bits,
        input_bits,
        input_signed,
        output_bits,
        "bram",
        "lut",
        tiling,
    )


@pytest.mark.parametrize(
    ("mh", "mw", "vectors", "pe", "simd", "cycles"),
    [  # CNV-W1A1 of BNN-PYNQ, layer by layer, as FINN counts it (the last layer padded to 64 rows)
        (64, 27, 900, 16, 3, 32400),
        (64, 576, 784, 32, 32, 28224),
        (128, 576, 144, 16, 32, 20736),
        (128, 1152, 100, 16, 32, 28800),
        (256, 1152, 9, 4, 32, 20736),
        (256, 2304, 1, 1, 32, 18432),
        (512, 256, 1, 1, 4, 32768),
        (512, 512, 1, 1, 8, 32768),
        (64, 512, 1, 4, 1, 8192),
        # LFC-W1A1
        (1024, 832, 1, 32, 64, 416),
        (1024, 1024, 1, 64, 32, 512),
        (1024, 1024, 1, 32, 64, 512),
        (64, 1024, 1, 16, 8, 512),
    ],
)
def test_dense_cycles_are_those_of_finn(
    mh: int, mw: int, vectors: int, pe: int, simd: int, cycles: int
) -> None:
    assert matrix(mh, mw, vectors, pe, simd).cycles == cycles


def test_dense_work_equals_a_counted_loop_nest() -> None:
    for pe, simd in itertools.product((1, 2, 3, 6), (1, 2, 4, 8)):
        unit = matrix(6, 8, 5, pe, simd)
        done = set()
        cycles = 0
        for vector, nf, sf in itertools.product(range(5), range(6 // pe), range(8 // simd)):
            cycles += 1
            for lane, s in itertools.product(range(pe), range(simd)):
                done.add((vector, nf * pe + lane, sf * simd + s))
        assert unit.cycles == cycles
        assert unit.macs == len(done) == 6 * 8 * 5
        assert unit.depth == cycles / 5
        assert (unit.in_width, unit.out_width, unit.fan_in) == (simd, pe, 8)


def test_tiled_unit_reads_whole_block_columns() -> None:
    t = Tiling(4, 8, 4, 2)
    wide = matrix(8, 32, 1, 8, 4, tiling=t)  # two block rows, two block columns at once
    assert t.lanes(8, 4) == (4, 2, 2, 2)
    assert (wide.in_width, wide.out_width, wide.fan_in, wide.cycles) == (16, 8, 8, 2)
    narrow = matrix(8, 32, 1, 2, 1, tiling=t)
    assert (narrow.in_width, narrow.out_width, narrow.cycles) == (8, 2, 2 * 4 * 2 * 2)


def test_output_words_can_set_the_pace_of_a_tiled_unit() -> None:
    # 1 of 64 weights: one step per block, but four words of two sums leave every block row
    t = Tiling(8, 8, 2, 1)
    assert matrix(16, 8, 3, 2, 1, tiling=t).cycles == 3 * 2 * 4


@pytest.mark.parametrize("tiling", [None, Tiling(4, 6, 4, 3), Tiling(4, 6, 2, 3)])
def test_arrays_of_foldings_give_arrays_of_the_scalar_answers(tiling: Tiling | None) -> None:
    pe, simd = legal_folds(16, 24, tiling)
    many = matrix(16, 24, 7, pe, simd, tiling=tiling)
    for name in ("cycles", "depth", "macs", "fan_in", "acc_bits", "in_width", "out_width"):
        values = np.broadcast_to(getattr(many, name), pe.shape)
        for i, (p, s) in enumerate(zip(pe.tolist(), simd.tolist(), strict=True)):
            assert values[i] == getattr(matrix(16, 24, 7, p, s, tiling=tiling), name)


def test_legal_dense_folds_are_all_divisors() -> None:
    pairs = list(zip(*(f.tolist() for f in legal_folds(6, 8, None)), strict=True))
    assert sorted(pairs) == list(itertools.product((1, 2, 3, 6), (1, 2, 4, 8)))
    _, simd = legal_folds(1, 8192, None)
    assert simd.min() == 8  # SIMD >= mw / 1024


def test_legal_tiled_folds_are_those_whose_lanes_come_out_even() -> None:
    mh, mw = 12, 24
    for t in (Tiling(4, 6, 4, 3), Tiling(4, 6, 2, 3), Tiling(6, 8, 3, 4), Tiling(4, 6, 4, 6)):
        legal = set(zip(*(f.tolist() for f in legal_folds(mh, mw, t)), strict=True))
        expected = set()
        for pe, simd in itertools.product(range(1, mh + 1), range(1, mw + 1)):
            rows, n, cols, m = t.lanes(pe, simd)
            if (
                rows * n == pe
                and cols * m == simd
                and t.kept_rows % rows == 0
                and t.kept_cols % cols == 0
                and (mh // t.block_rows) % n == 0
                and (mw // t.block_cols) % m == 0
                and (m == 1 or t.kept_rows == t.block_rows)
            ):
                expected.add((pe, simd))
        assert legal == expected


@pytest.mark.parametrize("weight_bits", [1, 2, 4])
@pytest.mark.parametrize(
    ("input_bits", "input_signed"), [(1, True), (1, False), (2, False), (3, True), (4, False)]
)
@pytest.mark.parametrize("fan_in", [1, 3, 7, 8])
def test_accumulators_hold_the_extreme_sums(
    weight_bits: int, input_bits: int, input_signed: bool, fan_in: int
) -> None:
    unit = matrix(
        1,
        fan_in,
        1,
        1,
        1,
        weight_bits=weight_bits,
        input_bits=input_bits,
        input_signed=input_signed,
    )
    bipolar = input_bits == 1 and input_signed
    top = max(2 ** (weight_bits - 1) - 1, 1)
    if bipolar:
        low, high = -1, 1
    elif input_signed:
        low, high = -(2 ** (input_bits - 1)), 2 ** (input_bits - 1) - 1
    else:
        low, high = 0, 2**input_bits - 1
    extreme = fan_in * top * max(-low, high)
    bits = int(unit.acc_bits)
    if weight_bits == 1 and bipolar:
        assert unit.popcount == 1
        assert 2**bits - 1 >= fan_in > 2 ** (bits - 1) - 1
    else:
        assert unit.popcount == 0
        assert -(2 ** (bits - 1)) <= -extreme
        assert extreme <= 2 ** (bits - 1) - 1
        assert bits <= np.ceil(np.log2(extreme + 1)) + 2  # and at most a bit is wasted


def test_raw_sums_leave_with_a_sign() -> None:
    unit = matrix(10, 64, 1, 1, 1, weight_bits=1, input_bits=1, input_signed=True, output_bits=0)
    assert unit.acc_bits == 7  # 0 .. 64
    assert unit.out_element_bits == 8  # -64 .. 64
    assert matrix(10, 64, 1, 1, 1, output_bits=3).out_element_bits == 3


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (1, 1), (2, 1)])
@pytest.mark.parametrize("simd", [1, 2, 4])
def test_window_cycles_are_those_of_the_slower_side(
    kernel: int, stride: int, padding: int, simd: int
) -> None:
    unit = SlidingWindowUnit("w", 6, 7, 4, kernel, stride, padding, simd, 2)
    words = 4 // simd
    width = 7 + 2 * padding
    rows = [y for y in range(6 + 2 * padding) if y % stride == 0 and y + kernel <= 6 + 2 * padding]
    columns = [x for x in range(width) if x % stride == 0 and x + kernel <= width]
    written = len(rows) * len(columns) * kernel**2 * words
    assert (unit.out_height, unit.out_width_pixels) == (len(rows), len(columns))
    assert (unit.words_loaded, unit.words_written) == (6 * 7 * words, written)
    assert unit.cycles == max(6 * 7 * words, written)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_the_first_frame_waits_for_its_words(kernel: int, stride: int, padding: int) -> None:
    if padding >= kernel:
        return
    simd = np.array([1, 2, 6])
    for height, width in itertools.product((4, 5, 9), (4, 7)):
        unit = SlidingWindowUnit("w", height, width, 6, kernel, stride, padding, simd, 2)
        for i, words in enumerate((6, 3, 1)):
            written = 0  # cycles until everything is written: one word each, never before its load
            pixels = itertools.product(range(unit.out_height), range(unit.out_width_pixels))
            for (y, x), ky, kx in itertools.product(pixels, range(kernel), range(kernel)):
                row, column = y * stride - padding + ky, x * stride - padding + kx
                for word in range(words):
                    if 0 <= row < height and 0 <= column < width:
                        written = max(written, (row * width + column) * words + word + 1)
                    written += 1
            first = max(written, int(unit.words_loaded[i]))
            assert unit.cycles[i] + unit.fill_cycles[i] == first


def test_pooling_takes_a_word_per_cycle() -> None:
    assert PoolUnit("p", 6, 7, 8, 2, 4, 2).cycles == 6 * 7 * 2


@pytest.mark.parametrize(("source", "target"), [(1, 4), (4, 1), (4, 6), (6, 4), (3, 5)])
def test_a_converter_is_as_slow_as_its_narrow_side(source: int, target: int) -> None:
    elements = 60
    unit = WidthConverter("d", source, target, 2, elements)
    # a cycle takes one word in (where there is room) or hands one out, both where possible
    held = taken = given = cycles = 0
    room = 2 * max(source, target) + min(source, target)
    while given < elements:
        cycles += 1
        if held >= target:
            held, given = held - target, given + target
        if taken < elements and held + source <= room:
            held, taken = held + source, taken + source
    assert unit.cycles <= cycles <= unit.cycles + 2 * max(source, target)


def test_divisors() -> None:
    for n in range(1, 60):
        assert divisors(n).tolist() == [d for d in range(1, n + 1) if n % d == 0]
