"""Emitted projects, compiled, compute what the integer reference computes, in the predicted trips."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dse.emit.project import HlsProject
from dse.emit.verify import verify
from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.units import MatrixUnit
from dse.lowering.pipeline import pipeline

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
    case = mixed_case(make_case)
    network, design, *_ = case
    tiled = [u for u in pipeline(network, design) if isinstance(u, MatrixUnit) and u.tiling]
    lanes = [u.tiling.lanes(u.pe, u.simd) for u in tiled if u.tiling]
    assert any(u.tiling.kept_rows < u.tiling.block_rows for u in tiled if u.tiling)
    assert any(n > 1 for _, n, _, _ in lanes)
    assert any(m > 1 for _, _, _, m in lanes)
    check(case, emit, tmp_path / "p")


def test_binary_network(make_case: Any, emit: Any, tmp_path: Path) -> None:
    """Bipolar from input to scores: XNOR and popcount, dense and tiled, padded with -1."""
    compressions = {
        "c1": Compression(1, 1),
        "f1": Compression(1, 1, "bcr", 0.9, (8, 16)),
        "f2": Compression(1, None, "bcr", 0.5, (2, 8)),
    }
    foldings = {
        "c1": Folding(8, 36, 4),
        "p1": Folding(4),
        "f1": Folding(6, 3),
        "f2": Folding(10, 4),
    }
    check(make_case(BINARY, compressions, foldings), emit, tmp_path / "p")


@pytest.mark.parametrize("wide", [False, True])
def test_kernels_and_small_worlds(make_case: Any, emit: Any, tmp_path: Path, wide: bool) -> None:
    """Index memories that repeat for all positions; lanes within a run, and lanes across runs."""
    compressions = {
        "conv-1": Compression(1, 1, "kernel", 0.5, (4, 2)),
        "conv 2": Compression(1, 2, "kernel", 0.75, (4, 4)),
        "conv3": Compression(4, 4, "small_world", 0.75, (8, 2), beta=0.2),
        "fc1": Compression(2, 1, "small_world", 0.5, (10, 4), beta=0.2),
        "fc2": Compression(4, None, "kernel", 0.5, (2, 4)),
    }
    narrow = {
        "conv-1": Folding(2, 1, 1),
        "pool": Folding(3),
        "conv 2": Folding(2, 1, 2),
        "conv3": Folding(4, 1, 4),
        "fc1": Folding(5, 2),
        "fc2": Folding(1, 1),
    }
    many = {
        "conv-1": Folding(8, 3, 2),
        "pool": Folding(3),
        "conv 2": Folding(8, 27, 4),
        "conv3": Folding(24, 4, 8),
        "fc1": Folding(20, 8),
        "fc2": Folding(6, 10),
    }
    case = make_case(MIXED, compressions, many if wide else narrow)
    check(case, emit, tmp_path / "p")


def test_filter_pruned_network(make_case: Any, emit: Any, tmp_path: Path) -> None:
    """Fewer channels are built; 4-bit everywhere, one of the dense designs of the issue."""
    compressions = {
        "conv-1": Compression(4, 4, "filter", 0.5),
        "conv 2": Compression(4, 4),
        "conv3": Compression(4, 4, "filter", 0.25),
        "fc1": Compression(4, 4, "unstructured", 0.4),
        "fc2": Compression(4, None),
    }
    foldings = {
        "conv-1": Folding(6, 2, 2),
        "pool": Folding(1),
        "conv 2": Folding(8, 9, 3),
        "conv3": Folding(2, 16, 2),
        "fc1": Folding(10, 8),
        "fc2": Folding(1, 1),
    }
    check(make_case(MIXED, compressions, foldings), emit, tmp_path / "p")


def test_one_flipped_weight_is_found(tiny: Any, emit: Any, tmp_path: Path) -> None:
    emit(tiny).write(tmp_path / "p")
    assert verify(tmp_path / "p").passed
    header = tmp_path / "p" / "src" / "weights_fc_matrix.h"
    text = header.read_text()
    first = re.search(r"_weights.*?(0x[0-9a-f]+)", text, re.DOTALL)
    assert first is not None
    # flips one weight between 1 and -1 or 0 and -2
    flipped = hex(int(first[1], 16) ^ 2)
    header.write_text(text[: first.start(1)] + flipped + text[first.end(1) :])
    os.utime(header, (0, 0))  # older than the binary: make must not trust time stamps
    result = verify(tmp_path / "p")
    assert result.mismatches > 0
    assert result.changed == ("src/weights_fc_matrix.h",)
    assert not result.passed
