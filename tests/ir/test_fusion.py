"""Fused residual halves give the signs of those in floating point."""

from __future__ import annotations

import numpy as np
import pytest

from dse.ir.fusion import FloatHalf, activations, fuse

CHANNELS, HALVES, PIXELS = 16, 6, 200


def halves(rng: np.random.Generator) -> list[FloatHalf]:
    """Random parameters; gains and slopes of either sign, some channels without a gain."""

    def normal(deviation: float = 1.0) -> np.ndarray:
        return rng.normal(0, deviation, CHANNELS)

    def positive() -> np.ndarray:
        return np.abs(normal()) + 0.1

    result = []
    for _ in range(HALVES):
        gain = normal()
        gain[0] = 0.0
        result.append(
            FloatHalf(
                normal(),
                positive(),
                gain,
                normal(),
                normal(2),
                positive(),
                normal(),
                normal(),
                normal(),
            )
        )
    return result


@pytest.mark.parametrize("seed", range(5))
def test_no_sign_differs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    floating = halves(rng)
    weights = [rng.choice([-1.0, 1.0], (CHANNELS, CHANNELS)) for _ in floating]
    products = [lambda b, w=w: b @ w for w in weights]
    x = rng.normal(0, 2, (PIXELS, CHANNELS))
    fused, lacking = fuse(floating)
    expected, stream = activations(floating, products, x)
    found, shifted = activations(fused, products, x)
    assert sum(int((a != b).sum()) for a, b in zip(expected, found, strict=True)) == 0
    assert np.allclose(shifted + lacking, stream, rtol=0, atol=1e-9 * np.abs(stream).max())
    signs = np.stack(expected)
    assert 0.1 < (signs > 0).mean() < 0.9  # not a test of constants


def test_a_sign_of_nothing_is_positive() -> None:
    zero, one = np.zeros(CHANNELS), np.ones(CHANNELS)
    half = FloatHalf(zero, one, one, zero, zero, one, zero, one, zero)
    (fused,), _ = fuse([half])
    x = np.zeros((1, CHANNELS))
    assert (fused.signs(x) == 1).all()
    assert (half.signs(x) == 1).all()
