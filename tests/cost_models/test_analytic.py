"""FINN's formulas against its published vectors, our terms against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cost_models import _finn, _terms, analytic
from dse.errors import UsageError
from dse.ir.units import (
    Fifo,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    Tiling,
    WidthConverter,
    divisors,
)

DENSE = MatrixUnit("m", 64, 576, 100, 4, 16, 2, 2, False, 2, "bram", "lut")

# FINN unit test of the resource estimates: INT2 x INT2, MW = MH = 4, PE = SIMD = 1, embedded
GOLDEN = replace(DENSE, mh=4, mw=4, pe=1, simd=1, input_signed=True, output_bits=0, memory="lutram")


@pytest.mark.parametrize(("compute", "lut", "dsp"), [("lut", 317, 0), ("dsp", 313, 1)])
def test_finn_golden_vector(compute: str, lut: int, dsp: int) -> None:
    g = GOLDEN
    acc = _finn.mvau_acc_bits(g.mw, g.weight_bits, g.input_bits, input_signed=True)
    finn = _finn.mvau_lut(
        g.pe,
        g.simd,
        g.weight_bits,
        g.input_bits,
        acc,
        g.output_bits,
        g.mh // g.pe,
        g.depth,
        lut_multipliers=compute == "lut",
        lut_weights=True,
    )
    assert finn.total == lut
    terms = _terms.matrix(replace(g, compute=compute))
    assert terms.dsp == dsp
    assert terms.bram18 == 0
    # ours are the same terms; only the accumulator is narrower: weights are in the narrow range
    assert terms.lut["multiply"] == finn.multiply
    assert terms.lut["tree"] == finn.tree
    assert terms.lut["weights"] == finn.weights
    assert terms.lut["accumulate"] == finn.accumulate - 1


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [
        (0, 100, 0),
        (1, 16384, 1),
        (1, 16385, 2),
        (2, 8192, 1),
        (4, 4096, 1),
        (3, 4097, 2),
        (9, 2048, 1),
        (18, 1024, 1),
        (36, 512, 1),
        (36, 513, 2),
        (37, 512, 2),
        (256, 256, 8),  # yosys: 4 RAMB36
        (1024, 64, 29),  # yosys: 29 RAMB18
        (4096, 16, 114),  # yosys: 57 RAMB36
    ],
)
def test_block_ram_shapes(width: int, depth: int, blocks: int) -> None:
    assert _finn.bram18(width, depth) == blocks


def test_ultra_ram_shapes() -> None:
    assert [float(_finn.uram(w, d)) for w, d in [(72, 4096), (73, 4096), (1, 4097)]] == [1, 2, 2]


def test_terms_of_a_tiled_unit_by_hand() -> None:
    # 8 x 12 blocks in 8 x 48; kept are 2 of 8 rows, 4 of 12 columns; PE 4 = 2 lanes x 2 block rows
    unit = replace(DENSE, mh=64, mw=576, pe=4, simd=2, tiling=Tiling(8, 12, 2, 4))
    groups, blocks, steps = 64 // 8 // 2, 576 // 12, 4 // 2
    terms = _terms.matrix(unit)
    acc = int(unit.acc_bits)
    column_width, row_width = 2 * 2 * 4, 2 * 2 * 2  # ceil(log2 12) = 4, ceil(log2 8/2) = 2
    assert terms.lut["gather"] == 2 * 2 * unit.input_bits * 12 / 4
    assert terms.lut["accumulators"] == 4 * acc  # 8 / 2 words in each of 4 lanes fit one LUT a bit
    assert terms.ff["output"] == 2 * 8 * acc
    assert terms.ff["index"] == column_width + row_width
    assert terms.lut["index"] == 0  # both index memories are deeper than 128 words
    assert terms.bram18 == (
        _finn.bram18(4 * 2 * 2, unit.depth)
        + _finn.bram18(column_width, groups * blocks * steps)
        + _finn.bram18(row_width, groups * blocks)
    )
    in_luts = _terms.matrix(replace(unit, memory="lutram"))
    assert in_luts.bram18 == 0
    assert in_luts.lut["index"] == column_width * np.ceil(groups * blocks * steps / 64) + (
        row_width * np.ceil(groups * blocks / 64)
    )


def test_binary_units_count_xnors_not_products() -> None:
    binary = _terms.matrix(
        replace(DENSE, weight_bits=1, input_bits=1, input_signed=True, compute="dsp")
    )
    assert binary.lut["popcount"] == 4 * 16
    assert binary.lut["multiply"] == binary.lut["tree"] == binary.dsp == 0


def test_windows_and_pools_keep_rows_in_luts_or_blocks() -> None:
    shallow = _terms.window(SlidingWindowUnit("w", 30, 30, 4, 3, 1, 1, 1, 8))
    deep = _terms.window(SlidingWindowUnit("w", 30, 30, 64, 3, 1, 1, 1, 8))
    assert (shallow.lut["buffer"], shallow.bram18) == (4 * 8 * 2, 0)  # 4 rows of 120 words
    assert (deep.lut["buffer"], deep.bram18) == (0, 4)  # 4 rows of 1920 words
    pool = _terms.pool(PoolUnit("p", 28, 28, 64, 2, 1, 4))
    assert (pool.lut["buffer"], pool.bram18) == (0, 1)  # 14 * 64 words of 4 bits


def test_converters_and_fifos_by_hand() -> None:
    assert _terms.converter(WidthConverter("c", 4, 16, 2, 64)).lut["register"] == 2 + 32
    uneven = _terms.converter(WidthConverter("c", 6, 4, 2, 48))
    assert uneven.lut["register"] == uneven.ff["register"] == 20
    assert uneven.lut["shift"] == 20 * 2 / 2  # 3 positions
    assert _terms.fifo(Fifo("f", 2, 16)).lut["storage"] == 8
    assert _terms.fifo(Fifo("f", 1024, 16)).bram18 == 1


@pytest.mark.parametrize("tiling", [None, Tiling(8, 16, 8, 4), Tiling(8, 16, 2, 4)])
@pytest.mark.parametrize("memory", ["bram", "lutram", "uram"])
@pytest.mark.parametrize("compute", ["lut", "dsp"])
def test_more_parallel_is_never_cheaper_in_arithmetic(
    tiling: Tiling | None, memory: str, compute: str
) -> None:
    unit = replace(DENSE, mh=64, mw=64, memory=memory, compute=compute, tiling=tiling)
    simd = divisors(4)
    for smaller, larger in [(1, 2), (2, 4), (4, 8)]:
        if tiling is not None and larger % tiling.kept_rows and larger > tiling.kept_rows:
            continue
        a, b = (_terms.matrix(replace(unit, pe=pe, simd=simd)) for pe in (smaller, larger))
        for name in ("multiply", "tree", "accumulate", "compare", "weights"):
            assert (b.lut[name] >= a.lut[name]).all()
        assert (b.dsp >= a.dsp).all()
        for name in ("products", "weights", "accumulate"):
            assert (b.ff[name] >= a.ff[name]).all()
        for terms in (a, b):  # along SIMD
            for values in (
                terms.lut["multiply"],
                terms.lut["tree"],
                terms.dsp,
                terms.ff["weights"],
            ):
                assert (np.diff(np.broadcast_to(values, 3)) >= 0).all()


def test_ultra_ram_needs_a_family_that_has_it() -> None:
    unit = replace(DENSE, memory="uram")
    with pytest.raises(UsageError, match="layer m: memory `uram` needs a family with UltraRAM"):
        analytic.load("7series").predict(unit)
    assert analytic.load("ultrascale+").predict(unit).expected.uram > 0
