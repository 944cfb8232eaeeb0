"""The cheapest legal folding that meets a cycle target, solved exactly.

Layers are joined by width converters and FIFOs, whose price depends on the widths of the words on
both sides and on how many of them must wait. So the cheapest folding of a chain is a shortest path:
nodes are output widths and doors (see `LayerOptions`), edges are the options of a layer (the
cheapest between two nodes) and what joins two layers. The path is found by dynamic programming, through
branches too (`dse.folding.shortest`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from cost_models._model import CostModel
from dse.compression import effective
from dse.config.values import Knobs
from dse.folding.options import Array, LayerOptions, layer_options
from dse.folding.prices import Floats, fork_resources, joint_resources
from dse.folding.shortest import FORBIDDEN, Costs, Graph
from dse.ir.design import EDGE_SKIPS, MEMORIES, Compression, DesignPoint, Folding, LayerDesign
from dse.ir.edge_skip import pooling_behind
from dse.ir.graph import Series, series
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.lowering.branches import reads, waiting_words
from dse.lowering.joints import PLAIN_DEPTH
from dse.lowering.main_units import element_types, sum_types

# UltraRAM of UltraScale+ has no initial contents (AMD UG573): weights have to be loaded, so it is asked for
OFFERED = tuple(m for m in MEMORIES if m != "uram")
NO_STEPS: Mapping[str, int] = MappingProxyType({})
TIE = 1e-3  # weight of every resource beside its preference: nothing is free
UNIT = 1e-12  # costs are whole multiples of it, so that sums and ties do not depend on rounding


def offered(board: Board, pins: Knobs) -> tuple[str, ...]:
    """Return the memories that a layer chooses from: UltraRAM only where it is named and the board has some."""
    asked = pins.memory is not None and "uram" in pins.memory
    return MEMORIES if asked and board.resources.uram else OFFERED


def cost_weights(board: Resources, preference: float) -> Floats:
    """Return the cost of one LUT, FF, DSP, BRAM18 and URAM.

    Args:
        board: what the board has; a resource that it lacks costs nothing (nothing can be built of
            it).
        preference: 0 saves LUTs, 1 saves block RAM, UltraRAM and DSPs; shares of the board count.
    """
    taste = Resources(lut=1 - preference, ff=0, dsp=preference, bram18=preference, uram=preference)
    return np.array(
        [
            (getattr(taste, r) + TIE) / getattr(board, r) if getattr(board, r) else 0.0
            for r in RESOURCES
        ]
    )


@dataclass(frozen=True, eq=False)
class Joint:
    """What stands between two layers, and the fork behind the first where the second begins its first branch.

    Attributes:
        source: place of the layer before.
        target: place of the layer.
        port: which input of the layer it leads to.
        resources: `(outs of the layer before, doors of the layer, 5)`.
    """

    source: int
    target: int
    port: int
    resources: Floats


@dataclass(frozen=True, eq=False)
class Folder:
    """The foldings of one compressed network on one board.

    Attributes:
        names: the layers in order.
        parts: the layers as they are built, in a row and in blocks.
        compressions: canonical, of every matrix layer.
        options: the options of every layer.
        joints: between layers, in the order of the second; of a chain one for every layer but the first.
        exit: `(outs of the last layer, 5)` resources of what hands out one score per word.
        classes: cycles that handing out the scores takes.
        board: resources of the board.
        pins: what the study restricts, by layer.
    """

    names: tuple[str, ...]
    parts: Series
    compressions: Mapping[str, Compression]
    options: tuple[LayerOptions, ...]
    joints: tuple[Joint, ...]
    exit: Floats
    classes: int
    board: Resources
    pins: Mapping[str, Knobs]

    @staticmethod
    def build(
        network: Network,
        compressions: Mapping[str, Compression],
        board: Board,
        model: CostModel,
        pins: Mapping[str, Knobs],
    ) -> Folder:
        """Price all options of all layers.

        Args:
            network: the network of the study.
            compressions: canonical, one per matrix layer.
            board: the board.
            model: prices the units; must be hashable (by identity will do).
            pins: values that `pe`, `simd`, `memory`, `compute` and `edge_skip` of a layer are restricted to.
                Values that are illegal for a layer are dropped.

        Raises:
            UsageError: no pinned value is legal for a layer.
        """
        built, structures = effective(network, compressions)
        types = element_types(network, compressions)
        sums = sum_types(network, compressions)
        options = tuple(
            layer_options(
                layer,
                types[layer.name],
                structures.get(layer.name),
                compressions.get(layer.name),
                offered(board, pins.get(layer.name, Knobs())),
                _folding_knobs(pins.get(layer.name, Knobs())),
                model,
                sums.get(layer.name),
                pooling_behind(built, layer),
            )
            for layer in built.layers
        )
        names = tuple(layer.name for layer in network.layers)
        joints = _joints(built, types, sums, dict(zip(names, options, strict=True)), model)
        last = options[-1]
        scores = joint_resources(
            built.layers[-1],
            tuple(last.outs.tolist()),
            ((1, PLAIN_DEPTH),),
            last.out_bits,
            network.classes,
            window=False,
            model=model,
        )
        return Folder(
            names,
            series(built),
            dict(compressions),
            options,
            joints,
            scores[:, 0],
            network.classes,
            board.resources,
            dict(pins),
        )

    def targets(self) -> tuple[int, int]:
        """Return the cycles between frames of the fastest and of the slowest folding."""
        fastest = max(int(o.cycles.min()) for o in self.options)
        slowest = max(int(o.cycles.max()) for o in self.options)
        return max(fastest, self.classes), max(slowest, self.classes)

    def solve(
        self, target_cycles: float, preference: float, steps: Mapping[str, int] = NO_STEPS
    ) -> DesignPoint:
        """Return the cheapest design of which every unit needs at most `target_cycles` per frame.

        A layer that cannot meet the target is folded as fast as it can be.

        Args:
            target_cycles: cycles between frames.
            preference: 0 saves LUTs, 1 saves block RAM, UltraRAM and DSPs.
            steps: by layer, how many legal foldings faster than the target (see `LayerOptions.limit`).
        """
        return self.least(target_cycles, cost_weights(self.board, preference), steps)

    def least(
        self, target_cycles: float, weights: Floats, steps: Mapping[str, int] = NO_STEPS
    ) -> DesignPoint:
        """Return the design as in `solve` with the least sum of weighted resources.

        Args:
            target_cycles: cycles between frames.
            weights: `(5,)` of `RESOURCES`, none negative; sums of about 1 for a board that is full.
            steps: as in `solve`.
        """
        allowed = [
            o.cycles <= o.limit(target_cycles, steps.get(name, 0))
            for name, o in zip(self.names, self.options, strict=True)
        ]
        return self._cheapest(allowed, weights)

    def free(self, choices: Mapping[str, tuple[float, float]], preference: float) -> DesignPoint:
        """Return the cheapest design whose matrix units are folded as chosen.

        Window units keep pace with the matrix unit of their layer, pooling units with the slowest
        matrix unit, as far as they can.

        Args:
            choices: per matrix layer two numbers in [0, 1] that pick PE and SIMD among the legal
                values.
            preference: as in `solve`.
        """
        folds = {name: self._pick(name, choice) for name, choice in choices.items()}
        pace = {n: int(self._of(n).main_cycles[row]) for n, row in folds.items()}
        allowed = []
        for name, o in zip(self.names, self.options, strict=True):
            usable = o.fold == folds[name] if name in folds else np.ones_like(o.fold, dtype=bool)
            limit = max(pace.get(name, max(pace.values())), int(o.cycles[usable].min()))
            allowed.append(usable & (o.cycles <= limit))
        return self._cheapest(allowed, cost_weights(self.board, preference))

    def picked(self, choices: Mapping[str, tuple[float, float]]) -> dict[str, Knobs]:
        """Return pins that fold the matrix layers as chosen (see `free`)."""
        pins = {}
        for name, choice in choices.items():
            row, o = self._pick(name, choice), self._of(name)
            pins[name] = replace(
                self.pins.get(name, Knobs()),
                pe=(int(o.pe[row]),),
                simd=(int(o.simd[row]),),
                edge_skip=(EDGE_SKIPS[o.edge_skip[row]],),
            )
        return pins

    def design(self, entries: Array, styles: Array) -> DesignPoint:
        """Return a design by the rows of every layer's options and styles, `(L,)` each."""
        rows = zip(self.names, self.options, entries.tolist(), styles.tolist(), strict=True)
        return DesignPoint(
            tuple(
                (n, LayerDesign(self.compressions.get(n), o.folding(e, s))) for n, o, e, s in rows
            )
        )

    def resources(self, design: DesignPoint) -> Resources:
        """Return what a design of these options needs, as their cost model prices it."""
        return Resources(*self.needs(design).tolist())

    def needs(self, design: DesignPoint) -> Floats:
        """Return `resources` as an array, `(5,)`."""
        total = np.zeros(len(RESOURCES))
        doors, outs = [], []
        for name, o in zip(self.names, self.options, strict=True):
            entry, style = _place(o, design[name].folding)
            total += o.fixed[entry] + o.main[style, o.fold[entry]]
            doors.append(o.door_index[entry])
            outs.append(o.out_index[entry])
        for joint in self.joints:
            total += joint.resources[outs[joint.source], doors[joint.target]]
        total += self.exit[outs[-1]]
        return total

    def cycles(self, design: DesignPoint) -> int:
        """Return the cycles between frames of a design of these options."""
        pairs = zip(self.names, self.options, strict=True)
        slowest = max(int(o.cycles[_place(o, design[n].folding)[0]]) for n, o in pairs)
        return max(slowest, self.classes)

    def _of(self, name: str) -> LayerOptions:
        return self.options[self.names.index(name)]

    def _pick(self, name: str, choice: tuple[float, float]) -> int:
        """Return the row of the chosen PE and, among the SIMDs that go with it, SIMD."""
        o = self._of(name)
        pes = np.unique(o.pe)
        rows = np.flatnonzero(o.pe == pes[min(int(choice[0] * len(pes)), len(pes) - 1)])
        rows = rows[np.argsort(o.simd[rows])]
        return int(rows[min(int(choice[1] * len(rows)), len(rows) - 1)])

    def _cheapest(
        self, allowed: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]], weights: Floats
    ) -> DesignPoint:
        """Return the shortest path through the allowed entries."""
        costs, styles = {}, {}
        for name, o, usable in zip(self.names, self.options, allowed, strict=True):
            by_style = _cost(o.main, weights)
            styles[name] = by_style.argmin(axis=0)
            entry = _cost(o.fixed, weights) + by_style.min(axis=0)[o.fold]
            costs[name] = Costs(
                np.where(usable, entry, FORBIDDEN),
                o.door_index,
                o.out_index,
                len(o.doors),
                len(o.outs),
            )
        joints = {(self.names[j.target], j.port): _cost(j.resources, weights) for j in self.joints}
        entries = Graph(costs, joints, _cost(self.exit, weights)).cheapest(self.parts)
        chosen = [entries[n] for n in self.names]
        picked = zip(self.names, self.options, chosen, strict=True)
        return self.design(np.array(chosen), np.array([styles[n][o.fold[e]] for n, o, e in picked]))


def _joints(
    built: Network,
    types: Mapping[str, IntType],
    sums: Mapping[str, IntType],
    options: Mapping[str, LayerOptions],
    model: CostModel,
) -> tuple[Joint, ...]:
    """Price what stands between the layers of the built network, forks included."""
    found, places = [], {layer.name: i for i, layer in enumerate(built.layers)}
    for read in reads(built):
        source, target = read.source, read.target
        outs, doors = tuple(options[source.name].outs.tolist()), options[target.name].doors
        if read.block is not None:
            words = waiting_words(read.block, read.port, doors[:, 0])
            doors = np.stack([doors[:, 0], np.asarray(words)], axis=1)
        bits = (sums if read.port and target.name in sums else types)[target.name].bits
        resources = joint_resources(
            read.before,
            outs,
            tuple((w, n) for w, n in doors.tolist()),
            bits,
            int(np.prod(target.shape_of(read.port))),
            window=target.windowed,
            model=model,
        )
        if read.opens:
            resources = resources + fork_resources(source, outs, bits, model)[:, None]
        found.append(Joint(places[source.name], places[target.name], read.port, resources))
    return tuple(found)


def _place(o: LayerOptions, folding: Folding) -> tuple[int, int]:
    """Return the entry and the style that a folding is."""
    same = (o.pe[o.fold] == folding.pe) & (o.simd[o.fold] == folding.simd)
    same &= o.edge_skip[o.fold] == EDGE_SKIPS.index(folding.edge_skip)
    entry = int(np.flatnonzero(same & (o.swu_simd == folding.swu_simd))[0])
    return entry, o.styles.index((folding.memory, folding.compute))


def _cost(resources: Floats, weights: Floats) -> Array:
    """Return the cost of `(..., 5)` resources in whole `UNIT`s."""
    total = np.zeros(resources.shape[:-1])
    for i, weight in enumerate(weights):
        total = total + weight * resources[..., i]
    return np.rint(total / UNIT).astype(np.int64)


def _folding_knobs(pins: Knobs) -> Knobs:
    """Return only what restricts a folding, so that tables are shared between compressions."""
    kept = ("pe", "simd", "memory", "compute", "edge_skip")
    return Knobs(**{k: getattr(pins, k) for k in kept})
