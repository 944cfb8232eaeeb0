"""What docs/reproduction.md shows about FINN-pruning: python benchmarks/reproduce_finn_pruning.py (DSE_DATA: folder of the data).

Trains the network of studies/finn_pruning.yaml with W1A2 and W4A4: dense, and with balanced blocks whose masks come from
magnitude, ADMM and the group lasso, at equal epochs. Then what equal resources buy, the cycles of masks, the bits of
indices, the order of rows, and the networks of the poster on the U280. Frame rates are predicted; accuracies are measured.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from finn_pruning_masks import index_share, layer_row, reordered, tiling_of

from cost_models import analytic
from dse.compression import canonical
from dse.config.load import load_config
from dse.folding.fold import Folder
from dse.folding.fold_fit import fastest
from dse.folding.fold_front import usable
from dse.folding.upper import at_upper_ends
from dse.ir.design import PRUNED_BY, Compression
from dse.ir.hardware import Board, Resources
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks import cnv, mobilenet_v1, resnet50
from dse.search.study import Plan, plan
from dse.training import BaseWeights, TrainedNetwork, finetune, pretrain
from hw_templates._boards import load_board
from pruning import bcr

STUDY = Path(__file__).parents[1] / "studies" / "finn_pruning.yaml"
PRECISIONS = ((1, 2), (4, 4))  # bits of weights and activations: those of the poster's networks
DENSITIES = (0.25, 0.5)
BLOCK = (16, 16)
SEEDS, EPOCHS, IMAGES = 3, 6, 2000
ARRAY = (4, 8)  # PE and SIMD of the table of cycles
# shares of the study's board, by width of CNV
BUDGETS = {0.25: (0.15, 0.2, 0.3, 0.5), 1.0: (0.3, 0.4, 0.5, 0.7)}


def compressed(
    network: Network,
    bits: tuple[int, int],
    density: float,
    block: tuple[int, int] = BLOCK,
    how: str = "magnitude",
    scheme: str = "bcr",
) -> dict[str, Compression]:
    """Compress all matrix layers; the first and the last stay dense, with 4-bit weights or more."""
    inner = Compression(*bits, scheme, 1 - density, block, how)
    if density == 1:
        inner = Compression(*bits)
    outer = Compression(max(4, bits[0]), bits[1])
    ends = {network.matrix_layers[0].name, network.matrix_layers[-1].name}
    return canonical(
        network, {m.name: outer if m.name in ends else inner for m in network.matrix_layers}
    )


def trained(
    p: Plan, base: BaseWeights, wanted: dict[str, Compression], seed: int
) -> TrainedNetwork:
    """Train a candidate for the same epochs as all others."""
    return finetune(p.network, wanted, base, p.dataset, epochs=EPOCHS, images=IMAGES, seed=seed)


def tested(
    p: Plan, base: BaseWeights, wanted: dict[str, Compression], seeds: int
) -> tuple[float, float]:
    """Return mean and standard deviation over seeds of the accuracy on the test split."""
    test = p.dataset.test
    found = [
        trained(p, base, wanted, seed).accelerator.accuracy(test.images, test.labels)
        for seed in range(seeds)
    ]
    return 100 * float(np.mean(found)), 100 * float(np.std(found))


def accuracies(p: Plan, base: BaseWeights, precisions: Sequence[tuple[int, int]]) -> None:
    """Print the accuracy of dense networks and of every way to prune, at equal epochs."""
    print(
        f"\n{EPOCHS} epochs of {IMAGES} images, {SEEDS} seeds, {len(p.dataset.test)} test images,"
    )
    print(f"blocks {BLOCK[0]}x{BLOCK[1]}; percent\n")
    rows = ["| bits | density | " + " | ".join(PRUNED_BY) + " |", "| --- " * 5 + "|"]
    for bits in precisions:
        for density in (*DENSITIES, 1.0):
            ways = PRUNED_BY if density < 1 else PRUNED_BY[:1]
            cells = []
            for how in ways:
                wanted = compressed(p.network, bits, density, how=how)
                cells.append("{:.1f} ± {:.1f}".format(*tested(p, base, wanted, SEEDS)))
                print(f"  W{bits[0]}A{bits[1]} {density:g} {how}: {cells[-1]}", flush=True)
            cells += [""] * (len(PRUNED_BY) - len(ways))
            rows.append(f"| W{bits[0]}A{bits[1]} | {density:g} | {' | '.join(cells)} |")
    print("\n".join(["", *rows]), flush=True)


def blocks(p: Plan, base: BaseWeights) -> None:
    """Print accuracy and index bits against the size of blocks, at a density of 1/4 and W4A4."""
    print("\n| block | test accuracy, percent | index bits per kept weight | share at W1 | at W4 |")
    print("| --- | --- | --- | --- | --- |")
    layer = p.network.matrix_layers[-4]  # the largest
    for block in ((4, 4), (8, 8), (16, 16), (32, 32), (64, 64)):
        wanted = compressed(p.network, (4, 4), 0.25, block)
        reached = "{:.1f} ± {:.1f}".format(*tested(p, base, wanted, SEEDS))
        t = tiling_of(layer.mh, layer.mw, 0.25, block)
        one, _, four = index_share(t, layer.mh, layer.mw, 1, t.kept_cols)
        cells = f"{reached} | {one:.2f} | {100 * one:.0f} % | {100 * four:.0f} %"
        print(f"| {block[0]}x{block[1]} | {cells} |", flush=True)
    free = compressed(p.network, (4, 4), 0.25, scheme="unstructured")
    print("| single weights | {:.1f} ± {:.1f} | | | |".format(*tested(p, base, free, SEEDS)))


def cycles(base: BaseWeights, p: Plan) -> None:
    """Print the cycles of masks of trained weights on one array."""
    print(
        f"\nSpeed-up over dense on {ARRAY[0]} PE x {ARRAY[1]} SIMD, masks of the trained float weights\n"
    )
    print(
        "| layer | matrix | blocks | 1/density | balanced | unbalanced | in lock step"
        " | unstructured | packed | 1/density of the unbalanced |"
    )
    print("| --- " * 10 + "|")
    for density in DENSITIES:
        for m in p.network.matrix_layers[3:7]:
            weights = base.layers[m.name].weights.astype(np.float64)
            print(f"| {m.name} | {layer_row(weights, density, (16, 32), *ARRAY)}")


def order(p: Plan, base: BaseWeights) -> None:
    """Print what another order of rows changes: kept energy, and no score."""
    wanted = compressed(p.network, (4, 4), 0.25)
    accelerator = trained(p, base, wanted, 0).accelerator
    tilings = {
        m.name: t
        for m in p.network.matrix_layers[1:-1]
        if (t := bcr.structure(m.mh, m.mw, wanted[m.name]).tiling) is not None
    }
    images = p.dataset.test.images
    other = reordered(accelerator, tilings)
    moved = sum(
        int((accelerator.parameters[n].weights != other.parameters[n].weights).any(axis=1).sum())
        for n in tilings
    )
    differ = int((accelerator.scores(images) != other.scores(images)).sum())
    print(
        f"\nrows in another order: {moved} of {sum(p.network[n].mh for n in tilings)} rows moved,"
    )  # type: ignore[attr-defined]
    print(f"{differ} of {len(images) * p.dataset.classes} scores differ\n")
    print("| layer | energy kept, rows as they are | reordered |\n| --- | --- | --- |")
    for name in tilings:
        w = base.layers[name].weights.astype(np.float64)
        share = [
            np.square(w)[bcr.mask(w, wanted[name], reorder=reorder).kept].sum() / np.square(w).sum()
            for reorder in (False, True)
        ]
        print(f"| {name} | {100 * share[0]:.1f} % | {100 * share[1]:.1f} % |")


def folder(network: Network, wanted: dict[str, Compression], board: Board) -> Folder:
    """Return the foldings of a candidate, priced at the upper ends of the analytic model."""
    return Folder.build(network, wanted, board, at_upper_ends(analytic.load(board.family)), {})


def equal_resources(p: Plan) -> None:
    """Print frames per second of the fastest folding in the same LUTs and block RAMs."""
    board, clock = p.config.board, 1e6 * p.config.clock_mhz
    print(
        f"\nframes/s of the fastest folding in a share of the {board.name} at {clock / 1e6:g} MHz;"
    )
    print("upper ends of the analytic model, no DSPs\n")
    print("| CNV | bits | LUT | BRAM18 | dense |" + "".join(f" density {d:g} |" for d in DENSITIES))
    print("| --- " * (5 + len(DENSITIES)) + "|")
    for (width, shares), bits in product(BUDGETS.items(), PRECISIONS):
        network = cnv.build(p.dataset.input_shape, p.dataset.input_type, 10, width=width)
        candidates = [folder(network, compressed(network, bits, d), board) for d in (1, *DENSITIES)]
        for share in shares:
            lut, bram18 = share * board.resources.lut, share * board.resources.bram18
            limits = replace(board.resources, lut=lut, bram18=bram18, dsp=0.0, uram=0.0)
            found = [fastest(c, limits) for c in candidates]
            rates = [clock / f.cycles if f else 0.0 for f in found]
            cells = [f"{r:,.0f}" if r else "none fits" for r in rates]
            if rates[0]:
                cells = [cells[0]] + [f"{r:,.0f} ({r / rates[0]:.2f}x)" for r in rates[1:]]
            print(
                f"| {width:g} | W{bits[0]}A{bits[1]} | {lut:,.0f} | {bram18:.0f} |"
                f" {' | '.join(cells)} |",
                flush=True,
            )


POSTER = (
    ("mobilenet-v1", mobilenet_v1.build, (4, 4), 144.0, 925.0),
    ("resnet50", resnet50.build, (1, 2), 135.0, 703.0),
)


def u280() -> None:
    """Print the fastest foldings of the poster's networks, and what they need."""
    board = load_board("U280")
    print(
        "\nAlveo U280, images of 224x224, 1000 classes; predicted, upper ends of the analytic model\n"
    )
    print(
        "| network | clock | density | frames/s | the poster | slowest unit | LUT | BRAM18 | DSP |"
    )
    print("| --- " * 9 + "|")
    for name, build, bits, mhz, claimed in POSTER:
        network = build((224, 224, 3), IntType(8, signed=False), 1000)
        for density in (1.0, *DENSITIES):
            options = folder(network, compressed(network, bits, density), board)
            fit = fastest(options, usable(board))
            assert fit is not None
            rate = 1e6 * mhz / fit.cycles
            needs: Resources = options.resources(fit.design)
            slowest = max(
                zip(options.options, options.names, strict=True), key=lambda o: o[0].cycles.min()
            )
            print(
                f"| {name} W{bits[0]}A{bits[1]} | {mhz:g} MHz | {density:g} | {rate:,.0f} | {claimed:,.0f}"
                f" | {slowest[1]} | {needs.lut:,.0f} | {needs.bram18:,.0f} | {needs.dsp:,.0f} |",
                flush=True,
            )


def main() -> None:
    """Measure what is asked for."""
    parts = ("u280", "cycles", "resources", "order", "accuracy", "blocks")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(parts), help="by commas")
    parser.add_argument("--bits", default="W1A2,W4A4", help="of the part accuracy")
    options = parser.parse_args()
    asked, precisions = options.parts.split(","), options.bits.split(",")
    if "u280" in asked:
        u280()
    if asked == ["u280"]:
        return
    p = plan(load_config(STUDY))
    assert p.stages.pretrain_epochs is not None
    if "resources" in asked:
        equal_resources(p)
    base = pretrain(p.network, p.dataset, p.stages.pretrain_epochs, p.config.seed)
    print(f"\nfloat network: {100 * base.accuracy:.1f} % on the validation images")
    runs = {
        "cycles": lambda: cycles(base, p),
        "order": lambda: order(p, base),
        "accuracy": lambda: accuracies(
            p, base, [b for b in PRECISIONS if "W{}A{}".format(*b) in precisions]
        ),
        "blocks": lambda: blocks(p, base),
    }
    for name, run in runs.items():
        if name in asked:
            begun = time.perf_counter()
            run()
            print(f"{time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
