"""Latency of Verilog designs whose branches meet, folded at random, against Icarus Verilog."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.compression import canonical, effective
from dse.emit.rtl_timing import rtl_latency_cycles
from dse.ir.design import Compression, Folding
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import divisors
from dse.lowering.main_units import layer_folds
from dse.lowering.pipeline import pipeline

MAP = (6, 6, 4)


def conv(name: str, source: str, channels: int, kernel: int, *, signed: bool = False) -> Conv2d:
    return Conv2d(name, (source,), MAP, True, channels, kernel, 1, kernel // 2, signed=signed)


# an identity shortcut around one with a layer of its own, then branches side by side
NESTED = (
    conv("stem", "input", 4, 3),
    conv("a", "stem", 4, 5),
    conv("b", "a", 4, 3, signed=True),
    conv("c", "a", 4, 1, signed=True),
    Add("inner", ("b", "c"), MAP, (True, True)),
    conv("d", "inner", 4, 1, signed=True),
    Add("outer", ("d", "stem"), MAP, (True, False)),
    conv("e", "outer", 2, 3),
    Concat("both", ("e", "outer"), (6, 6, 2), 4),
    MaxPool2d("pool", ("both",), (6, 6, 6), 2),
    Dense("fc", ("pool",), (3, 3, 6), False, 4),
)
NETWORK = Network("nested", MAP, IntType(2, signed=False), NESTED)

BENCH = """\
module bench;
  reg clk = 0, rst_n = 0, valid = 0;
  wire taken, given, last;
  integer cycle = 0, started = -1;
  accelerator dut (
    .ap_clk(clk), .ap_rst_n(rst_n), .s_axis_tdata(0), .s_axis_tlast(1'b0), .s_axis_tvalid(valid),
    .s_axis_tready(taken), .m_axis_tdata(), .m_axis_tlast(last), .m_axis_tvalid(given), .m_axis_tready(1'b1));
  always #5 clk = ~clk;
  always @(posedge clk) begin
    if (valid & taken & started < 0) started = cycle;
    if (given & last) begin
      $display("%0d", cycle - started);
      $finish;
    end
    cycle = cycle + 1;
  end
  initial begin
    repeat (4) @(posedge clk);
    #1 rst_n = 1;
    repeat (2) @(posedge clk);
    #1 valid = 1;
  end
endmodule
"""


def simulated(folder: Path) -> int:
    """Return the cycles from the first input word to the last output word of one frame."""
    (folder / "bench.v").write_text(BENCH)
    compile_it = ["iverilog", "-g2005", "-o", "../bench", "-y", ".", "../bench.v"]
    subprocess.run(compile_it, cwd=folder / "rtl", check=True, capture_output=True)
    run = ["vvp", "-n", "../bench"]
    shown = subprocess.run(run, cwd=folder / "rtl", check=True, capture_output=True, text=True)
    return int(shown.stdout)


def foldings(compressions: dict[str, Compression], seed: int) -> dict[str, Folding]:
    rng = np.random.default_rng(seed)
    built, structures = effective(NETWORK, compressions)
    found = {}
    for layer in built.layers:
        words = divisors(layer.word_channels)
        found[layer.name] = Folding(int(rng.choice(words)))
        if isinstance(layer, MatrixLayer):
            folds = np.stack(layer_folds(layer, structures[layer.name]), axis=1)
            word = int(rng.choice(words)) if layer.windowed else 0
            found[layer.name] = Folding(*rng.choice(folds).tolist(), word)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_latency_of_unbalanced_branches(
    seed: int, make_case: Any, emit_rtl: Any, tmp_path: Path
) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not on PATH")
    wanted = {x.name: Compression(2, 2 if x.activation else None) for x in NETWORK.matrix_layers}
    compressions = canonical(NETWORK, wanted)
    case = make_case(NETWORK, compressions, foldings(compressions, seed), count=1)
    folder = emit_rtl(case).write(tmp_path / "p")
    predicted = rtl_latency_cycles(pipeline(NETWORK, case[1]))
    assert json.loads((folder / "design.json").read_text())["rtl"]["latency_cycles"] == predicted
    assert abs(simulated(folder) - predicted) <= 2
