"""Predicted accuracies against the ones that trainings reached, from the table of the search benchmark."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.config.load import load_config
from dse.ir.design import compression_digest
from dse.search.accuracy_model import INTERVAL, AccuracyModel
from dse.search.features import features, work
from dse.search.space import CYCLES, PREFERENCE
from dse.search.study import plan

DATA = Path(__file__).parents[2] / "benchmarks" / "data"


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any]:
    """Features and accuracies of every compression of the tabulated space, in a fixed shuffle."""
    p = plan(load_config(DATA / "digits.yaml", []))
    with (DATA / "digits.csv").open() as handle:
        rows = csv.DictReader(line for line in handle if not line.startswith("#"))
        accuracies = {r["digest"]: float(r["accuracy"]) for r in rows}
    knobs = [k for k in p.space.knobs if k.name not in (CYCLES, PREFERENCE)]
    found = {}
    for values in itertools.product(*(k.values for k in knobs)):  # type: ignore[union-attr]
        built = p.space.compressions(dict(zip((k.name for k in knobs), values, strict=True)))
        found[compression_digest(built)] = features(p.network, built)
    assert found.keys() == accuracies.keys()  # the table is of the whole space
    order = np.random.default_rng(0).permutation(sorted(found))
    return np.array([found[d] for d in order]), np.array([accuracies[d] for d in order])


def test_accuracies_are_predicted_within_their_interval(table: tuple[Any, Any]) -> None:
    x, y = table
    inside, likeness = [], []
    for start in range(0, 240, 40):
        trained = np.arange(start, start + 40)
        left = np.setdiff1d(np.arange(len(y)), trained)
        forecast = AccuracyModel.fit(x[trained], y[trained]).predict(x[left])
        low, high = forecast.at(-INTERVAL), forecast.at(INTERVAL)
        inside.append(np.mean((low <= y[left]) & (y[left] <= high)))
        likeness.append(np.corrcoef(forecast.at(0.0), y[left])[0, 1])
    # 90 % intervals, from 40 trainings
    assert 0.82 <= np.mean(inside) <= 0.98
    assert np.mean(likeness) > 0.85


def test_what_was_trained_is_known_best(table: tuple[Any, Any]) -> None:
    x, y = table
    forecast = AccuracyModel.fit(x[:60], y[:60]).predict(x)
    assert forecast.std[:60].mean() < forecast.std[60:].mean()
    errors = np.abs(forecast.at(0.0) - y)
    assert errors[:60].mean() < errors[60:].mean()
    assert forecast[0].low <= forecast[0].accuracy <= forecast[0].high <= 1.0


def test_equal_accuracies_are_no_trouble() -> None:
    x = np.random.default_rng(1).random((5, 7))
    forecast = AccuracyModel.fit(x, [0.9] * 5).predict(x)
    assert forecast.at(0.0) == pytest.approx(0.9, abs=0.01)


def test_work_falls_with_bits_and_density(table: tuple[Any, Any]) -> None:
    p = plan(load_config(DATA / "digits.yaml", []))
    base = p.space.baseline()
    fewer = base | {"conv*.weight_bits": 1}
    sparser = base | {"conv*.sparsity": 0.75}
    full, *less = (work(p.network, p.space.compressions(k)) for k in (base, fewer, sparser))
    assert all(w < full for w in less)
