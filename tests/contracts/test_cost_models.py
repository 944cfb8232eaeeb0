"""The promise of cost_models/_model.py, kept by every file in the folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from cost_models._model import CostModel, ResourceArrays
from dse.errors import UsageError
from dse.ir import plugins
from dse.ir.edge_skip import EdgeSkipUnit, Pooling
from dse.ir.hardware import RESOURCES
from dse.ir.units import (
    AddUnit,
    ConcatUnit,
    DepthwiseUnit,
    Fifo,
    FillUnit,
    ForkUnit,
    MatrixUnit,
    PoolUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    SumUnit,
    Tiling,
    Unit,
    WidthConverter,
    legal_folds,
)

FAMILIES = ("7series", "ultrascale+")
MATRIX = MatrixUnit("m", 32, 96, 10, 4, 8, 4, 4, False, 4, "bram", "lut")
DEPTHWISE = DepthwiseUnit("d", 32, 9, 10, 4, 1, 4, 4, False, 4, "bram", "lut")
EDGE_SKIP = EdgeSkipUnit(
    *("e", 32, 96, 16, 4, 8, 1, 1, True, 1, "bram", "lut"), pooling=Pooling(2, 4, 4)
)
UNITS: dict[str, Unit] = {
    "dense": MATRIX,
    "lutram": replace(MATRIX, memory="lutram"),
    "dsp": replace(MATRIX, compute="dsp"),
    "binary": replace(MATRIX, weight_bits=1, input_bits=1, input_signed=True, output_bits=1),
    "edge skip": replace(EDGE_SKIP, mode="lockstep", memory="lutram"),
    "edge skip by PE": EDGE_SKIP,
    "scores": replace(MATRIX, output_bits=0),
    "tiled": replace(MATRIX, tiling=Tiling(8, 16, 8, 4), pe=2, simd=2),
    "rows pruned": replace(MATRIX, tiling=Tiling(8, 16, 2, 8), pe=2, simd=4),
    "depthwise": DEPTHWISE,
    "depthwise dsp": replace(DEPTHWISE, compute="dsp", memory="lutram"),
    "binary depthwise": replace(
        DEPTHWISE, weight_bits=1, input_bits=1, input_signed=True, output_bits=1
    ),
    "window": SlidingWindowUnit("w", 28, 28, 16, 3, 1, 1, 4, 4),
    "skipping window": SkippingWindowUnit("w", 28, 28, 16, 3, 1, 1, 4, 4, 2, 0.5),
    "fill": FillUnit("w", 28, 28, 16, 4, 4, 2),
    "pool": PoolUnit("p", 28, 28, 16, 2, 4, 4),
    "global pool": SumUnit("p", 49, 16, 4, 4, 10),
    "fork": ForkUnit("f", 49, 16, 4, 4),
    "add": AddUnit("a", 49, 16, 4, 4, (True, False)),
    "concat": ConcatUnit("a", 49, 16, 8, 4, 4),
    "converter": WidthConverter("c", 6, 4, 2, 96),
    "fifo": Fifo("f", 64, 16),
}


@pytest.fixture(params=plugins.names("cost_models"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str) -> CostModel:
    loaded: CostModel = plugins.load("cost_models", name).load("ultrascale+")
    return loaded


def arrays(prediction: ResourceArrays) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*(getattr(prediction, r) for r in RESOURCES)), axis=-1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", UNITS)
def test_prices_are_finite_and_inside_their_interval(name: str, family: str, kind: str) -> None:
    p = plugins.load("cost_models", name).load(family).predict(UNITS[kind])
    expected, low, high = (arrays(x) for x in (p.expected, p.low, p.high))
    assert np.isfinite(high).all()
    assert (low >= 0).all()
    assert (low <= expected).all()
    assert (expected <= high).all()
    assert p.expected.lut > 0
    assert p.expected.ff > 0


@pytest.mark.parametrize("kind", ["dense", "lutram", "dsp", "binary", "tiled", "rows pruned"])
def test_arrays_are_many_single_units(model: CostModel, kind: str) -> None:
    unit = UNITS[kind]
    assert isinstance(unit, MatrixUnit)
    pe, simd = legal_folds(32, 96, unit.tiling)
    many = arrays(model.predict(replace(unit, pe=pe, simd=simd)).high)
    for i in range(0, len(pe), 7):
        one = arrays(model.predict(replace(unit, pe=int(pe[i]), simd=int(simd[i]))).high)
        np.testing.assert_allclose(many[i], one)


def test_arrays_broadcast(model: CostModel) -> None:
    grid = model.predict(WidthConverter("c", np.array([[2], [4]]), np.array([[4, 6, 8]]), 2, 96))
    assert grid.expected.lut.shape == (2, 3)


def test_an_answer_depends_on_the_question_only(model: CostModel) -> None:
    for unit in UNITS.values():
        first, second = (arrays(model.predict(unit).expected) for _ in range(2))
        np.testing.assert_array_equal(first, second)


def test_a_converter_between_equal_widths_is_nothing(model: CostModel) -> None:
    p = model.predict(WidthConverter("c", np.array([8, 8]), np.array([8, 4]), 2, 96))
    assert (arrays(p.expected)[0] == 0).all()
    assert p.expected.lut[1] > 0


def test_an_unknown_unit_is_never_free(model: CostModel) -> None:
    @dataclass(frozen=True)
    class Mystery:
        layer: str

    mystery: Any = Mystery("m")
    with pytest.raises(UsageError, match="Mystery"):
        model.predict(mystery)


def test_a_model_can_key_a_cache_and_has_a_source(name: str) -> None:
    load = plugins.load("cost_models", name).load
    assert len({load("7series"), load("7series"), load("ultrascale+")}) == 2
    assert load("7series").source


@pytest.mark.parametrize(
    ("knob", "values"),
    [
        ("pe", (1, 2, 4, 8, 16, 32)),
        ("weight_bits", (2, 3, 4, 6, 8)),
        ("input_bits", (2, 3, 4, 6, 8)),
        ("output_bits", (1, 2, 3, 4, 6, 8)),
    ],
)
@pytest.mark.parametrize("kind", ["dense", "lutram", "dsp", "depthwise"])
def test_more_hardware_costs_more(
    model: CostModel, kind: str, knob: str, values: tuple[int, ...]
) -> None:
    prices = [arrays(model.predict(replace(UNITS[kind], **{knob: v})).expected) for v in values]
    lut = [p[0] for p in prices]
    ff = [p[1] for p in prices]
    assert lut == sorted(lut)
    assert len(set(lut)) == len(values)
    assert ff == sorted(ff)


@pytest.mark.parametrize("kind", UNITS)
def test_every_folding_knob_moves_the_price(model: CostModel, kind: str) -> None:
    unit = UNITS[kind]
    for knob in ("pe",) if isinstance(unit, DepthwiseUnit) else ("pe", "simd"):
        if hasattr(unit, knob):
            changed = replace(unit, **{knob: 2 * getattr(unit, knob)})
            assert (
                arrays(model.predict(changed).expected) != arrays(model.predict(unit).expected)
            ).any()


def test_memory_style_moves_the_weights_and_never_loses_them(model: CostModel) -> None:
    bram, lutram, uram = (
        model.predict(replace(MATRIX, memory=m)).expected for m in ("bram", "lutram", "uram")
    )
    assert bram.bram18 > 0
    assert lutram.lut > bram.lut
    assert lutram.bram18 == 0
    assert uram.uram > 0
    assert uram.bram18 == 0


def test_compute_style_moves_products_between_luts_and_dsps(model: CostModel) -> None:
    lut, dsp = (model.predict(replace(MATRIX, compute=c)).expected for c in ("lut", "dsp"))
    assert lut.dsp == 0
    assert dsp.dsp > 0
    assert dsp.lut < lut.lut


def test_pruning_pays_for_its_indices(model: CostModel) -> None:
    """A quarter of the columns: less weight memory, but gathers and index memory on top."""
    deep = replace(MATRIX, mw=1536, memory="lutram")
    dense = model.predict(replace(deep, pe=8, simd=4)).expected
    tiled = model.predict(replace(deep, tiling=Tiling(8, 16, 8, 4), pe=8, simd=4)).expected
    quarter = model.predict(replace(deep, mw=1536 // 4, pe=8, simd=4)).expected
    assert quarter.lut < tiled.lut < dense.lut
    assert tiled.ff > quarter.ff
