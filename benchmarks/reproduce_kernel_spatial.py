"""What docs/reproduction.md shows about kernel and spatial pruning: python benchmarks/reproduce_kernel_spatial.py.

Trains the network of studies/kernel_spatial.yaml in variants (dense, kernel pruning only, spatial pruning only, both),
folds all of them with the same PE and SIMD, counts the cycles between frames on all test images. The last variant is emitted, compiled and compared bit for bit. Then PE and SIMD are free: the
fewest predicted cycles of every variant within some numbers of LUTs, of this network and of a larger one, which is not trained.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dse.compression import canonical, effective
from dse.config.load import load_config
from dse.config.values import Knobs
from dse.emit.frame_cycles import frame_cycles, golden_interval
from dse.emit.hls import BATCH, hls_project
from dse.emit.order import Order
from dse.emit.processes import lower
from dse.emit.verify import verify
from dse.folding.fold import Folder
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression, DesignPoint
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.lowering.main_units import layer_folds
from dse.lowering.pipeline import pipeline
from dse.networks import cnv
from dse.search.study import Plan, plan
from dse.training import finetune, pretrain

STUDY = Path(__file__).parents[1] / "studies" / "kernel_spatial.yaml"
PRUNED = ("conv2", "conv3")
LANES = 16  # PE * SIMD of these, in all variants
PREFERENCE = 0.5
LUTS = (3000, 4000, 5000, 7000, 10000)
LARGE_LUTS = (15000, 20000, 30000, 50000)
TARGETS = 40  # cycles between frames that are tried for a number of LUTs


@dataclass(frozen=True)
class Share:
    """What of a layer is pruned: the share of kernels that goes, the share of positions that stays."""

    sparsity: float = 0.0
    keep: float = 1.0


def compressions(
    network: Network, shares: Mapping[str, Share], bits: int, block: tuple[int, int]
) -> dict[str, Compression]:
    """Return the canonical compression of a variant: 1-bit weights, but for the first layer."""
    first = network.matrix_layers[0].name
    wanted = {}
    for layer in network.matrix_layers:
        share = shares.get(layer.name, Share())
        c = Compression(8 if layer.name == first else 1, bits, spatial_keep=share.keep)
        if share.sparsity:
            c = replace(c, scheme="kernel", sparsity=share.sparsity, block=block, prune_by="regrow")
        wanted[layer.name] = c
    return canonical(network, wanted)


def variants(both: Mapping[str, Share]) -> dict[str, dict[str, Share]]:
    """Return what is pruned in every variant, given what is in the last one."""
    return {
        "dense": {},
        "kernel only": {n: replace(s, keep=1.0) for n, s in both.items()},
        "spatial only": {n: replace(s, sparsity=0.0) for n, s in both.items()},
        "both": dict(both),
    }


def common_folds(p: Plan, all_of: Sequence[Mapping[str, Compression]]) -> dict[str, Knobs]:
    """Return, for every layer that is pruned, the PE and SIMD of `LANES` that are legal in all variants."""
    pins = {}
    for name in PRUNED:
        legal = []
        for found in all_of:
            built, structures = effective(p.network, found)
            layer = next(x for x in built.matrix_layers if x.name == name)
            pes, simds = layer_folds(layer, structures[name])
            legal.append(
                {(int(a), int(b)) for a, b in zip(pes, simds, strict=True) if a * b == LANES}
            )
        both = set.intersection(*legal)
        pe, simd = min(both, key=lambda fold: abs(np.log(fold[0] / fold[1])))
        pins[name] = Knobs(pe=(pe,), simd=(simd,))
    return pins


def lut(p: Plan, design: DesignPoint) -> float:
    """Return the predicted LUTs of a design."""
    return p.hardware(design).total.expected.lut


def counted(
    p: Plan, design: DesignPoint, accelerator: Accelerator, images: np.ndarray
) -> tuple[float, float]:
    """Return mean and 95th percentile of the cycles between frames, counted on images."""
    stages = pipeline(p.network, design)
    chain = lower(stages, accelerator, {x.name: x.name for x in p.network.layers})
    found = golden_interval(chain, frame_cycles(chain, accelerator, images, BATCH))
    return found["mean"], found["p95"]


def fewest_cycles(folder: Folder, budget: float) -> int | None:
    """Return the fewest cycles between frames of a folding within so many LUTs; None: none fits."""
    for target in np.geomspace(*folder.targets(), TARGETS):
        design = folder.solve(float(target), 0.0)
        if folder.resources(design).lut <= budget:
            return folder.cycles(design)
    return None


def at_equal_luts(folders: Mapping[str, Folder], budgets: Sequence[int]) -> None:
    """Print the fewest cycles between frames of every variant within some numbers of LUTs, PE and SIMD free."""
    print(f"\n| LUTs | {' | '.join(folders)} | dense / last |\n| {' --- |' * (len(folders) + 2)}")
    for budget in budgets:
        found = [fewest_cycles(folder, budget) for folder in folders.values()]
        first, last = found[0], found[-1]
        ratio = "" if first is None or last is None else f"{first / last:.2f}"
        cells = ["none fits" if n is None else str(n) for n in found]
        print(f"| {budget} | {' | '.join(cells)} | {ratio} |", flush=True)


def emitted(
    p: Plan, design: DesignPoint, accelerator: Accelerator, images: int
) -> tuple[int, int, bool]:
    """Return images, mismatches, and whether all loop trips are those counted, of a compiled project."""
    test = p.dataset.test.first(images)
    project = hls_project(
        Order(
            study=p.config.study,
            network=p.network,
            design=design,
            accelerator=accelerator,
            board=p.config.board,
            clock_mhz=p.config.clock_mhz,
            estimate=p.hardware(design),
            images=test.images,
            labels=test.labels,
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        result = verify(project.write(Path(folder) / "project"))
    return result.images, result.mismatches, result.passed


def measure(
    p: Plan, found: Mapping[str, dict[str, Compression]], seeds: range, epochs: int, images: int
) -> None:
    """Train all variants, count cycles, and print the table; run the compiled project of the last one."""
    assert p.stages.pretrain_epochs is not None
    base = pretrain(p.network, p.dataset, p.stages.pretrain_epochs, p.config.seed)
    pins = common_folds(p, list(found.values()))
    print(f"folds: {', '.join(f'{n} PE {k.pe} SIMD {k.simd}' for n, k in pins.items())}")
    test = p.dataset.test
    begun = time.perf_counter()
    reference = 0.0
    print(
        "\n| variant | test accuracy, mean (each) | positions kept | predicted cycles | counted: mean | p95 | speed-up |"
        " LUT |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for name, c in found.items():
        trained = [
            finetune(p.network, c, base, p.dataset, epochs=epochs, seed=s).accelerator
            for s in seeds
        ]
        reached = [a.accuracy(test.images, test.labels) for a in trained]
        folder = p.space.folder(c, pins)
        design = folder.solve(folder.targets()[0], PREFERENCE)
        predicted = folder.cycles(design)
        mean = high = float(predicted)
        kept = 1.0
        if any(own.spatial_keep < 1 for own in c.values()):
            spans = [counted(p, design, a, test.images) for a in trained]
            mean, high = (float(np.mean(x)) for x in zip(*spans, strict=True))
            masks = [m.mean() for a in trained for m in a.masks(test.images).values()]
            kept = float(np.mean(masks))
        reference = reference or mean
        print(
            f"| {name} | {100 * np.mean(reached):.1f} ({', '.join(f'{100 * r:.1f}' for r in reached)})"
            f" | {100 * kept:.0f} % | {predicted} | {mean:.0f} | {high:.0f} | {reference / mean:.2f} |"
            f" {lut(p, design):.0f} |",
            flush=True,
        )
    ran, mismatches, passed = emitted(p, design, trained[0], images)
    print(
        f"\n{ran} images through the compiled project of the last variant: {mismatches} mismatches, loop trips"
        f" {'as counted' if passed else 'DIFFER'}; {len(test)} test images, {time.perf_counter() - begun:.0f} s"
    )


def main() -> None:
    """Train, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bits", type=int, default=2, help="of activations")
    parser.add_argument("--conv1", default="0:1", help="kernels that go : positions that stay")
    parser.add_argument("--conv2", default="0.75:0.7", help="the same")
    parser.add_argument("--conv3", default="0.5:0.7", help="the same")
    parser.add_argument("--block", default="4x8", help="rows that share x channels of a group")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each variant")
    parser.add_argument("--luts-only", action="store_true", help="train nothing")
    parser.add_argument("--epochs", type=int, default=None, help="default: the study's")
    parser.add_argument("--images", type=int, default=100, help="that the compiled project runs")
    parser.add_argument(
        "--set", action="append", default=[], help="of the study, as in model.width=2"
    )
    options = parser.parse_args()
    rows, columns = (int(n) for n in options.block.split("x"))
    both = {
        name: Share(*(float(v) for v in getattr(options, name).split(":")))
        for name in ("conv1", *PRUNED)
    }
    p = plan(load_config(STUDY, options.set))
    epochs = options.epochs or p.stages.final_epochs
    assert epochs is not None
    block = (rows, columns)
    found = {
        name: compressions(p.network, shares, options.bits, block)
        for name, shares in variants(both).items()
    }
    if not options.luts_only:
        measure(p, found, range(options.seeds), epochs, options.images)
    at_equal_luts({name: p.space.folder(c) for name, c in found.items()}, LUTS)
    large = cnv.build((32, 32, 3), IntType(8, signed=False), 10)
    convs = [x.name for x in large.matrix_layers if x.name.startswith("conv")][1:]
    same = variants({"conv1": both["conv1"]} | dict.fromkeys(convs, both["conv2"]))
    print(
        f"\nCNV on 32x32x3 images, 1-bit activations, not trained: {both['conv1']} in conv1, {both['conv2']} in"
        f" {', '.join(convs)}"
    )
    large_found = {n: compressions(large, shares, 1, block) for n, shares in same.items()}
    at_equal_luts(
        {
            name: Folder.build(large, c, p.config.board, p.model, {})
            for name, c in large_found.items()
        },
        LARGE_LUTS,
    )


if __name__ == "__main__":
    main()
