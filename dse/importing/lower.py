"""From a tidy foreign graph to layers: products meet their activations, in the order of the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from dse.errors import UsageError
from dse.importing.assemble import Assembly
from dse.importing.chain import CURVES, ONE, ZERO, Curve, Line, curve_of, falls, then
from dse.importing.equivalents import larger
from dse.importing.graph import Floats, Graph, Node, printable, unsupported
from dse.importing.layout import MAP, VECTOR, Layout
from dse.importing.quantiser import BIAS_BITS, QUANTISERS, quantiser_of
from dse.importing.values import Lowered, Pool, Product, Value
from dse.importing.weights import Weights, weights_of
from dse.importing.windows import dilation, fits, pixels, square, squeezed, window
from dse.ir.numbers import IntType

Handler = Callable[["_Walk", Node], Value]


def lower(
    graph: Graph, input_type: IntType, line: tuple[float, float], *, plain: bool = False
) -> Lowered:
    """Return the layers of a graph.

    Args:
        graph: after the passes.
        input_type: of the integers that the network is fed with.
        line: (a, b): an integer q of the input stands for a * q + b, which is what the model was trained on.
        plain: leave out quantisers that are a layer of their own, at the input and of means: a training goes
            on without them.

    Raises:
        UsageError: a node is not supported; the message has its name and the reason.
    """
    if len(graph.input_shape) == 4:
        batch, channels, height, width = graph.input_shape
        layout = Layout(MAP, {"N": batch, "C": channels, "H": height, "W": width})
    else:
        batch, features = graph.input_shape
        layout = Layout(VECTOR, {"N": batch, "C": 1, "H": features, "W": 1})
    assembly = Assembly(graph.name, layout.stream, input_type, plain=plain)
    a, b = np.asarray(line[0]), np.asarray(line[1])
    entry = Value("input", layout.stream, layout, input_type, (a, b))
    walk = _Walk(graph, assembly, {graph.input: entry})
    for node in graph.nodes:
        walk.step(node)
    if graph.output not in walk.values:
        msg = (
            f"the output {printable(graph.output)!r} of {graph.name} must depend on its input, it does not; the"
            " file is damaged, or not of one network"
        )
        raise UsageError(msg)
    return assembly.finished(walk.values[graph.output], graph)


class _Walk:
    """The values of all tensors so far."""

    def __init__(self, graph: Graph, assembly: Assembly, values: dict[str, Value]) -> None:
        self.graph, self.assembly, self.values = graph, assembly, values

    def step(self, node: Node) -> None:
        """Find the value of a node's output; quantisers of constants wait for who reads them."""
        if (
            node.inputs
            and node.op in (*QUANTISERS, "Transpose")
            and self.is_constant(node.inputs[0])
        ):
            return
        if self.graph.output != node.output and len(self.graph.readers(node.output)) == 0:
            return
        handler = HANDLERS.get(node.op)
        if handler is None:
            known = ", ".join(sorted(HANDLERS))
            raise unsupported(
                node, "the operation is not supported", f"use {known}, or change the model"
            )
        self.values[node.output] = handler(self, node)

    def is_constant(self, tensor: str) -> bool:
        """Whether a tensor depends on constants only."""
        return tensor in self.graph.constants or tensor not in self.values

    def value(self, node: Node, index: int = 0) -> Value:
        """Return the value that a node reads."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        if name not in self.values:
            raise unsupported(node, f"its input {index} must depend on the network's input")
        return self.values[name]

    def ready(self, node: Node, index: int = 0) -> Value:
        """Return the value that a node reads as codes of a layer, which is made where it has to be."""
        value = self.value(node, index)
        if value.waits:
            value = self.assembly.settled(node, value, None)
            self.values[node.inputs[index]] = value
        return value

    def constant(self, node: Node, index: int, value: Value) -> Floats:
        """Return a constant input as one number or one per channel."""
        return value.layout.along(node, self.folded(node, index))

    def folded(self, node: Node, index: int) -> Floats:
        """Return a constant input, a quantiser of it computed."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        if name in self.graph.constants:
            return np.asarray(self.graph.constants[name], dtype=np.float64)
        source = next((n for n in self.graph.nodes if n.output == name), None)
        if (
            source is None
            or source.op not in QUANTISERS
            or source.inputs[0] not in self.graph.constants
        ):
            raise unsupported(node, f"its input {index} must be a constant, it is computed")
        inner = np.asarray(self.graph.constants[source.inputs[0]], dtype=np.float64)
        quantiser = quantiser_of(
            self.graph, source, lambda c: np.asarray(c, dtype=np.float64), BIAS_BITS
        )
        try:
            codes = np.broadcast_to(quantiser.codes(inner), inner.shape)
            a, b = quantiser.line()
            return codes * a + b
        except ValueError:
            raise unsupported(source, "its scale must fit its input") from None


def _product(walk: _Walk, node: Node, value: Value, product: Product, layout: Layout) -> Value:
    """Return a value that waits for its activation."""
    line = value.stands_for()
    if line is None:
        raise unsupported(
            node,
            f"its input comes from {value.source} through a function without a quantiser or a product",
            "put a quantiser in front of it",
        )
    return Value(value.source, value.shape, layout, value.type, line, product=product)


def _conv(walk: _Walk, node: Node) -> Value:
    value = walk.ready(node)
    if not value.layout.is_map:
        raise unsupported(node, "its input must be a map (batch, channels, height, width)")
    weights = weights_of(walk.graph, node, _factor(node), (0, 2, 3, 1))
    rows, kernel, width, depth = weights.real.shape
    step, groups, channels = dilation(node), int(node.number("group", 1)), value.layout.sizes["C"]
    stride, padding = window(node, (kernel, width), dilated=step)
    if groups < 1 or rows % groups or depth * groups != channels:
        raise unsupported(
            node,
            f"its groups must divide its {rows} outputs and the {channels} channels of its input, got {groups}"
            f" groups and weights for {depth} channels",
        )
    kernel = step * (kernel - 1) + 1
    height, width = pixels(node, value, kernel, stride, padding)
    kind = "dw" if groups == channels == rows and depth == 1 else "conv"
    weights, how = larger(node, weights, 1 if kind == "dw" else groups, step)
    if how:
        walk.assembly.filled_up(node, how)
    flat = weights.arranged(lambda a: a.reshape(rows, -1))
    product = Product(kind, node, flat, kernel, stride, padding)  # type: ignore[arg-type]
    found = _product(walk, node, value, product, value.layout.resized(height, width, rows))
    return _biased(walk, node, found)


def _gemm(walk: _Walk, node: Node) -> Value:
    if node.number("alpha", 1.0) != 1 or node.number("beta", 1.0) != 1 or node.number("transA", 0):
        raise unsupported(node, "alpha and beta must be 1, and transA 0")
    perm = (0, 1) if node.number("transB", 0) else (1, 0)
    return _biased(walk, node, _dense(walk, node, perm))


def _matmul(walk: _Walk, node: Node) -> Value:
    return _dense(walk, node, (1, 0))


def _dense(walk: _Walk, node: Node, perm: tuple[int, int]) -> Value:
    value = walk.ready(node)
    weights = weights_of(walk.graph, node, _factor(node), perm)
    weights = weights.arranged(lambda a: value.layout.columns(node, a))
    layout = Layout(
        (("N",), ("C",)), {**value.layout.sizes, "C": len(weights.real), "H": 1, "W": 1}
    )
    return _product(walk, node, value, Product("fc", node, weights), layout)


def _factor(node: Node) -> str:
    """Return the tensor of the weights of a product."""
    if len(node.inputs) < 2:
        raise unsupported(node, "it must have two factors")
    return node.inputs[1]


def _biased(walk: _Walk, node: Node, value: Value) -> Value:
    if len(node.inputs) < 3 or not node.inputs[2]:
        return value
    bias = walk.folded(node, 2)
    if bias.size not in (1, value.layout.sizes["C"]):
        raise unsupported(node, f"its bias must have {value.layout.sizes['C']} numbers")
    return _with(value, node, Line(ONE, bias.ravel() if bias.size > 1 else bias.reshape(())))


def _with(value: Value, node: Node, step: Line | Curve) -> Value:
    """Return a value with one more step behind it."""
    if value.pools and isinstance(step, Line) and np.any(step.a < 0):
        raise unsupported(
            node, "a max-pooling stands between it and the product, and it turns the order round",
            "put the normalisation in front of the pooling",
        )  # fmt: skip
    return replace(value, chain=then(value.chain, step))


def _arithmetic(walk: _Walk, node: Node) -> Value:
    if len(node.inputs) != 2:
        raise unsupported(node, "it must have two inputs")
    first, second = (not walk.is_constant(i) for i in node.inputs)
    if first and second:
        if node.op != "Add":
            raise unsupported(node, "one of its inputs must be constant, both are computed")
        return walk.assembly.added(node, walk.ready(node, 0), walk.ready(node, 1))
    value = walk.value(node, 0 if first else 1)
    c = walk.constant(node, 1 if first else 0, value)
    if node.op == "Add":
        return _with(value, node, Line(ONE, c))
    if node.op == "Mul":
        return _with(value, node, Line(c, ZERO))
    if node.op == "Sub":
        return _with(value, node, Line(ONE, -c) if first else Line(-ONE, c))
    if not first or np.any(c == 0):
        raise unsupported(node, "it must divide by a constant that is not 0")
    return _with(value, node, Line(1 / c, ZERO))


def _concatenated(walk: _Walk, node: Node) -> Value:
    found = [walk.ready(node, i) for i in range(len(node.inputs))]
    if not found:
        raise unsupported(node, "it must have inputs")
    value = found[0]
    axis = int(node.number("axis", 0)) % len(value.layout.axes)
    label = value.layout.axes[axis]
    height, width, _ = value.layout.stream
    if "C" not in label or (len(label) > 1 and height * width > 1):
        raise unsupported(node, f"only channels can be concatenated, not axis {axis}")
    others = found[1:]
    while others and walk.assembly.beside(value, others[0]):  # as DenseNet adds to what it has
        value = walk.assembly.concatenated(node, value, others.pop(0))
    parts = [value, *others]
    value = parts.pop()
    while parts:  # nested to the right: branches of one fork become blocks within a block
        value = walk.assembly.concatenated(node, parts.pop(), value)
    return value


def _negated(walk: _Walk, node: Node) -> Value:
    return _with(walk.value(node), node, Line(-ONE, ZERO))


def _normalised(walk: _Walk, node: Node) -> Value:
    value = walk.value(node)
    if node.number("training_mode", 0):
        raise unsupported(node, "it is in training mode", "call eval() on the model, export again")
    column = (-1,) + (1,) * (len(value.layout.axes) - 2)  # channels are axis 1, whatever the rank
    gain, offset, mean, variance = (
        value.layout.along(node, walk.folded(node, i).reshape(column)) for i in (1, 2, 3, 4)
    )
    deviation = variance + node.number("epsilon", 1e-5)
    if np.any(deviation <= 0):
        raise unsupported(node, "its variances must be above 0")
    a = gain / np.sqrt(deviation)
    return _with(value, node, Line(a, offset - mean * a))


def _curve(walk: _Walk, node: Node) -> Value:
    value = walk.value(node)
    ends: list[float | None] = [None, None]
    for i, key in enumerate(("min", "max")):
        if key in node.attributes:
            ends[i] = node.number(key, 0)
        elif len(node.inputs) > i + 1 and node.inputs[i + 1]:
            ends[i] = float(walk.folded(node, i + 1).ravel()[0])
    return walk.assembly.curved(value, curve_of(node, *ends))


def _quantised(walk: _Walk, node: Node) -> Value:
    value = walk.value(node)
    quantiser = quantiser_of(walk.graph, node, lambda c: value.layout.along(node, c))
    if not quantiser.bipolar and quantiser.low >= quantiser.high:
        raise unsupported(node, "it must have two codes or more")
    rows = 1 if quantiser.thresholds is None else len(quantiser.thresholds)
    if rows not in (1, value.layout.sizes["C"]):
        raise unsupported(node, "it must have thresholds for every channel, or one row for all")
    return walk.assembly.settled(node, value, quantiser)


def _max_pool(walk: _Walk, node: Node) -> Value:
    value = walk.value(node)
    kernel = square(node, node.whole("kernel_shape", ()), "kernel")
    stride, padding = window(node, (kernel, kernel), default=1)
    if node.number("ceil_mode", 0) and not fits(value, kernel, stride, padding):
        raise unsupported(node, "windows that reach over the edge (ceil_mode) are not supported")
    if not value.layout.is_map:
        raise unsupported(node, "its input must be a map (batch, channels, height, width)")
    height, width = pixels(node, value, kernel, stride, padding)
    layout = value.layout.resized(height, width, value.layout.sizes["C"])
    pool = Pool(kernel, stride, padding)
    if value.product is not None:
        return replace(value, layout=layout, pools=(*value.pools, pool))
    value = walk.ready(node)
    if falls(value.chain):
        raise unsupported(node, "its input is scaled by a number below 0")
    return walk.assembly.pooled(node, value, pool, layout)


def _mean_pool(walk: _Walk, node: Node) -> Value:
    value = walk.ready(node)
    height, width, channels = value.layout.stream
    if not value.layout.is_map:
        raise unsupported(node, "its input must be a map (batch, channels, height, width)")
    if node.op == "AveragePool":
        kernel = node.whole("kernel_shape", ())
        if kernel == (height, width):
            stride, padding = 1, window(node, (height, height), default=1)[1]
            size = height
        else:
            size = square(node, kernel, "kernel")
            stride, padding = window(node, (size, size), default=1)
        if padding:
            raise unsupported(node, "padding of a mean is not supported")
    else:
        size, stride, kernel = height, 1, (height, width)
        if node.op == "ReduceMean":
            axes = node.whole("axes", ())
            if len(node.inputs) > 1 and node.inputs[1]:
                axes = tuple(int(v) for v in walk.folded(node, 1).ravel())
            if sorted(a % 4 for a in axes) != [2, 3]:
                raise unsupported(
                    node, f"it must be the mean over height and width, got axes {axes}"
                )
    count = math.prod(kernel)
    ones = np.ones((channels, count))
    weights = Weights(
        ones / count, ones / count, ones.astype(np.int64), np.full(channels, 1 / count), 1
    )
    if kernel == (height, width):
        layout = value.layout.resized(1, 1, channels)
        if node.op == "ReduceMean" and not node.number("keepdims", 1):
            layout = replace(layout, axes=(("N",), ("C", "H", "W")))
        product = Product("mean", node, weights, size, stride)
    else:
        product = Product("mean", node, weights, size, stride)
        layout = value.layout.resized(*pixels(node, value, size, stride, 0), channels)
    return _product(walk, node, value, product, layout)


def _reshaped(walk: _Walk, node: Node) -> Value:
    value = walk.value(node)
    layout = value.layout
    if node.op == "Transpose":
        perm = node.whole("perm", tuple(reversed(range(len(layout.axes)))))
        return replace(value, layout=layout.transposed(node, perm))
    if node.op == "Flatten":
        axis = int(node.number("axis", 1)) % (len(layout.axes) + 1)
        shape = layout.shape
        wanted: tuple[int, ...] = (math.prod(shape[:axis]), math.prod(shape[axis:]))
    elif node.op == "Reshape":
        wanted = tuple(int(v) for v in walk.folded(node, 1).ravel())
    else:
        axes = node.whole("axes", ())
        if len(node.inputs) > 1 and node.inputs[1]:
            axes = tuple(int(v) for v in walk.folded(node, 1).ravel())
        wanted = squeezed(node, layout.shape, axes)
    return replace(value, layout=layout.reshaped(node, wanted))


HANDLERS: Mapping[str, Handler] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _normalised,
    "Neg": _negated,
    "Concat": _concatenated,
    "MaxPool": _max_pool,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    **dict.fromkeys(CURVES, _curve),
    **dict.fromkeys(QUANTISERS, _quantised),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "ReduceMean"), _mean_pool),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose"), _reshaped),
}
