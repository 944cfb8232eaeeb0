"""What is computed: the layer graph with shapes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.numbers import IntType


@dataclass(frozen=True, slots=True)
class Network:
    """A feed-forward network: layers in topological order, the last one giving the class scores."""

    name: str
    input_shape: tuple[int, ...]  # (H, W, C) or (C,)
    input_type: IntType
    layers: tuple[Layer, ...]

    def __getitem__(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    @property
    def matrix_layers(self) -> tuple[MatrixLayer, ...]:
        """The layers that have weights, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, MatrixLayer))

    @property
    def classes(self) -> int:
        """Number of class scores."""
        return self.layers[-1].output_shape[-1]

    @property
    def weights(self) -> int:
        """Number of weights, dense."""
        return sum(layer.mh * layer.mw for layer in self.matrix_layers)

    @property
    def digest(self) -> str:
        """Hash of the structure; equal exactly when two networks are equal."""
        return digest_of(
            {"input": [self.input_shape, asdict(self.input_type)]}
            | {layer.name: [type(layer).__name__, _facts(layer)] for layer in self.layers}
        )

    def narrowed(self, output_channels: Mapping[str, int]) -> Network:
        """Return the network with fewer output channels in the named matrix layers.

        The layers behind see the smaller input, depthwise ones have fewer channels themselves; this is
        what filter pruning leaves to build.
        """
        shapes: dict[str, tuple[int, ...]] = {"input": self.input_shape}
        layers = []
        for layer in self.layers:
            shape = shapes[layer.inputs[0]]
            new = layer if layer.input_shape == shape else replace(layer, input_shape=shape)
            if layer.name in output_channels:
                if isinstance(new, Conv2d):
                    new = replace(new, out_channels=output_channels[layer.name])
                elif isinstance(new, Dense):
                    new = replace(new, out_features=output_channels[layer.name])
            shapes[layer.name] = new.output_shape
            layers.append(new)
        return replace(self, layers=tuple(layers))


def _facts(layer: Layer) -> dict[str, Any]:
    """Return the fields of a layer; those of later versions only where they say something.

    So networks that earlier versions had keep their digests.
    """
    facts = asdict(layer)
    if isinstance(layer, MatrixLayer) and not layer.signed:
        del facts["signed"]
    if isinstance(layer, MaxPool2d) and not layer.windowed:
        del facts["stride"], facts["padding"]
    return facts


def digest_of(value: object) -> str:
    """Return a 16-digit BLAKE2 hash of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
