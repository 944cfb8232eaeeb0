"""What docs/reproduction.md shows about FuseBNN and HyBNN: python benchmarks/reproduce_hybnn.py PART...

Parts: `fusion` (signs before and after), `sizes`, `shares` (of the auxiliary operators), `lanes` (under yosys), `speed` (at one board),
`constants` (accuracy with fixed-point constants; DSE_DATA names the folder of the data) and `front` (of the finished
study studies/hybnn.yaml, in the folder --study).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import reproduce_hybnn_constants
import reproduce_hybnn_lanes

from cost_models import analytic
from dse.compression import canonical
from dse.errors import NoFeasibleDesignError
from dse.folding.estimate import price
from dse.folding.standalone import Question, built, solve
from dse.ir.design import Compression, DesignPoint
from dse.ir.fusion import FloatHalf, activations, fuse
from dse.ir.hardware import Resources
from dse.ir.layers.thresholding import Thresholding
from dse.ir.network import Network
from dse.ir.stages import flat
from dse.ir.units import LaneUnit
from dse.lowering.pipeline import pipeline
from dse.networks._fused import BLOCKS
from dse.report.view import build_view
from dse.search.study import snapshot
from hw_templates._boards import load_board

BOARD, CLOCK_MHZ = "ZCU102", 200.0
# Single precision in a lane, stated from AMD's Floating-Point Operator (PG060, "full usage"), not synthesised here
MULTIPLY = Resources(lut=80, ff=150, dsp=3)
ADD = Resources(lut=210, ff=330, dsp=2)
COMPARE = Resources(lut=70, ff=10)
FLOAT_LANE = Resources.total([MULTIPLY] * 3 + [ADD] * 5 + [COMPARE])  # of a ReActNet half block


@dataclass(frozen=True)
class System:
    """A network and the bits of each of its blocks."""

    title: str
    model: str
    bits: Callable[[int], int]  # of block 1, 2, ...


def first_and_halving(block: int) -> int:
    """4 bits where information is lost: in the first block and where maps are halved; else 1 bit."""
    return 4 if block == 1 or BLOCKS[block - 1][1] == 2 else 1


BASEBNN = System("BaseBNN", "basebnn", lambda _: 1)
HYBNN = System("HyBNN", "hybnn", first_and_halving)
FOUR_BIT = System("4-bit net", "hybnn", lambda _: 4)
BINARY = System("all-binary DSC", "hybnn", lambda _: 1)
SYSTEMS = (BASEBNN, HYBNN, FOUR_BIT, BINARY)


def compressed(network: Network, bits: Callable[[int], int]) -> Mapping[str, Compression]:
    """Return the compressions of a network whose ends have 8 and 4 bits."""
    wanted = {}
    for layer in network.matrix_layers:
        c = Compression(8, 8 if layer.activation else None)
        if layer.name.startswith("b"):
            b = bits(int(layer.name[1:].split("_")[0]))
            c = Compression(b, b if layer.activation else None)
        wanted[layer.name] = c
    return canonical(network, wanted)


def question(system: System, options: Mapping[str, float], board_name: str = BOARD) -> Question:
    """Return how a system is folded."""
    network = built(system.model, (32, 32, 3), 8, 10, options)
    board = load_board(board_name)
    wanted = compressed(network, system.bits)
    return Question(network, wanted, board, CLOCK_MHZ, analytic.load(board.family))


def fusion() -> None:
    """Print how many signs differ between float and fused halves, random parameters."""
    channels, pixels, count = 64, 100, 6
    different = total = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)

        def normal(rng: np.random.Generator = rng) -> np.ndarray:
            return rng.normal(0, 1, channels)

        def positive(rng: np.random.Generator = rng) -> np.ndarray:
            return np.abs(rng.normal(0, 1, channels)) + 0.1

        halves = [
            FloatHalf(
                sign_bias=normal(),
                alpha=positive(),
                gain=normal(),
                offset=normal(),
                mean=normal(),
                deviation=positive(),
                bias_in=normal(),
                slope=normal(),
                bias_out=normal(),
            )
            for _ in range(count)
        ]
        weights = [rng.choice([-1.0, 1.0], (channels, channels)) for _ in halves]
        products = [lambda b, w=w: b @ w for w in weights]
        x = rng.normal(0, 2, (pixels, channels))
        before, _ = activations(halves, products, x)
        after, _ = activations(fuse(halves)[0], products, x)
        different += sum(int((a != b).sum()) for a, b in zip(before, after, strict=True))
        total += sum(a.size for a in before)
    print(f"{count} half blocks, 10 draws: {different} of {total} signs differ")


def sizes() -> None:
    """Print the bits of the weights of all blocks."""
    print("\n| network | weights of its blocks, Mbit | of the 4-bit net |\n| --- | --- | --- |")
    found = {}
    for system in SYSTEMS:
        network = built(system.model, (32, 32, 3), 8, 10, {})
        found[system.title] = sum(
            layer.mh * layer.mw * c.weight_bits
            for layer in network.matrix_layers
            if (c := compressed(network, system.bits)[layer.name])
            and layer.name.startswith("b")
            and not isinstance(layer, Thresholding)
        )
    for title, bits in found.items():
        print(f"| {title} | {bits / 1e6:.2f} | {bits / found[FOUR_BIT.title]:.2f} |")


def auxiliary(q: Question, design: DesignPoint) -> tuple[Resources, Resources, Resources]:
    """Return what fused lanes and their thresholds cost, the same in floating point, and all the rest."""
    units = flat(pipeline(q.network, design))
    expected = price(units, q.model)[:, 0]
    signs = {x.name for x in q.network.layers if isinstance(x, Thresholding)}
    own = np.array([isinstance(u, LaneUnit) or u.layer in signs for u in units])
    lanes = sum(int(u.pe) for u in units if isinstance(u, LaneUnit))
    fused, rest = (Resources(*expected[rows].sum(axis=0).tolist()) for rows in (own, ~own))
    return fused, Resources.total([FLOAT_LANE] * lanes), rest


def shares(options: Mapping[str, float], targets: list[int]) -> None:
    """Print which share of the resources auxiliary operators take, in floating point and fused."""
    print(
        f"\nBaseBNN {dict(options)} on {BOARD}; percent of DSP, LUT and FF that auxiliary operators take"
    )
    print("| cycles per frame | lanes' constants | float | fused | float / fused |")
    print("| --- | --- | --- | --- | --- |")
    for target in targets:
        for what, more in (("multiplied", {}), ("shifted", {"shifts": 1.0})):
            q = question(BASEBNN, {**options, **more})
            design = q.folder().solve(target, 0.5)
            fused, floating, rest = auxiliary(q, design)
            cells = []
            for own in (floating, fused):
                parts = [
                    getattr(own, r) / max(getattr(own, r) + getattr(rest, r), 1)
                    for r in ("dsp", "lut", "ff")
                ]
                cells.append(" / ".join(f"{100 * p:.0f}" for p in parts))
            factors = [
                getattr(floating, r) / getattr(fused, r) if getattr(fused, r) else float("inf")
                for r in ("dsp", "lut", "ff")
            ]
            times = " / ".join(f"{f:.1f}" for f in factors)
            print(
                f"| {q.hardware(design).interval_cycles:,} | {what} | {cells[0]} | {cells[1]} | {times} |",
                flush=True,
            )


def speed(options: Mapping[str, float], board: str) -> None:
    """Print the fastest folding of every system that fits one board."""
    print(f"\n{dict(options)}, 32x32x3 on {board} at {CLOCK_MHZ:g} MHz, predicted (analytic model)")
    print(
        "| network | frames/s | LUT | DSP | BRAM18 | proven |\n| --- | --- | --- | --- | --- | --- |"
    )
    for system in SYSTEMS:
        q = question(system, options, board)
        try:
            fit = solve(q, None)
        except NoFeasibleDesignError as error:
            print(f"| {system.title} | does not fit: {error} | | | | |", flush=True)
            continue
        h = q.hardware(fit.design)
        r = h.total.expected.rounded()
        print(
            f"| {system.title} | {q.fps(h.interval_cycles):,.0f} | {r.lut:,} | {r.dsp} | {r.bram18} | {fit.proven} |",
            flush=True,
        )


def front(study: Path) -> None:
    """Print the front of a finished study, block by block, the fastest folding of each compression."""
    view = build_view(snapshot(study))
    designs = {d.id: d for d in view.designs.values()}
    print(f"\n{view.study}, {view.data}: the front; accuracy on validation (and test) images")
    print("| trial | blocks (weights, activations) | accuracy | test | frames/s | LUT |")
    print("| --- | --- | --- | --- | --- | --- |")
    seen = set()
    for d in sorted((designs[n] for n in view.front), key=lambda d: d.interval_cycles):
        blocks: dict[str, list[str]] = {}
        for layer in d.layers:
            name, _, part = layer.name.partition("_")
            if part in ("sign1", "conv1"):
                bits = layer.activation_bits if part == "sign1" else layer.weight_bits
                blocks.setdefault(name, []).append(str(bits))
        text = " ".join(f"w{b[1]}a{b[0]}" for b in blocks.values())
        if text in seen:
            continue
        seen.add(text)
        test = "" if d.test_accuracy is None else f"{100 * d.test_accuracy:.1f}"
        print(
            f"| {d.id} | {text} | {100 * d.metrics['accuracy']:.1f} | {test}"
            f" | {d.clock_mhz * 1e6 / d.interval_cycles:,.0f} | {d.of('lut').expected:,.0f} |"
        )


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("fusion", "sizes", "shares", "lanes", "speed", "constants", "front")
    parser.add_argument("parts", nargs="+", choices=parts)
    parser.add_argument("--width", type=float, default=1.0, help="of `shares` and `speed`")
    parser.add_argument("--blocks", type=int, default=13)
    parser.add_argument("--board", default=BOARD)
    parser.add_argument("--cycles", type=int, nargs="+", default=[9216, 50_000, 200_000])
    parser.add_argument("--study", type=Path, default=Path("runs/hybnn"))
    options = parser.parse_args()
    scaled = {"width": options.width, "blocks": options.blocks}
    does: Mapping[str, Callable[[], None]] = {
        "fusion": fusion,
        "sizes": sizes,
        "shares": lambda: shares(scaled, options.cycles),
        "speed": lambda: speed(scaled, options.board),
        "lanes": reproduce_hybnn_lanes.main,
        "constants": reproduce_hybnn_constants.main,
        "front": lambda: front(options.study),
    }
    for part in options.parts:
        does[part]()


if __name__ == "__main__":
    main()
