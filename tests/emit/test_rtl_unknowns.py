"""Four-state simulation (Icarus Verilog): nothing that matters depends on a register without a reset."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType

TESTBENCH = """
module tb;
  reg clk = 0, rst_n = 0, in_valid = 0, out_ready = 0, waits = 0;
  reg [{in_bits}-1:0] inputs [0:{in_words}-1];
  reg [{out_bits}-1:0] expected [0:{out_words}-1];
  reg [{out_bits}-1:0] shown;
  integer sent = 0, got = 0, cycle = 0;
  wire in_ready, out_valid, last;
  reg w_valid = 0;
  reg [63:0] weights [0:{weights}-1];
  integer w_sent = 0;
  wire w_ready;
  wire [{out_bits}-1:0] data;
  accelerator dut (.ap_clk(clk), .ap_rst_n(rst_n), .s_axis_tdata(in_valid ? inputs[sent] : {in_bits}'bx),
    .s_axis_tlast(1'b0), .s_axis_tvalid(in_valid), .s_axis_tready(in_ready),
    .m_axis_tdata(data), .m_axis_tlast(last), .m_axis_tvalid(out_valid), .m_axis_tready(out_ready){load});
  initial begin
    if ({weights}) $readmemh("../tb/weights.hex", weights);
    $readmemh("../tb/inputs.hex", inputs);
    $readmemh("../tb/expected.hex", expected);
  end
  always begin
    #1 clk = 1;
    #1 clk = 0;
    cycle = cycle + 1;
    if (cycle > 200000) begin $display("stuck"); $finish; end
  end
  always @(posedge clk) begin
    rst_n <= cycle > 4;
    if (rst_n && cycle > 8) begin
      if (in_ready === 1'bx || out_valid === 1'bx) $display("unknown handshake");
      if (waits && (!out_valid || data !== shown)) $display("a word that waited changed");
      waits <= out_valid && !out_ready;
      shown <= data;
      if (out_valid && out_ready) begin
        if (data !== expected[got] || last !== (got % {frame} == {frame} - 1)) $display("wrong");
        got = got + 1;
        if (got == {out_words}) begin $display("done"); $finish; end
      end
      if ({weights} && (w_ready === 1'bx || (in_ready && w_sent < {weights}))) $display("not loaded");
      if (w_valid && w_ready) w_sent = w_sent + 1;
      w_valid <= w_sent < {weights} && ((w_valid && !w_ready) || $urandom % 4 != 0);
      if (in_valid && in_ready) sent = sent + 1;
      // a word that was offered stays until it is taken; else nothing is there, one time out of four
      in_valid <= sent < {in_words} && ((in_valid && !in_ready) || $urandom % 4 != 0);
      out_ready <= $urandom % 4 != 0;
    end
  end
endmodule
"""
LOAD = """,
    .weights_tdata(w_valid ? weights[w_sent] : 64'bx), .weights_tlast(1'b0), .weights_tvalid(w_valid),
    .weights_tready(w_ready)"""
MIXED = Network(
    "mixed",
    (7, 6, 2),
    IntType(4, signed=True),
    (
        Conv2d("conv1", ("input",), (7, 6, 2), True, 8, 3, 1, 1),
        MaxPool2d("pool", ("conv1",), (7, 6, 8), 2),
        Conv2d("conv2", ("pool",), (3, 3, 8), True, 8, 3, 2, 1),
        Dense("fc1", ("conv2",), (2, 2, 8), True, 12),
        Dense("fc2", ("fc1",), (12,), False, 5),
    ),
)
POOLED = Network(
    "pooled",
    (6, 6, 4),
    IntType(3, signed=True),
    (
        MaxPool2d("pool", ("input",), (6, 6, 4), 3),
        Dense("fc1", ("pool",), (2, 2, 4), True, 8),
        Dense("fc2", ("fc1",), (8,), False, 3),
    ),
)
BINARY = Network(
    "binary",
    (48,),
    BIPOLAR,
    (
        Dense("fc1", ("input",), (48,), True, 32),
        Dense("fc2", ("fc1",), (32,), True, 24),
        Dense("fc3", ("fc2",), (24,), False, 10),
    ),
)
CASES = {
    "mixed": (
        MIXED,
        {
            "conv1": Compression(4, 2),
            "conv2": Compression(2, 1, "bcr", 0.875, (8, 8)),
            "fc1": Compression(1, 3, "bcr", 0.5, (4, 8)),
            "fc2": Compression(8, None),
        },
        {
            "conv1": Folding(4, 3, 1, "lutram", "dsp"),
            "pool": Folding(2),
            "conv2": Folding(2, 2, 4),
            "fc1": Folding(8, 4),
            "fc2": Folding(1, 3),
        },
    ),
    "loaded": (
        MIXED,
        {
            "conv1": Compression(4, 2),
            "conv2": Compression(2, 1, "bcr", 0.875, (8, 8)),
            "fc1": Compression(1, 3),
            "fc2": Compression(8, None),
        },
        {
            "conv1": Folding(8, 9, 1, "uram"),
            "pool": Folding(2),
            "conv2": Folding(2, 2, 4, "uram"),
            "fc1": Folding(4, 8),
            "fc2": Folding(1, 3, 1, "uram"),
        },
    ),
    "pooled": (
        POOLED,
        {"fc1": Compression(3, 4), "fc2": Compression(3, None)},
        {"pool": Folding(2), "fc1": Folding(1, 1), "fc2": Folding(3, 8)},
    ),
    "binary": (
        BINARY,
        {
            "fc1": Compression(1, 1),
            "fc2": Compression(1, 1, "bcr", 0.5, (8, 8)),
            "fc3": Compression(1, None),
        },
        {"fc1": Folding(4, 16), "fc2": Folding(8, 8), "fc3": Folding(5, 3)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_unknown_gets_out(name: str, make_case: Any, tmp_path: Path, emit_rtl: Any) -> None:
    for tool in ("iverilog", "vvp"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on PATH")
    folder = emit_rtl(make_case(*CASES[name], count=3)).write(tmp_path / "p")
    words = {n: (folder / "tb" / f"{n}.hex").read_text().split() for n in ("inputs", "expected")}
    manifest = json.loads((folder / "design.json").read_text())
    (folder / "rtl" / "tb.v").write_text(
        TESTBENCH.format(
            in_bits=4 * len(words["inputs"][0]),
            out_bits=4 * len(words["expected"][0]),
            in_words=len(words["inputs"]),
            out_words=len(words["expected"]),
            frame=manifest["output"]["words_per_frame"],
            weights=manifest.get("loading", {"words": 0})["words"],
            load=LOAD if "loading" in manifest else "",
        )
    )
    command = [
        "iverilog",
        "-g2005-sv",
        "-Wall",
        "-Wno-timescale",
        "-y",
        ".",
        "-s",
        "tb",
        "-o",
        "tb",
    ]
    rtl = folder / "rtl"
    made = subprocess.run([*command, "tb.v"], cwd=rtl, capture_output=True, text=True, check=True)
    assert [w for w in made.stderr.splitlines() if "tb.v" not in w] == []
    run = subprocess.run(["vvp", "-n", "tb"], cwd=rtl, capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:-1] == ["done"]
