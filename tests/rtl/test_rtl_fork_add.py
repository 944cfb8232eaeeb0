"""Verilog forks and sums against numpy: words come and go on every stream at its own random pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A module, the words of its inputs, and those that must leave each of its outputs."""

    module: str
    parameters: str
    width: int
    inputs: Sequence[list[int]]
    outputs: Sequence[list[int]]


def ports(side: str, count: int) -> list[str]:
    return [side] if count == 1 else [f"{side}{i}" for i in range(count)]


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


def test_no_word_is_lost_repeated_or_late(simulate_streams: Any) -> None:
    body, inputs, outputs = "", {}, {}
    for k, case in enumerate(cases()):
        entering = ports("in", len(case.inputs))
        leaving = ports("out", len(case.outputs))
        inputs |= {f"c{k}{p}": (case.width, w) for p, w in zip(entering, case.inputs, strict=True)}
        outputs |= {f"c{k}{p}": (case.width, w) for p, w in zip(leaving, case.outputs, strict=True)}
        joined = "".join(
            f", .{p}_{what}(c{k}{p}{what[0]})"
            for p in (*entering, *leaving)
            for what in ("data", "valid", "ready")
        )
        body += f"{case.module} #({case.parameters}) c{k} (.clk(clk), .rst(rst){joined});\n"
    widths = {name: width for name, (width, _) in outputs.items()}
    free, *stalled = simulate_streams(body, inputs, widths, (0, 2, 5, 7), 400)
    for name, (_, words) in outputs.items():
        # one a cycle, from the cycle after the first
        assert free[name] == (words, list(range(1, len(words) + 1)))
        for run in stalled:
            assert run[name][0] == words
