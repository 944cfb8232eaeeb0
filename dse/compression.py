"""What a compression leaves to build: canonical compressions, and the network that is built.

It stands below training and search, which both need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import TypeAlias, cast

from dse.errors import UsageError
from dse.ir import plugins
from dse.ir.design import Compression
from dse.ir.edge_skip import pooling_behind
from dse.ir.graph import fixed_channels, least_bits, shared_codes
from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network
from dse.ir.spatial import refusal
from pruning._scheme import Scheme, Structure

KEPT = 1024  # compressions whose results are kept: a search prices many foldings of each
Listed: TypeAlias = tuple[tuple[str, Compression], ...]


@cache  # a listing of the folder each time would be most of the time of pricing a design
def scheme(name: str) -> Scheme:
    """Return the pruning scheme `name` (a file in pruning/)."""
    return cast(Scheme, plugins.load("pruning", name))


def canonical(network: Network, wanted: Mapping[str, Compression]) -> dict[str, Compression]:
    """Return what of the wanted compression can really be done, layer by layer.

    Args:
        network: the network of the study.
        wanted: a compression per matrix layer, with any sparsity in [0, 1).

    Returns:
        Canonical compressions: equal exactly when the compressed networks are built alike. Filter pruning of
        the last layer is dropped: its rows are the classes; so is that of layers whose channels meet others in
        a sum or concatenation. So is every pruning of a depthwise layer, which loses the channels that the layer in front
        loses. What leaves before training leaves by magnitude: filters. Layers whose activations are added or concatenated have the activation bits of the first of them.

    Raises:
        UsageError: activations of 1 bit are added.
    """
    return dict(_canonical(network, tuple((x.name, wanted[x.name]) for x in network.matrix_layers)))


@lru_cache(maxsize=KEPT)
def _canonical(network: Network, wanted: Listed) -> Listed:
    result: dict[str, Compression] = {}
    channels: dict[str, int] = {}
    narrow = network  # as `channels` leave it
    added = _added_bits(network, dict(wanted))
    whole = fixed_channels(network)
    for layer, (_, c) in zip(network.matrix_layers, wanted, strict=True):
        now = narrow[layer.name]
        assert isinstance(now, MatrixLayer)
        skips = c.spatial_keep < 1 and refusal(network, layer) is None
        keep, tile = (c.spatial_keep, c.spatial_tile) if skips else (1.0, 1)
        bits = added.get(layer.name, c.activation_bits) if layer.activation else None
        dense = Compression(1 if layer.constant_weights else c.weight_bits, bits)
        early = (0.0, 0.0) if skips else _edge_losses(network, layer, c, bits)
        keeps = not layer.activation or layer.name in whole
        if not layer.prunable or (c.scheme == "filter" and keeps):
            c = dense
        if c.scheme != "dense" and c.sparsity > 0:
            own = scheme(c.scheme)
            sparsity, block = own.legalise(
                now.mh, now.mw, c.sparsity, c.block, positions=now.positions
            )
            c = replace(c, activation_bits=bits, sparsity=sparsity, block=block)
            c = replace(c, beta=c.beta if own.NEEDS_BETA else None)
            c = replace(c, lambda_threshold=0.0, lambda_pooling=0.0)
            # what goes is known before training: narrower matrices, and masks that no weight decides
            if not own.BY_WEIGHTS or (
                sparsity and own.structure(now.mh, now.mw, c, positions=now.positions).mh != now.mh
            ):
                c = replace(c, prune_by="magnitude")
        pruned = c.scheme != "dense" and c.sparsity > 0
        c = c if pruned else replace(dense, lambda_threshold=early[0], lambda_pooling=early[1])
        kept = result[layer.name] = replace(c, spatial_keep=keep, spatial_tile=tile)
        built = scheme(kept.scheme).structure(now.mh, now.mw, kept, positions=now.positions)
        if built.mh != layer.mh:
            channels[layer.name] = built.mh
            narrow = network.narrowed(channels)
    return tuple(result.items())


def _edge_losses(
    network: Network, layer: MatrixLayer, c: Compression, bits: int | None
) -> tuple[float, float]:
    """Return the weights of the losses that bring early decisions: those of layers that may skip edges."""
    if bits != 1 or c.weight_bits != 1 or layer.inputs[0] == "input":
        return 0.0, 0.0
    pooled = pooling_behind(network, layer) is not None
    return c.lambda_threshold, c.lambda_pooling if pooled else 0.0


def _added_bits(network: Network, wanted: Mapping[str, Compression]) -> dict[str, int | None]:
    """Return the activation bits of the layers whose activations are added or concatenated."""
    found: dict[str, int | None] = {}
    for group in shared_codes(network):
        bits = wanted[group[0]].activation_bits
        least = least_bits(network, group)
        if bits is not None and bits < least:
            msg = (
                f"activations of {', '.join(group)} are added and must have {least} bits or more, got"
                f" {bits}; raise activation_bits of {group[0]}, which counts for all of them"
            )
            raise UsageError(msg)
        found.update(dict.fromkeys(group, bits))
    return found


def effective(
    network: Network, compressions: Mapping[str, Compression]
) -> tuple[Network, dict[str, Structure]]:
    """Return the network that is built (fewer channels after filter pruning) and each matrix's structure.

    Args:
        network: the network of the study.
        compressions: canonical, one per matrix layer.
    """
    listed = tuple((x.name, compressions[x.name]) for x in network.matrix_layers)
    built, structures = _effective(network, listed)
    return built, dict(structures)


@lru_cache(maxsize=KEPT)
def _effective(
    network: Network, compressions: Listed
) -> tuple[Network, tuple[tuple[str, Structure], ...]]:
    structures: dict[str, Structure] = {}
    channels: dict[str, int] = {}
    narrow = network  # as `channels` leave it
    for layer, (_, c) in zip(network.matrix_layers, compressions, strict=True):
        now = narrow[layer.name]
        assert isinstance(now, MatrixLayer)
        structures[layer.name] = scheme(c.scheme).structure(
            now.mh, now.mw, c, positions=now.positions
        )
        if structures[layer.name].mh != layer.mh:
            channels[layer.name] = structures[layer.name].mh
            narrow = network.narrowed(channels)
    return narrow, tuple(structures.items())
