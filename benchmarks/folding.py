"""Folding against the rules of others: `python benchmarks/folding.py [NETWORK ...]` prints tables.

Every method chooses PE, SIMD and window width of every layer from the same options, priced by the
same tables, and is asked for the highest frame rate that the board allows. Seconds are of CPU, one thread. Two prices: our analytic
model at the upper ends of its intervals, within the usable share of the board, converters and FIFOs
included; and FINN's own formulas, within the whole device, without converters and FIFOs, as in FINN's
estimates. Frame rates and resources are predicted. The others keep weights where FINN's `auto` puts them.

Re-implemented here from descriptions, nothing is their code:
    SetFolding (FINN compiler, `target_fps`): per layer SIMD up to 36 bits of weights, then PE, until the
        target is met; a second pass relaxes to the slowest layer. Best that fits of all targets and
        four widths.
    SAMO's rule and annealing (Montgomerie-Corcoran et al., FPL 2022): widen the slowest layer by the
        next step of least utilisation; random changes, accepted by temperature.
    Optuna, raw: a number for PE, SIMD and window of every layer; TPE and NSGA-II with constraints.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass

import numpy as np
import optuna

from cost_models import _finn, analytic
from cost_models._model import CostModel, ResourceArrays, UnitPrediction
from dse.ir import plugins
from dse.ir.hardware import RESOURCES, Resources
from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network
from dse.ir.units import ProductUnit, SlidingWindowUnit, Unit
from dse.search import standalone
from dse.search.fold import Folder
from dse.search.fold_fit import fastest
from dse.search.fold_front import candidates, fold_front, resources_of, usable
from dse.search.upper import at_upper_ends
from hw_templates._boards import load_board

CASES = {
    "tfc": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "sfc": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "lfc": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "cnv": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "mobilenet_v1": ("U280", ((1, 1), (4, 4))),
    "resnet50": ("U280", ((1, 1), (4, 4))),
}
SHALLOW = 128  # words: up to here FINN's `auto` keeps weights in LUTs
WIDTHS = (36, 72, 144, 1000)  # mvau_wwidth_max; 36 is FINN's default
REPEATS = 5


@dataclass(frozen=True, eq=False)
class FinnModel:
    """FINN's estimates: no flip-flops, no converters, no FIFOs; weights where `auto` puts them."""

    source: str = "FINN's formulas"

    def predict(self, unit: Unit) -> UnitPrediction:
        lut = dsp = bram = np.zeros(())
        if isinstance(unit, ProductUnit):
            depth = np.asarray(unit.depth)
            word = np.asarray(unit.pe) * unit.simd * unit.weight_bits
            shallow = depth <= SHALLOW
            terms = _finn.mvau_lut(
                unit.pe,
                unit.simd,
                unit.weight_bits,
                unit.input_bits,
                np.asarray(unit.acc_bits),
                unit.output_bits,
                np.ceil(np.asarray(unit.mh) / unit.pe),
                depth,
                lut_multipliers=unit.compute == "lut",
                lut_weights=True,
            )
            lut = terms.total - np.where(shallow, 0.0, terms.weights)
            bram = np.where(shallow, 0.0, _finn.bram18(word, depth))
            if unit.compute == "dsp":
                dsp = _finn.mvau_dsp(unit.pe, unit.simd, unit.weight_bits, unit.input_bits)
        elif isinstance(unit, SlidingWindowUnit):
            width = np.asarray(unit.simd) * unit.bits
            depth = unit.width * (np.asarray(unit.channels) // unit.simd)
            lut = 300.0 + 0.0 * width
            bram = (unit.kernel + unit.stride) * _finn.bram18(width, depth)
        zero = np.zeros(())
        parts = ResourceArrays(*np.broadcast_arrays(lut, zero, dsp, bram, zero))
        return UnitPrediction(parts, parts, parts)


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


def least_lut(folder: Folder, limits: Resources, cycles: int) -> float:
    """Return the fewest LUTs that a folding within the limits and so many cycles needs."""
    weights = np.array([1 / folder.board.lut, 0, 0, 0, 0])
    needs = folder.resources(folder.least(cycles, weights))
    if all(a <= b for a, b in zip(astuple(needs), astuple(limits), strict=True)):
        return needs.lut
    front = fold_front(folder, limits, [cycles])
    return float(front.resources[:, 0].min()) if len(front) else math.nan


def methods(table: Table, trials: int) -> Iterator[tuple[str, Callable[[], list[int] | None]]]:
    yield "SetFolding, best that fits", lambda: best_set_folding(table)
    yield "SAMO's rule, re-implemented", lambda: samo_rule(table)
    yield "SAMO's annealing, re-impl.", lambda: samo_annealing(table, 10 * trials)
    yield f"Optuna TPE, raw, {trials}", lambda: raw_optuna(table, "TPE", trials)
    yield f"Optuna NSGA-II, raw, {5 * trials}", lambda: raw_optuna(table, "NSGA-II", 5 * trials)


def compare(name: str, bits: tuple[int, int], prices: str, trials: int) -> bool:
    """Print one table; return whether no other method is faster, or as fast with fewer LUTs."""
    board = load_board(CASES[name][0])
    model: CostModel = FinnModel()
    limits = board.resources
    if prices == "dse":
        model, limits = at_upper_ends(analytic.load(board.family)), usable(board)
    network = standalone.built(name, None, None, None, {})
    start = time.process_time()
    folder = Folder.build(network, standalone.uniform(network, *bits), board, model, {})
    ours = fastest(folder, limits)
    seconds = time.process_time() - start
    print(f"\n{name} w{bits[0]}a{bits[1]}, {board.name}, prices: {prices}; predicted at 100 MHz")
    print(
        f"{'method':<30}{'frames/s':>12}{'LUT':>10}{'BRAM18':>8}{'DSP':>7}{'seconds':>9}"
        f"{'ours at this speed':>20}"
    )

    def line(label: str, cycles: int, needs: np.ndarray, seconds: float, least: float) -> None:
        lut, _, dsp, bram, _ = needs
        gain = f"{least:,.0f} LUT {least / lut - 1:+.0%}"
        print(
            f"{label:<30}{1e8 / cycles:>12,.1f}{lut:>10,.0f}{bram:>8,.0f}{dsp:>7,.0f}{seconds:>9.2f}{gain:>20}"
        )

    if ours is None:
        print("nothing fits")
        return True
    needs = np.array(astuple(folder.resources(ours.design)))
    label = f"ours, {'proven' if ours.proven else 'not proven'} fastest"
    line(label, ours.cycles, needs, seconds, least_lut(folder, limits, ours.cycles))
    table, won = Table.of(network, folder, limits), True
    for label, method in methods(table, trials):
        start = time.process_time()
        entries = method()
        seconds = time.process_time() - start
        if entries is None:
            print(f"{label:<30}{'nothing that fits':>20}{seconds:>36.2f}")
            continue
        cycles, own = table.cycles(entries), table.needs(entries)
        least = least_lut(folder, limits, cycles)
        line(label, cycles, own, seconds, least)
        won &= ours.cycles <= cycles and least <= own[0] * (1 + 1e-9)
    return won


def speed(names: list[str]) -> None:
    """Print how long our own steps take."""
    print(
        f"\n{'seconds':<14}{'':6}{'options':>9}{'tables':>9}{'target':>9}{'fastest':>9}{'front':>9}"
        f"{'points':>9}  what the front is"
    )
    for name in names:
        for bits in CASES[name][1]:
            board = load_board(CASES[name][0])
            network = standalone.built(name, None, None, None, {})
            compressions = standalone.uniform(network, *bits)
            model, limits = analytic.load(board.family), usable(board)
            start = time.process_time()
            folder = Folder.build(network, compressions, board, model, {})
            tables = time.process_time() - start
            middle = math.prod(folder.targets()) ** 0.5
            target = min(
                _seconds(lambda f=folder, t=middle: f.solve(t, 0.5)) for _ in range(REPEATS)
            )
            quick = _seconds(lambda f=folder, x=limits: fastest(f, x))
            start = time.process_time()
            front = fold_front(folder, limits)
            whole = time.process_time() - start
            options = sum(len(o.fold) * len(o.styles) for o in folder.options)
            s = front.slack
            what = (
                "exact"
                if front.exact
                else f"within {front.lut_share:.0%} LUT, {s.bram18:,.0f} BRAM18, {s.dsp:,.0f} DSP"
            )
            print(
                f"{name:<14}{f'w{bits[0]}a{bits[1]}':6}{options:>9,}{tables:>9.3f}{target:>9.4f}{quick:>9.3f}"
                f"{whole:>9.2f}{len(front):>9,}  {what}"
            )


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    known = [n for n in CASES if n in plugins.names("dse.networks")]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("networks", nargs="*", default=known, metavar="NETWORK")
    parser.add_argument(
        "--trials", type=int, default=100, help="of Optuna's TPE; others in proportion"
    )
    parser.add_argument("--speed", action="store_true", help="only how long our own steps take")
    args = parser.parse_args()
    names = [n.replace("-", "_") for n in args.networks]
    if not args.speed:
        won = [
            compare(name, bits, prices, args.trials)
            for name in names
            for bits in CASES[name][1]
            for prices in ("dse", "FINN")
        ]
        print(f"\nnever beaten in {sum(won)} of {len(won)} tables")
    speed(names)


if __name__ == "__main__":
    main()
