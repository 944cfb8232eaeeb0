"""The quantisers of QONNX: real numbers to integer codes, and what a code stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.importing.graph import Floats, Graph, Node, unsupported
from dse.ir.numbers import IntType, activation_type

MOST_BITS = 8  # of weights and activations that are built
QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold")
BIAS_BITS = 32

# QONNX names of roundings; ROUND is to the nearest, halves to the even one
ROUNDINGS: Mapping[str, Callable[[Floats], Floats]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "ROUND_TO_ZERO": np.trunc,
    "DOWN": np.trunc,
}


@dataclass(frozen=True)
class Quantiser:
    """Codes of real numbers, the channel last.

    Attributes:
        scale: `()` or `(channels,)`; a code q stands for scale * (q - zero).
        zero: `()` or `(channels,)`, whole numbers.
        bits: of a code; 1 with `bipolar`.
        signed: whether codes are signed.
        narrow: whether the smallest code of all is left out.
        rounding: one of `ROUNDINGS`.
        bipolar: codes are -1 (below 0) and +1.
        step: of the numbers that come in, which are rounded to multiples of it first (Trunc); None: they are
            not.
        zero_last: the zero point is added behind the rounding (QuantizeLinear), not in front of it (Quant).
        thresholds: `(channels or 1, n)` ascending: the code is how many of them a number reaches, and `low`.
    """

    scale: Floats
    zero: Floats
    bits: int
    signed: bool
    narrow: bool = False
    rounding: str = "ROUND"
    bipolar: bool = False
    step: Floats | None = None
    zero_last: bool = False
    thresholds: Floats | None = None

    @property
    def low(self) -> int:
        """Smallest code."""
        return (-(2 ** (self.bits - 1)) if self.signed else 0) + self.narrow * self.signed

    @property
    def high(self) -> int:
        """Largest code."""
        return int(2 ** (self.bits - self.signed)) - 1 - (self.narrow and not self.signed)

    @property
    def one_bit(self) -> bool:
        """Whether there are two codes, which hardware has as -1 and +1."""
        return self.bipolar or self.bits == 1

    @property
    def type(self) -> IntType:
        """Type of the codes in hardware."""
        return activation_type(1 if self.one_bit else self.bits, signed=self.signed)

    def codes(self, x: Floats) -> Floats:
        """Return the codes of real numbers `(..., channels)`, as hardware has them."""
        if self.thresholds is not None:
            steps = range(self.thresholds.shape[1])
            counts = np.asarray(sum(x >= self.thresholds[:, i] for i in steps), dtype=np.float64)
            return 2.0 * counts - 1 if self.bipolar else counts + self.low
        if self.bipolar:
            return np.where(x >= 0, 1.0, -1.0)
        if self.step is not None:
            x = np.rint(x / self.step) * self.step
        rounded, real = ROUNDINGS[self.rounding], x / self.scale
        codes = rounded(real) + self.zero if self.zero_last else rounded(real + self.zero)
        codes = np.clip(codes, self.low, self.high)
        return 2.0 * (codes - self.low) - 1 if self.one_bit else codes

    def line(self) -> tuple[Floats, Floats]:
        """Return (a, b): the code q of hardware stands for a * q + b."""
        if self.bipolar:
            return self.scale, -self.scale * self.zero
        a, b = self.scale, -self.scale * self.zero
        if self.one_bit:
            return a / 2, b + a * (self.low + 0.5)
        return a, b


def quantiser_of(
    graph: Graph, node: Node, along: Callable[[Any], Floats], most: int = MOST_BITS
) -> Quantiser:
    """Read a Quant, BipolarQuant or Trunc node.

    Args:
        graph: where it is.
        node: the node.
        along: makes of a constant, as the node has it, one number or one per channel.
        most: bits that are allowed.

    Raises:
        UsageError: it computes what hardware cannot.
    """
    if node.op == "BipolarQuant":
        scale = _positive(node, along(_needed(graph, node, 1)))
        return Quantiser(scale, np.zeros(()), 1, signed=True, bipolar=True)
    step = None
    if node.op == "Trunc":
        if len(node.inputs) < 6:
            raise unsupported(node, "it must have the six inputs of QONNX version 2")
        step = _positive(node, along(_needed(graph, node, 1)))
    if node.op == "MultiThreshold":
        return _multi_threshold(graph, node)
    scale = _positive(node, along(_needed(graph, node, 4 if step is not None else 1)))
    zero = along(_needed(graph, node, 2))
    bits = _needed(graph, node, 5 if step is not None else 3)
    if bits.size != 1 or not 1 <= float(bits.ravel()[0]) <= most or float(bits.ravel()[0]) % 1:
        raise unsupported(node, f"its bit width must be one whole number from 1 to {most}")
    rounding = node.text("rounding_mode", "ROUND").upper()
    if rounding not in ROUNDINGS:
        raise unsupported(node, f"its rounding must be one of {', '.join(ROUNDINGS)}")
    if np.any(zero % 1) or (step is not None and np.any(zero)):
        raise unsupported(node, "its zero point must be a whole number, and 0 of a Trunc")
    signed, narrow = (bool(node.number(k, d)) for k, d in (("signed", 1), ("narrow", 0)))
    last = bool(node.number("zero_last", 0))  # of `join_qdq`
    return Quantiser(
        scale, zero, int(bits.ravel()[0]), signed, narrow, rounding, step=step, zero_last=last
    )


def _multi_threshold(graph: Graph, node: Node) -> Quantiser:
    """Read thresholds: out_scale * (how many of them are reached) + out_bias."""
    thresholds = _needed(graph, node, 1)
    if thresholds.ndim != 2 or not thresholds.size or np.any(np.diff(thresholds, axis=1) < 0):
        raise unsupported(node, "its thresholds must be a matrix with ascending rows")
    bits = int(thresholds.shape[1]).bit_length()
    if bits > MOST_BITS:
        raise unsupported(node, f"it must have {2**MOST_BITS - 1} thresholds at most")
    never = np.full((len(thresholds), 2**bits - 1 - thresholds.shape[1]), np.inf)
    scale, bias = node.number("out_scale", 1.0), node.number("out_bias", 0.0)
    if scale <= 0:
        raise unsupported(node, "its out_scale must be above 0")
    thresholds = np.concatenate([thresholds, never], axis=1)
    if bits == 1:
        return Quantiser(
            np.asarray(scale / 2), np.asarray(-1 - 2 * bias / scale), 1, signed=True, bipolar=True,
            thresholds=thresholds,
        )  # fmt: skip
    signed = bias < 0
    low = 2 ** (bits - 1) if signed else 0
    zero = -low - bias / scale
    return Quantiser(
        np.asarray(scale), np.asarray(zero), bits, signed=signed, thresholds=thresholds
    )


def _needed(graph: Graph, node: Node, index: int) -> Floats:
    found = graph.constant(node, index)
    if found is None:
        raise unsupported(node, f"it must have an input {index}")
    return np.asarray(found, dtype=np.float64)


def _positive(node: Node, scale: Floats) -> Floats:
    if not np.all(scale > 0):
        raise unsupported(node, "its scale must be above 0")
    return scale
