"""Parts that the Verilog units share: tables of constants, memories, adder trees, counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cost_models import _finn
from cost_models._model import Floats

ROM_WORDS = 64  # of one bit in a LUT6
FOUR, THREE = (
    2.7,
    1.5,
)  # LUTs per bit of a sum of so many numbers, as yosys 0.70 builds it; of two: 1
LEVELS = 7  # of adder_tree, four terms each: enough for 4**7 products


def number(value: Any) -> Floats:
    return np.asarray(value, dtype=np.float64)


def counter_bits(count: Any) -> Floats:
    """Bits of a counter of `count` values; nothing where there is one."""
    return np.ceil(np.log2(np.maximum(number(count), 1)))


def distinct_columns(width: Any, words: Any) -> Floats:
    """Registers of a word from a table of few words: equal columns are built once.

    Of `width` random columns of `words` bits, N (1 - (1 - 1/N)^width) differ, N = 2^words; the two constant
    ones take no register. One word is a constant.
    """
    kinds = 2.0 ** np.minimum(number(words), 60)
    found = -kinds * np.expm1(number(width) * np.log1p(-1 / kinds))
    result: Floats = np.where(number(words) > 1, found * (1 - 2 / kinds), 0.0)
    return result


def table_luts(width: Any, words: Any) -> Floats:
    """LUTs of a table of constants: 64 words of a bit each."""
    return distinct_columns(width, words) * np.maximum(number(words) / ROM_WORDS, 1.0)


def table_blocks(width: Any, words: Any) -> Floats:
    """Blocks of 18 Kb for a table of constants, as yosys maps it.

    Constant columns need no memory. A narrow word has several neighbours in the 72 bits of a row of RAMB36, of
    512 rows (AMD UG473), where that takes fewer blocks than FINN's form; the rest may fit one RAMB18.
    """
    return np.minimum(_plain_blocks(width, words), _packed_blocks(width, words))


def _plain_blocks(width: Any, words: Any) -> Floats:
    constant = 2.0 ** (1 - np.minimum(number(words), 60))
    return _finn.bram18(np.ceil(number(width) * (1 - constant)), words)


def _packed_blocks(width: Any, words: Any) -> Floats:
    wide, narrow = (512 * np.floor(bits / np.maximum(number(width), 1)) for bits in (72, 36))
    whole = np.floor(number(words) / np.maximum(wide, 1))
    rest = number(words) - whole * wide
    last = np.select([rest <= 0, rest <= narrow], [0.0, 1.0], 2.0)
    result: Floats = np.where(wide > 0, 2 * whole + last, np.inf)
    return result


def ram_luts(width: Any, words: Any) -> Floats:
    """LUTs of a memory with a write and a read port; one word is a register.

    RAM32M has 6 bits of 32 words in four LUTs, RAM64M 3 bits of 64 (AMD UG474, table 2-3).
    """
    few, many = (
        4 * np.ceil(number(width) / bits) * np.ceil(number(words) / rows)
        for bits, rows in ((6, 32), (3, 64))
    )
    result: Floats = np.where(number(words) > 1, np.minimum(few, many), 0.0)
    return result


def bank_luts(width: Any, words: Any) -> Floats:
    """LUTs that choose among the banks of 64 words of such a memory, four at a time."""
    banks = np.ceil(number(words) / 64)
    result: Floats = np.where(banks > 1, number(width) * np.ceil(banks / 4), 0.0)
    return result


def count_luts(bits: Any) -> Floats:
    """LUTs that count ones, six at a time: one for every bit of a count that is no input."""
    sixes, rest = np.divmod(np.asarray(bits), 6)
    result: Floats = 3 * sixes + np.array([0.0, 0.0, 2.0, 2.0, 3.0, 3.0])[rest]
    return result


def product_luts(first: Any, second: Any) -> Floats:
    """LUTs of a product: 2 (r - 1) c for r <= c bits, as yosys 0.70 builds 2 x 2 to 8 x 8 bits.

    Up to six bits together are one LUT6 a bit of the product.
    """
    rows, columns = np.minimum(number(first), second), np.maximum(number(first), second)
    together = rows + columns
    adders = 2 * (rows - 1) * columns
    result: Floats = np.where(together <= 6, np.minimum(together, adders), adders)
    return result


@dataclass(frozen=True, slots=True)
class Tree:
    """Bits of an adder tree.

    Attributes:
        pairs: of adders of two numbers.
        more: of adders of three and four, in LUTs.
        ff: of registers.
    """

    pairs: Floats
    more: Floats
    ff: Floats


def adder_tree(terms: Any, bits: Any) -> Tree:
    """Return the sizes of adder_tree over `terms` numbers of `bits` bits.

    Every level adds four at a time; see FOUR and THREE.
    """
    left, size = number(terms), number(bits)
    pairs = adders = ff = np.zeros_like(left * size)
    for _ in range(LEVELS):
        more = left > 1
        grown = size + np.where(left > 2, 2, 1)
        fours, rest = left // 4, left % 4
        pairs = pairs + np.where(more & (rest == 2), grown, 0.0)
        adders = adders + np.where(more, (FOUR * fours + THREE * (rest == 3)) * grown, 0.0)
        left = np.where(more, np.ceil(left / 4), left)
        ff = ff + np.where(more, left * grown, 0.0)
        size = np.where(more, grown, size)
    return Tree(pairs, adders, ff)
