"""The Pareto arithmetic against brute force and hand-made fronts."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from dse.config.values import Constraint, Objective
from dse.errors import DseError
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.record import FinalRecord, TrialRecord
from dse.search import pareto

ACCURACY = Objective("accuracy", "maximize")
LATENCY = Objective("latency", "minimize")
LUT = Objective("lut", "minimize")
FLOOR = Constraint("accuracy", ">=", 0.9, "accuracy >= 90 %")


def record(i, *, pe=None, state="feasible", **metrics):
    folding = Folding(pe=pe or i + 1)
    design = DesignPoint((("fc", LayerDesign(Compression(4, None), folding)),))
    return TrialRecord(
        id=i,
        knobs={},
        design=design,
        state=state,
        stage="finetune",
        metrics=metrics,
        hardware=None,
        constraints={},
        error=None,
        origin="sampler",
        cached_accuracy=False,
        seconds=0.0,
        finished="2026-01-01T00:00:00Z",
    )


def flat_front(*pairs, utilisation=None):
    """Records of (accuracy, lut)."""
    shares = utilisation or [0.5] * len(pairs)
    return [
        record(i, accuracy=a, lut=b, utilisation=u)
        for i, ((a, b), u) in enumerate(zip(pairs, shares, strict=True))
    ]


def dominated(points, i):
    return any(np.all(q <= points[i]) and np.any(q < points[i]) for q in points)


def grid_volume(points, reference):
    """Volume by counting the cells of the grid that the coordinates span."""
    inside = [p for p in points if np.all(p < reference)]
    if not inside:
        return 0.0
    axes = [sorted({*(p[k] for p in inside), reference[k]}) for k in range(len(reference))]
    total = 0.0
    for cell in itertools.product(*(range(len(a) - 1) for a in axes)):
        low = np.array([a[i] for a, i in zip(axes, cell, strict=True)])
        if any(np.all(p <= low) for p in inside):
            size = [a[i + 1] - a[i] for a, i in zip(axes, cell, strict=True)]
            total += float(np.prod(size))
    return total


def test_objective_matrix_is_minimised_and_logarithmic():
    records = [record(0, accuracy=0.9, latency_us=np.e, lut=10)]
    matrix = pareto.objective_matrix(records, [ACCURACY, LATENCY, LUT])
    np.testing.assert_allclose(matrix, [[-0.9, 1.0, 10.0]])


@pytest.mark.parametrize("metrics", [{}, {"latency_us": 0.0}])
def test_objective_matrix_names_trial_and_metric(metrics):
    with pytest.raises(
        DseError, match=r"trial 7: objective latency must be a positive number, got"
    ):
        pareto.objective_matrix([record(7, **metrics)], [LATENCY])


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_non_dominated_is_brute_force(m):
    rng = np.random.default_rng(m)
    for _ in range(30):
        points = rng.integers(0, 5, (rng.integers(1, 40), m)).astype(float)
        expected = [not dominated(points, i) for i in range(len(points))]
        assert pareto.non_dominated(points).tolist() == expected


def test_non_dominated_of_nothing():
    assert pareto.non_dominated(np.empty((0, 3))).tolist() == []


@pytest.mark.parametrize(("m", "n"), [(1, 12), (2, 12), (3, 10), (4, 7), (5, 5)])
def test_hypervolume_is_the_sum_of_cells(m, n):
    rng = np.random.default_rng(m)
    for trial in range(12):
        coarse = rng.integers(0, 6, (n, m)) / 5  # with ties and points on the reference
        points = coarse if trial % 2 else rng.random((n, m)) * 1.2
        reference = np.ones(m)
        expected = grid_volume(points, reference)
        assert pareto.hypervolume(points, reference) == pytest.approx(expected, abs=1e-12)


def test_hypervolume_history_is_the_hypervolume_of_every_prefix():
    rng = np.random.default_rng(0)
    objectives = [ACCURACY, LATENCY, LUT]
    records = [
        record(
            i,
            state="feasible" if rng.random() < 0.7 else "infeasible",
            accuracy=rng.random(),
            latency_us=10 ** rng.uniform(1, 4),
            lut=rng.uniform(1e3, 5e4),
        )
        for i in range(40)
    ]
    feasible = [r for r in records if r.state == "feasible"]
    points = pareto.objective_matrix(feasible, objectives)
    ideal, span = points.min(axis=0), np.ptp(points, axis=0)
    reference = np.full(3, 1.1)
    expected = []
    for stop in range(1, 41):
        known = [r for r in records[:stop] if r.state == "feasible"]
        scaled = (pareto.objective_matrix(known, objectives) - ideal) / span
        expected.append(pareto.hypervolume(scaled, reference) / 1.1**3)
    history = pareto.hypervolume_history(records[::-1], objectives)
    np.testing.assert_allclose(history, expected, atol=1e-12)
    assert all(b >= a for a, b in itertools.pairwise(history))
    assert 0 <= min(history) <= max(history) <= 1


def test_hypervolume_history_of_special_cases():
    assert pareto.hypervolume_history([], [LUT]) == []
    assert pareto.hypervolume_history([record(0, state="failed")], [LUT]) == [0.0]
    alike = [record(0, state="failed"), record(1, lut=5), record(2, lut=5)]
    assert pareto.hypervolume_history(alike, [LUT]) == [0.0, 1.0, 1.0]


def test_front_is_feasible_unique_and_ordered():
    records = [
        record(0, accuracy=0.90, lut=100),
        record(1, accuracy=0.95, lut=200),
        record(2, accuracy=0.94, lut=200),  # dominated by 1
        record(3, accuracy=0.99, lut=50, state="infeasible"),
        record(4, pe=1, accuracy=0.90, lut=100),  # the design of trial 0 again
        record(5, accuracy=0.90, lut=100),  # another design, just as good
        record(6, state="failed"),
    ]
    assert [r.id for r in pareto.front(records, [ACCURACY, LUT])] == [1, 0, 5]
    assert [r.id for r in pareto.front(records, [LUT, ACCURACY])] == [0, 5, 1]
    assert pareto.front([], [LUT]) == ()


def final(of, accuracy):
    return FinalRecord(of.design.digest, accuracy, accuracy - 0.01, 100, 5, "0" * 16, 1.0)


def test_settle_keeps_designs_with_a_final_that_still_hold():
    records = [record(i, accuracy=0.95, lut=i) for i in range(3)]
    finals = {f.digest: f for f in (final(records[0], 0.89), final(records[2], 0.97))}
    (settled,) = pareto.settle(records, finals, [FLOOR, Constraint("lut", "<=", 9, "lut <= 9")])
    assert settled.id == 2
    assert settled.metrics == {"accuracy": 0.97, "lut": 2}
    assert settled.constraints == {"accuracy >= 90 %": pytest.approx(-0.07 / 0.9)}
    assert records[2].metrics["accuracy"] == 0.95


def test_settle_without_finals_changes_nothing():
    records = [record(0, accuracy=0.1)]
    assert pareto.settle(records, {}, [FLOOR]) == tuple(records)


@pytest.mark.parametrize(
    ("op", "limit", "value", "expected"),
    [("<=", 100, 150, 0.5), ("<=", 100, 50, -0.5), (">=", 0.9, 0.45, 0.5), ("<=", 0, 3, 3)],
)
def test_violation_is_scaled_by_the_limit(op, limit, value, expected):
    assert pareto.violation(Constraint("lut", op, limit, ""), value) == pytest.approx(expected)


def test_knee_of_two_objectives_is_farthest_below_the_line():
    rng = np.random.default_rng(3)
    for _ in range(20):
        x = np.sort(rng.random(12))
        y = np.sort(rng.random(12))[::-1]
        records = flat_front(*zip(-x, y, strict=True))
        a, b = np.array([x[0], y[0]]), np.array([x[-1], y[-1]])
        scale = np.abs(b - a)
        line = (b - a) / scale
        gap = (np.column_stack([x, y]) - a) / scale
        distance = line[1] * gap[:, 0] - line[0] * gap[:, 1]  # positive below
        assert pareto.knee(records, [ACCURACY, LUT]).id == int(np.argmax(distance))


def test_knee_of_short_and_degenerate_fronts():
    one = flat_front((0.9, 10))
    assert pareto.knee(one, [ACCURACY, LUT]).id == 0
    two = flat_front((0.9, 10), (0.95, 20), utilisation=[0.4, 0.3])
    assert pareto.knee(two, [ACCURACY, LUT]).id == 1  # none lies below: smallest utilisation
    same = flat_front((0.9, 10), (0.9, 10), utilisation=[0.4, 0.3])
    assert pareto.knee(same, [ACCURACY, LUT]).id == 1
    assert pareto.knee(same, [ACCURACY]).id == 1
    tied = [replace(r, metrics=one[0].metrics) for r in same]
    assert pareto.knee(tied, [ACCURACY, LUT]).id == 0  # then the oldest


def test_knee_uses_logarithms():
    latencies = [10.0, 100.0, 1000.0, 1e6]  # in plain numbers trial 2 would win
    accuracies = [0.0, 0.6, 0.7, 1.0]
    records = [
        record(i, accuracy=a, latency_us=b)
        for i, (a, b) in enumerate(zip(accuracies, latencies, strict=True))
    ]
    assert pareto.knee(records, [ACCURACY, LATENCY]).id == 1


@pytest.mark.parametrize("m", [3, 4])
def test_knee_of_more_objectives_is_the_inner_corner(m):
    names = ["lut", "ff", "dsp", "bram18"][:m]
    ends = [{n: float(n == worst) for n in names} for worst in names]
    corner = dict.fromkeys(names, 0.1)
    records = [record(i, **v) for i, v in enumerate([*ends, corner])]
    assert pareto.knee(records, [Objective(n, "minimize") for n in names]).id == m


def test_picks_break_ties_in_the_stated_order():
    common = {"utilisation": 0.5}
    records = [
        record(0, accuracy=0.99, throughput_fps=10, latency_us=9, lut=90, bram18=4, **common),
        record(1, accuracy=0.90, throughput_fps=50, latency_us=8, lut=50, bram18=3, **common),
        record(2, accuracy=0.80, throughput_fps=50, latency_us=7, lut=40, bram18=2, **common),
        record(3, accuracy=0.70, throughput_fps=20, latency_us=7, lut=40, bram18=1, **common),
    ]
    chosen = pareto.picks(records, [ACCURACY, LUT])
    assert {k: r.id for k, r in chosen.items()} == {
        "recommended": 1,
        "most_accurate": 0,
        "fastest": 2,
        "smallest": 3,
    }
    assert pareto.picks([], [ACCURACY]) == {}


def test_nothing_is_most_accurate_where_nothing_is_trained():
    records = [record(0, throughput_fps=1, latency_us=1, lut=1, bram18=1)]
    assert set(pareto.picks(records, [LUT])) == {"recommended", "fastest", "smallest"}
