"""What must hold for any unit and every shipped model: physics, whatever was learned."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cost_models import learned
from dse.ir.hardware import RESOURCES
from dse.ir.units import (
    Fifo,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    Tiling,
    Unit,
    WidthConverter,
    legal_folds,
)

SETTINGS = settings(max_examples=30, deadline=None, derandomize=True)
MODELS = [  # one family for every file of a model
    ("analytic", "7series"),
    *(
        (n, family)
        for n, of in learned.FILES.items()
        for family in {v: k for k, v in of.items()}.values()
    ),
]
LEAST = {"matrix": 20.0, "other": 1.0}  # LUTs and flip-flops that the control of a unit takes
TILINGS = (None, Tiling(8, 16, 8, 4), Tiling(8, 16, 2, 8), Tiling(4, 4, 4, 2))
DEEP = 512  # words from which on no tool takes a memory for a few constants
WIGGLE = 0.005  # of units whose correction has bits as an axis: smooth, not monotone
BITS = st.integers(1, 8)


@cache
def model_of(name: str, family: str) -> learned.LearnedModel:
    return learned.named(name, family)


@pytest.fixture(params=MODELS, ids=lambda p: f"{p[0]} {p[1]}", scope="module")
def model(request: pytest.FixtureRequest) -> learned.LearnedModel:
    return model_of(*request.param)


@st.composite
def matrix_units(draw: st.DrawFn) -> MatrixUnit:
    """Units of realistic layers: 16 to 1024 rows and columns, any legal folding."""
    tiling = draw(st.sampled_from(TILINGS))
    mh, mw = (2 ** draw(st.integers(4, 10)) * draw(st.sampled_from((1, 3))) for _ in range(2))
    pe, simd = legal_folds(mh, mw, tiling)
    row = draw(st.integers(0, len(pe) - 1))
    signed = draw(st.booleans())
    return MatrixUnit(
        layer="m",
        mh=mh,
        mw=mw,
        vectors=draw(st.sampled_from((1, 25, 784))),
        pe=int(pe[row]),
        simd=int(simd[row]),
        weight_bits=draw(BITS),
        input_bits=draw(BITS),
        input_signed=signed,
        output_bits=draw(st.integers(0, 4)),
        memory=draw(st.sampled_from(("bram", "lutram"))),
        compute=draw(st.sampled_from(("lut", "dsp"))),
        tiling=tiling,
    )


def others(bits: int, words: int, width: int) -> list[Unit]:
    channels = 4 * words
    return [
        SlidingWindowUnit("w", width, width, channels, 3, 1, 1, 4, bits),
        PoolUnit("p", width, width, channels, 2, 4, bits),
        WidthConverter("c", 4, 2, bits, channels),
        Fifo("f", 2 ** words.bit_length() * 4, 8 * bits),
    ]


def cost(model: learned.LearnedModel, unit: Unit) -> np.ndarray:
    expected = model.predict(unit).expected
    return np.array([float(getattr(expected, r)) for r in RESOURCES])


@given(unit=matrix_units(), other=st.integers(0, 10**6))
@SETTINGS
def test_more_lanes_never_take_more_cycles(unit: MatrixUnit, other: int) -> None:
    pe, simd = legal_folds(int(unit.mh), int(unit.mw), unit.tiling)
    more = np.flatnonzero((pe % unit.pe == 0) & (simd % unit.simd == 0))
    row = more[other % len(more)]
    wider = replace(unit, pe=int(pe[row]), simd=int(simd[row]))
    assert int(wider.cycles) <= int(unit.cycles)


@given(width=st.integers(4, 40), lanes=st.integers(0, 5), more=st.integers(0, 5))
@SETTINGS
def test_wider_windows_and_pools_never_take_more_cycles(width: int, lanes: int, more: int) -> None:
    few, many = 2 ** min(lanes, more), 2 ** max(lanes, more)
    for unit, wider in (
        (replace(u, **{knob: few}), replace(u, **{knob: many}))
        for u, knob in (
            (SlidingWindowUnit("w", width, width, 64, 3, 1, 1, 1, 4), "simd"),
            (PoolUnit("p", width, width, 64, 2, 1, 4), "pe"),
        )
    ):
        assert int(wider.cycles) <= int(unit.cycles)


@given(unit=matrix_units(), knob=st.sampled_from(("weight_bits", "input_bits", "output_bits")))
@SETTINGS
def test_more_bits_never_cost_less(
    model: learned.LearnedModel, unit: MatrixUnit, knob: str
) -> None:
    bits = getattr(unit, knob)
    # a raw sum is another stream than one bit of activation, XNOR another circuit than products
    assume(bits > (0 if knob == "output_bits" else 1) and bits < 8)
    few, many = cost(model, unit), cost(model, replace(unit, **{knob: bits + 1}))
    assert (many >= few * (1 - 1e-9)).all()


@given(bits=st.integers(1, 7), words=st.integers(1, 64), width=st.integers(4, 40))
@SETTINGS
def test_more_bits_of_a_stream_never_cost_less(
    model: learned.LearnedModel, bits: int, words: int, width: int
) -> None:
    for few, many in zip(others(bits, words, width), others(bits + 1, words, width), strict=True):
        assert (cost(model, many)[:2] >= cost(model, few)[:2] * (1 - WIGGLE)).all()


@given(unit=matrix_units())
@SETTINGS
def test_no_knob_makes_the_cost_of_a_matrix_vanish(
    model: learned.LearnedModel, unit: MatrixUnit
) -> None:
    lut, ff, dsp, bram18, _ = cost(model, unit)
    assert min(lut, ff) > LEAST["matrix"]
    stored = int(unit.depth) * int(unit.pe) * int(unit.simd) * int(unit.weight_bits)
    if int(unit.depth) >= DEEP and unit.memory == "bram":
        assert bram18 >= 0.5 * stored / 18_432
    if int(unit.depth) >= DEEP and unit.memory == "lutram":
        assert lut > 0.1 * stored / 64
    if unit.compute == "dsp" and min(int(unit.weight_bits), int(unit.input_bits)) > 1:
        assert dsp >= 0.2 * int(unit.pe) * int(unit.simd)


@given(bits=BITS, words=st.integers(1, 64), width=st.integers(4, 40))
@SETTINGS
def test_no_knob_makes_the_cost_of_other_units_vanish(
    model: learned.LearnedModel, bits: int, words: int, width: int
) -> None:
    for unit in others(bits, words, width):
        assert (cost(model, unit)[:2] > LEAST["other"]).all()
