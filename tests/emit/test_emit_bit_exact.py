"""Emitted projects, compiled, compute what the integer reference computes, in the predicted trips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dse.emit.hls import hls_project
from dse.emit.project import HlsProject
from dse.emit.verify import verify
from dse.ir.design import Compression, Folding
from dse.ir.hardware import Board, HardwareEstimate
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType

MIXED = Network(
    "mixed",
    (7, 7, 2),
    IntType(5, signed=True),
    (
        Conv2d("conv-1", ("input",), (7, 7, 2), True, 12, 3, 1, 1),
        MaxPool2d("pool", ("conv-1",), (7, 7, 12), 2),
        Conv2d("conv 2", ("pool",), (3, 3, 12), True, 16, 3, 2, 1),
        Conv2d("conv3", ("conv 2",), (2, 2, 16), True, 24, 1),
        Dense("fc1", ("conv3",), (2, 2, 24), True, 20),
        Dense("fc2", ("fc1",), (20,), False, 6),
    ),
)
BINARY = Network(
    "binary",
    (6, 6, 8),
    BIPOLAR,
    (
        Conv2d("c1", ("input",), (6, 6, 8), True, 16, 3, 1, 1),
        MaxPool2d("p1", ("c1",), (6, 6, 16), 2),
        Dense("f1", ("p1",), (3, 3, 16), True, 72),
        Dense("f2", ("f1",), (72,), False, 10),
    ),
)


@pytest.fixture
def emit(board: Board, estimate: HardwareEstimate) -> Callable[..., HlsProject]:
    def build(case: Any) -> HlsProject:
        network, design, accelerator, images, labels = case
        return hls_project(
            study="study",
            network=network,
            design=design,
            accelerator=accelerator,
            board=board,
            clock_mhz=100.0,
            estimate=estimate,
            images=images,
            labels=labels,
        )

    return build


def check(case: Any, emit: Callable[..., HlsProject], folder: Path) -> None:
    _, _, accelerator, images, labels = case
    emit(case).write(folder)
    result = verify(folder)
    assert result.mismatches == 0
    assert result.words == len(images) * accelerator.network.classes
    assert result.accuracy == pytest.approx(accelerator.accuracy(images, labels))
    assert result.loop_trips == result.predicted
    assert result.passed


def mixed_case(make_case: Callable[..., Any]) -> Any:
    """4-bit, 2-bit, ternary and 1-bit weights on 5-bit signed to 1-bit inputs; tiles of every kind."""
    compressions = {
        "conv-1": Compression(4, 3),
        "conv 2": Compression(2, 1, "bcr", 0.9, (8, 18)),
        "conv3": Compression(1, 2, "bcr", 0.5, (8, 8)),
        "fc1": Compression(8, 1, "bcr", 0.875, (4, 16)),
        "fc2": Compression(1, None, "unstructured", 0.5),
    }
    foldings = {
        "conv-1": Folding(4, 3, 1, "lutram", "dsp"),
        "pool": Folding(3),
        "conv 2": Folding(4, 7, 4),
        "conv3": Folding(24, 8, 16),
        "fc1": Folding(1, 2, compute="dsp"),
        "fc2": Folding(3, 5),
    }
    return make_case(MIXED, compressions, foldings)


def test_mixed_network(make_case: Any, emit: Any, tmp_path: Path) -> None:
    check(mixed_case(make_case), emit, tmp_path / "p")
