"""SAMO itself (PyPI package `samo` 0.2.4, MIT) on the tables of `benchmarks/folding.py`.

Every layer is a node of SAMO's: its input folding is SIMD, its output folding PE (of layers without weights both are
the same, and are matched), its latency the cycles and the network's resources the needs of the same tables. Windows are
the narrowest that keep pace. Partitions are off, the objective is latency. What SAMO does with widths that do not divide
each other is a setting of its nodes: both are tried, the better one counts. Optimisers as they come, but for 5 random
changes a step of the annealing in place of 100 (better in every try), at most `STEPS` steps.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from folding_rivals import Table
from samo.model import Network, Node, Partition
from samo.optimiser.annealing import SimulatedAnnealing
from samo.optimiser.rule import RuleBased

from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network as Layers

STEPS = 5000
CHANGES = 5  # of one step of the annealing; SAMO's default is 100
UNLIMITED = 1e12


class _EnoughSteps(Exception):
    pass


class LayerNode(Node):
    def __init__(self, table: Table, number: int, *, matrix: bool, divisible: bool) -> None:
        o = table.folder.options[number]
        self.simd = np.unique(o.simd if matrix else o.pe).tolist()
        self.pe = np.unique(o.pe).tolist()
        # (in, out) -> entry: the narrowest window that does not hold up the matrix unit, or else the widest
        self.entries: dict[tuple[int, int], int] = {}
        self.cycles = o.cycles
        for e in np.argsort(o.swu_simd, kind="stable").tolist():
            row = o.fold[e]
            key = (int(o.simd[row]) if matrix else int(o.pe[row])), int(o.pe[row])
            have = self.entries.get(key)
            if have is None or o.cycles[have] > max(o.cycles[e], o.main_cycles[row]):
                self.entries[key] = e
        super().__init__(1, 1, 1, 1)
        self.constraints = {
            "matching_intra_folding": not matrix,
            "matching_inter_folding": False,
            "divisible_inter_folding": divisible,
        }
        self.reset()

    def __hash__(self) -> int:
        return id(self)

    def __deepcopy__(self, memo: Any) -> LayerNode:
        copied = object.__new__(LayerNode)
        copied.__dict__.update(self.__dict__)
        return copied

    @property
    def valid_channel_in_folding(self) -> list[int]:
        return self.simd

    @property
    def valid_channel_out_folding(self) -> list[int]:
        return self.pe

    @property
    def entry(self) -> int | None:
        return self.entries.get((self.channel_in_folding, self.channel_out_folding))

    def latency(self) -> float:
        return UNLIMITED if self.entry is None else int(self.cycles[self.entry])

    def reset(self) -> None:
        self.channel_in_folding, self.channel_out_folding = min(self.entries)


def partition_class(table: Table) -> type[Partition]:
    """Return SAMO's partition with resources of the table, which counts what it is asked and keeps the best."""

    class TablePartition(Partition):
        asked = 0
        best: tuple[int, list[int]] | None = None

        def entries(self) -> list[int | None]:
            return [self.nodes[n]["hw"].entry for n in table.folder.names]

        def eval_resource(self) -> dict[str, float]:
            entries = self.entries()
            if None in entries:
                return dict.fromkeys(("LUT", "FF", "DSP", "BRAM"), UNLIMITED)
            lut, ff, dsp, bram, _ = table.needs(entries).tolist()
            return {"LUT": lut, "FF": ff, "DSP": dsp, "BRAM": bram}

        def check_constraints(self) -> bool:
            kind = type(self)
            kind.asked += 1
            fits = bool(super().check_constraints())
            if fits:
                entries = self.entries()
                cycles = table.cycles(entries)
                if kind.best is None or cycles < kind.best[0]:
                    kind.best = (cycles, entries)
            if kind.asked > STEPS:
                raise _EnoughSteps
            return fits

    return TablePartition


def _network(table: Table, layers: Layers, *, divisible: bool) -> Any:
    partition = partition_class(table)()
    for i, layer in enumerate(layers.layers):
        matrix = isinstance(layer, MatrixLayer)
        partition.add_node(layer.name, hw=LayerNode(table, i, matrix=matrix, divisible=divisible))
        for before in layer.inputs:
            if before != "input":
                partition.add_edge(before, layer.name)
    lut, ff, dsp, bram, _ = table.limits.tolist()
    partition.platform = {
        "resources": {"LUT": lut, "FF": ff, "DSP": dsp, "BRAM": bram},
        "bandwidth": UNLIMITED,
        "reconf_time": 0.0,
    }
    network = Network(partition)
    network.reference = None  # only looked at where partitions are split
    network.enable_reconf, network.batch_size, network.objective = False, 1, "latency"
    return network


def _best(table: Table, layers: Layers, optimiser: Any) -> list[int] | None:
    found = []
    for divisible in (True, False):
        network = _network(table, layers, divisible=divisible)
        kind = type(network.partitions[0])
        if not network.check_constraints():
            continue
        with _quiet(), contextlib.suppress(_EnoughSteps):
            optimiser(network).optimise()
        assert kind.best is not None
        found.append(kind.best)
    return min(found)[1] if found else None


def rule(table: Table, layers: Layers) -> list[int] | None:
    return _best(table, layers, RuleBased)


def annealing(table: Table, layers: Layers, seed: int = 0) -> list[int] | None:
    def optimiser(network: Any) -> Any:
        random.seed(seed)
        np.random.seed(seed)  # the package draws from the global one
        made = SimulatedAnnealing(network, iterations=CHANGES)
        made.start_time = time.time()
        return made

    return _best(table, layers, optimiser)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop progress bars, and the log that the annealing writes to `outputs/`."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        Path(folder, "outputs").mkdir()
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
