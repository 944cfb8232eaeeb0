"""What lowering knows of a tensor, and of the product that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dse.importing.chain import Chain, line_of
from dse.importing.graph import Floats, Node
from dse.importing.layout import Layout
from dse.importing.weights import Weights
from dse.ir.accelerator import MatrixParameters
from dse.ir.layers._base import Layer
from dse.ir.network import Network
from dse.ir.numbers import IntType

Kind = Literal["conv", "dw", "fc", "quant", "mean"]


@dataclass(frozen=True)
class Product:
    """A product with weights that waits for its activation.

    Attributes:
        kind: what layer it becomes: convolution, depthwise one, fully connected, thresholds alone, or the mean
            of windows (a depthwise one).
        node: where it came from.
        weights: `(mh, mw)`, columns in stream order.
        kernel: of windows.
        stride: of windows.
        padding: around the map.
    """

    kind: Kind
    node: Node
    weights: Weights
    kernel: int = 1
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True)
class Pool:
    """A max-pooling that waits for the activation in front of it."""

    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True)
class Value:
    """A tensor: codes of a layer, or a product or sum on its way to a quantiser.

    Attributes:
        source: layer that gives the codes, or that the product reads; "input" is the network's input.
        shape: of the source's output, (H, W, C) or (C,).
        layout: axes of the foreign tensor.
        type: of the source's codes; None where they are not quantised.
        line: real numbers that the source's codes stand for: `line` of a code.
        chain: steps behind the source, product or sum, on real numbers.
        product: what multiplies the source; None where nothing does.
        added: the two tensors that this one is the sum of.
        pools: max-poolings behind the product.
    """

    source: str
    shape: tuple[int, ...]
    layout: Layout
    type: IntType | None
    line: tuple[Floats, Floats]
    chain: Chain = ()
    product: Product | None = None
    added: tuple[Value, Value] | None = None
    pools: tuple[Pool, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether there is no layer of the network yet that gives this tensor."""
        return self.product is not None or self.added is not None

    def stands_for(self) -> tuple[Floats, Floats] | None:
        """Return (a, b): a code q of the source stands for a * q + b; None where it is no line."""
        step = line_of(self.chain)
        if step is None:
            return None
        return self.line[0] * step.a, self.line[1] * step.a + step.b


@dataclass(frozen=True)
class Numbers:
    """What an imported model says of one matrix layer.

    Attributes:
        start: `(mh, mw)` real weights from which a training goes on.
        gain: `(mh,)`, with `offset`: the activation function gets gain * product + offset.
        offset: `(mh,)`.
        weight_bits: of the model; None where its weights are not quantised.
        activation_bits: of the model; None where there is no activation, or it is not quantised.
        exact: the integers; None where the model does not have them.
        reads: (a, b) where the layer reads the network's input: an integer q of it stands for a * q + b.
    """

    start: Floats
    gain: Floats
    offset: Floats
    weight_bits: int | None
    activation_bits: int | None
    exact: MatrixParameters | None
    reads: tuple[Floats, Floats] | None = None


@dataclass(frozen=True)
class Lowered:
    """A foreign graph as layers.

    Attributes:
        layers: in stream order.
        numbers: by matrix layer.
        inexact: why the integers of the model cannot be taken over as they are; empty where they can.
        notes: what was left out or rounded.
    """

    network: Network
    numbers: Mapping[str, Numbers]
    inexact: str
    notes: tuple[str, ...]


def in_stream_order(layers: Mapping[str, Layer], last: str) -> tuple[Layer, ...]:
    """Return the layers that the last one needs, each branch of a block as a whole."""
    found: dict[str, Layer] = {}
    ahead = [last]
    while ahead:
        name = ahead[-1]
        missing = [i for i in layers[name].inputs if i != "input" and i not in found]
        if missing:
            ahead.append(missing[0])
            continue
        found[ahead.pop()] = layers[name]
    return tuple(found.values())


def uniform(values: Floats) -> bool:
    """Whether all numbers are one."""
    return bool(np.all(values == np.asarray(values).flat[0]))
