"""Layers of `dse.ir` from products, pools and sums, as their activations become known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dse.errors import UsageError
from dse.importing import exact
from dse.importing.chain import Curve, Line, applied, line_of, then
from dse.importing.exact import NEAR, InexactError
from dse.importing.forks import forked
from dse.importing.graph import Floats, Graph, Node, unsupported
from dse.importing.joins import is_signed, side_by_side, why_not_added
from dse.importing.layout import Layout
from dse.importing.quantiser import Quantiser
from dse.importing.values import Lowered, Numbers, Pool, Product, Value, in_stream_order
from dse.importing.weights import Weights
from dse.ir.accelerator import MatrixParameters
from dse.ir.graph import series
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.layers.thresholding import Thresholding
from dse.ir.network import Network
from dse.ir.numbers import IntType

Line2 = tuple[Floats, Floats]
REAL: Line2 = (np.ones(()), np.zeros(()))  # what stands for itself


class Assembly:
    """Layers found so far. Their names are ours: those of a file may hold anything."""

    def __init__(
        self, name: str, input_shape: tuple[int, ...], input_type: IntType, *, plain: bool
    ) -> None:
        self.name, self.input_shape, self.input_type = name, input_shape, input_type
        self.plain = plain
        self.layers: dict[str, Layer] = {}
        self.numbers: dict[str, Numbers] = {}
        self.inexact = ""
        self.notes: list[str] = []

    def settled(self, node: Node, value: Value, quantiser: Quantiser | None) -> Value:
        """Return the tensor as codes of a layer.

        Args:
            node: what asks for them.
            value: the tensor.
            quantiser: what makes codes of it; None where nothing does, and a ReLU at most.

        Raises:
            UsageError: no layer computes it.
        """
        if value.added is not None:
            return self._sum(node, value, value.added, quantiser)
        if value.product is None:
            assert quantiser is not None
            if value.type is None:
                self._not_exact(node, "its input is not quantised")
                return replace(value, chain=(), line=REAL)
            if _same_codes(value, quantiser):
                return replace(value, chain=(), line=quantiser.line())
            if self.plain and value.stands_for() is not None:
                return value
            value = self._requantised(node, value)
        product = value.product
        assert product is not None
        if product.kind == "mean" and (quantiser is None or (self.plain and _is_global(value))):
            return self._global_mean(node, value, product)
        layer = self._matrix(value, product, self._signed(node, value, quantiser))
        self._add(layer)
        found = None
        if quantiser is None:
            self._not_exact(product.node, "its activations are not quantised")
        else:
            try:
                found = exact.parameters(value, quantiser)
            except InexactError as error:
                self._not_exact(product.node, str(error))
        self._note(layer, value, product, quantiser, found)
        line = REAL if quantiser is None else quantiser.line()
        out = None if quantiser is None else quantiser.type
        result = Value(layer.name, layer.output_shape, value.layout, out, line)
        for pool in value.pools:
            result = self.pooled(product.node, result, pool, value.layout)
        return result

    def pooled(self, node: Node, value: Value, pool: Pool, layout: Layout) -> Value:
        """Return the tensor behind a max-pooling of codes."""
        layer = MaxPool2d(
            self._name("pool"), (value.source,), value.shape, pool.kernel, pool.stride, pool.padding
        )
        self._add(layer)
        return replace(value, source=layer.name, shape=layer.output_shape, layout=layout)

    def added(self, node: Node, first: Value, second: Value) -> Value:
        """Return the sum of two tensors, which waits for its quantiser."""
        if first.layout != second.layout:
            raise unsupported(
                node,
                f"its inputs must have one shape, got {first.layout.shape}, {second.layout.shape}",
            )
        kind = None if first.type is None or second.type is None else first.type
        return Value(first.source, first.shape, first.layout, kind, REAL, added=(first, second))

    def concatenated(self, node: Node, first: Value, second: Value) -> Value:
        """Return the channels of two tensors side by side; a concatenation of the same two is there once."""
        type_, line, reason = side_by_side(self.layers, node, first, second)
        if reason:
            self._not_exact(node, reason)
        layer = self.beside(first, second)
        if layer is None:
            sources = (first.source, second.source)
            layer = Concat(self._name("concat"), sources, first.shape, second.shape[-1])
            self._add(layer)
        height, width, _ = first.layout.stream
        layout = first.layout.resized(height, width, layer.output_shape[-1])
        return Value(layer.name, layer.output_shape, layout, type_, line)

    def beside(self, first: Value, second: Value) -> Concat | None:
        """Return the concatenation of two tensors that is there already."""
        sources = (first.source, second.source)
        same = (x for x in self.layers.values() if isinstance(x, Concat) and x.inputs == sources)
        return next(same, None)

    def curved(self, value: Value, curve: Curve) -> Value:
        """Return the tensor behind an activation function; a ReLU of codes that are not below 0 is nothing."""
        if not value.waits and value.type is not None and curve.name == "Relu":
            line = value.stands_for()
            if line is not None and np.all(line[0] * value.type.min + line[1] >= 0):
                return value
        return replace(value, chain=then(value.chain, curve))

    def filled_up(self, node: Node, how: str) -> None:
        """Say that a product is built as a larger one, with zeros for weights, and priced as that."""
        self.notes.append(
            f"node {node.shown} is built as a larger product: {how}, the weights between are 0 (a training may change"
            " them)"
        )

    def finished(self, value: Value, graph: Graph) -> Lowered:
        """Return the network whose class scores are a tensor.

        Raises:
            UsageError: it is not that of a fully connected layer, or the layers are no network.
        """
        product = value.product
        last = product is not None and product.kind in ("fc", "conv") and not value.pools
        if product is not None and product.kind == "conv":
            covers = value.shape[:2] == (product.kernel, product.kernel) and not product.padding
            last = last and covers
        if not last or product is None:
            msg = (
                f"the output of {graph.name} must be the class scores of a fully connected layer (Gemm, MatMul),"
                " with a bias and one scale behind it at most; end the model with one"
            )
            raise UsageError(msg)
        value = self._scores(value)
        layer = Dense(
            self._name("fc"), (value.source,), value.shape, activation=False,
            out_features=len(product.weights.real),
        )  # fmt: skip
        self._add(layer)
        found = None
        try:
            found, error = exact.scores(value)
            if error > NEAR:
                self.notes.append(
                    f"the bias of the class scores is rounded to whole sums, by {error:.2g} of one at most"
                )
        except InexactError as reason:
            self._not_exact(product.node, str(reason))
        self._note(layer, value, product, None, found)
        network = Network(
            self.name,
            self.input_shape,
            self.input_type,
            in_stream_order(forked(self.layers, layer.name), layer.name),
        )
        network = _flat_input(network, graph)
        series(network)
        return Lowered(network, self.numbers, self.inexact, tuple(self.notes))

    def _scores(self, value: Value) -> Value:
        """Return class scores without a curve behind them."""
        chain = value.chain
        while chain and isinstance(step := chain[-1], Curve):
            self.notes.append(f"{step.name} of the class scores is left out: sums are compared")
            chain = chain[:-1]
        if line_of(chain) is None:
            self.notes.append("what stands behind the class scores is left out: sums are compared")
            chain = chain[:1] if isinstance(chain[0], Line) else ()
        return replace(value, chain=chain)

    def _sum(
        self, node: Node, value: Value, both: tuple[Value, Value], quantiser: Quantiser | None
    ) -> Value:
        """Return the codes of a sum: `clip(a + b, 0, largest)`."""
        first, second = both
        relu = any(isinstance(s, Curve) and s.relu for s in value.chain)
        if not relu and (quantiser is None or quantiser.signed):
            raise unsupported(
                node,
                f"the sum of {first.source} and {second.source} must have a ReLU or an unsigned quantiser"
                " behind it",
            )
        layer = Add(
            self._name("add"),
            (first.source, second.source),
            first.shape,
            (is_signed(self.layers, first.source), is_signed(self.layers, second.source)),
        )
        self._add(layer)
        reason = why_not_added(first, second, value, quantiser)
        if reason:
            self._not_exact(node, reason)
        line = REAL if quantiser is None else quantiser.line()
        kind = None if quantiser is None else quantiser.type
        return Value(layer.name, layer.output_shape, value.layout, kind, line)

    def _requantised(self, node: Node, value: Value) -> Value:
        """Return codes as a product with ones, which a quantiser of its own makes codes of."""
        if len(value.shape) != 3:
            raise unsupported(
                node, f"the {value.shape[0]} numbers of {value.source} are quantised once more",
                "quantise them once",
            )  # fmt: skip
        channels = value.shape[-1]
        ones = np.ones((channels, 1))
        weights = Weights(ones, ones, ones.astype(np.int64), np.ones(channels), 1)
        return replace(value, product=Product("quant", node, weights))

    def _global_mean(self, node: Node, value: Value, product: Product) -> Value:
        """Return the sums of a global pooling; the division by the number of pixels is a scale."""
        step = line_of(value.chain)
        if step is None or not _is_global(value):
            raise unsupported(
                product.node,
                "a mean must have a quantiser behind it, or be the mean of the whole map",
                "put a quantiser (QuantIdentity, TruncAvgPool2d) behind it",
            )
        layer = GlobalAveragePool(self._name("mean"), (value.source,), value.shape)
        self._add(layer)
        a, b = value.line
        line = (a * step.a / layer.pixels, b * step.a + step.b)
        kind = None if value.type is None else layer.output_type(value.type)
        return Value(layer.name, layer.output_shape, value.layout, kind, line)

    def _signed(self, node: Node, value: Value, quantiser: Quantiser | None) -> bool:
        """Whether codes may be below 0, without quantiser: whether there is no ReLU.

        Raises:
            UsageError: there is another function than a ReLU, and no quantiser.
        """
        if quantiser is not None:
            return quantiser.signed and not quantiser.one_bit
        curves = [s for s in value.chain if isinstance(s, Curve)]
        if any(not c.relu for c in curves):
            raise unsupported(
                node, f"{curves[0].name} in front of it has no quantiser",
                "use ReLU, or put a quantiser behind the function",
            )  # fmt: skip
        return not curves

    def _matrix(self, value: Value, product: Product, signed: bool) -> MatrixLayer:
        name, source, shape = self._name(product.kind), (value.source,), value.shape
        rows = len(product.weights.real)
        k, stride, padding = product.kernel, product.stride, product.padding
        if product.kind == "fc":
            return Dense(name, source, shape, activation=True, signed=signed, out_features=rows)
        if product.kind == "conv":
            return Conv2d(
                name, source, shape, activation=True, signed=signed, out_channels=rows, kernel=k,
                stride=stride, padding=padding,
            )  # fmt: skip
        kind = Thresholding if product.kind == "quant" else DepthwiseConv2d
        if product.weights.real.shape[1] != k * k:
            raise unsupported(
                product.node, "a mean with a quantiser behind it must have square windows"
            )
        return kind(
            name, source, shape, activation=True, signed=signed, kernel=k, stride=stride, padding=padding
        )  # fmt: skip

    def _note(
        self,
        layer: MatrixLayer,
        value: Value,
        product: Product,
        quantiser: Quantiser | None,
        found: MatrixParameters | None,
    ) -> None:
        rows = len(product.weights.real)
        first = value.chain[0] if value.chain and isinstance(value.chain[0], Line) else Line(*REAL)
        bits = None if product.weights.codes is None else product.weights.bits
        if found is not None:
            bits = found.weight_bits
        activation = None if quantiser is None else quantiser.type.bits
        self.numbers[layer.name] = Numbers(
            start=product.weights.start,
            gain=np.broadcast_to(first.a, (rows,)),
            offset=np.broadcast_to(first.b, (rows,)),
            weight_bits=bits,
            activation_bits=activation,
            exact=found,
            reads=value.line if value.source == "input" else None,
        )

    def _name(self, kind: str) -> str:
        return f"{kind}{sum(n.rstrip('0123456789') == kind for n in self.layers) + 1}"

    def _add(self, layer: Layer) -> None:
        self.layers[layer.name] = layer

    def _not_exact(self, node: Node, reason: str) -> None:
        """Keep the first reason why the integers of the model cannot be taken over."""
        self.inexact = self.inexact or f"node {node.shown}: {reason}"


def _is_global(value: Value) -> bool:
    """Whether a mean is that of the whole map."""
    assert value.product is not None
    height, width, _ = value.shape
    return bool(value.product.weights.real.shape[1] == height * width)


def _same_codes(value: Value, quantiser: Quantiser) -> bool:
    """Whether a quantiser makes of every code of a tensor that code again."""
    assert value.type is not None
    if value.type != quantiser.type or value.type.bits > 16:
        return False
    step = 2 if value.type.bipolar else 1
    codes = np.arange(value.type.min, value.type.max + 1, step, dtype=np.float64)[:, None]
    a, b = value.line
    found = quantiser.codes(applied(value.chain, codes * a + b))
    return bool(np.all(found == codes))


def _flat_input(network: Network, graph: Graph) -> Network:
    """Return the network with a plain vector as input, where it is one and fully connected layers read it."""
    readers = [x for x in network.layers if "input" in x.inputs]
    if len(graph.input_shape) != 2 or not all(isinstance(x, Dense) for x in readers):
        return network
    shape = (graph.input_shape[1],)
    layers = tuple(replace(x, input_shape=shape) if x in readers else x for x in network.layers)
    return replace(network, input_shape=shape, layers=layers)
