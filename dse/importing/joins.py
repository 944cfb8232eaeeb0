"""Where two branches meet: whether the codes of both are of one kind, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dse.importing.chain import Line
from dse.importing.exact import NEAR
from dse.importing.graph import Floats, Node, unsupported
from dse.importing.quantiser import Quantiser
from dse.importing.values import Value, uniform
from dse.ir.layers._base import Join, Layer, MatrixLayer
from dse.ir.layers.concat import Concat
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.numbers import IntType


def is_signed(layers: Mapping[str, Layer], name: str) -> bool:
    """Whether the codes that come out of a layer are signed."""
    while isinstance(layer := layers.get(name), MaxPool2d | Concat):
        name = layer.inputs[0]
    return isinstance(layer, MatrixLayer) and layer.signed


def side_by_side(
    layers: Mapping[str, Layer], node: Node, first: Value, second: Value
) -> tuple[IntType | None, tuple[Floats, Floats], str]:
    """Return the type of the codes of two tensors side by side, and what they stand for.

    Args:
        layers: found so far.
        node: the concatenation.
        first: a tensor of codes.
        second: another one.

    Returns:
        The type, a line for all channels or one for each, and why the integers of the model cannot be taken
        over; empty where they can.

    Raises:
        UsageError: no unit puts them side by side.
    """
    if first.shape[:-1] != second.shape[:-1] or first.layout.axes != second.layout.axes:
        raise unsupported(
            node,
            f"its inputs must agree but in channels, got {first.layout.shape} and {second.layout.shape}",
        )
    for value in (first, second):
        source = value.source
        while isinstance(layer := layers.get(source), MaxPool2d):
            source = layer.inputs[0]
        if not isinstance(layer, MatrixLayer | Join):
            raise unsupported(
                node,
                f"it must join activations of layers with weights, got {source}",
                "put a layer with an activation or a quantiser in between",
            )
    lines = first.stands_for(), second.stands_for()
    if lines[0] is None or lines[1] is None:
        raise unsupported(
            node,
            "a function without a quantiser stands in front of it",
            "put a quantiser behind it",
        )
    signs = {is_signed(layers, value.source) for value in (first, second)}
    if len(signs) > 1:
        raise unsupported(
            node,
            "one of its inputs has a ReLU or an unsigned quantiser, the other one has not",
            "quantise both alike",
        )
    line = (
        _along(lines[0][0], lines[1][0], first, second),
        _along(lines[0][1], lines[1][1], first, second),
    )
    if first.type is None or second.type is None:
        return None, line, "its inputs are not quantised"
    reason = "" if first.type == second.type else "its inputs must have one width"
    return first.type, line, reason


def _along(one: Floats, other: Floats, first: Value, second: Value) -> Floats:
    """Return a number of both tensors, or one for each channel of both."""
    if uniform(one) and uniform(other):
        a, b = float(one.flat[0]), float(other.flat[0])
        if abs(a - b) <= NEAR * abs(a):
            return np.asarray(a)
    parts = ((one, first), (other, second))
    return np.concatenate([np.broadcast_to(v, (value.shape[-1],)) for v, value in parts])


def why_not_added(first: Value, second: Value, value: Value, quantiser: Quantiser | None) -> str:
    """Return why an integer sum is not what a model computes; empty where it is."""
    lines = first.stands_for(), second.stands_for()
    if quantiser is None or first.type is None or second.type is None:
        return "its inputs and its sum are not quantised"
    if None in lines or any(isinstance(s, Line) for s in value.chain):
        return "something stands between its inputs and their codes, or behind the sum"
    scales = [quantiser.scale, *(line[0] for line in lines if line is not None)]
    offsets = [quantiser.zero, *(line[1] for line in lines if line is not None)]
    if any(np.any(o) for o in offsets):
        return "its inputs or its sum have a zero point"
    if not all(
        uniform(s) and abs(s.flat[0] - scales[0].flat[0]) <= NEAR * s.flat[0] for s in scales
    ):
        return "its inputs and its sum must have one scale"
    bits = {first.type.bits, second.type.bits, quantiser.bits}
    if len(bits) > 1 or quantiser.signed or quantiser.narrow or quantiser.one_bit:
        return "its inputs and its sum must have one width of 2 bits or more, the sum unsigned"
    return ""
