"""The layers of a network as a series of layers and residual blocks, and which of them share codes or channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from dse.errors import UsageError
from dse.ir.layers._base import Join, Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.duplicate import Duplicate
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network

LEAST_BITS = 2  # of activations that are added: {-1, +1} has no zero, so nothing could be cut off


@dataclass(frozen=True, slots=True)
class Block:
    """Two branches that read the output of one layer and meet in an `Add` or a `Concat`.

    Attributes:
        source: the layer.
        branches: first the one that ends in the first input of the join; one of them may be empty.
        join: where they meet.
    """

    source: Layer
    branches: tuple[Series, Series]
    join: Join


Series: TypeAlias = tuple["Layer | Block", ...]


@lru_cache(maxsize=1024)
def series(network: Network) -> Series:
    """Return the layers of a network as they stand one behind the other, or side by side in a block.

    Raises:
        UsageError: the network is not series-parallel: an output is read by more than two layers, the
            input or a sum is forked in a way that has no common end, a layer is read by none or is not in
            stream order; or the inputs of a sum do not agree.
    """
    for layer in network.layers:
        _check_inputs(network, layer)
    whole, end = _walk(network, "input")
    names = [layer.name for layer in _layers(whole)]
    if end is not None or names != [layer.name for layer in network.layers]:
        msg = (
            f"the layers of model {network.name} must be chains and blocks (a fork, two chains, an Add or"
            f" Concat that joins them) in stream order; of {', '.join(x.name for x in network.layers)} only"
            f" {', '.join(names)} can be reached so; change the network"
        )
        raise UsageError(msg)
    return whole


def blocks(network: Network) -> dict[str, Block]:
    """Return all blocks of a network, inner ones too, by the name of their join."""

    def inside(parts: Series) -> Iterator[Block]:
        for part in parts:
            if isinstance(part, Block):
                for branch in part.branches:
                    yield from inside(branch)
                yield part

    return {block.join.name: block for block in inside(series(network))}


def shared_codes(network: Network) -> tuple[tuple[str, ...], ...]:
    """Return the groups of matrix layers whose activations are added or stand side by side, directly or not.

    The layers of a group have one number of activation bits and, in training, one step. A layer that only begins a
    stream of fused residual blocks is a group by itself.
    """
    groups: list[set[str]] = []
    for join in _joins(network):
        if isinstance(join, FusedAdd):
            begin = coded(network, join.inputs[0])
            if isinstance(begin, MatrixLayer):
                groups.append({begin.name})
            continue
        met = {join.name}
        for name in join.inputs:
            source = coded(network, name)
            met.add(source.name)
        touching = [g for g in groups if g & met]
        groups = [g for g in groups if not g & met] + [met.union(*touching)]
    listed = (tuple(x.name for x in network.matrix_layers if x.name in g) for g in groups)
    return tuple(sorted(listed, key=lambda g: network.layers.index(network[g[0]])))


def fixed_channels(network: Network) -> frozenset[str]:
    """Return the matrix layers whose output channels meet others in a join: they keep all of them."""
    found: set[str] = set()
    ahead = [name for join in _joins(network) for name in join.inputs]
    while ahead:
        layer = network[ahead.pop()]
        if isinstance(layer, MatrixLayer):
            found.add(layer.name)
        if not isinstance(
            layer, Conv2d | Dense | Join
        ):  # what goes in comes out: the same channels
            ahead += layer.inputs
    return frozenset(found)


def last_readers(network: Network) -> dict[str, tuple[str, ...]]:
    """Return by layer the names ("input" or layers) that no layer behind it reads."""
    last = {name: layer.name for layer in network.layers for name in layer.inputs}
    found: dict[str, tuple[str, ...]] = {}
    for name, reader in last.items():
        found[reader] = (*found.get(reader, ()), name)
    return found


def least_bits(network: Network, group: tuple[str, ...]) -> int:
    """Return the fewest activation bits of a group of `shared_codes`: those that are added need a zero."""
    ahead = [name for add in _joins(network) if isinstance(add, Add) for name in add.inputs]
    while ahead:
        layer = coded(network, ahead.pop())
        if layer.name in group:
            return LEAST_BITS
        ahead += layer.inputs if isinstance(layer, Join) else ()
    return 1


def _joins(network: Network) -> list[Join]:
    return [layer for layer in network.layers if isinstance(layer, Join)]


def _layers(parts: Series) -> Iterator[Layer]:
    for part in parts:
        if isinstance(part, Block):
            for branch in part.branches:
                yield from _layers(branch)
            yield part.join
        else:
            yield part


def _walk(network: Network, source: str) -> tuple[Series, tuple[Join, int] | None]:
    """Return what stands behind a layer, and the input of a sum that it ends in; None: the end."""
    parts: list[Layer | Block] = []
    while True:
        ends = _readers(network, source)
        if not ends:
            return tuple(parts), None
        if len(ends) == 1:
            layer, port = ends[0]
            if isinstance(layer, Join):
                return tuple(parts), (layer, port)
            parts.append(layer)
            source = layer.name
            continue
        if len(ends) > 2 or source == "input":
            readers = ", ".join(layer.name for layer, _ in ends)
            most = "one layer" if source == "input" else "two layers"
            msg = f"{source} of model {network.name} must be read by {most} at most, got {readers}"
            raise UsageError(msg)
        block = _block(network, source, ends)
        parts.append(block)
        source = block.join.name


def _block(network: Network, source: str, ends: list[tuple[Layer, int]]) -> Block:
    branches: dict[int, Series] = {}
    joins = []
    for layer, port in ends:
        parts: Series = ()
        end: tuple[Join, int] | None
        if isinstance(layer, Join):
            end = (layer, port)
        else:
            behind, end = _walk(network, layer.name)
            parts = (layer, *behind)
        if end is not None:
            joins.append(end[0])
            branches[end[1]] = parts
    if len(joins) != 2 or joins[0] != joins[1] or len(branches) != 2:
        msg = (
            f"the two branches behind {source} of model {network.name} must end in the two inputs of one"
            f" Add or Concat, got {', '.join(j.name for j in joins) or 'none'}; change the network"
        )
        raise UsageError(msg)
    return Block(network[source], (branches[0], branches[1]), joins[0])


def _readers(network: Network, source: str) -> list[tuple[Layer, int]]:
    """Return who reads a layer, and as which of its inputs."""
    return [
        (layer, port)
        for layer in network.layers
        for port, name in enumerate(layer.inputs)
        if name == source
    ]


def beginning(network: Network) -> str:
    """Return the layer whose codes begin the stream of fused residual blocks."""
    sources = {coded(network, x.inputs[0]) for x in network.layers if isinstance(x, FusedAdd)}
    return next(x.name for x in network.matrix_layers if x in sources)


def coded(network: Network, name: str) -> Layer:
    """Return the layer whose codes come out of layer `name`; pools of maps and copies hand on those they get.

    Raises:
        UsageError: they are not activations.
    """
    while name != "input" and isinstance(network[name], MaxPool2d | Duplicate):
        name = network[name].inputs[0]
    if name == "input" or not isinstance(network[name], MatrixLayer | Join):
        msg = (
            f"an Add or Concat of model {network.name} must join activations of matrix layers and other joins, got {name};"
            " put a layer with an activation in between"
        )
        raise UsageError(msg)
    return network[name]


def _check_inputs(network: Network, layer: Layer) -> None:
    """Raise UsageError where the inputs of a layer do not fit it."""
    if not isinstance(layer, Join):
        if len(layer.inputs) != 1:
            msg = f"layer {layer.name} must have one input, got {', '.join(layer.inputs) or 'none'}"
            raise UsageError(msg)
        return
    if len(layer.inputs) != 2:
        msg = f"{type(layer).__name__} {layer.name} must have two inputs, got {', '.join(layer.inputs) or 'none'}"
        raise UsageError(msg)
    if isinstance(layer, FusedAdd):
        _check_sums(network, layer)
        return
    if isinstance(layer, Concat):
        _check_sides(network, layer)
        return
    assert isinstance(layer, Add)
    for name, signed in zip(layer.inputs, layer.signed, strict=True):
        gives = _signed(network, name)
        if network[name].output_shape != layer.input_shape or gives != signed:
            msg = (
                f"both inputs of Add {layer.name} must have the shape {layer.input_shape} and the signs"
                f" {layer.signed}, got {network[name].output_shape},"
                f" {'signed' if gives else 'unsigned'}, of {name}; change the network"
            )
            raise UsageError(msg)


def _signed(network: Network, name: str) -> bool:
    """Whether the codes that come out of a layer are signed."""
    source = coded(network, name)
    if isinstance(source, Concat):
        return _signed(network, source.inputs[0])
    return isinstance(source, MatrixLayer) and source.signed


def _check_sides(network: Network, layer: Concat) -> None:
    """Raise UsageError where the inputs of a concatenation are not codes of one kind, or of other shapes."""
    for port, name in enumerate(layer.inputs):
        signed, first = _signed(network, name), _signed(network, layer.inputs[0])
        if network[name].output_shape != layer.shape_of(port) or signed != first:
            msg = (
                f"input {port} of Concat {layer.name} must have the shape {layer.shape_of(port)} and the sign of"
                f" the first one, got {network[name].output_shape}, {'signed' if signed else 'unsigned'}, of"
                f" {name}; change the network"
            )
            raise UsageError(msg)


def _check_sums(network: Network, layer: FusedAdd) -> None:
    """Raise UsageError where the inputs of a fused sum are not a stream and the sums of a product."""
    shortcut, name = layer.inputs
    stream = coded(network, shortcut)
    sums = None if name == "input" else network[name]
    signed = isinstance(stream, FusedAdd) or (isinstance(stream, MatrixLayer) and stream.signed)
    shapes = {network[n].output_shape for n in layer.inputs if n != "input"}
    if not isinstance(sums, MatrixLayer) or sums.activation or not signed:
        msg = (
            f"the inputs of {layer.name} must be a signed stream and sums without activation, got {shortcut} and"
            f" {name}; change the network"
        )
        raise UsageError(msg)
    if shapes != {layer.input_shape}:
        msg = (
            f"both inputs of {layer.name} must have the shape {layer.input_shape}, got"
            f" {', '.join(map(str, sorted(shapes)))}; change the network"
        )
        raise UsageError(msg)
