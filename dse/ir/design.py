"""How a network is built: every decision of the search, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Any

from dse.ir.network import digest_of

MEMORIES = ("bram", "lutram", "uram")  # where a matrix unit keeps its weights
COMPUTES = ("lut", "dsp")  # what its multipliers are made of (FINN: resType)
EDGE_SKIPS = ("off", "lockstep", "ooo")  # whether PEs stop early, and how they go on
# what decides on the mask: the weights as they are, or while they train
PRUNED_BY = ("magnitude", "admm", "group_lasso", "regrow")
# fields that every stored design has, whatever they say; later ones are written where they say something
ALWAYS_WRITTEN = {
    *("weight_bits", "activation_bits", "scheme", "sparsity", "block"),
    *("pe", "simd", "swu_simd", "memory", "compute"),
}


@dataclass(frozen=True, slots=True)
class Compression:
    """What changes the numbers a matrix layer computes, hence accuracy.

    A canonical value: `sparsity` is the fraction of weights really removed, `scheme` is "dense" exactly
    when it is 0, `block` is None where the scheme has none. `pruning.legalise` makes canonical values.
    """

    weight_bits: int  # 1..8
    activation_bits: int | None  # 1..8 of the layer's output; None where it has no activation
    scheme: str = "dense"  # a file in pruning/
    sparsity: float = 0.0  # 0 <= sparsity < 1
    block: tuple[int, int] | None = None  # (rows, columns) of the weight matrix
    prune_by: str = "magnitude"  # one of PRUNED_BY; "magnitude" where nothing is pruned
    # weights in the loss of what lets 1-bit outputs be decided early (`dse.training.edge_losses`)
    lambda_threshold: float = 0.0
    lambda_pooling: float = 0.0
    # share of the output positions that is computed, at most (1: all of them); they are decided on in tiles
    spatial_keep: float = 1.0
    spatial_tile: int = 1  # positions that a tile is high and wide
    beta: float | None = None  # share of rewired edges; None where the scheme draws no graph


@dataclass(frozen=True, slots=True)
class Folding:
    """What changes speed and area only.

    A pooling layer has only `pe` (channels per word); `swu_simd` is for convolutions only.
    """

    pe: int  # rows computed in parallel
    simd: int = 1  # executed columns per row and cycle
    swu_simd: int = 0  # channels per word of the sliding window unit; 0: there is none
    memory: str = "bram"  # one of MEMORIES
    compute: str = "lut"  # one of COMPUTES
    edge_skip: str = "off"  # one of EDGE_SKIPS


@dataclass(frozen=True, slots=True)
class LayerDesign:
    """How one layer is built; `compression` is None for layers without weights."""

    compression: Compression | None
    folding: Folding


@dataclass(frozen=True)  # without slots: both digests are computed once
class DesignPoint:
    """How every layer is built, in the order of the network's layers."""

    layers: tuple[tuple[str, LayerDesign], ...]

    def __getitem__(self, name: str) -> LayerDesign:
        return dict(self.layers)[name]

    @property
    def compressions(self) -> dict[str, Compression]:
        """The compression of every matrix layer, by name."""
        return {n: d.compression for n, d in self.layers if d.compression is not None}

    @cached_property
    def digest(self) -> str:
        """Hash of the whole design: equal exactly when two designs are equal."""
        return digest_of(self.to_json())

    @cached_property
    def compression_digest(self) -> str:
        """Hash of the compression half: the key of the accuracy cache."""
        return compression_digest(self.compressions)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` is the inverse."""
        return {
            n: {
                "compression": d.compression and stated(d.compression),
                "folding": stated(d.folding),
            }
            for n, d in self.layers
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> DesignPoint:
        """Rebuild a design from `to_json`."""
        return DesignPoint(
            tuple(
                (name, LayerDesign(_compression(d["compression"]), Folding(**d["folding"])))
                for name, d in value.items()
            )
        )


def compression_digest(compressions: Mapping[str, Compression]) -> str:
    """Hash of the compression of all matrix layers."""
    return digest_of({n: stated(c) for n, c in compressions.items()})


def stated(value: Compression | Folding) -> dict[str, Any]:
    """Return the fields of a compression or folding; those of later versions only where they say something.

    So designs that earlier versions wrote keep their digests. Not by `dataclasses.asdict`: it takes
    ten times as long, for every design of a study.
    """
    facts = {name: getattr(value, name) for name in _NAMES[type(value)]}
    return {k: v for k, v in facts.items() if k not in _LATER or v != _LATER[k]}


_NAMES = {kind: tuple(f.name for f in fields(kind)) for kind in (Compression, Folding)}
_LATER = {
    f.name: f.default
    for kind in (Compression, Folding)
    for f in fields(kind)
    if f.name not in ALWAYS_WRITTEN and f.default is not MISSING
}


def _compression(value: Mapping[str, Any] | None) -> Compression | None:
    if value is None:
        return None
    block = value["block"]
    return Compression(**{**value, "block": None if block is None else (block[0], block[1])})
