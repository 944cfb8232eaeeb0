"""Which tile a block may keep at which density."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from dse.ir.units import divisors

COLUMNS_ONLY = 0.25  # from this density up no rows are pruned; see `tiles`
SHARING = 4  # rows that share a column index; with fewer the index outweighs 2-bit weights


@cache
def tiles(p: int, q: int, block_columns: int) -> Mapping[int, tuple[int, int]]:
    """Return the tiles (r, c) that p x q blocks may keep, by their number of weights r*c.

    One tile per number, so that sparsity and block tell the tile.

    * c folds well: it has no prime factor above 7 that q does not have, and is even above 8 where
      q is.
    * r = p as long as that leaves a quarter of the columns or more: with all rows kept, SIMD may
      span block columns, and there is no row index.
    * Below, tall blocks lose rows too, r/p and c/q as alike as the divisors of p allow: after
      retraining that is more accurate than columns alone (`benchmarks/sparse_accuracy.py`). Four or
      more rows go on sharing a column index, unless no column would be left.
    * But r >= p / block_columns: a row needs a place in some block column, else its output is dead.

    Args:
        p: rows of a block.
        q: columns of a block.
        block_columns: blocks beside each other.
    """
    rows = [r for r in divisors(p).tolist() if r * block_columns >= p]
    found = {}
    for c in range(1, q + 1):
        if _folds(c, q):
            for r in rows:
                if r == _rows(r * c, p, q, rows):
                    found[r * c] = (r, c)
    return MappingProxyType(found)


def _rows(kept: int, p: int, q: int, rows: list[int]) -> int:
    """Return which of `rows` the tile of `kept` weights has (c = kept / r need not be whole)."""
    if kept >= max(p, COLUMNS_ONLY * p * q):
        return p
    alike = math.log(kept / (p * q)) / 2  # r/p = c/q = the root of the density
    possible = [r for r in reversed(rows) if r <= kept <= r * q]
    sharing = [r for r in possible if r >= SHARING]
    return min(sharing or possible, key=lambda r: abs(math.log(r / p) - alike))


def _folds(c: int, q: int) -> bool:
    if q % 2 == 0 and c % 2 == 1 and c > 8:
        return False
    for prime in (2, 3, 5, 7):
        while c % prime == 0:
            c //= prime
    return q % c == 0
