"""How weights get into memories that start empty: UltraRAM of UltraScale+ has no initial contents (AMD UG573).

Units whose weights are there are joined in stream order by a chain of their own: each takes its words and hands on
what follows. No frame is taken before all words are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from dse.emit.chain import PLAIN_DEPTH, Chain, Loading, Module, Stream
from dse.emit.tables import packed_weights
from dse.emit.words import codes, hex_lines
from dse.ir.accelerator import Accelerator
from dse.ir.loading import WORD_BITS, loaded, loading_cycles, loading_words
from dse.ir.numbers import weight_type
from dse.ir.units import ProductUnit

FILE = PurePosixPath("tb/weights.hex")


def loading_chain(modules: Sequence[Module]) -> tuple[Module, ...]:
    """Return modules of which those that are loaded hand the words to each other in this order."""
    behind, target = 0, None
    found = []
    for module in reversed(modules):
        if loaded(module.unit):
            assert isinstance(module.unit, ProductUnit)
            words = loading_words(module.unit)
            source = Stream(f"{module.name}_load", "dse::load_word", PLAIN_DEPTH)
            first, *others = module.processes
            first = replace(first, loading=Loading(source, target, words, behind))
            module = replace(module, processes=(first, *others))
            behind, target = behind + words, source
        found.append(module)
    return tuple(found[::-1])


def loading_modules(chain: Chain) -> tuple[Module, ...]:
    """Return the modules whose weights are loaded, in the order in which they take them."""
    return tuple(m for m in chain.modules if m.loading is not None)


def loading_files(chain: Chain, accelerator: Accelerator) -> Mapping[PurePosixPath, str]:
    """Return the words of the load stream, a line each; no file where nothing is loaded."""
    modules = loading_modules(chain)
    if not modules:
        return {}
    return {FILE: "".join(_words(m, accelerator) for m in modules)}


def _words(module: Module, accelerator: Accelerator) -> str:
    """Return a unit's memory words in parts of 64 bits, low bits first."""
    unit = module.unit
    assert isinstance(unit, ProductUnit)
    packed = packed_weights(unit, accelerator.parameters[unit.layer])
    bits = int(unit.weight_bits)
    elements = codes(packed.weights, weight_type(bits)).reshape(-1, int(unit.pe * unit.simd))
    parts = -(-elements.shape[1] * bits // WORD_BITS)
    digits = WORD_BITS // 4
    lines = hex_lines(elements, bits, parts * WORD_BITS).split()
    return "".join(
        f"{line[i : i + digits]}\n"
        for line in lines
        for i in range((parts - 1) * digits, -1, -digits)
    )


def loading_json(chain: Chain) -> dict[str, Any]:
    """Return what design.json says about loading; nothing where nothing is loaded."""
    words = {m.name: m.loading.words for m in chain.modules if m.loading is not None}
    if not words:
        return {}
    return {
        "loading": {
            "file": str(FILE),
            "word_bits": WORD_BITS,
            "words": sum(words.values()),
            "cycles_predicted": loading_cycles(m.unit for m in chain.modules),
            "units": words,
            "order": "unit by unit; in a unit the memory words of the steps of a vector, each in whole words, low bits first",
        }
    }
