"""Edges and cycles of units that skip edges against loops over every edge and every cycle's reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.edge_cycles import edge_work, frame_ends, layer_inputs, work_on
from dse.ir.edge_skip import EdgeSkipUnit, Pooling, pooling_behind
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR

HEIGHT, WIDTH, MH, MW, SIMD = 5, 4, 6, 24, 4
UNIT = EdgeSkipUnit(
    *("conv", MH, MW, HEIGHT * WIDTH, 2, SIMD, 1, 1, True, 1, "bram", "lut"),
    pooling=Pooling(2, HEIGHT, WIDTH),
)


def parameters(rng: np.random.Generator, mh: int, mw: int) -> MatrixParameters:
    weights = rng.choice([-1, 1], (mh, mw))
    thresholds = rng.integers(-6, 7, (mh, 1))
    return MatrixParameters(1, weights, np.ones((mh, mw), dtype=bool), 1, thresholds)


def by_loops(p: MatrixParameters, frame: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Words of every row, and the reasons of what is pruned; one edge at a time, in stream order."""
    words = np.zeros((HEIGHT * WIDTH, MH), dtype=int)
    reasons = {"by_one": 0, "by_zero": 0, "by_pool": 0}
    seen: set[tuple[int, int, int]] = set()
    assert p.thresholds is not None
    for pixel in range(HEIGHT * WIDTH):
        y, x = divmod(pixel, WIDTH)
        for row in range(MH):
            window = (y // 2, x // 2, row)
            if y == HEIGHT - 1 or window in seen:  # the last line is in no window
                reasons["by_pool"] += MW
                continue
            dot, threshold = 0, int(p.thresholds[row, 0])
            for k in range(MW):
                dot += int(frame[pixel, k] * p.weights[row, k])
                left = MW - k - 1
                if (k + 1) % SIMD:
                    continue
                words[pixel, row] += 1
                one, zero = dot - left >= threshold, dot + left < threshold
                if one or zero:
                    reasons["by_one" if one else "by_zero"] += left
                    if one:
                        seen.add(window)
                    break
    return words, reasons


def test_edges_against_loops() -> None:
    rng = np.random.default_rng(0)
    p = parameters(rng, MH, MW)
    x = rng.choice([-1, 1], (2 * HEIGHT * WIDTH, MW))
    work = edge_work(UNIT, p, x)
    frames = [by_loops(p, x[: HEIGHT * WIDTH]), by_loops(p, x[HEIGHT * WIDTH :])]
    np.testing.assert_array_equal(work.words, np.concatenate([words for words, _ in frames]))
    for reason in ("by_one", "by_zero", "by_pool"):
        assert getattr(work.edges, reason) == sum(r[reason] for _, r in frames)
    assert work.edges.total == x.size * MH
    assert work.edges.executed == work.words.sum() * SIMD


@pytest.mark.parametrize("mode", ["lockstep", "ooo"])
def test_frames_are_never_slower_than_dense_units(mode: str) -> None:
    rng = np.random.default_rng(1)
    unit = replace(UNIT, mode=mode)
    work = edge_work(unit, parameters(rng, MH, MW), rng.choice([-1, 1], (60, MW)))
    ends = frame_ends(unit, work)
    fill = MW // SIMD + 3  # the first vector is taken before it is used, the last word leaves after
    assert ends[-1] <= 3 * int(unit.dense_cycles) + fill
    # not less than the busiest PE needs, and than the vectors take
    busy = np.maximum(work.words, 1).reshape(-1, MH // 2, 2)
    least = busy.max(axis=2).sum() if mode == "lockstep" else busy.sum(axis=(0, 1)).max()
    assert ends[-1] >= max(least, 60 * MW // SIMD)


def test_pes_by_themselves_are_faster_than_in_lockstep() -> None:
    rng = np.random.default_rng(2)
    work = edge_work(UNIT, parameters(rng, MH, MW), rng.choice([-1, 1], (100, MW)))
    assert frame_ends(UNIT, work)[-1] < frame_ends(replace(UNIT, mode="lockstep"), work)[-1]


def test_expected_cycles_lie_between_the_bounds_and_fall_with_the_pool() -> None:
    rows = {
        "pe": np.array([1, 2, 6]),
        "simd": np.array([4, 4, 8]),
    }
    pooled = replace(UNIT, **rows)
    alone = replace(pooled, pooling=None)
    expected, dense = np.asarray(pooled.cycles), np.asarray(pooled.dense_cycles)
    assert (expected >= UNIT.vectors * MW // rows["simd"]).all()
    assert (expected <= np.asarray(alone.cycles)).all()
    assert (np.asarray(alone.cycles) <= dense).all()
    assert expected[0] < dense[0]


def network(pool: Any) -> Network:
    return Network(
        "n",
        (4, 4, 2),
        BIPOLAR,
        (
            Conv2d("first", ("input",), (4, 4, 2), True, 4, 3, 1, 1),
            Conv2d("conv", ("first",), (4, 4, 4), True, 3, 3, 1, 1),
            pool,
            Dense("fc", ("pool",), pool.output_shape, False, 2),
        ),
    )


def test_which_pools_decide() -> None:
    pool = MaxPool2d("pool", ("conv",), (4, 4, 3), 2)
    n = network(pool)
    assert pooling_behind(n, n["conv"]) == Pooling(2, 4, 4)
    assert pooling_behind(n, n["first"]) is None
    assert pooling_behind(n, n["fc"]) is None
    for other in (
        AveragePool2d("pool", ("conv",), (4, 4, 3), 2),
        MaxPool2d("pool", ("conv",), (4, 4, 3), 3, stride=1),
    ):
        n = network(other)
        assert pooling_behind(n, n["conv"]) is None


def test_inputs_of_a_layer_give_its_outputs() -> None:
    rng = np.random.default_rng(3)
    n = network(MaxPool2d("pool", ("conv",), (4, 4, 3), 2))
    p = {x.name: parameters(rng, x.mh, x.mw) for x in n.matrix_layers}
    p["fc"] = replace(p["fc"], output_bits=None, thresholds=None)
    accelerator = Accelerator(n, p)
    images = rng.choice([-1, 1], (3, 4, 4, 2))
    ((_, x),) = layer_inputs(accelerator, "conv", images)
    part = Accelerator(Network("n", (4, 4, 2), BIPOLAR, n.layers[:2]), p)
    bits = (x @ p["conv"].weights.T >= p["conv"].thresholds[:, 0]).reshape(3, 4, 4, 3)
    np.testing.assert_array_equal(np.where(bits, 1, -1), part.scores(images).reshape(3, 4, 4, 3))
    unit = EdgeSkipUnit(
        *("conv", 3, 36, 16, 1, 6, 1, 1, True, 1, "bram", "lut"), pooling=Pooling(2, 4, 4)
    )
    assert work_on(unit, accelerator, images).words.shape == (48, 3)
