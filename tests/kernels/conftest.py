"""Compile units with a plain compiler, feed them words, and read what comes out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from dse.emit.processes import lower
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import Fifo, Unit
from hw_templates import folder

HARNESS = """
template <int W> ap_uint<W> parse(const std::string &hex) {
  ap_uint<W> word = 0;
  for (char digit : hex) {
    word <<= 4;
    word |= ap_uint<W>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  return word;
}
template <int W> void print(const ap_uint<W> &word) {
  for (int digit = (W + 3) / 4 - 1; digit >= 0; digit--) {
    std::putchar("0123456789abcdef"[unsigned((word >> (4 * digit)) & 15)]);
  }
  std::putchar('\\n');
}
template <int A, int B, typename RUN> void feed(RUN run) {
  hls::stream<ap_uint<A>> in("in");
  hls::stream<ap_uint<B>> out("out");
  std::string hex;
  while (std::cin >> hex && hex != "end") in.write(parse<A>(hex));
  run(in, out);
  if (in.size()) std::puts("left");
  while (out.size()) print<B>(out.read());
  std::puts("end");
}
"""

# streams that look empty and full at random, as they do in hardware
STALLING = """
#pragma once
#include <cstdlib>
#define stream plain_stream
#include_next "hls_stream.h"
#undef stream
namespace hls {
template <typename T, int DEPTH = 0> struct stream : plain_stream<T, DEPTH> {
  using plain_stream<T, DEPTH>::plain_stream;
  bool empty() const { return plain_stream<T, DEPTH>::empty() || std::rand() % 3; }
  bool full() const { return std::rand() % 3 == 0; }
};
}
"""


def element_bits(word: str) -> int:
    return int(word.removeprefix("ap_uint<").removesuffix(">"))


class Case:
    """A unit with its integers, and the elements of some frames."""

    def __init__(
        self,
        unit: Unit,
        elements: np.ndarray,
        element: IntType,
        parameters: MatrixParameters | None = None,
        frames: int = 1,
    ) -> None:
        self.unit, self.elements, self.element, self.parameters = (
            unit,
            elements,
            element,
            parameters,
        )
        self.frames = frames

    def code(self, name: str) -> str:
        """Return the C++ of a namespace with a function that feeds the unit."""
        unit = self.unit
        layer = Dense(unit.layer, ("input",), (1,), activation=False, out_features=1)
        network = Network("n", (1,), self.element, (layer,))
        parameters: Mapping[str, MatrixParameters] = (
            {unit.layer: self.parameters} if self.parameters else {}
        )
        fifo = Fifo(unit.layer, 2, 1)
        chain = lower((unit, fifo), Accelerator(network, parameters), {unit.layer: name})
        (module,) = chain.modules
        traits = "".join(
            f"  static constexpr {'bool' if isinstance(v, bool) else 'unsigned'} {k} = {str(v).lower()};\n"
            for k, v in module.traits.items()
        )
        code = f"namespace {name} {{\nstruct {module.name}_unit {{\n{traits}}};\n"
        code += "".join(
            f"static const {t.type} {t.name}{t.shape} = {t.initialiser};\n" for t in module.tables
        )
        a, b = element_bits(chain.input.word), element_bits(chain.output.word)
        calls, source = "", "in"
        for process in module.processes:
            target = "out" if process is module.processes[-1] else process.targets[0].name
            if target != "out":
                calls += f"hls::stream<{process.targets[0].word}> {target};"
            tables = "".join(f", {t.name}" for t in process.tables)
            calls += f"dse::{process.kernel}<{module.name}_unit>({source}, {target}, {self.frames}{tables});"
            source = target
        trips = "".join(f'std::printf("%llu\\n", {t});' for t in module.trips)
        call = f"feed<{a}, {b}>([](hls::stream<ap_uint<{a}>> &in, hls::stream<ap_uint<{b}>> &out) {{ {calls} }});"
        return code + f'void run() {{ {call} {trips} std::puts("end"); }}\n}}\n'

    def words(self) -> list[str]:
        """The frames as input words, in plain Python."""
        width, bits = int(self.unit.in_width), self.element.bits  # type: ignore[union-attr]
        lines = []
        for word in self.elements.reshape(-1, width):
            number = 0
            for i, value in enumerate(word.tolist()):
                code = (value > 0) if self.element.bipolar else value % 2**bits
                number |= int(code) << (i * bits)
            lines.append(f"{number:x}")
        return lines


@pytest.fixture
def case_type() -> type[Case]:
    return Case


Run = Callable[..., list[tuple[np.ndarray, int]]]


@pytest.fixture
def simulate(tmp_path: Path) -> Run:
    """Return a function: cases -> per case the codes of the output elements, and the loop trips.

    With `exact` the kernels compute with the number types that synthesis sees; with `stalling`
    words come late and room is short, at random.
    """
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")

    def run(
        cases: Sequence[Case], *, exact: bool = False, stalling: bool = False
    ) -> list[tuple[np.ndarray, int]]:
        includes = "".join(
            f'#include "{p.name}"\n' for p in sorted(folder("kernels").glob("*.hpp"))
        )
        source = (
            "#define AP_INT_MAX_W 4096\n#include <cstdio>\n#include <iostream>\n#include <string>\n"
        )
        source += includes + HARNESS
        source += "".join(case.code(f"u{i}") for i, case in enumerate(cases))
        source += f"int main() {{ {''.join(f'u{i}::run();' for i in range(len(cases)))} }}\n"
        (tmp_path / "test.cpp").write_text(source)
        if stalling:
            (tmp_path / "late").mkdir()
            (tmp_path / "late" / "hls_stream.h").write_text(STALLING)
        checks = ["-fsanitize=bounds,signed-integer-overflow"]
        checks += ["-DDSE_EXACT_TYPES"] if exact else []
        command = ["g++", "-std=c++14", "-O0", *checks, "-w", "test.cpp", "-o", "test"]
        command += ["-isystem", "late", "-I", str(folder("kernels"))]
        command += ["-isystem", str(folder("csim"))]
        compiled = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert compiled.returncode == 0, compiled.stderr[:3000]
        text = "".join("\n".join([*case.words(), "end\n"]) for case in cases)
        result = subprocess.run(
            [tmp_path / "test"], input=text, capture_output=True, text=True, check=True
        )
        assert result.stderr == ""
        blocks = iter(result.stdout.split("end\n"))
        return [_outputs(case, next(blocks), next(blocks)) for case in cases]

    return run


def _outputs(case: Case, words: str, trips: str) -> tuple[np.ndarray, int]:
    unit = case.unit
    bits = int(getattr(unit, "out_element_bits", case.element.bits))
    width = int(unit.out_width)  # type: ignore[union-attr]
    codes = [
        (int(word, 16) >> (bits * i)) % 2**bits for word in words.split() for i in range(width)
    ]
    return np.array(codes, dtype=np.int64), max(int(t) for t in trips.split())
