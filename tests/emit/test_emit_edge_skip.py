"""Designs that skip edges: whole projects compute the same bits, in the cycles that are counted on their images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dse.emit.simulate import simulate
from dse.emit.verify import verify
from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType

BNN = Network(
    "bnn",
    (8, 8, 2),
    IntType(4, signed=False),
    (
        Conv2d("conv1", ("input",), (8, 8, 2), True, 8, 3, 1, 1),
        Conv2d("conv2", ("conv1",), (8, 8, 8), True, 8, 3, 1, 1),
        MaxPool2d("pool2", ("conv2",), (8, 8, 8), 2),
        Conv2d("conv3", ("pool2",), (4, 4, 8), True, 12, 3, 1, 1),
        MaxPool2d("pool3", ("conv3",), (4, 4, 12), 2),
        Dense("fc1", ("pool3",), (2, 2, 12), True, 16),
        Dense("fc2", ("fc1",), (16,), False, 5),
    ),
)
BIT = Compression(1, 1)
COMPRESSIONS = {
    "conv1": Compression(3, 1),
    "conv2": BIT,
    "conv3": BIT,
    "fc1": BIT,
    "fc2": Compression(1, None),
}
FOLDINGS = {
    "conv1": Folding(8, 18, 2),
    "conv2": Folding(2, 8, 8, edge_skip="ooo"),
    "pool2": Folding(4),
    "conv3": Folding(4, 8, 8, "lutram", edge_skip="lockstep"),
    "pool3": Folding(4),
    "fc1": Folding(2, 4, edge_skip="ooo"),
    "fc2": Folding(1, 4),
}


@pytest.fixture
def bnn(make_case: Any) -> Any:
    return make_case(BNN, COMPRESSIONS, FOLDINGS, count=11)


def test_hls_project(bnn: Any, emit: Any, check_layers: Any, tmp_path: Path) -> None:
    folder = emit(bnn).write(tmp_path / "p")
    skips = json.loads((folder / "design.json").read_text())["edge_skip"]
    assert list(skips["units"]) == ["conv2_matrix", "conv3_matrix", "fc1_matrix"]
    for count in (11, 3):  # a call of 8 and one of 3; one of 3
        result = verify(folder, images=count)
        assert result.mismatches == 0
        assert dict(result.loop_trips) == dict(result.predicted)
        assert result.passed
    check_layers(folder)
    edges = skips["units"]["conv2_matrix"]["edges"]
    assert edges["total"] == 11 * 64 * 8 * 72
    assert edges["by_pool"] > 0


def test_verilog_project(bnn: Any, check_layers: Any, tmp_path: Path, emit_rtl: Any) -> None:
    project = emit_rtl(bnn)
    result = simulate(project.write(tmp_path / "p"))
    print(result)
    assert result.mismatches == 0
    assert result.passed
    check_layers(tmp_path / "p")
