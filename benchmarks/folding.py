"""Folding against the rules of others: `python benchmarks/folding.py [NETWORK ...]` prints tables.

Every method chooses PE, SIMD and window width of every layer from the same options, priced by the
same tables, and is asked for the highest frame rate that the board allows. Seconds are of CPU, one thread. Two prices: our analytic
model at the upper ends of its intervals, within the usable share of the board, converters and FIFOs
included; and FINN's own formulas, within the whole device, without converters and FIFOs, as in FINN's
estimates. Frame rates and resources are predicted. The others keep weights where FINN's `auto` puts them.

The other methods are re-implemented (`folding_rivals.py`); where the package `samo` is installed (extra `samo`), its
optimisers run as they are beside these (`folding_samo.py`).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from folding_rivals import (
    SHALLOW,
    Table,
    best_set_folding,
    raw_optuna,
    samo_annealing,
    samo_rule,
)

from cost_models import _finn, analytic
from cost_models._model import CostModel, ResourceArrays, UnitPrediction
from dse.folding import standalone
from dse.folding.fold import Folder
from dse.folding.fold_fit import cheapest, fastest
from dse.folding.fold_front import fold_front, usable
from dse.folding.upper import at_upper_ends
from dse.ir import plugins
from dse.ir.hardware import Resources
from dse.ir.network import Network
from dse.ir.units import ProductUnit, SlidingWindowUnit, Unit
from hw_templates._boards import load_board

CASES = {
    "tfc": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "sfc": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "lfc": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "cnv": ("Pynq-Z1", ((1, 1), (1, 2), (2, 2))),
    "mobilenet_v1": ("U280", ((1, 1), (4, 4))),
    "resnet8": ("Pynq-Z1", ((2, 2), (4, 4))),
    "resnet50": ("U280", ((2, 2), (4, 4))),
}
REPEATS = 5


def _samo() -> str | None:
    try:
        return version("samo")
    except PackageNotFoundError:
        return None


SAMO = _samo()


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


def least_lut(folder: Folder, limits: Resources, cycles: int) -> float:
    """Return the fewest LUTs that a folding within the limits and so many cycles needs."""
    weights = np.array([1 / folder.board.lut, 0, 0, 0, 0])
    needs = folder.resources(folder.least(cycles, weights))
    if all(a <= b for a, b in zip(astuple(needs), astuple(limits), strict=True)):
        return needs.lut
    front = fold_front(folder, limits, [cycles])
    found = front.resources[:, 0].tolist()
    cheap = cheapest(folder, limits, cycles, preference=0.0)  # where the front was thinned
    if cheap is not None:
        found.append(folder.resources(cheap.design).lut)
    return min(found, default=math.nan)


def methods(
    table: Table, network: Network, trials: int
) -> Iterator[tuple[str, Callable[[], list[int] | None]]]:
    yield "SetFolding, best that fits", lambda: best_set_folding(table)
    yield "SAMO's rule, re-implemented", lambda: samo_rule(table)
    yield "SAMO's annealing, re-impl.", lambda: samo_annealing(table, 10 * trials)
    if SAMO:
        import folding_samo

        yield f"samo {SAMO}, rule", lambda: folding_samo.rule(table, network)
        yield f"samo {SAMO}, annealing", lambda: folding_samo.annealing(table, network)
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
        print(f"{'ours':<30}{'nothing that fits':>20}{seconds:>36.2f}")
    else:
        needs = np.array(astuple(folder.resources(ours.design)))
        label = f"ours, {'proven' if ours.proven else 'not proven'} fastest"
        line(label, ours.cycles, needs, seconds, least_lut(folder, limits, ours.cycles))
    table, won = Table.of(network, folder, limits), True
    for label, method in methods(table, network, trials):
        start = time.process_time()
        entries = method()
        seconds = time.process_time() - start
        if entries is None:
            print(f"{label:<30}{'nothing that fits':>20}{seconds:>36.2f}")
            continue
        cycles, own = table.cycles(entries), table.needs(entries)
        least = least_lut(folder, limits, cycles)
        line(label, cycles, own, seconds, least)
        won &= ours is not None and ours.cycles <= cycles and least <= own[0] * (1 + 1e-9)
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
        print(f"SAMO: re-implemented, and {f'the package, {SAMO}' if SAMO else 'not the package'}")
    speed(names)


if __name__ == "__main__":
    main()
