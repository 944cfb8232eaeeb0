"""Expected gains against the hypervolume itself, over many draws of the accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from dse.search.accuracy_model import Forecast
from dse.search.gain import best_worth, covered, expected_gain, gains_at, spread_places
from dse.search.pareto import hypervolume
from dse.search.worth import BETWEEN, Worth

FLOOR = 0.3


def volume(points: np.ndarray, accuracies: np.ndarray) -> float:
    """Return the hypervolume in the unit box of the other objectives and accuracy above the floor."""
    every = np.column_stack([points, -accuracies])
    return hypervolume(every, np.array([1.0, 1.0, -FLOOR]))


def volume_of_places(old: np.ndarray, new: np.ndarray, places: np.ndarray) -> float:
    """Return the share of places that the new points cover and the old ones do not."""
    return float((covered(places, new) & ~covered(places, old)).mean())


@pytest.fixture
def front() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.random((6, 2)), 0.4 + 0.5 * rng.random(6)


def test_the_gain_of_an_accuracy_is_the_hypervolume_it_adds(
    front: tuple[np.ndarray, np.ndarray],
) -> None:
    points, accuracies = front
    places = spread_places(2, 20_000)
    best = best_worth(places, points, accuracies, FLOOR)
    new = np.array([[0.2, 0.6], [0.5, 0.3]])  # two foldings of one compression
    for accuracy in (0.35, 0.7, 0.95):
        (gain,) = gains_at(np.array([accuracy]), [covered(places, new)], best)
        both = volume(np.vstack([points, new]), np.append(accuracies, [accuracy] * 2))
        assert gain == pytest.approx(both - volume(points, accuracies), abs=2e-3)


def test_the_expected_gain_is_the_mean_over_draws(front: tuple[np.ndarray, np.ndarray]) -> None:
    points, accuracies = front
    places = spread_places(2, 4000)
    best = best_worth(places, points, accuracies, FLOOR)
    reach = [covered(places, np.array([[0.3, 0.3]]))]
    forecast = Forecast(np.array([1.2]), np.array([0.4]))
    worth = Worth(FLOOR, objective=True)
    (expected,) = expected_gain(*worth.odds(forecast), reach, best)
    draws = np.random.default_rng(5).normal(size=4000)
    mean = np.mean([gains_at(forecast.at(z), reach, best)[0] for z in draws])
    assert expected == pytest.approx(mean, rel=0.05)


def test_where_a_limit_is_asked_for_the_expected_gain_is_the_mean_over_draws_too() -> None:
    worth = Worth(0.75, objective=False)
    places = spread_places(2, 4000)
    points = np.array([[0.2, 0.7], [0.8, 0.1]])
    best = best_worth(
        places, points, worth.of(np.array([0.8, 0.76])), worth.floor(np.array([]), 0.1)
    )
    reach = [covered(places, np.array([[0.3, 0.3]]))]
    forecast = Forecast(np.array([1.2]), np.array([0.4]))
    (expected,) = expected_gain(*worth.odds(forecast), reach, best)
    draws = np.random.default_rng(5).normal(size=4000)
    mean = np.mean([gains_at(worth.of(forecast.at(z)), reach, best)[0] for z in draws])
    assert expected == pytest.approx(mean, rel=0.05)
    # what holds the limit adds the volume that it newly covers, what does not adds nothing
    new = volume_of_places(points, np.array([[0.3, 0.3]]), places)
    assert gains_at(np.array([1.0]), reach, best)[0] == pytest.approx(new * (1 - BETWEEN))
    assert gains_at(np.array([0.0]), reach, best)[0] == 0.0


def test_places_are_spread_evenly() -> None:
    for axes in (1, 2, 3):
        places = spread_places(axes)
        assert places.shape == (1024, axes)
        for column in places.T:
            assert np.histogram(column, bins=8, range=(0, 1))[0].min() > 110


def test_without_other_objectives_everything_is_reached() -> None:
    places = spread_places(0, 16)
    assert covered(places, np.empty((1, 0))).all()
    assert best_worth(places, np.empty((2, 0)), np.array([0.5, 0.7]), 0.1) == pytest.approx(0.7)
