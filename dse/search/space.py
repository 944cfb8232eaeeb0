"""The search space: knobs, and how a choice of knob values becomes a legal design."""

from __future__ import annotations

import fnmatch
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from cost_models._model import CostModel
from dse.compression import canonical
from dse.config.complaints import did_you_mean
from dse.config.problems import problem_at
from dse.config.values import Knobs, StudyConfig, fold_steps
from dse.errors import UsageError
from dse.folding.fold import Folder
from dse.ir.design import Compression, DesignPoint
from dse.ir.graph import fixed_channels, least_bits, shared_codes
from dse.ir.hardware import Board
from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network
from dse.ir.spatial import refusal

Values: TypeAlias = Mapping[str, Any]

PRUNING_KNOBS = ("scheme", "sparsity", "block", "beta", "prune_by")  # mean nothing without pruning
EDGE_LOSSES = ("lambda_threshold", "lambda_pooling")
SPATIAL = ("spatial_keep", "spatial_tile")
PLAIN_KNOBS = ("beta", "prune_by", *EDGE_LOSSES, *SPATIAL)  # a compression has them as they are
COMPRESSION_KNOBS = (
    *("weight_bits", "activation_bits"),
    *(*PRUNING_KNOBS, *EDGE_LOSSES, *SPATIAL),
)
# unlisted knobs are fixed at these: an 8-bit dense network; 8x8 blocks where pruning is asked for
FIXED = Knobs(
    weight_bits=(8,),
    activation_bits=(8,),
    sparsity=(0.0,),
    block=((8, 8),),
    beta=(0.1,),
    prune_by=("magnitude",),
    lambda_threshold=(0.0,),
    lambda_pooling=(0.0,),
    spatial_keep=(1.0,),
    spatial_tile=(1,),
    fold="balanced",
)
PREFERENCES = (0.0, 0.25, 0.5, 0.75, 1.0)  # LUT against BRAM, URAM and DSP, in Folder.solve
STEP = "fold_step"  # of a layer: how many legal foldings faster than the common pace
CYCLES, PREFERENCE = "fold.cycles", "fold.preference"


@dataclass(frozen=True, slots=True)
class Choice:
    """A knob that takes one of `values` (ascending where they are numbers)."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A knob that takes any number from `low` to `high`."""

    name: str
    low: float
    high: float
    log: bool = False


Knob: TypeAlias = Choice | Range


@dataclass(frozen=True)
class SearchSpace:
    """All knobs of a study. Every choice of values decodes to a legal, canonical design.

    Attributes:
        knobs: what is searched, in a fixed order.
        layers: the resolved knob values of every layer, by name.
        shared: (layer, knob) -> name of the searched knob that decides it.
    """

    network: Network
    board: Board
    model: CostModel
    knobs: tuple[Knob, ...]
    layers: Mapping[str, Knobs]
    shared: Mapping[tuple[str, str], str]

    def compressions(self, values: Values) -> dict[str, Compression]:
        """Return the canonical compression that the knob values ask for."""
        wanted = {}
        for layer in self.network.matrix_layers:
            chosen = {k: self._value(layer.name, k, values) for k in COMPRESSION_KNOBS}
            rows, cols = (int(n) for n in chosen["block"].split("x"))
            block = (rows, cols)
            scheme = chosen["scheme"] or ("unstructured" if block == (1, 1) else "bcr")
            wanted[layer.name] = Compression(
                weight_bits=chosen["weight_bits"],
                activation_bits=chosen["activation_bits"] if layer.activation else None,
                scheme=scheme,
                sparsity=chosen["sparsity"],
                block=block,
                **{k: chosen[k] for k in PLAIN_KNOBS},
            )
        return canonical(self.network, wanted)

    def decode(self, values: Values) -> DesignPoint:
        """Return the design that the knob values mean."""
        free, preference = self._free(), values[PREFERENCE]
        if len(free) == len(self.network.matrix_layers):
            choices = {n: (values[f"{n}.pe"], values[f"{n}.simd"]) for n in free}
            return self.folder(self.compressions(values)).free(choices, preference)
        return self.solver(values).solve(values[CYCLES], preference, self.steps(values))

    def solver(self, values: Values) -> Folder:
        """Return the solver of foldings for the compression that the knob values ask for.

        Layers whose folding is free are folded as the values say; the others are the solver's.
        """
        folder = self.folder(self.compressions(values))
        choices = {n: (values[f"{n}.pe"], values[f"{n}.simd"]) for n in self._free()}
        if not choices:
            return folder
        return self.folder(folder.compressions, folder.picked(choices))

    def steps(self, values: Values) -> dict[str, int]:
        """Return by how many legal foldings every layer is faster than the common pace, where it may be."""
        return {n: values[f"{n}.{STEP}"] for n in self.layers if f"{n}.{STEP}" in values}

    def _free(self) -> list[str]:
        return sorted(n for n, k in self.layers.items() if k.fold == "free" and self._is_matrix(n))

    def folder(
        self, compressions: Mapping[str, Compression], pins: Mapping[str, Knobs] | None = None
    ) -> Folder:
        """Return the solver of foldings for one compression; `pins` overrides the layers' own."""
        return Folder.build(
            self.network, compressions, self.board, self.model, dict(self.layers) | dict(pins or {})
        )

    def baseline(self) -> dict[str, Any]:
        """Return knob values of the uncompressed design: most bits, least pruning."""
        values = {}
        for knob in self.knobs:
            if isinstance(knob, Range):
                values[knob.name] = knob.low
            elif knob.name.endswith(STEP):
                values[knob.name] = 0
            elif knob.name.endswith(("weight_bits", "activation_bits", "spatial_keep")):
                values[knob.name] = knob.values[-1]
            else:
                values[knob.name] = knob.values[0]
        if any(k.name == PREFERENCE for k in self.knobs):
            values[PREFERENCE] = 0.5
        return values

    def spread(self, count: int, seed: int) -> list[dict[str, Any]]:
        """Return `count` knob vectors that cover the space evenly (Latin hypercube); none where it is negative."""
        rng = random.Random(seed)
        columns = {}
        for knob in self.knobs:
            strata = [(i + rng.random()) / count for i in range(count)]
            rng.shuffle(strata)
            columns[knob.name] = [at(knob, u) for u in strata]
        return [{name: column[i] for name, column in columns.items()} for i in range(count)]

    def mutate(self, values: Values, rng: random.Random, changes: int = 1) -> dict[str, Any]:
        """Return the values with so many knobs drawn again."""
        drawn = rng.sample(self.knobs, min(changes, len(self.knobs)))
        return dict(values) | {knob.name: at(knob, rng.random()) for knob in drawn}

    def size(self) -> float:
        """Return the number of knob vectors; a continuous knob counts as 100 values."""
        return math.prod(len(k.values) if isinstance(k, Choice) else 100 for k in self.knobs)

    def _is_matrix(self, name: str) -> bool:
        return isinstance(self.network[name], MatrixLayer)

    def _value(self, layer: str, knob: str, values: Values) -> Any:
        name = self.shared.get((layer, knob))
        if name is not None:
            return values[name]
        fixed = _listed(self.layers[layer], knob)
        return fixed[0] if fixed else None


def at(knob: Knob, u: float) -> Any:
    """Return the value of a knob at the fraction 0 <= u < 1 of its scale."""
    if isinstance(knob, Choice):
        return knob.values[min(int(u * len(knob.values)), len(knob.values) - 1)]
    if knob.log:
        return math.exp(math.log(knob.low) + u * math.log(knob.high / knob.low))
    return knob.low + u * (knob.high - knob.low)


def build(
    config: StudyConfig,
    network: Network,
    model: CostModel,
    own: Mapping[str, Knobs] = MappingProxyType({}),
) -> SearchSpace:
    """Build the space of a study.

    Args:
        config: the study.
        network: its network.
        model: prices the units.
        own: by layer, what knobs that the study does not list are fixed at instead of `FIXED`.

    Raises:
        UsageError: a pattern matches no layer, tied layers differ or cannot be added, or nothing is left to
            search.
    """
    names = [layer.name for layer in network.layers]
    for i, (pattern, _) in enumerate(config.space.layers):
        if not fnmatch.filter(names, pattern):
            raise problem_at(
                config,
                f"space.layers[{i}].match",
                "no-match",
                f"{pattern!r} matches none of the {len(names)} layers of the model",
                hint=did_you_mean(pattern, names),
                notes=(f"layers: {', '.join(names)}",),
            )
    layers, ties = {}, {}
    for name in names:
        levels = [("all", config.space.defaults)]
        levels += [(p, k) for p, k in config.space.layers if fnmatch.fnmatch(name, p)]
        knobs = _override(FIXED, own.get(name, Knobs()))
        for pattern, level in levels:
            knobs = _override(knobs, level)
            ties.update({(name, k): pattern for k in level.tie or ()})
        layers[name] = knobs
    layers.update(_added(network, layers))
    layers.update(_skipping(network, layers))
    for group in shared_codes(network):
        tied = [ties[n, "activation_bits"] for n in group if (n, "activation_bits") in ties]
        ties.update({(n, "activation_bits"): (*tied, group[0])[0] for n in group})
    searched: dict[str, Knob] = {}
    shared: dict[tuple[str, str], str] = {}
    for layer in network.matrix_layers:
        for knob in COMPRESSION_KNOBS:
            values = _listed(layers[layer.name], knob)
            if len(values) < 2 or not _matters(layer, knob, layers[layer.name]):
                continue
            name = f"{ties.get((layer.name, knob), layer.name)}.{knob}"
            if name in searched and searched[name] != Choice(name, values):
                msg = f"{name} is tied, but its layers list different values; give them the same"
                raise UsageError(msg)
            searched[name] = Choice(name, values)
            shared[layer.name, knob] = name
    space = SearchSpace(network, config.board, model, (), layers, shared)
    free = [x.name for x in network.matrix_layers if layers[x.name].fold == "free"]
    folding: list[Knob] = [Range(f"{n}.{k}", 0.0, 1.0) for n in free for k in ("pe", "simd")]
    for layer in network.matrix_layers:
        if most := fold_steps(layers[layer.name].fold):
            folding.append(Choice(f"{layer.name}.{STEP}", tuple(range(-most, most + 1))))
    if len(free) < len(network.matrix_layers):
        folding.append(_cycles(space, tuple(searched.values())))
    folding.append(Choice(PREFERENCE, PREFERENCES))
    return replace(space, knobs=(*searched.values(), *folding))


def _added(network: Network, layers: Mapping[str, Knobs]) -> dict[str, Knobs]:
    """Return the knobs of layers whose outputs are joined, less what they cannot do.

    Activations that are added have one width, of 2 bits or more: a width of 1 is left out. Those that are only
    concatenated have one width, too. Channels that meet
    others stay, so filters are not pruned there.

    Raises:
        UsageError: layers whose activations are joined list different widths, or are added and list 1 bit only.
    """
    found = dict(layers)
    for group in shared_codes(network):
        listed, least = {layers[n].activation_bits for n in group}, least_bits(network, group)
        kept = tuple(b for b in layers[group[0]].activation_bits or () if b >= least)
        if len(listed) > 1 or not kept:
            msg = (
                f"activations of {', '.join(group)} are {'added' if least > 1 else 'joined'}: their activation_bits must be the same, and of"
                f" {least} or more, got {', '.join(str(list(b or ())) for b in sorted(listed, key=str))};"
                " give these layers one list"
            )
            raise UsageError(msg)
        found.update({n: replace(found[n], activation_bits=kept) for n in group})
    for name in fixed_channels(network):
        schemes = found[name].scheme
        if schemes is None:
            continue
        kept_schemes = tuple(s for s in schemes if s != "filter")
        found[name] = replace(found[name], scheme=kept_schemes)
        if not kept_schemes:
            found[name] = replace(found[name], scheme=None, sparsity=(0.0,))
    return found


def _skipping(network: Network, layers: Mapping[str, Knobs]) -> dict[str, Knobs]:
    """Return the knobs of layers that cannot skip positions: they keep all of them.

    Raises:
        UsageError: such a layer lists shares of positions, and 1 is none of them.
    """
    found = {}
    for layer in network.matrix_layers:
        knobs, reason = layers[layer.name], refusal(network, layer)
        if reason is None:
            continue
        if 1.0 not in (knobs.spatial_keep or (1.0,)):
            msg = (
                f"layer {layer.name}: spatial_keep below 1 skips positions, but {reason}; give it to other layers"
                " (space.layers), or list 1 beside the other shares: such layers then keep all positions"
            )
            raise UsageError(msg)
        found[layer.name] = replace(knobs, spatial_keep=(1.0,), spatial_tile=(1,))
    return found


def _listed(knobs: Knobs, knob: str) -> tuple[Any, ...]:
    """Return the values of a knob as they are recorded: numbers and words, a block as "4x4"."""
    values = getattr(knobs, knob) or ()
    return tuple(f"{v[0]}x{v[1]}" for v in values) if knob == "block" else values


def _matters(layer: MatrixLayer, knob: str, knobs: Knobs) -> bool:
    """Whether a knob can change anything: no activation, nothing to prune."""
    if knob == "activation_bits":
        return layer.activation
    if knob == "weight_bits":
        return not layer.constant_weights
    if knob == "spatial_tile":
        return min(knobs.spatial_keep or (1.0,)) < 1
    if knob in EDGE_LOSSES:
        return layer.activation and 1 in (knobs.activation_bits or ())
    if knob in PRUNING_KNOBS and not layer.prunable:
        return False
    if knob == "beta" and "small_world" not in (knobs.scheme or ()):
        return False
    if knob in PRUNING_KNOBS and knob != "sparsity":
        return max(knobs.sparsity or (0.0,)) > 0
    return True


def _override(base: Knobs, level: Knobs) -> Knobs:
    said = {f.name: getattr(level, f.name) for f in fields(Knobs) if f.name != "tie"}
    return replace(base, **{k: v for k, v in said.items() if v is not None})


def _cycles(space: SearchSpace, searched: Sequence[Knob]) -> Range:
    """Return the range of cycle targets: from the fastest folding of any extreme to the slowest."""
    ends = []
    for index in (0, -1):
        values = {k.name: k.values[index] for k in searched if isinstance(k, Choice)}
        ends.append(space.folder(space.compressions(values)).targets())
    return Range(CYCLES, float(min(e[0] for e in ends)), float(max(e[1] for e in ends)), log=True)
