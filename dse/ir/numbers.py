"""Integer types of weights, activations and accumulators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntType:
    """An integer type: `bits` wide, signed or not; `bipolar` is the 1-bit type {-1, +1}.

    A bipolar value travels as one bit: 0 stands for -1 and 1 for +1.
    """

    bits: int
    signed: bool
    bipolar: bool = False

    @property
    def min(self) -> int:
        """Smallest value."""
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Largest value."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - 1 if self.signed else self.bits)) - 1

    @property
    def min_code_value(self) -> int:
        """Value written into padding: the smallest of {-1, +1}, else 0."""
        return -1 if self.bipolar else 0

    @property
    def cpp(self) -> str:
        """Spelling in HLS C++; a bipolar value is its bit."""
        if self.bipolar or not self.signed:
            return f"ap_uint<{self.bits}>"
        return f"ap_int<{self.bits}>"


BIPOLAR = IntType(bits=1, signed=True, bipolar=True)


def weight_type(bits: int) -> IntType:
    """1 bit: {-1, +1}. Above: signed; the quantisers use the narrow range, without -2^(bits-1)."""
    return BIPOLAR if bits == 1 else IntType(bits, signed=True)


def activation_type(bits: int, *, signed: bool = False) -> IntType:
    """1 bit: {-1, +1}. Above: unsigned 0 .. 2^bits - 1 (a quantised ReLU), or signed (without ReLU)."""
    return BIPOLAR if bits == 1 else IntType(bits, signed=signed)
