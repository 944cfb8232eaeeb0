"""Integers as bit codes, packed into words: element 0 lies in the low bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dse.ir.numbers import IntType

Codes = npt.NDArray[np.uint64]


def codes(values: npt.NDArray[Any], kind: IntType) -> Codes:
    """Return the bit code of every value: two's complement, and the bit of a bipolar value.

    Raises:
        ValueError: a value is not of the type.
    """
    values = np.asarray(values, dtype=np.int64)
    legal = (values >= kind.min) & (values <= kind.max)
    if kind.bipolar:
        legal &= values != 0
    if not legal.all():
        msg = f"{kind.cpp} must hold {kind.min}..{kind.max}, got {values[~legal].flat[0]}"
        raise ValueError(msg)
    if kind.bipolar:
        return (values > 0).astype(np.uint64)
    masked: Codes = values.astype(np.uint64) & np.uint64(2**kind.bits - 1)
    return masked


def chunks(elements: Codes, bits: int) -> tuple[Codes, int]:
    """Pack the last axis into equal chunks of at most 64 bits, as `Packed` of numbers.hpp does.

    Args:
        elements: `(..., n)` codes.
        bits: of an element.

    Returns:
        `(..., chunks)` and the bits of a chunk.
    """
    n = elements.shape[-1]
    count = -(-n // (64 // bits))
    per_chunk = -(-n // count)
    padded = np.zeros((*elements.shape[:-1], count * per_chunk), dtype=np.uint64)
    padded[..., :n] = elements
    shifts = np.arange(per_chunk, dtype=np.uint64) * np.uint64(bits)
    fields = padded.reshape(*elements.shape[:-1], count, per_chunk) << shifts
    return np.bitwise_or.reduce(fields, axis=-1), per_chunk * bits


def hex_lines(elements: Codes, bits: int, word_bits: int) -> str:
    """Return one line of hexadecimal digits per word.

    Args:
        elements: `(words, n)` codes.
        bits: of an element.
        word_bits: of a word, a multiple of 8 and at least n * bits; high bits are 0.
    """
    words, n = elements.shape
    positions = np.arange(bits, dtype=np.uint64)
    flat = ((elements[:, :, None] >> positions) & np.uint64(1)).astype(np.uint8)
    padded = np.zeros((words, word_bits), dtype=np.uint8)
    padded[:, : n * bits] = flat.reshape(words, n * bits)
    rows = np.packbits(padded, axis=1, bitorder="little")[:, ::-1]
    text = np.ascontiguousarray(rows).tobytes().hex()
    digits = word_bits // 4
    return "".join(f"{text[i : i + digits]}\n" for i in range(0, len(text), digits))
