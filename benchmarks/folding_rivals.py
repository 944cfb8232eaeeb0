"""The other methods of `benchmarks/folding.py`, re-implemented from descriptions; nothing is their code.

SetFolding (FINN compiler, `target_fps`): per layer SIMD up to 36 bits of weights, then PE, until the
    target is met; a second pass relaxes to the slowest layer. Best that fits of all targets and four widths.
SAMO's rule and annealing (Montgomerie-Corcoran et al., FPL 2022): widen the slowest layer by the
    next step of least utilisation; random changes, accepted by temperature.
Optuna, raw: a number for PE, SIMD and window of every layer; TPE and NSGA-II with constraints.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np
import optuna

from dse.folding.fold import Folder
from dse.folding.fold_front import candidates, resources_of
from dse.ir.hardware import RESOURCES, Resources
from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network

SHALLOW = 128  # words: up to here FINN's `auto` keeps weights in LUTs
WIDTHS = (36, 72, 144, 1000)  # mvau_wwidth_max; 36 is FINN's default


@dataclass(frozen=True, eq=False)
class Table:
    """The options of a network as the other methods see them: entries with FINN's `auto` memories."""

    folder: Folder
    limits: np.ndarray
    styles: tuple[np.ndarray, ...]  # per layer, of every entry

    @staticmethod
    def of(network: Network, folder: Folder, limits: Resources) -> Table:
        styles = []
        for layer, o in zip(network.layers, folder.options, strict=True):
            vectors = layer.vectors if isinstance(layer, MatrixLayer) else 1
            depth = o.main_cycles[o.fold] // vectors
            wanted = np.where(depth <= SHALLOW, "lutram", "bram")
            names = [m for m, c in o.styles if c == "lut"]
            styles.append(
                np.array([o.styles.index((m if m in names else names[0], "lut")) for m in wanted])
            )
        return Table(folder, np.array(astuple(limits)), tuple(styles))

    def needs(self, entries: list[int]) -> np.ndarray:
        style = np.array([[s[e] for s, e in zip(self.styles, entries, strict=True)]])
        return resources_of(self.folder, np.array([entries]), style)[0]

    def cycles(self, entries: list[int]) -> int:
        pairs = zip(self.folder.options, entries, strict=True)
        return max(self.folder.classes, *(int(o.cycles[e]) for o, e in pairs))

    def fits(self, entries: list[int]) -> bool:
        return bool((self.needs(entries) <= self.limits).all())


def set_folding(table: Table, target: int, width: int) -> list[int]:
    """FINN's rule, with its second pass."""
    entries = [_set_layer(table.folder, i, target, width) for i in range(len(table.folder.names))]
    reached = table.cycles(entries)
    if reached > target:
        entries = [_set_layer(table.folder, i, reached, width) for i in range(len(entries))]
    return entries


def _set_layer(folder: Folder, layer: int, target: int, width: int) -> int:
    o = folder.options[layer]
    compression = folder.compressions.get(folder.names[layer])
    bits = 1 if compression is None else compression.weight_bits
    simds = [s for s in np.unique(o.simd) if s * bits <= width] or [int(o.simd.min())]
    cycles = {(int(p), int(s)): int(c) for p, s, c in zip(o.pe, o.simd, o.main_cycles, strict=True)}
    pe = int(o.pe.min())
    simd = next((s for s in simds if cycles[pe, int(s)] <= target), simds[-1])
    pes = [p for p in np.unique(o.pe) if (int(p), int(simd)) in cycles]
    pe = next((p for p in pes if cycles[int(p), int(simd)] <= target), pes[-1])
    row = np.flatnonzero((o.pe == pe) & (o.simd == simd))[0]
    own = np.flatnonzero(o.fold == row)
    own = own[np.argsort(o.swu_simd[own])]
    return int(next((e for e in own if o.cycles[e] <= target), own[-1]))


def best_set_folding(table: Table) -> list[int] | None:
    found = []
    for target in candidates(table.folder).tolist():
        for width in WIDTHS:
            entries = set_folding(table, target, width)
            if table.fits(entries):
                found.append((table.cycles(entries), table.needs(entries)[0], entries))
    return min(found)[2] if found else None


def samo_rule(table: Table) -> list[int] | None:
    options = table.folder.options
    entries = [int(o.cycles.argmax()) for o in options]
    if not table.fits(entries):
        return None
    while True:
        slowest = int(np.argmax([o.cycles[e] for o, e in zip(options, entries, strict=True)]))
        o = options[slowest]
        faster = o.cycles[o.cycles < o.cycles[entries[slowest]]]
        tries = []
        for e in np.flatnonzero(o.cycles == faster.max()) if len(faster) else ():
            changed = [*entries[:slowest], int(e), *entries[slowest + 1 :]]
            use = table.needs(changed) / np.maximum(table.limits, 1)
            if use.max() <= 1:
                tries.append((float(use.mean()), changed))
        if not tries:
            return entries
        entries = min(tries)[1]


def samo_annealing(table: Table, steps: int, seed: int = 0) -> list[int] | None:
    rng = np.random.default_rng(seed)
    options = table.folder.options
    entries = [int(o.cycles.argmax()) for o in options]
    if not table.fits(entries):
        return None
    best = entries
    for step in range(steps):
        temperature = 1.0 * 0.001 ** (step / steps)
        layer = int(rng.integers(len(options)))
        changed = [*entries]
        changed[layer] = int(rng.integers(len(options[layer].cycles)))
        worse = math.log(table.cycles(changed) / table.cycles(entries))
        if rng.random() < math.exp(-max(worse, 0.0) / temperature) and table.fits(changed):
            entries = changed
            if table.cycles(entries) < table.cycles(best):
                best = entries
    return best


def raw_optuna(table: Table, sampler: str, trials: int) -> list[int] | None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = table.folder.options
    feasible: list[tuple[float, list[int]]] = []

    def entries_of(trial: optuna.trial.BaseTrial) -> list[int]:
        entries = []
        for i, o in enumerate(options):
            values = []
            for name, column in (("pe", o.pe[o.fold]), ("simd", o.simd[o.fold]), ("w", o.swu_simd)):
                legal = np.unique(column)
                values.append(legal[trial.suggest_int(f"{name}{i}", 0, len(legal) - 1)])
            pe, simd, window = values
            same = (o.pe[o.fold] == pe) & (o.simd[o.fold] == simd) & (o.swu_simd == window)
            if not same.any():  # PE and SIMD that do not go together: the nearest that do
                same = (o.pe[o.fold] == pe) & (o.swu_simd == window)
            entries.append(int(np.flatnonzero(same)[0]))
        return entries

    def objective(trial: optuna.Trial) -> float:
        entries = entries_of(trial)
        excess = table.needs(entries) / np.maximum(table.limits, 1) - 1
        for name, value in zip(RESOURCES, excess.tolist(), strict=True):
            trial.set_constraint(name, value)
        if excess.max() <= 0:
            feasible.append((math.log(table.cycles(entries)), entries))
        return math.log(table.cycles(entries))

    kinds = {"TPE": optuna.samplers.TPESampler, "NSGA-II": optuna.samplers.NSGAIISampler}
    study = optuna.create_study(sampler=kinds[sampler](seed=0))
    study.optimize(objective, n_trials=trials)
    return min(feasible)[1] if feasible else None
