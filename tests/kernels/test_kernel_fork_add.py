"""Forks and sums of streams against numpy, every pair of codes."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hw_templates import folder

FRAMES = 2
HARNESS = """
template <typename U> using Words = hls::stream<ap_uint<U::pe * U::bits>>;
template <typename W> void load(W &stream, unsigned n) {
  unsigned long long word;
  for (unsigned i = 0; i < n && std::cin >> word; i++) stream.write(word);
}
template <typename W> void show(W &stream) {
  while (stream.size()) std::printf("%llu ", (unsigned long long)stream.read().to_uint64());
  std::printf("\\n");
}
template <typename U> void show_trips() { std::printf("%llu\\n", dse::trips<U>()); }
template <typename U> void sum(unsigned n) {
  Words<U> a, b, out;
  load(a, n);
  load(b, n);
  dse::stream_add<U>(a, b, out, FRAMES);
  show(out);
  show_trips<U>();
}
template <typename U> void fork_words(unsigned n) {
  Words<U> in, first, second;
  load(in, n);
  dse::stream_fork<U>(in, first, second, FRAMES);
  show(first);
  show(second);
  show_trips<U>();
}
"""


def packed(values: np.ndarray, pe: int, bits: int) -> list[int]:
    words = (values % 2**bits).reshape(-1, pe).tolist()
    return [sum(v << (i * bits) for i, v in enumerate(word)) for word in words]


def run(folder_: Path, structs: str, calls: str, words: list[int]) -> list[list[int]]:
    """Compile and run, with the number types of synthesis; return the numbers of every line."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")
    source = f"#include <cstdio>\n#include <iostream>\n#define FRAMES {FRAMES}\n"
    source += '#include "stream_add.hpp"\n#include "stream_fork.hpp"\n' + HARNESS + structs
    (folder_ / "test.cpp").write_text(f"{source}int main() {{ {calls} }}\n")
    flags = ["-std=c++14", "-O0", "-w", "-DDSE_EXACT_TYPES", "-fsanitize=bounds"]
    paths = ["-I", str(folder("kernels")), "-isystem", str(folder("csim"))]
    command = ["g++", *flags, *paths, "test.cpp", "-o", "test"]
    subprocess.run(command, cwd=folder_, check=True)
    text = " ".join(map(str, words))
    done = subprocess.run(
        [folder_ / "test"], input=text, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [[int(n) for n in line.split()] for line in done.stdout.splitlines()]


def struct(name: str, pixels: int, channels: int, pe: int, bits: int, extra: str = "") -> str:
    fields = f"pixels = {pixels}, channels = {channels}, pe = {pe}, bits = {bits}"
    return f"struct {name} {{ static constexpr unsigned {fields}; {extra} }};\n"


def test_every_sum_is_cut_off_at_both_ends(tmp_path: Path) -> None:
    structs = calls = ""
    words, expected = [], []
    kinds = [(False, False), (False, True), (True, False), (True, True)]
    for i, (signs, (bits, pe)) in enumerate(product(kinds, [(2, 1), (3, 4), (5, 8)])):
        count = 2**bits
        ranges = [np.arange(count) - (count // 2 if s else 0) for s in signs]
        a, b = (np.tile(v.ravel(), 2) for v in np.meshgrid(*ranges))  # two equal frames
        signed = ", ".join(
            f"{which}_signed = {str(s).lower()}"
            for which, s in zip(("first", "second"), signs, strict=True)
        )
        structs += struct(f"U{i}", count**2 // 8, 8, pe, bits, f"static constexpr bool {signed};")
        calls += f"sum<U{i}>({len(a) // pe});"
        words += packed(a, pe, bits) + packed(b, pe, bits)
        expected += [packed((a + b).clip(0, count - 1), pe, bits), [len(a) // pe]]
    assert run(tmp_path, structs, calls, words) == expected


def test_both_streams_get_every_word(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    structs = calls = ""
    words, expected = [], []
    for i, (pixels, channels, pe, bits) in enumerate([(6, 4, 2, 3), (1, 8, 8, 8), (5, 3, 1, 1)]):
        values = packed(rng.integers(0, 2**bits, FRAMES * pixels * channels), pe, bits)
        structs += struct(f"U{i}", pixels, channels, pe, bits)
        calls += f"fork_words<U{i}>({len(values)});"
        words += values
        expected += [values, values, [len(values)]]
    assert run(tmp_path, structs, calls, words) == expected
