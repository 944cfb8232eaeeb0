"""`space`: the knobs of all layers, and overrides by layer name."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dse.config.complaints import Complaints
from dse.config.knobs import (
    amounts,
    blocks,
    fractions,
    integers,
    numbers,
    shares,
    words,
)
from dse.config.read import entries, items, keys, one_of, scalar
from dse.config.require import requirements_of
from dse.config.tree import Entry, Items, Node, Scalar, quoted
from dse.config.values import Knobs, Space, fold_steps
from dse.ir import plugins
from dse.ir.design import COMPUTES, EDGE_SKIPS, MEMORIES, PRUNED_BY
from dse.ir.hardware import Board

MOST_TILE = 2  # positions that a tile is high and wide
MOST_LANES = 65536  # PE or SIMD: far beyond any matrix that is built
MOST_LAMBDA = 100.0  # of a loss beside the cross-entropy, which is a few units
NUMBERS = {
    k.name: k
    for k in (
        integers("weight_bits", 1, 8, "8 bits are the widest that is built"),
        integers("activation_bits", 1, 8, "8 bits are the widest that is built"),
        fractions("sparsity"),
        fractions("beta", up_to_1=True),
        amounts("lambda_threshold", MOST_LAMBDA),
        amounts("lambda_pooling", MOST_LAMBDA),
        shares("spatial_keep"),
        integers("spatial_tile", 1, MOST_TILE, "larger tiles keep too much"),
        integers("pe", 1, MOST_LANES),
        integers("simd", 1, MOST_LANES),
    )
}
# in the order in which messages list them
KNOBS = (
    "weight_bits",
    "activation_bits",
    "sparsity",
    "block",
    "fold",
    "pe",
    "simd",
    "memory",
    "compute",
    "scheme",
    "beta",
    "prune_by",
    "edge_skip",
    "lambda_threshold",
    "lambda_pooling",
    "spatial_keep",
    "spatial_tile",
    "tie",
)
FOLDS = ("balanced", "free")  # and balanced(+-N)
TIEABLE = (
    *("weight_bits", "activation_bits", "scheme", "sparsity", "block", "beta", "prune_by"),
    *("lambda_threshold", "lambda_pooling", "spatial_keep", "spatial_tile"),
)
SPACE = keys("space", (*KNOBS, "layers", "defaults", "require"))
DEFAULTS = keys("space.defaults", KNOBS)
LAYER = keys("space.layers", ("match", *KNOBS), needed={"match": "match: conv*"})


def space_of(entry: Entry, board: Board | None, complaints: Complaints) -> Space:
    """Read the search space.

    Args:
        entry: the key `space` and its value.
        board: where the memories must exist; None where it could not be read.
        complaints: receives what is wrong.
    """
    before = len(complaints)
    found = entries(entry.value, SPACE, complaints)
    general = {k: e for k, e in found.items() if k in KNOBS}
    if "defaults" in found:
        for key, default in entries(found["defaults"].value, DEFAULTS, complaints).items():
            if key in general:
                first = general[key].key.span.line
                complaints.add(
                    default.key.span,
                    "duplicate-key",
                    f"{key} is in space and in space.defaults",
                    f"first set on line {first}",
                )
            else:
                general[key] = default
    levels = [general]
    layers = []
    for node in items(found["layers"].value, "layers", complaints) if "layers" in found else ():
        special = entries(node, LAYER, complaints)
        match = special.pop("match", None)
        pattern = None if match is None else scalar(match.value, "match", complaints)
        if pattern is not None and not special and len(complaints) == before:
            complaints.add(pattern.span, "missing-key", "this entry of space.layers sets no knob")
        levels.append(special)
        layers.append(("" if pattern is None else pattern.text, _knobs(special, board, complaints)))
        _check_widening(special, [general, *levels[1:-1]], complaints)
    require = requirements_of(found["require"].value, complaints) if "require" in found else ()
    space = Space(_knobs(general, board, complaints), tuple(layers), require)
    if len(complaints) == before and not any(
        _is_searched(knob, level[knob].value, getattr(knobs, knob))
        for knobs, level in zip([space.defaults, *(k for _, k in layers)], levels, strict=True)
        for knob in level
    ):
        complaints.add(
            entry.key.span,
            "nothing-to-search",
            "every knob of the space has one value",
            "give one a list, such as weight_bits: [2, 4, 8]",
        )
    return space


def _is_searched(name: str, node: Node, values: Any) -> bool:
    """Whether a knob leaves a choice; a folding that is asked for is always searched."""
    if name in ("fold", "tie"):
        return name == "fold"
    return _is_divisors(node) or len(values or ()) > 1


def _is_divisors(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text == "divisors"


def _check_widening(
    special: dict[str, Entry], above: list[dict[str, Entry]], complaints: Complaints
) -> None:
    """Refuse `divisors` where a level above lists values: `Knobs` cannot say "all of them again"."""
    for name in ("pe", "simd"):
        limited = any(name in level and not _is_divisors(level[name].value) for level in above)
        if limited and name in special and _is_divisors(special[name].value):
            complaints.add(
                special[name].value.span,
                "not-supported",
                f"{name}: divisors is not supported below a level that lists {name}",
                f"list {name} only for the layers that need it",
            )


def _knobs(found: dict[str, Entry], board: Board | None, complaints: Complaints) -> Knobs:
    values: dict[str, Any] = {}
    known = words_known()
    for field in fields(Knobs):
        name = field.name
        if name not in found:
            continue
        node = found[name].value
        if name in ("pe", "simd") and _is_divisors(node):
            values[name] = None  # what is not restricted takes every legal value
        elif name in NUMBERS:
            values[name] = numbers(node, NUMBERS[name], complaints)
        elif name == "block":
            values[name] = blocks(node, name, complaints)
        elif name == "fold":
            values[name] = _fold(node, complaints)
        else:
            values[name] = words(node, name, known[name], complaints)
            if name == "memory":
                _check_uram(node, board, complaints)
    return Knobs(**values)


def words_known() -> dict[str, tuple[str, ...]]:
    """Return the names that a knob takes, of the knobs that take names."""
    return {
        "scheme": tuple(n for n in plugins.names("pruning") if n != "dense"),
        "prune_by": PRUNED_BY,
        "edge_skip": EDGE_SKIPS,
        "memory": MEMORIES,
        "compute": COMPUTES,
        "tie": TIEABLE,
    }


def _fold(node: Node, complaints: Complaints) -> str | None:
    found = scalar(node, "fold", complaints, "fold: balanced")
    if found is None or not found.text.startswith("balanced("):
        return None if found is None else one_of(found, "fold", FOLDS, complaints)
    if (steps := fold_steps(found.text)) == 0:
        complaints.add(
            found.span,
            "bad-value",
            f"balanced takes +-1, +-2 or +-3 steps off the common pace, not {quoted(found.text)}",
            "write balanced(+-1)",
        )
        return None
    return f"balanced(+-{steps})"


def _check_uram(node: Node, board: Board | None, complaints: Complaints) -> None:
    """Refuse UltraRAM as the only choice on a board that has none; among others it is left out (`dse check`)."""
    items = node.items if isinstance(node, Items) else (node,)
    only = all(isinstance(i, Scalar) and i.text == "uram" for i in items)
    if items and only and board is not None and not board.resources.uram:
        fix = "take bram or lutram"
        complaints.add(items[0].span, "not-on-board", f"{board.name} has no URAM", fix)
