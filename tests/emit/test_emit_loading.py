"""Weights in UltraRAM: they are in no source, come over the load stream, and the project is bit-exact."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dse.emit.simulate import simulate
from dse.emit.verify import changed_files, verify
from dse.errors import UsageError
from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType

NETWORK = Network(
    "loaded",
    (6, 6, 4),
    IntType(4, signed=True),
    (
        Conv2d("conv", ("input",), (6, 6, 4), True, 8, 3, 1, 1),
        DepthwiseConv2d("dw", ("conv",), (6, 6, 8), True, 3, 2, 1),
        Conv2d("pw", ("dw",), (3, 3, 8), True, 16, 1),
        Dense("fc1", ("pw",), (3, 3, 16), True, 24),
        Dense("fc2", ("fc1",), (24,), False, 5),
    ),
)
URAM = "uram"


def case(make_case: Any) -> Any:
    """Dense, depthwise and tiled units that are loaded; words of 6 to 300 bits; block RAM between them."""
    compressions = {
        "conv": Compression(3, 1),  # so that padding behind it is -1, not 0
        "dw": Compression(4, 2),
        "pw": Compression(2, 1, "bcr", 0.5, (8, 8)),
        "fc1": Compression(5, 3, "bcr", 0.5, (4, 16)),
        "fc2": Compression(1, None),
    }
    foldings = {
        "conv": Folding(8, 12, 4, URAM),
        "dw": Folding(4, 1, 4, URAM),
        "pw": Folding(4, 4, memory="bram"),
        "fc1": Folding(1, 2, 1, URAM),
        "fc2": Folding(5, 12, 1, URAM),
    }
    return make_case(NETWORK, compressions, foldings)


def test_c_simulation_is_bit_exact_once_weights_are_loaded(
    make_case: Any, emit: Any, check_layers: Any, tmp_path: Path
) -> None:
    made = case(make_case)
    project = emit(made)
    project.write(tmp_path)
    assert verify(tmp_path).passed
    check_layers(tmp_path)
    lines = (tmp_path / "tb" / "weights.hex").read_text().split()
    # other weights than those that were scored are found out
    damaged = [*lines[:-1], f"{int(lines[-1], 16) ^ 0xFFF:016x}"]  # a row of the last layer
    (tmp_path / "tb" / "weights.hex").write_text("".join(f"{line}\n" for line in damaged))
    run = subprocess.run(
        ["build/testbench", "tb"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert " 0 mismatches" not in run.stdout
    manifest = json.loads((tmp_path / "design.json").read_text())
    assert changed_files(tmp_path, manifest["files"]) == ("tb/weights.hex",)


def test_verilog_is_bit_exact_and_loading_takes_what_was_predicted(
    make_case: Any, check_layers: Any, stalled: Any, tmp_path: Path, emit_rtl: Any
) -> None:
    project = emit_rtl(case(make_case))
    project.write(tmp_path)
    found = simulate(tmp_path, simulator="cxxrtl")
    assert found.mismatches == 0
    assert found.passed
    loading = json.loads((tmp_path / "design.json").read_text())["loading"]
    # words of 8 * 12 * 3, 4 * 4, 1 * 2 * 5 and 5 * 12 * 1 bits, one for every step
    assert loading["units"] == {
        "conv_matrix": 3 * 5,
        "dw_depthwise": 9 * 2,
        "fc1_matrix": 24 * 144 // 2 // 2,
        "fc2_matrix": 2,
    }
    assert loading["words"] == sum(loading["units"].values())
    assert found.predicted_loading == loading["words"] + 4 + 1
    assert found.loading_cycles == found.predicted_loading
    held = stalled(tmp_path)
    assert held["mismatches"] == 0
    assert held["loading"] > found.predicted_loading
    check_layers(tmp_path)


def test_units_that_skip_edges_are_not_loaded(make_case: Any, emit: Any) -> None:
    network = Network(
        "skips",
        (16,),
        BIPOLAR,
        (Dense("fc1", ("input",), (16,), True, 8), Dense("fc2", ("fc1",), (8,), False, 4)),
    )
    compressions = {"fc1": Compression(1, 1), "fc2": Compression(1, None)}
    folding = Folding(4, 4, memory=URAM, edge_skip="lockstep")
    made = make_case(network, compressions, {"fc1": folding, "fc2": Folding(1, 4)})
    with pytest.raises(UsageError, match="layer fc1: a unit that skips edges must have"):
        emit(made)
