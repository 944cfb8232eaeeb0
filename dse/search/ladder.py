"""Networks compressed evenly: a few trainings that say most of what bits and pruning cost."""

from __future__ import annotations

from typing import Any

from dse.ir.design import compression_digest
from dse.search.space import CYCLES, PREFERENCE, PRUNING_KNOBS, STEP, Choice, SearchSpace, at

# places in their lists
DENSE = (0.34, 0.67, 0.0, 0.99)  # of bit widths, from what costs little accuracy to what costs much
PRUNED_BITS = 0.34
SPARSITIES = (0.5, 0.99)
MIDDLE = dict.fromkeys(("pe", "simd", STEP), 0.5)


def ladder(space: SearchSpace) -> list[dict[str, Any]]:
    """Return knob vectors of networks in which all layers stand at the same place of their lists.

    First dense ones, over the bit widths; then pruned ones of few bits, moderately and hard by turns.
    Each takes the next scheme and the next block, so that every scheme is met once: without having
    seen it, nothing can be said about it. The folding is in the middle, all positions are computed
    as far as can be, other knobs are at their first value.
    """
    schemes = [
        len(k.values) for k in space.knobs if _word(k.name) == "scheme" and isinstance(k, Choice)
    ]
    found: dict[str, dict[str, Any]] = {}
    rungs = [(bits, 0.0, 0) for bits in DENSE]
    for turn in range(max(len(SPARSITIES), *schemes, 0)):
        rungs.append((PRUNED_BITS, SPARSITIES[turn % len(SPARSITIES)], turn))
    for bits, sparsity, turn in rungs:
        places = MIDDLE | {CYCLES: 0.5, PREFERENCE: 0.5, "spatial_keep": 0.99}
        places |= {"weight_bits": bits, "activation_bits": bits, "sparsity": sparsity}
        values: dict[str, Any] = {}
        for knob in space.knobs:
            word = _word(knob.name)
            if word in PRUNING_KNOBS and word != "sparsity" and isinstance(knob, Choice):
                values[knob.name] = knob.values[turn % len(knob.values)]
            else:
                values[knob.name] = at(knob, places.get(knob.name, places.get(word, 0.0)))
        found.setdefault(compression_digest(space.compressions(values)), values)
    return list(found.values())


def _word(name: str) -> str:
    """Return what a knob of a layer is about: `conv*.scheme` is about `scheme`."""
    return name.rpartition(".")[2]
