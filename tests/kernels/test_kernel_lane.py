"""The fused residual activation, means and copies of channels against numpy, at the ends of every range."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.emit.lanes import lane_constants, lane_tables, lane_traits
from dse.errors import UsageError
from dse.ir.accelerator import average_pool
from dse.ir.lanes import LaneParameters
from dse.ir.numbers import IntType
from dse.ir.units import AveragePoolUnit, DuplicateUnit, LaneUnit
from hw_templates import folder

PIXELS, FRAMES = 40, 2
# pe, bits, shortcut bits, dot bits, constant bits, powers of two; shifts of scale, slope and shortcut
LANES = [
    ((2, 8, 6, 12, 8, False), (5, 6, 2)),
    ((1, 10, 10, 5, 12, False), (1, 10, 0)),
    ((2, 5, 5, 20, 4, False), (20, 2, 0)),
    ((4, 6, 4, 9, 6, True), (3, 4, 3)),
    ((2, 16, 16, 4, 12, True), (7, 10, 0)),
]
LOAD = """
template <typename W> void load(W &stream, unsigned n) {
  unsigned long long word;
  for (unsigned i = 0; i < n && std::cin >> word; i++) stream.write(word);
}
"""


def extremes(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """Signed integers, a third of them at an end of the range."""
    half = 2 ** (bits - 1)
    values = rng.integers(-half, half, shape)
    return np.where(rng.random(shape) < 1 / 3, rng.choice([-half, half - 1], shape), values)


def random_lane(rng: np.random.Generator, case: tuple[Any, ...]) -> tuple[LaneUnit, LaneParameters]:
    (pe, bits, shortcut, dot, constant, powers), shifts = case
    unit = LaneUnit("x", PIXELS, 4, pe, bits, (True, True), shortcut, dot, constant, shifts=powers)
    scale, slope = (extremes(rng, constant, (4,)) for _ in range(2))
    if powers:
        scale, slope = (
            rng.choice([-1, 1], 4) * 2 ** rng.integers(0, constant - 1, 4) for _ in range(2)
        )
    return unit, LaneParameters(scale, extremes(rng, bits, (4,)), slope, *shifts)


def packed(values: np.ndarray, pe: int, bits: int) -> list[int]:
    words = (values % 2**bits).reshape(-1, pe).tolist()
    return [sum(v << (i * bits) for i, v in enumerate(word)) for word in words]


def compiled(folder_: Path, code: str, calls: str) -> Path:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")
    source = f"#include <cstdio>\n#include <iostream>\n{LOAD}"
    source = '#include "residual_lane.hpp"\n' + source + code
    (folder_ / "test.cpp").write_text(f"{source}int main() {{ {calls} }}\n")
    flags = ["-std=c++14", "-O0", "-w", "-DDSE_EXACT_TYPES", "-fsanitize=bounds"]
    paths = ["-I", str(folder("kernels")), "-isystem", str(folder("csim"))]
    command = ["g++", *flags, *paths, "test.cpp", "-o", "test"]
    subprocess.run(command, cwd=folder_, check=True)
    return folder_ / "test"


def test_lanes_round_and_saturate_as_the_integers_do(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    code = calls = ""
    words, expected = [], []
    for i, case in enumerate(LANES):
        unit, lane = random_lane(rng, case)
        shortcut = extremes(rng, int(unit.shortcut_bits), (FRAMES, PIXELS, 4))
        dot = extremes(rng, int(unit.dot_bits), (FRAMES, PIXELS, 4))
        stream = lane.apply(shortcut.astype(float), dot.astype(float), int(unit.bits))
        assert stream.max() == 2 ** (int(unit.bits) - 1) - 1
        members = "".join(
            f"static constexpr {'bool' if isinstance(v, bool) else 'unsigned'} {k} = {str(v).lower()};\n"
            for k, v in lane_traits(unit, lane).items()
        )
        code += f"struct u{i}_unit {{ {members} }};\n"
        tables = lane_tables(f"u{i}", unit, lane)
        code += "".join(
            f"static const {t.type} {t.name}{t.shape} = {t.initialiser};\n" for t in tables
        )
        pe, count = int(unit.pe), dot.size // int(unit.pe)
        calls += (
            f"{{ hls::stream<ap_uint<{pe * unit.shortcut_bits}>> a; hls::stream<ap_uint<{pe * unit.dot_bits}>> b;"
            f"hls::stream<ap_uint<{pe * unit.bits}>> out; load(a, {count}); load(b, {count});"
            f"dse::residual_lane<u{i}_unit>(a, b, out, {FRAMES}, {', '.join(t.name for t in tables)});"
            'while (out.size()) std::printf("%llu ", (unsigned long long)out.read().to_uint64());'
            f'std::printf("\\n%llu\\n", (unsigned long long)dse::trips<u{i}_unit>()); }}\n'
        )
        words += packed(shortcut, pe, int(unit.shortcut_bits)) + packed(dot, pe, int(unit.dot_bits))
        expected += [packed(stream.astype(np.int64), pe, int(unit.bits)), [count]]
    program = compiled(tmp_path, code, calls)
    text = " ".join(map(str, words))
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [[int(n) for n in line.split()] for line in done.stdout.splitlines()] == expected


def test_constants_that_do_not_fit_are_refused() -> None:
    unit, lane = random_lane(np.random.default_rng(0), LANES[3])
    lane_constants(unit, lane)
    wrong = [
        replace(lane, scale=np.array([3, 1, 1, 1])),  # no power of two
        replace(lane, slope=np.array([0, 1, 1, 1])),
        replace(lane, offset=np.full(4, 2 ** int(unit.bits))),
        replace(lane, scale=np.ones(3, dtype=np.int64)),
    ]
    for other in wrong:
        with pytest.raises(UsageError, match="both must come from the same trial"):
            lane_constants(unit, other)


def test_means_and_copies(case_type: Any, simulate: Any) -> None:
    rng = np.random.default_rng(0)
    element = IntType(6, signed=True)
    pools = [(4, 6, 4, 2, 2), (5, 7, 2, 2, 1), (8, 4, 3, 4, 3)]  # some with incomplete windows
    cases, expected = [], []
    for h, w, c, k, pe in pools:
        maps = extremes(rng, 6, (FRAMES, h, w, c))
        unit = AveragePoolUnit("x", h, w, c, k, pe, 6)
        cases.append(case_type(unit, maps, element, frames=FRAMES))
        expected.append(
            (average_pool(maps.astype(float), k).astype(np.int64) % 64, maps.size // pe)
        )
    maps = extremes(rng, 6, (FRAMES, 5, 4))
    cases.append(case_type(DuplicateUnit("x", 5, 4, 2, 6), maps, element, frames=FRAMES))
    expected.append((np.repeat(maps, 2, axis=-1) % 64, maps.size // 2))
    for (found, trips), (wanted, cycles) in zip(simulate(cases, exact=True), expected, strict=True):
        assert found.tolist() == wanted.ravel().tolist()
        assert trips == cycles
