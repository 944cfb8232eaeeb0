"""What a unit that skips edges is made of: an XNOR-popcount unit and what lets its PEs stop early."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cost_models import _finn
from cost_models._terms import Terms, products
from dse.ir.edge_skip import EdgeSkipUnit

# what it has in common with an XNOR-popcount unit
LUT = ("control", "popcount", "accumulate", "compare", "thresholds", "weights")
FF = ("control", "accumulate")  # what decides is not pipelined
DUAL_PORT = (
    4 / 3
)  # LUTs per bit and 64 words of a memory with its own write port (RAM64M: AMD UG474)


def edge_skip(unit: EdgeSkipUnit) -> Terms:
    """Terms of a unit that skips edges.

    Per PE two comparisons of a sum and the number of edges left; per group of PEs a copy of the waiting
    vectors, an address, counters and, where a pool follows, the position in its window; per PE the outputs
    that wait and the bits that the pool has seen. PEs that go on by themselves have a bank of weights each.
    """
    own = products(unit)
    pe, groups = np.asarray(unit.pe) * 1.0, np.asarray(unit.groups) * 1.0
    simd, depth = np.asarray(unit.simd), np.asarray(unit.depth)
    acc, held = np.asarray(unit.acc_bits), unit.held_vectors
    passes, steps = np.asarray(unit.mh) // unit.pe, np.asarray(unit.mw) // unit.simd
    pool = unit.pooling
    window = 0 if pool is None else int(np.ceil(np.log2(pool.height * pool.width + 1)))
    counters = np.ceil(np.log2(depth + 1)) + np.ceil(np.log2(held * passes + 1)) + window
    bits = pe * np.ceil(held * passes / 64)
    if pool is not None:
        bits = bits + pe * np.ceil(pool.columns * passes / 64)
    banked = groups * _finn.bram18(simd * pe / groups, depth)
    return replace(
        own,
        lut={
            **{name: own.lut[name] for name in LUT},
            "decide": 2 * pe * acc,
            "vectors": groups * DUAL_PORT * simd * np.ceil(held * steps / 64),
            "bits": bits * DUAL_PORT,
            "position": groups * counters * 2,
        },
        ff={
            **{name: own.ff[name] for name in FF},
            "word": groups * simd,
            "position": groups * counters,
        },
        bram18=np.where(unit.memory == "bram", banked, 0.0),
    )
