"""Loading of weights: which units have to be loaded, and how long that takes.

UltraRAM of UltraScale+ has no initial contents (AMD UG573), so its words come once after reset, before the first
frame. That is neither part of the interval nor of the latency of a design.
"""

from __future__ import annotations

from collections.abc import Iterable

from dse.ir.units import ProductUnit, Unit

WORD_BITS = 64  # of the load stream: what AXI DMA reads at once on Zynq UltraScale+


def loaded(unit: Unit) -> bool:
    """Return whether the weights of a unit are loaded. One word is a constant, whatever memory was asked for."""
    return isinstance(unit, ProductUnit) and unit.memory == "uram" and int(unit.depth) > 1


def loading_words(unit: ProductUnit) -> int:
    """Return the words of the load stream that a unit takes: each word of its memory in whole parts."""
    return int(unit.depth) * -(-int(unit.pe * unit.simd * unit.weight_bits) // WORD_BITS)


def loading_cycles(units: Iterable[Unit]) -> int:
    """Return the cycles from the first word of the load stream until frames are taken; 0: nothing is loaded.

    A word a cycle, a cycle on its way through every unit that takes some, and one until all other units leave reset.
    """
    words = [loading_words(u) for u in units if isinstance(u, ProductUnit) and loaded(u)]
    return sum(words) + len(words) + 1 if words else 0
