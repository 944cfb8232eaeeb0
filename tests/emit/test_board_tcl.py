"""Tcl for the board: block design and packaging by recorded calls; which boards get it; the end of a batch."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from dse.emit.board import BOARD_PARTS, processing_system
from dse.ir.design import Compression, Folding
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from hw_templates._boards import board_names, load_board

# Vivado's commands: they record their calls, and know which cells there are
STUBS = r"""
set cells {}
proc record {args} { puts [list CALL {*}$args] }
foreach name {create_project set_property update_ip_catalog add_files update_compile_order close_project
              create_bd_design apply_bd_automation connect_bd_net connect_bd_intf_net assign_bd_address
              validate_bd_design save_bd_design wait_on_run ipx::package_project ipx::create_xgui_files
              ipx::update_checksums ipx::check_integrity ipx::save_core} {
    namespace eval [namespace qualifiers ::$name] {}
    proc ::$name {args} "record $name {*}\$args"
}
proc known {what} {
    global cells
    set cell [lindex [split $what /] 0]
    if {$cell ni $cells} { error "there is no cell $cell yet" }
    return $what
}
proc create_bd_cell {args} {
    global cells
    lappend cells [lindex $args end]
    record create_bd_cell {*}$args
}
foreach name {get_bd_cells get_bd_pins get_bd_intf_pins} { proc $name {what} { known $what } }
proc get_ipdefs {pattern} {
    return [list [string map {* 9.0} $pattern] [string map {* 10.0} $pattern]]
}
proc get_property {name of} {
    switch -- $name {
        VLNV { return $of }
        PROGRESS { return $::env(PROGRESS) }
        STATS.WNS { return $::env(SLACK) }
        STATUS { return "place_design ERROR" }
    }
}
proc get_board_parts {args} { return [string map {* x} [lindex $args end]] }
proc get_runs {name} { return $name }
proc get_files {args} { return [lindex $args end] }
proc current_project {} { return project }
proc current_fileset {} { return sources }
proc ipx::current_core {} { return core }
proc make_wrapper {args} { return system_wrapper.v }
proc launch_runs {args} {
    record launch_runs {*}$args
    set implemented build_vivado/accelerator.runs/impl_1
    set handoff build_vivado/accelerator.gen/sources_1/bd/system/hw_handoff
    file mkdir $implemented $handoff
    close [open $implemented/system_wrapper.bit w]
    close [open $handoff/system.hwh w]
}
set argv [lrange $argv 1 end]
set argc [llength $argv]
"""


def tcl(script: Path, *arguments: str, **environment: str) -> tuple[str, list[list[str]]]:
    """Run a script with stub commands; return what failed and the calls, words apart."""
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not on PATH")
    runner = script.with_name("stubs.tcl")
    runner.write_text(STUBS + f"source [file join [file dirname [info script]] {script.name}]\n")
    run = subprocess.run(
        ["tclsh", str(runner), script.name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=script.parent.parent.parent,  # the script must find its files from any folder
        env=os.environ | {"PROGRESS": "100%", "SLACK": "0.5"} | environment,
    )
    words = re.compile(r"\{((?:[^{}]|\{[^{}]*\})*)\}|(\S+)")
    calls = [
        [a or b for a, b in words.findall(line[5:].replace("\x00", "\n"))]
        for line in re.sub(r"\n(?!CALL|WARNING)", "\x00", run.stdout).splitlines()
        if line.startswith("CALL ")
    ]
    shown = run.stderr + "".join(x for x in run.stdout.splitlines() if x.startswith("WARNING"))
    assert (run.returncode == 0) == (run.stderr == "")
    return shown, calls


def properties(calls: list[list[str]], cell: str) -> dict[str, str]:
    """Return what is set on a cell."""
    result: dict[str, str] = {}
    for call in calls:
        if call[0] == "set_property" and call[-1] == cell:
            pairs = call[2].split() if call[1] == "-dict" else call[1:3]
            result |= dict(zip(pairs[::2], pairs[1::2], strict=True))
    return result


def ends(calls: list[list[str]], kind: str) -> list[tuple[str, str]]:
    return [(c[1], c[2]) for c in calls if c[0] == kind]


@pytest.mark.parametrize("flow", ["hls", "rtl"])
@pytest.mark.parametrize("name", ["Pynq-Z1", "ZCU104"])
def test_block_design(flow: str, name: str, dense_case: Any, write: Any) -> None:
    board = load_board(name)
    folder = write(flow, dense_case(IntType(8, signed=False), 15), board=board)
    value = json.loads((folder / "design.json").read_text())
    inputs, outputs = (str(value[k]["axis_bits"]) for k in ("input", "output"))
    assert inputs != outputs
    script = folder / "board" / "block_design.tcl"
    failed, _ = tcl(script)
    assert ("exported IP" if flow == "hls" else "packaged IP") in failed
    repository = "hls/build_hls/solution1/impl/ip" if flow == "hls" else "board/build_ip"
    (folder / repository).mkdir(parents=True)
    failed, calls = tcl(script)
    assert failed == ""

    assert calls[0][1:] == ["-force", "accelerator", "build_vivado", "-part", board.part]
    assert calls[1][:3] == ["set_property", "board_part", f"x:{BOARD_PARTS[name]}:x"]
    assert calls[2][:2] == ["set_property", "ip_repo_paths"]
    assert calls[2][2].strip("{}") == str(folder / repository)
    zynq7 = name == "Pynq-Z1"
    kinds = {c[-1]: c[-2] for c in calls if c[0] == "create_bd_cell"}
    core = "xilinx.com:hls:accelerator" if flow == "hls" else "dse:user:accelerator"
    assert kinds == {
        "ps": f"xilinx.com:ip:{'processing_system7' if zynq7 else 'zynq_ultra_ps_e'}:10.0",
        "accelerator": f"{core}:10.0",
        "batch_last": "batch_last",
        "resets": "xilinx.com:ip:proc_sys_reset:10.0",
        "dma": "xilinx.com:ip:axi_dma:10.0",
        "batch_frames": "xilinx.com:ip:axi_gpio:10.0",
        "control_bus": "xilinx.com:ip:smartconnect:10.0",
        "memory_bus": "xilinx.com:ip:smartconnect:10.0",
    }
    frequency = "PCW_FPGA0_PERIPHERAL" if zynq7 else "PSU__CRL_APB__PL0_REF_CTRL__"
    assert properties(calls, "ps")[f"CONFIG.{frequency}{'_' * zynq7}FREQMHZ"] == "100.0"
    dma = properties(calls, "dma")
    assert dma["CONFIG.c_include_sg"] == "0"
    assert dma["CONFIG.c_m_axis_mm2s_tdata_width"] == inputs
    assert dma["CONFIG.c_s_axis_s2mm_tdata_width"] == outputs
    assert int(dma["CONFIG.c_m_axi_mm2s_data_width"]) >= max(32, int(inputs))
    assert properties(calls, "batch_last") == {"CONFIG.WIDTH": outputs}

    control, memory = (
        ("ps/M_AXI_GP0", "ps/S_AXI_HP0") if zynq7 else ("ps/M_AXI_HPM0_FPD", "ps/S_AXI_HP0_FPD")
    )
    buses = ends(calls, "connect_bd_intf_net")
    assert buses == [
        (control, "control_bus/S00_AXI"),
        ("control_bus/M00_AXI", "dma/S_AXI_LITE"),
        ("control_bus/M01_AXI", "batch_frames/S_AXI"),
        *([("control_bus/M02_AXI", "accelerator/s_axi_control")] if flow == "hls" else []),
        ("dma/M_AXI_MM2S", "memory_bus/S00_AXI"),
        ("dma/M_AXI_S2MM", "memory_bus/S01_AXI"),
        ("memory_bus/M00_AXI", memory),
        ("dma/M_AXIS_MM2S", "accelerator/s_axis"),
        ("accelerator/m_axis", "batch_last/s_axis"),
        ("batch_last/m_axis", "dma/S_AXIS_S2MM"),
    ]
    used = sum(a.startswith("control_bus/M") for a, _ in buses)
    assert properties(calls, "control_bus")["CONFIG.NUM_MI"] == str(used)
    nets = ends(calls, "connect_bd_net")
    assert len({to for _, to in nets}) == len(nets)  # no pin has two drivers
    clocked = {to for source, to in nets if source in ("ps/FCLK_CLK0", "ps/pl_clk0")}
    assert {pin.split("/")[0] for pin in clocked} == set(kinds)
    assert {to for source, to in nets if source == "resets/peripheral_aresetn"} == {
        *(f"{cell}/aresetn" for cell in ("control_bus", "memory_bus", "batch_last")),
        *("batch_frames/s_axi_aresetn", "dma/axi_resetn", "accelerator/ap_rst_n"),
    }
    order = [c[0] for c in calls]
    for before, after in (
        ("update_ip_catalog", "create_bd_design"),
        ("connect_bd_intf_net", "assign_bd_address"),
        ("assign_bd_address", "validate_bd_design"),
        ("validate_bd_design", "launch_runs"),
        ("launch_runs", "wait_on_run"),
    ):
        assert order.index(before) < order.index(after)
    assert {p.name for p in (folder / "driver").iterdir()} >= {
        "accelerator.bit",
        "accelerator.hwh",
    }


@pytest.mark.parametrize("flow", ["hls", "rtl"])
def test_block_design_with_weights_to_load(flow: str, dense_case: Any, write: Any) -> None:
    board = load_board("ZCU104")
    case = dense_case(IntType(8, signed=False), 5, "uram")
    folder = write(flow, case, board=board)
    repository = "hls/build_hls/solution1/impl/ip" if flow == "hls" else "board/build_ip"
    (folder / repository).mkdir(parents=True)
    failed, calls = tcl(folder / "board" / "block_design.tcl")
    assert failed == ""
    dma = properties(calls, "weights_dma")
    assert dma["CONFIG.c_include_s2mm"] == "0"
    assert dma["CONFIG.c_m_axis_mm2s_tdata_width"] == "64"
    buses = ends(calls, "connect_bd_intf_net")
    assert ("weights_dma/M_AXIS_MM2S", "accelerator/weights") in buses
    for bus, side, count in (("control_bus", 0, "NUM_MI"), ("memory_bus", 1, "NUM_SI")):
        many = {b[side] for b in buses if b[side].startswith(f"{bus}/{'MS'[side]}")}
        assert properties(calls, bus)[f"CONFIG.{count}"] == str(len(many))
        assert len(many) == len([b for b in buses if b[side] in many])  # a port, a bus
    nets = ends(calls, "connect_bd_net")
    assert len({to for _, to in nets}) == len(nets)
    driven = {to for _, to in nets if to.startswith("weights_dma/")}
    assert driven == {
        f"weights_dma/{pin}" for pin in ("s_axi_lite_aclk", "m_axi_mm2s_aclk", "axi_resetn")
    }


def test_what_the_block_design_says_when_it_fails(tiny: Any, write: Any) -> None:
    folder = write("rtl", tiny)
    (folder / "board" / "build_ip").mkdir()
    script = folder / "board" / "block_design.tcl"
    shown, calls = tcl(script, SLACK="-0.25")
    assert "WARNING: timing at 100.0 MHz is missed by 0.25 ns" in shown
    assert "WARNING: no board part is known" in shown  # of "test-board"
    assert not any(c[:2] == ["set_property", "board_part"] for c in calls)
    shown, calls = tcl(script, "acme:z:part0:1.0", PROGRESS="60%")
    assert ["set_property", "board_part", "acme:z:part0:1.0", "project"] in calls
    assert "implementation must finish, it stopped at: place_design ERROR" in shown


def test_packaging_of_the_verilog(tiny: Any, write: Any) -> None:
    folder = write("rtl", tiny)
    failed, calls = tcl(folder / "board" / "package_ip.tcl")
    assert failed == ""
    (added,) = (c[2] for c in calls if c[0] == "add_files")
    names = {p.name for p in (folder / "rtl").iterdir()}
    assert {Path(n.strip("{}")).name for n in re.findall(r"\{[^{}]*\}", added)} == names
    sets = [c[1:] for c in calls if c[0] == "set_property"]
    assert ["file_type", "Memory Initialization Files", "*.hex"] in sets
    assert ["top", "accelerator", "sources"] in sets
    assert ["name", "accelerator", "core"] in sets
    package = next(c for c in calls if c[0] == "ipx::package_project")
    # without -import_files the IP would point into this project
    assert {"build_ip", "-import_files", "dse", "user"} <= set(package)
    assert [c[0] for c in calls][-3:] == ["ipx::check_integrity", "ipx::save_core", "close_project"]


BENCH = """
module bench;
  reg clk = 0, rst = 0, valid = 0, ready = 0;
  reg [31:0] given = 0, taken = 0, seed = 7;
  wire sready, mlast, mvalid;
  wire [7:0] mdata;
  batch_last #(.WIDTH(8)) dut (clk, rst, taken < 30 ? 32'd5 : 32'd1, given[7:0], given % 3 == 2, valid,
    sready, mdata, mlast, mvalid, ready);
  always #1 clk = ~clk;
  always @(posedge clk) begin
    rst <= 1;
    if (rst & mvalid & ready) begin
      taken <= taken + 1;
      if (mdata != taken[7:0]) $display("data %d", taken);
      if (mlast) $display("last %0d", taken);
    end
    if (valid & sready) given <= given + 1;
    if (rst & (~valid | sready)) valid <= $random(seed);
    ready <= rst & $random(seed);
    if (taken == 39) $finish;
  end
endmodule
"""


def test_tlast_ends_a_batch(tiny: Any, emit: Any, tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not on PATH")
    (tmp_path / "dut.v").write_text(emit(tiny).files[PurePosixPath("board/batch_last.v")])
    (tmp_path / "bench.v").write_text(BENCH)
    command = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-o", "sim", "dut.v", "bench.v"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert built.stderr == ""
    run = subprocess.run(["vvp", "sim"], cwd=tmp_path, capture_output=True, text=True, check=True)
    # frames of 3 words: two batches of 5 frames, then batches of 1
    shown = [line for line in run.stdout.splitlines() if "$finish" not in line]
    assert shown == [f"last {i}" for i in (14, 29, 32, 35, 38)]


def test_which_boards(tiny: Any, make_case: Any, emit: Any) -> None:
    zynq = {name for name in board_names() if processing_system(load_board(name).part)}
    assert set(BOARD_PARTS) <= zynq  # without a board part a new board has a warning, no error
    assert {"U250", "U280", "U55C"}.isdisjoint(zynq)
    alveo = emit(tiny, board=load_board("U250"))
    assert not any(name.parts[0] in ("board", "driver") for name in alveo.files)
    readme = str(alveo.files[PurePosixPath("README.md")])
    assert "No block design and no driver: the part has no Arm processing system" in readme
    assert "`driver/`" not in readme
    network = Network(
        "wide", (256,), IntType(8, False), (Dense("fc", ("input",), (256,), False, 2),)
    )
    case = make_case(network, {"fc": Compression(2, None)}, {"fc": Folding(1, 256)}, count=2)
    wide = emit(case, board=dataclasses.replace(load_board("KV260")))
    assert not any(name.parts[0] in ("board", "driver") for name in wide.files)
    assert "an input word has 2048 bits and AXI DMA takes 1024 at most" in str(
        wide.files[PurePosixPath("README.md")]
    )
