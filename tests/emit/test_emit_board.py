"""To the board: block design and packaging by recorded calls, the driver against a fake overlay."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dse.emit.board import BOARD_PARTS, processing_system
from dse.emit.project import HlsProject
from dse.emit.rtl import rtl_project
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression, Folding
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
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


@pytest.fixture
def write(tmp_path: Path, emit: Any, board: Any, estimate: Any) -> Callable[..., Path]:
    """Factory: (flow, case, arguments to replace) -> folder of the written project."""

    def project(flow: str, case: Any, **changed: Any) -> Path:
        built: HlsProject = emit(case, **changed)
        if flow == "rtl":
            names = ("network", "design", "accelerator", "images", "labels")
            arguments = dict(zip(names, case, strict=True)) | {"board": board} | changed
            built = rtl_project(study="study", clock_mhz=100.0, estimate=estimate, **arguments)
        return built.write(tmp_path / "a b" / flow)

    return project


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
def test_block_design(flow: str, name: str, make_case: Any, write: Any) -> None:
    board = load_board(name)
    folder = write(flow, dense_case(make_case, IntType(8, signed=False), 15), board=board)
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
def test_block_design_with_weights_to_load(flow: str, make_case: Any, write: Any) -> None:
    board = load_board("ZCU104")
    case = dense_case(make_case, IntType(8, signed=False), 5, "uram")
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


class Overlay:
    """A board in software: the DMA hands words to the integer reference, decoded bit by bit here."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self.design = json.loads((folder / "design.json").read_text())
        self.reference = accelerator
        self.sent: list[bytes] = []
        self.batch = self.started = 0
        self.waiting: tuple[Any, int] | None = None
        self.dma = SimpleNamespace(
            sendchannel=SimpleNamespace(transfer=self.send, wait=lambda: None),
            recvchannel=SimpleNamespace(transfer=self.receive, wait=lambda: None),
        )
        self.weights = b""
        self.weights_dma = SimpleNamespace(
            sendchannel=SimpleNamespace(transfer=self.load, wait=lambda: None)
        )
        self.batch_frames = SimpleNamespace(write=self.set_batch)
        if self.design.get("flow") != "rtl":
            self.registers = {0x00: 4, 0x10: 0}
            self.accelerator = SimpleNamespace(
                read=self.registers.__getitem__, write=self.registers.__setitem__
            )

    def set_batch(self, offset: int, frames: int) -> None:
        assert offset == 0
        self.batch = frames

    def load(self, buffer: Any) -> None:
        assert not self.sent  # weights come first
        if self.design.get("flow") != "rtl":
            assert (self.registers[0x00], self.registers[0x10]) == (1, 0)
            self.registers[0x00] = 4
        self.weights += buffer.tobytes()

    def receive(self, buffer: Any, nbytes: int) -> None:
        self.waiting = buffer, nbytes

    def send(self, buffer: Any, nbytes: int) -> None:
        source, target = self.design["input"], self.design["output"]
        step, element = source["axis_bits"] // 8, source["element"]
        data = buffer[:nbytes].tobytes()
        self.sent.append(data)
        bits = element["bits"]
        values = []
        for start in range(0, len(data), step):
            word = int.from_bytes(data[start : start + step], "little")
            for i in range(source["elements_per_word"]):
                code = word >> i * bits & (1 << bits) - 1
                if element["bipolar"]:
                    code = 2 * code - 1
                elif element["signed"] and code >> bits - 1:
                    code -= 1 << bits
                values.append(code)
            assert word >> bits * source["elements_per_word"] == 0
        images = np.array(values).reshape(-1, *self.reference.network.input_shape)
        scores = self.reference.scores(images)
        size = target["axis_bits"] // 8
        out = b"".join(int(s).to_bytes(size, "little", signed=True) for s in scores.reshape(-1))
        # TLAST ends the transfer with the last frame of the batch: all three counts must agree
        assert self.waiting is not None
        reply, expected = self.waiting
        assert (len(images), len(out)) == (self.batch, expected)
        if self.design.get("flow") != "rtl":
            assert (self.registers[0x00], self.registers[0x10]) == (1, self.batch)
            self.registers[0x00] = 4
        reply[:expected] = np.frombuffer(out, np.uint8)


def load_driver(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("driver_of_test", folder / "driver" / "driver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dense_case(make_case: Any, element: IntType, simd: int, memory: str = "bram") -> Any:
    network = Network("n", (15,), element, (Dense("fc", ("input",), (15,), False, 3),))
    folding = Folding(1, simd, memory=memory)
    return make_case(network, {"fc": Compression(2, None)}, {"fc": folding}, count=7)


@pytest.mark.parametrize("flow", ["hls", "rtl"])
@pytest.mark.parametrize(
    ("element", "simd"),
    [
        (None, 0),  # the convolutional network, 3-bit unsigned pixels
        (BIPOLAR, 5),
        (IntType(4, signed=True), 3),
        (IntType(8, signed=False), 15),  # 120 bits in a word of 128
        (IntType(11, signed=True), 3),
    ],
)
def test_driver(
    flow: str,
    element: IntType | None,
    simd: int,
    tiny: Any,
    make_case: Any,
    write: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = tiny if element is None else dense_case(make_case, element, simd)
    accelerator, images = case[2:4]
    folder = write(flow, case)
    overlay = Overlay(folder, accelerator)
    pynq = ModuleType("pynq")
    pynq.Overlay = lambda path: overlay  # type: ignore[attr-defined]
    pynq.allocate = lambda shape, dtype: np.full(shape, 255, dtype)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    driver = load_driver(folder).Accelerator(batch=3)
    assert np.array_equal(driver.infer(images), accelerator.scores(images))
    assert len(overlay.sent) == -(-len(images) // 3)
    # the bytes are the golden words, which C and RTL simulation read
    lines = (folder / "tb" / "inputs.hex").read_text().split()
    assert b"".join(overlay.sent) == b"".join(bytes.fromhex(line)[::-1] for line in lines)
    assert driver.infer(images[:0]).shape == (0, 3)


class Buffer(np.ndarray[Any, Any]):
    """Memory of a DMA."""

    def freebuffer(self) -> None:
        self[:] = 0


@pytest.mark.parametrize("flow", ["hls", "rtl"])
def test_driver_loads_weights_first(
    flow: str, make_case: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = dense_case(make_case, IntType(8, signed=False), 5, "uram")
    accelerator, images = case[2:4]
    folder = write(flow, case, board=load_board("ZCU104"))
    overlay = Overlay(folder, accelerator)
    pynq = ModuleType("pynq")
    pynq.Overlay = lambda path: overlay  # type: ignore[attr-defined]
    pynq.allocate = lambda shape, dtype: np.full(shape, 255, dtype).view(Buffer)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    driver = load_driver(folder).Accelerator(batch=3)
    assert np.array_equal(driver.infer(images), accelerator.scores(images))
    # 3 passes of 3 steps of 5 weights of 2 bits: a word of 64 bits each
    words = np.frombuffer(overlay.weights, "<u8").reshape(3, 3, 1)
    codes = words >> (2 * np.arange(5, dtype=np.uint64)) & np.uint64(3)
    signed = codes.astype(int) - 4 * (codes > 1)
    assert np.array_equal(signed.reshape(3, 15), accelerator.parameters["fc"].weights)

    path = folder / "tb" / "weights.hex"
    path.write_text(path.read_text()[:-17])
    with pytest.raises(ValueError, match=r"weights\.hex must have 9 words, it has 8"):
        load_driver(folder).Accelerator()


# what the DMA sees of the C++: bytes of words in, bytes of words out
HARNESS = """
#include <cstdlib>
#include <iostream>
#include "src/top.h"
int main(int, char **argv) {
  const unsigned frames = std::atoi(argv[1]);
  hls::stream<input_word> in;
  hls::stream<output_word> out;
  for (unsigned i = 0; i < frames * INPUT_WORDS; i++) {
    input_word word;
    for (int b = 0; b < INPUT_BITS; b += 8) word.data.range(b + 7, b) = std::cin.get();
    in.write(word);
  }
  accelerator(in, out, frames);
  for (unsigned i = 0; i < frames * OUTPUT_WORDS; i++) {
    const output_word word = out.read();
    for (int b = 0; b < OUTPUT_BITS; b += 8) {
      std::cout.put(static_cast<char>(word.data.range(b + 7, b).to_uint()));
    }
  }
}
"""


def test_driver_and_c_simulation(tiny: Any, write: Any, tmp_path: Path) -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not on PATH")
    folder = write("hls", tiny)
    value = json.loads((folder / "design.json").read_text())
    (folder / "harness.cpp").write_text(HARNESS)
    widths = [f"-D{k.upper()}_BITS={value[k]['axis_bits']}" for k in ("input", "output")]
    command = [compiler, "-std=c++14", "-w", *widths, "-isystem", "csim", "-I.", "-o", "harness"]
    subprocess.run([*command, "harness.cpp", "src/top.cpp"], cwd=folder, check=True)
    form = load_driver(folder).Format()
    images = np.random.default_rng(1).integers(0, 8, (6, *form.shape))  # not the golden ones
    run = subprocess.run(
        [folder / "harness", str(len(images))],
        input=form.pack(images).tobytes(),
        capture_output=True,
        check=True,
    )
    scores = form.unpack(np.frombuffer(run.stdout, np.uint8))
    assert np.array_equal(scores, tiny[2].scores(images))
    assert len(np.unique(scores)) > 3


def test_driver_refuses(tiny: Any, write: Any) -> None:
    form = load_driver(write("hls", tiny)).Format()
    for wrong, message in (
        (np.zeros((1, 4, 4, 3), int), r"must be \(n, \(4, 4, 2\)\), got \(1, 4, 4, 3\)"),
        (np.zeros((1, 4, 4, 2)), "must be integers as the network takes them, got float64"),
        (np.full((1, 4, 4, 2), 8), r"integers 0\.\.7"),
    ):
        with pytest.raises(ValueError, match=message):
            form.pack(wrong)


# a board that knows the golden images only, and may be wrong in one score
PYNQ = """
import json, os, pathlib, types
import numpy as np
ROOT = pathlib.Path(os.environ["PROJECT"])
def words(name):
    return [bytes.fromhex(x)[::-1] for x in (ROOT / "tb" / name).read_text().split()]
def allocate(shape, dtype):
    return np.zeros(shape, dtype)
class Overlay:
    def __init__(self, path):
        n = len((ROOT / "tb" / "labels.txt").read_text().split())
        given, scores = b"".join(words("inputs.hex")), bytearray(b"".join(words("expected.hex")))
        scores[0] ^= int(os.environ["FLIP"])
        self.size, out = len(given) // n, len(scores) // n
        self.known = {given[i * self.size:][:self.size]: bytes(scores[i * out:][:out]) for i in range(n)}
        channel = types.SimpleNamespace
        self.dma = channel(sendchannel=channel(transfer=self.send, wait=int),
                           recvchannel=channel(transfer=self.receive, wait=int))
        self.batch_frames = channel(write=lambda *_: None)
        self.accelerator = channel(read=lambda _: 4, write=lambda *_: None)
    def receive(self, buffer, nbytes):
        self.reply = buffer
    def send(self, buffer, nbytes):
        data = buffer[:nbytes].tobytes()
        out = b"".join(self.known[data[i:i + self.size]] for i in range(0, nbytes, self.size))
        self.reply[:len(out)] = np.frombuffer(out, np.uint8)
"""


def test_benchmark(tiny: Any, write: Any, tmp_path: Path) -> None:
    accelerator, images, labels = tiny[2:]
    folder = write("hls", tiny)
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "pynq.py").write_text(PYNQ)
    np.savez(tmp_path / "own.npz", images=images[:2], labels=labels[:2])

    def run(*arguments: str, flip: int = 0) -> tuple[int, dict[str, Any], str]:
        done = subprocess.run(
            [sys.executable, "driver/benchmark.py", "--frames", "20", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ
            | {"PYTHONPATH": str(tmp_path / "fake"), "PROJECT": str(folder), "FLIP": str(flip)},
        )
        assert done.stderr == ""
        return (
            done.returncode,
            json.loads((folder / "driver/benchmark.json").read_text()),
            done.stdout,
        )

    status, result, shown = run()
    assert (status, result["mismatches"], result["images"]) == (0, 0, len(images))
    assert result["accuracy"] == pytest.approx(accelerator.accuracy(images, labels))
    assert result["predicted_frames_per_second"] == 100e6 / 1000  # of the estimate in conftest
    assert "measured on the board" in shown
    assert "predicted for the accelerator alone" in shown
    status, result, shown = run(flip=1)
    assert (status, result["mismatches"]) == (1, 1)
    assert f"1 of {3 * len(images)} golden scores differ" in shown
    assert run("--images", str(tmp_path / "own.npz"), flip=1)[1]["mismatches"] is None


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
