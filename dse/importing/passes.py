"""Clean-up of a foreign graph, one named pass after the other; what a network computes stays the same.

The order is a decision: constants first, for the other passes look at them; then quantisers, which those of the
class scores are; identities last, for folding leaves some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dse.importing.graph import Graph, Node, unsupported
from dse.importing.qdq import join_qdq
from dse.importing.quantiser import QUANTISERS

Pass: TypeAlias = Callable[[Graph], Graph]
Array: TypeAlias = npt.NDArray[Any]

# of the class scores: they leave the largest the largest (a quantiser may make others equal to it)
SCORES = ("Softmax", "LogSoftmax", "ArgMax", "QuantizeLinear", *QUANTISERS)
NOTHING = ("Identity", "Dropout", "Cast")


def tidy(graph: Graph) -> Graph:
    """Apply all passes."""
    for apply in PASSES:
        graph = apply(graph)
    return graph


def fold_constants(graph: Graph) -> Graph:
    """Compute what depends on constants only. Weights on their way through a quantiser stay as they are.

    Raises:
        UsageError: a computation of constants is none.
    """
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        inputs = [constants.get(i) for i in node.inputs if i]
        if node.op == "Constant":
            constants[node.output] = _constant(node)
        elif node.op == "Shape" and node.inputs[:1] == (graph.input,):
            constants[node.output] = np.array(graph.input_shape)
        elif node.op in ARITHMETIC and inputs and all(a is not None for a in inputs):
            try:
                found = ARITHMETIC[node.op](node, [a for a in inputs if a is not None])
            except (ValueError, IndexError, TypeError) as error:
                raise unsupported(node, f"its constants do not fit it ({error})") from None
            constants[node.output] = found
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)


def drop_scores_activation(graph: Graph) -> Graph:
    """Remove softmax, argmax and quantisers of the class scores: the largest one stays the largest."""
    by_output = {n.output: n for n in graph.nodes}
    output = graph.output
    while output in by_output and by_output[output].op in SCORES and by_output[output].inputs:
        output = by_output.pop(output).inputs[0]
    return replace(graph, nodes=tuple(by_output.values()), output=output)


def drop_identities(graph: Graph) -> Graph:
    """Remove what hands its input on: Identity, Dropout, Cast, padding by nothing, scaling by 1."""
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(renamed.get(i, i) for i in node.inputs)
        node = replace(node, inputs=inputs)
        if inputs and _hands_on(node, graph.constants):
            renamed[node.output] = inputs[0]
        else:
            nodes.append(node)
    output = renamed.get(graph.output, graph.output)
    return replace(graph, nodes=tuple(nodes), output=output)


def drop_unread(graph: Graph) -> Graph:
    """Remove nodes whose output leads nowhere."""
    needed = {graph.output}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.output in needed:
            needed.update(node.inputs)
            kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))


PASSES: tuple[Pass, ...] = (
    fold_constants,
    join_qdq,
    drop_scores_activation,
    drop_identities,
    drop_unread,
)


def _hands_on(node: Node, constants: Mapping[str, Array]) -> bool:
    if node.op in NOTHING:
        return node.inputs[0] not in constants
    if node.op == "Pad":
        pads: Any = node.attributes.get("pads")
        if pads is None and len(node.inputs) > 1:
            pads = constants.get(node.inputs[1])
        return pads is not None and not np.any(pads)
    neutral = {"Mul": 1, "Div": 1, "Add": 0, "Sub": 0}.get(node.op)
    if neutral is None or len(node.inputs) != 2 or node.inputs[0] in constants:
        return False
    other = constants.get(node.inputs[1])
    return other is not None and other.size == 1 and bool(np.all(other == neutral))


def _constant(node: Node) -> Array:
    for key in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        value = node.attributes.get(key)
        if value is not None:
            return np.asarray(value)
    raise unsupported(node, "it must hold numbers")


def _axes(node: Node, arrays: list[Array]) -> tuple[int, ...]:
    """Return the attribute `axes`, which later versions of ONNX have as an input."""
    if len(arrays) > 1:
        return tuple(int(v) for v in arrays[1].ravel())
    return node.whole("axes", ())


def _transpose(node: Node, arrays: list[Array]) -> Array:
    x = arrays[0]
    return x.transpose(node.whole("perm", tuple(reversed(range(x.ndim)))))


def _reshape(node: Node, arrays: list[Array]) -> Array:
    del node
    x, wanted = arrays
    shape = [x.shape[i] if d == 0 else int(d) for i, d in enumerate(wanted.ravel())]
    return x.reshape(shape)


def _squeeze(node: Node, arrays: list[Array]) -> Array:
    return np.squeeze(arrays[0], _axes(node, arrays) or None)


def _unsqueeze(node: Node, arrays: list[Array]) -> Array:
    return np.expand_dims(arrays[0], _axes(node, arrays))


def _gather(node: Node, arrays: list[Array]) -> Array:
    return np.asarray(np.take(arrays[0], arrays[1].astype(np.int64), int(node.number("axis", 0))))


def _concat(node: Node, arrays: list[Array]) -> Array:
    return np.concatenate(arrays, int(node.number("axis", 0)))


def _binary(function: Callable[[Array, Array], Array]) -> Callable[[Node, list[Array]], Array]:
    def compute(node: Node, arrays: list[Array]) -> Array:
        del node
        first, second = arrays
        with np.errstate(all="ignore"):  # what is not finite is refused below
            result = np.asarray(function(first, second))
        if not np.isfinite(result).all():
            msg = "the result is not finite"
            raise ValueError(msg)
        return result

    return compute


def _unary(function: Callable[[Array], Array]) -> Callable[[Node, list[Array]], Array]:
    whole = _binary(lambda x, _: function(x))
    return lambda node, arrays: whole(node, [arrays[0], arrays[0]])


ARITHMETIC: Mapping[str, Callable[[Node, list[Array]], Array]] = {
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
    "Concat": _concat,
    "Identity": lambda _, arrays: arrays[0],
    "Cast": lambda _, arrays: arrays[0],
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _binary(np.true_divide),
    "Pow": _binary(lambda x, y: np.power(x.astype(np.float64), y)),
    "Sqrt": _unary(np.sqrt),
    "Neg": _unary(np.negative),
    "Ceil": _unary(np.ceil),
    "Floor": _unary(np.floor),
    "Abs": _unary(np.abs),
    "Reciprocal": _unary(lambda x: 1 / x),
}
