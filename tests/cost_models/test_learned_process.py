"""The Gaussian process against its textbook formulas, written out with explicit inverses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cost_models._condense import condensed
from cost_models._fit_kernel import fitted
from cost_models._process import NEW, Kernel, Points, Process, covariance

AXES, TERMS = 3, 4


def points(n: int, seed: int, targets: int = 3) -> Points:
    rng = np.random.default_rng(seed)
    share = rng.random((n, TERMS))
    return Points(
        rng.normal(size=(n, AXES)) * 2,
        share / share.sum(axis=1, keepdims=True),
        rng.integers(0, targets, n),
    )


KERNEL = Kernel(np.array([1.0, 2.0, 3.0]), 0.05, 0.1, 0.02, 0.03, 0.01)


def gram(a: Points, b: Points, own: int = NEW, scale: float = 1.0) -> np.ndarray:
    k = np.empty((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(b)):
            gap = (a.place[i] - b.place[j]) / KERNEL.lengths
            alike = a.share[i] @ b.share[j]
            k[i, j] = 0.05 / (1 + gap @ gap / 2) + 0.1 * alike
            if a.target[i] == b.target[j]:
                factor = scale if a.target[i] == own else 1.0
                k[i, j] += factor * (0.02 + 0.03 * alike)
    return k


@pytest.mark.parametrize(("own", "scale"), [(NEW, 1.0), (1, 1.0), (1, 16.0)])
def test_mean_and_deviation(own: int, scale: float) -> None:
    kernel = replace(KERNEL, own=scale)
    known, asked = points(20, 0), points(6, 1).of(own)
    values = np.random.default_rng(2).normal(size=20)
    noise = np.linspace(0.01, 0.1, 20)
    inverse = np.linalg.inv(gram(known, known, own, scale) + np.diag(noise))
    cross = gram(known, asked, own, scale)
    mean, deviation = Process(kernel, known, values, noise, own).at(asked.place, asked.share)
    np.testing.assert_allclose(mean, cross.T @ inverse @ values)
    left = gram(asked, asked, own, scale) - cross.T @ inverse @ cross
    np.testing.assert_allclose(deviation**2, np.diag(left) + kernel.noise, rtol=1e-6)


def test_without_records_the_prior_stands_and_is_not_sure() -> None:
    asked = points(4, 3)
    mean, deviation = Process(KERNEL, points(0, 0), np.zeros(0), np.zeros(0)).at(
        asked.place, asked.share
    )
    assert (mean == 0).all()
    own = asked.of(NEW)
    np.testing.assert_allclose(
        deviation**2, np.diag(covariance(KERNEL, own, own, NEW)) + KERNEL.noise
    )


def test_evidence_is_what_new_records_add_to_the_joint_probability() -> None:
    def joint(p: Points, y: np.ndarray) -> float:
        k = gram(p, p) + KERNEL.noise * np.eye(len(p))
        return float(
            -0.5 * y @ np.linalg.solve(k, y)
            - 0.5 * np.linalg.slogdet(k)[1]
            - 0.5 * len(p) * np.log(2 * np.pi)
        )

    old, new = points(12, 4), points(5, 5).of(7)
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=12) * 0.3, rng.normal(size=5) * 0.3
    process = Process(KERNEL, old, a, np.full(12, KERNEL.noise), 7)
    both = joint(Points.joined(old, new), np.concatenate([a, b]))
    assert process.evidence(new, b) == pytest.approx(both - joint(old, a))


def test_intervals_hold_what_their_own_law_draws() -> None:
    everything = points(260, 8, targets=1)
    k = covariance(KERNEL, everything, everything, NEW) + KERNEL.noise * np.eye(260)
    y = np.linalg.cholesky(k) @ np.random.default_rng(9).normal(size=260)
    known, asked = np.arange(60), np.arange(60, 260)
    process = Process(KERNEL, everything[known], y[known], np.full(60, KERNEL.noise), 0)
    mean, deviation = process.at(everything[asked].place, everything[asked].share)
    inside = np.mean(np.abs(y[asked] - mean) <= 1.645 * deviation)
    assert 0.84 <= inside <= 0.96
    assert np.sqrt(np.mean((y[asked] - mean) ** 2)) < 0.7 * np.std(y[asked])


def test_the_fit_finds_the_lengths_that_made_the_records() -> None:
    made = replace(KERNEL, lengths=np.array([0.8, 20.0, 20.0]), local=0.3, noise=0.001)
    p = points(150, 10)
    k = covariance(made, p, p, NEW) + made.noise * np.eye(150)
    y = np.linalg.cholesky(k) @ np.random.default_rng(11).normal(size=150)
    found = fitted(replace(made, lengths=np.full(3, 3.0), local=0.02), p, y)
    assert found.lengths[0] < 1.6
    assert min(found.lengths[1:]) > 4
    assert 0.05 < found.local < 1.5


def test_condensing_keeps_means_and_no_record() -> None:
    p = points(80, 12)
    y = p.place[:, 0] * 0.1
    small, values, noise = condensed(p, y, KERNEL, 0.3)
    assert len(small) < 40
    assert not {tuple(row) for row in small.place} & {tuple(row) for row in p.place}
    assert (noise < 0.05).all()
    np.testing.assert_allclose(values, small.place[:, 0] * 0.1)  # of a linear law, means are on it
    assert set(small.target) == set(p.target)
