"""Depthwise-separable networks with a global pool, emitted for both flows, compute what was scored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from dse.emit.verify import verify
from dse.emit.words import codes, hex_lines
from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType


def separable(element: IntType, channels: int) -> Network:
    """Depthwise layers with strides 1 and 2, padded and not, pointwise layers, a mean of 2x3 pixels."""
    return Network(
        "separable",
        (8, 9, channels),
        element,
        (
            DepthwiseConv2d("dw1", ("input",), (8, 9, channels), True, 3, 1, 1),
            Conv2d("pw-1", ("dw1",), (8, 9, channels), True, 12, 1),
            DepthwiseConv2d("dw 2", ("pw-1",), (8, 9, 12), True, 3, 2, 1),
            Conv2d("pw2", ("dw 2",), (4, 5, 12), True, 16, 1),
            DepthwiseConv2d("dw3", ("pw2",), (4, 5, 16), True, 3, 1, 0),
            GlobalAveragePool("mean", ("dw3",), (2, 3, 16)),
            Dense("fc", ("mean",), (16,), False, 6),
        ),
    )


def mixed_case(make_case: Callable[..., Any]) -> Any:
    """Several bit widths, filters pruned in front of depthwise layers, tiles in a pointwise one."""
    compressions = {
        "dw1": Compression(4, 3),
        "pw-1": Compression(3, 4, "filter", 1 / 3),
        "dw 2": Compression(1, 2),
        "pw2": Compression(2, 1, "bcr", 0.5, (4, 8)),
        "dw3": Compression(5, 3),
        "fc": Compression(4, None),
    }
    foldings = {
        "dw1": Folding(1, 1, 2),
        "pw-1": Folding(4, 1),
        "dw 2": Folding(2, 1, 4, "lutram"),
        "pw2": Folding(4, 2),
        "dw3": Folding(4, 1, 8, compute="dsp"),
        "mean": Folding(8),
        "fc": Folding(3, 4),
    }
    return make_case(separable(IntType(5, signed=True), 2), compressions, foldings)


def binary_case(make_case: Callable[..., Any]) -> Any:
    """Bipolar up to the mean, whose sums are signed."""
    network = separable(BIPOLAR, 4)
    compressions = {m.name: Compression(1, 1) for m in network.matrix_layers}
    foldings = {
        "dw1": Folding(4, 1, 4),
        "pw-1": Folding(6, 4),
        "dw 2": Folding(12, 1, 3),
        "pw2": Folding(8, 3),
        "dw3": Folding(1, 1, 2),
        "mean": Folding(1),
        "fc": Folding(1, 1),
    }
    return make_case(network, compressions, foldings)


def test_scores_may_need_more_than_32_bits() -> None:
    wide = IntType(64, signed=True)
    values = np.array([[-5, 2**40, -(2**40)]])
    assert codes(values, wide).tolist() == [[2**64 - 5, 2**40, 2**64 - 2**40]]
    assert hex_lines(codes(values[:, :1], wide), 64, 64) == "fffffffffffffffb\n"


CASES = [mixed_case, binary_case]


@pytest.mark.parametrize("which", CASES)
def test_hls(which: Any, make_case: Any, emit: Any, tmp_path: Path) -> None:
    case = which(make_case)
    _, _, accelerator, images, labels = case
    project = emit(case)
    result = verify(project.write(tmp_path / "p"))
    assert result.mismatches == 0
    assert result.words == len(images) * accelerator.network.classes
    assert result.accuracy == pytest.approx(accelerator.accuracy(images, labels))
    assert result.loop_trips == result.predicted
    folds = json.loads(project.files[PurePosixPath("folding_config.json")])
    assert {"VVAU_hls_0", "VVAU_hls_2", "GlobalAccPool_hls_0"} <= set(folds)


@pytest.mark.parametrize("which", [mixed_case, pytest.param(binary_case, marks=pytest.mark.slow)])
def test_verilog(
    which: Any, make_case: Any, check_verilog: Any, tmp_path: Path, emit_rtl: Any
) -> None:
    project = emit_rtl(which(make_case))
    folder = project.write(tmp_path / "p")
    check_verilog(folder)
