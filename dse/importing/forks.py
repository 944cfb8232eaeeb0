"""Outputs that more than two layers read, as in an Inception block: a fork has two ends, so one hands on the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dse.ir.layers._base import Layer
from dse.ir.layers.max_pool2d import MaxPool2d


def forked(layers: Mapping[str, Layer], last: str) -> dict[str, Layer]:
    """Return layers of which none is read more than twice, where what is read is a map.

    A maximum of single pixels stands between an output and all its readers but the first: a unit that exists, and
    hands on what it gets. Readers come in the order of the inputs of the joins behind them, which are nested
    to the right, so that branches of one concatenation become blocks within a block.

    Args:
        layers: by name, as they were found.
        last: the one whose output is the network's.
    """
    found = dict(layers)
    for source, readers in _readers(layers, last).items():
        if len(readers) < 3 or source == "input" or len(layers[source].output_shape) != 3:
            continue
        at, rest = source, readers
        while len(rest) > 2:
            name = (
                f"fork{sum(isinstance(x, MaxPool2d) and x.kernel == 1 for x in found.values()) + 1}"
            )
            found[name] = MaxPool2d(name, (at,), layers[source].output_shape, 1)
            at, rest = name, rest[1:]
            for reader, port in rest:
                inputs = list(found[reader].inputs)
                inputs[port] = name
                found[reader] = replace(found[reader], inputs=tuple(inputs))
    return found


def _readers(layers: Mapping[str, Layer], last: str) -> dict[str, list[tuple[str, int]]]:
    """Return who reads each output, and as which of its inputs, in the order of the inputs of joins."""
    found: dict[str, list[tuple[str, int]]] = {}
    ahead = [(last, port) for port in reversed(range(len(layers[last].inputs)))]
    while ahead:
        reader, port = ahead.pop()
        source = layers[reader].inputs[port]
        if source not in found and source != "input":
            ahead += [(source, p) for p in reversed(range(len(layers[source].inputs)))]
        found.setdefault(source, []).append((reader, port))
    return found
