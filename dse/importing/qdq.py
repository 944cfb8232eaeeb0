"""QuantizeLinear, Clip and DequantizeLinear, as Brevitas (QCDQ), torch and ONNX Runtime write them, as one Quant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.importing.graph import Graph, Node, unsupported

Array = npt.NDArray[Any]
# numbers of data types in TensorProto, which QuantizeLinear may name instead of a zero point (ONNX, opset 21)
OUTPUT_TYPES = {0: np.uint8, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16}


@dataclass(frozen=True)
class _Codes:
    """What a DequantizeLinear reads.

    Attributes:
        tensor: real numbers that become codes; the codes themselves where `constant`.
        constant: the codes are in the file.
        low: smallest code.
        high: largest one.
        signed: whether the type of the codes is.
    """

    tensor: str
    constant: bool
    low: int
    high: int
    signed: bool


def join_qdq(graph: Graph) -> Graph:
    """Make one Quant of each QuantizeLinear, Clip and DequantizeLinear, and of constants that are codes.

    A QuantizeLinear that several DequantizeLinear read becomes one Quant, too.

    Raises:
        UsageError: what stands there is no quantiser of whole bits.
    """
    sources = {n.output: n for n in graph.nodes}
    constants = dict(graph.constants)
    made: dict[tuple[object, ...], str] = {}
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        if node.op != "DequantizeLinear":
            nodes.append(replace(node, inputs=tuple(renamed.get(i, i) for i in node.inputs)))
            continue
        codes = _codes(graph, node, sources)
        scale, zero = _number(graph, node, 1), _zero(graph, node)
        if codes.constant:
            scale, zero = (_along(node, a, constants[codes.tensor]) for a in (scale, zero))
        elif scale.size > 1 or zero.size > 1:
            raise unsupported(node, "activations must have one scale and one zero point")
        low, high, signed = codes.low, codes.high, codes.signed
        if (
            not codes.constant and signed and np.all(zero == low)
        ):  # unsigned codes, written as signed ones
            low, high, signed, zero = 0, high - low, False, np.zeros_like(zero)
        bits, narrow = _bits(node, low, high, signed=signed)
        tensor = renamed.get(codes.tensor, codes.tensor)
        if codes.constant:
            tensor = _new(
                constants, f"{node.output} real", (constants[codes.tensor] - zero) * scale
            )
        key = (tensor, scale.tobytes(), zero.tobytes(), bits, signed, narrow)
        if key in made:
            renamed[node.output] = made[key]
            continue
        made[key] = node.output
        numbers = {"scale": scale, "zero point": zero, "bits": np.array(float(bits))}
        inputs = (_new(constants, f"{node.output} {k}", v) for k, v in numbers.items())
        attributes = {"signed": int(signed), "narrow": int(narrow), "zero_last": 1}
        nodes.append(Node(node.name, "Quant", (tensor, *inputs), node.output, attributes))
    output = renamed.get(graph.output, graph.output)
    return replace(graph, nodes=tuple(nodes), constants=constants, output=output)


def _codes(graph: Graph, node: Node, sources: Mapping[str, Node]) -> _Codes:
    """Return what a DequantizeLinear reads, through a Clip where there is one."""
    clip: Node | None = None
    tensor = node.inputs[0] if node.inputs else ""
    source = sources.get(tensor)
    if source is not None and source.op == "Clip" and source.inputs:
        clip, tensor = source, source.inputs[0]
        source = sources.get(tensor)
    if tensor in graph.constants:
        kind = graph.constants[tensor].dtype
        found = _Codes(tensor, True, *_range(kind))
    elif source is not None and source.op == "QuantizeLinear" and len(source.inputs) > 1:
        numbers = ((_number(graph, n, 1), _zero(graph, n)) for n in (node, source))
        if any(not np.array_equal(a, b) for a, b in zip(*numbers, strict=True)):
            raise unsupported(node, f"its scale and zero point must be those of {source.shown}")
        found = _Codes(source.inputs[0], False, *_range(_type(graph, source)))
    else:
        raise unsupported(
            node,
            "it must stand behind a constant or a QuantizeLinear, with a Clip in between at most",
        )
    if clip is None:
        return found
    low, high = (_end(graph, clip, i) for i in (1, 2))
    return replace(
        found,
        low=found.low if low is None else max(low, found.low),
        high=found.high if high is None else min(high, found.high),
    )


def _type(graph: Graph, node: Node) -> npt.DTypeLike:
    """Return the type of the codes of a QuantizeLinear: that of its zero point, or what it names."""
    zero = graph.constant(node, 2)
    if zero is not None:
        return zero.dtype
    number = int(node.number("output_dtype", 0))
    if number not in OUTPUT_TYPES:
        raise unsupported(
            node, f"its output_dtype must be an integer type of 8 or 16 bits, got {number}"
        )
    return OUTPUT_TYPES[number]


def _range(kind: npt.DTypeLike) -> tuple[int, int, bool]:
    info = np.iinfo(np.dtype(kind) if np.dtype(kind).kind in "iu" else np.int64)
    return int(info.min), int(info.max), info.min < 0


def _bits(node: Node, low: int, high: int, *, signed: bool) -> tuple[int, bool]:
    """Return the bits of codes from `low` to `high`, and whether one end of their range is left out."""
    bits = max(high, 1).bit_length() + signed
    whole = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if (low, high) == whole:
        return bits, False
    if (low, high) == ((whole[0] + 1, whole[1]) if signed else (0, whole[1] - 1)):
        return bits, True
    raise unsupported(
        node,
        f"its codes from {low} to {high} must be those of whole bits, as {whole[0]} to {whole[1]}",
        "export with bit widths that are whole numbers",
    )


def _number(graph: Graph, node: Node, index: int) -> Array:
    found = graph.constant(node, index)
    if found is None:
        raise unsupported(node, f"it must have an input {index}")
    if found.ndim > 1:
        raise unsupported(node, "it must have one scale, or one for each channel")
    return np.asarray(found, dtype=np.float64)


def _zero(graph: Graph, node: Node) -> Array:
    return np.zeros(()) if graph.constant(node, 2) is None else _number(graph, node, 2)


def _end(graph: Graph, clip: Node, index: int) -> int | None:
    found = graph.constant(clip, index)
    if found is None:
        return None
    if found.size != 1 or found.ravel()[0] % 1:
        raise unsupported(clip, "the ends of codes must be one whole number each")
    return int(found.ravel()[0])


def _along(node: Node, numbers: Array, codes: Array) -> Array:
    """Return one number, or one for each slice of `codes` along the axis of the node, to broadcast."""
    if numbers.size == 1:
        return numbers.reshape(())
    axis = int(node.number("axis", 1))
    if not -codes.ndim <= axis < codes.ndim or codes.shape[axis] != numbers.size:
        raise unsupported(
            node,
            f"its {numbers.size} scales must be those of axis {axis} of weights of shape {list(codes.shape)}",
        )
    shape = [1] * codes.ndim
    shape[axis] = numbers.size
    return numbers.reshape(shape)


def _new(constants: dict[str, Array], name: str, value: Array) -> str:
    """Keep a constant under a name that the file has not."""
    while name in constants:
        name += "'"
    constants[name] = value
    return name
