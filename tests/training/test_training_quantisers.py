"""Quantisers against numpy; the learning rate's shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dse.ir.numbers import activation_type, weight_type
from dse.training.fitting import Recipe, _schedule
from dse.training.quantisers import activation_quantiser, nearest_step, weight_quantiser

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_are_narrow_signed_integers(bits: int) -> None:
    weights = RNG.normal(size=(5, 40))
    kept = RNG.random((5, 40)) < 0.6
    quantise = weight_quantiser(
        torch.tensor(weights), torch.tensor(kept), bits, per_row=True
    ).double()
    found = quantise(torch.tensor(weights)).numpy()
    levels = weight_type(bits).max
    step = quantise.step.numpy()
    assert step.shape == (5, 1)
    np.testing.assert_array_equal(found, np.clip(np.round(weights / step), -levels, levels))
    # pruned weights have no say
    other = np.where(kept, weights, 1e3)
    again = weight_quantiser(torch.tensor(other), torch.tensor(kept), bits, per_row=True)
    np.testing.assert_array_equal(again.step.numpy(), step)


def test_the_last_layer_has_one_step() -> None:
    weights = torch.tensor(RNG.normal(size=(5, 40)))
    everything = torch.ones(5, 40, dtype=torch.bool)
    assert weight_quantiser(weights, everything, 4, per_row=False).step.numel() == 1


@pytest.mark.parametrize("bits", range(2, 9))
def test_activations_are_unsigned_integers(bits: int) -> None:
    values = RNG.normal(size=(50, 7))
    quantise = activation_quantiser(torch.tensor(values), bits)
    found = quantise(torch.tensor(values)).numpy()
    levels = activation_type(bits).max
    np.testing.assert_array_equal(
        found, np.clip(np.round(values / quantise.step.numpy()), 0, levels)
    )
    assert found.max() >= levels * 0.9


def test_one_bit_is_a_sign_and_zero_is_positive() -> None:
    x = torch.tensor([[-2.0, -1e-9, 0.0, 1e-9, 3.0]])
    expected = [[-1, -1, 1, 1, 1]]
    assert activation_quantiser(x, 1)(x).tolist() == expected
    kept = torch.ones(1, 5, dtype=torch.bool)
    assert weight_quantiser(x, kept, 1, per_row=True)(x).tolist() == expected


def test_gradients_pass_straight_through() -> None:
    x = torch.tensor([-5.0, -0.05, 0.4, 0.9, 50.0], requires_grad=True)
    quantise = activation_quantiser(torch.linspace(-1, 1, 100), 2)
    quantise(x).sum().backward()
    assert x.grad is not None
    inside = (1 / quantise.step).item()
    np.testing.assert_allclose(x.grad.numpy(), [0, inside, inside, inside, 0], rtol=1e-6)


def test_the_step_is_the_best_of_a_fine_search() -> None:
    row = RNG.normal(size=(1, 500))
    largest = np.abs(row).max()

    def error(step: float) -> float:
        return float(np.square(np.clip(np.round(row / step), -3, 3) * step - row).sum())

    found = nearest_step(torch.tensor(row), torch.tensor([[largest]]), 3).item()
    best = min(error(largest / 3 * shrink) for shrink in np.linspace(0.2, 1, 400))
    assert error(found) <= 1.03 * best


def test_a_row_of_zeros_stays_zero() -> None:
    zeros = torch.zeros(2, 6)
    kept = torch.zeros(2, 6, dtype=torch.bool)
    for bits in (2, 8):
        assert not weight_quantiser(zeros, kept, bits, per_row=True)(zeros).any()


def test_the_rate_rises_and_falls_to_nothing() -> None:
    shares = np.array(_schedule(100, Recipe(epochs=1)))
    assert len(shares) == 100
    assert shares.argmax() in (24, 25)
    assert shares.max() == 1
    assert np.all(np.diff(shares[:25]) > 0)
    assert np.all(np.diff(shares[25:]) < 0)
    assert 0 < shares[-1] < 0.001
    assert _schedule(1, Recipe(epochs=1)) == [1.0]
    assert _schedule(0, Recipe(epochs=0)) == []
