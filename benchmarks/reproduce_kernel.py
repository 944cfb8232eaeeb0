"""What docs/reproduction.md shows about channel-wise kernel pruning: python benchmarks/reproduce_kernel.py

Cycles and LUTs are predictions of the product (units of the pipeline, cost model of the study); accuracies are those of
integer networks on the test split; words and cycles of the last part are simulated. `--seeds 0` leaves the training out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from same_array import (
    index_share,
    on_array,
    question,
    verified,
    with_as_many_luts,
    with_windows_of,
    work_by_rows,
)

from dse.compression import canonical, effective
from dse.config.load import load_config
from dse.folding.fold_fit import fastest
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks import vgg_bnn
from dse.search.study import Plan, plan
from dse.training import TrainedNetwork, finetune, pretrain

STUDY = Path(__file__).parents[1] / "studies" / "kernel_pruning.yaml"
PRUNED = ("conv2", "conv3")
LANES = (8, 12)  # PE, SIMD of the pruned layers
BLOCK = (8, 8)  # 8 rows share the choice, groups of 8 kernels


def compressions(
    network: Network,
    scheme: str,
    sparsity: float,
    by: str = "magnitude",
    block: tuple[int, int] = BLOCK,
    pruned: tuple[str, ...] = PRUNED,
) -> dict[str, Compression]:
    first = network.matrix_layers[0].name
    wanted = {}
    for m in network.matrix_layers:
        bits = (4 if m.name == first else 1, 1 if m.activation else None)
        c = Compression(*bits)
        wanted[m.name] = Compression(*bits, scheme, sparsity, block, by) if m.name in pruned else c
    return canonical(network, wanted)


def hardware(p: Plan) -> None:
    print(
        f"\nPE {LANES[0]}, SIMD {LANES[1]} in {' and '.join(PRUNED)}; cycles between frames, predicted LUTs"
    )
    print(
        "| scheme | sparsity | conv2 | conv3 | windows | interval | speed-up | with the dense design's windows"
        " | LUT | dense network in as many LUTs | ratio | index bits / weight bits |"
    )
    print("|" + " --- |" * 12)
    lanes = dict.fromkeys(PRUNED, LANES)
    whole = compressions(p.network, "dense", 0)
    dense = on_array(p, whole, lanes)
    rows = [
        ("dense", 0.0, BLOCK),
        *(("kernel", s, b) for b in (BLOCK, (1, 8)) for s in (0.5, 0.75, 0.875)),
    ]
    for scheme, sparsity, block in [*rows, ("unstructured", 0.75, BLOCK)]:
        c = compressions(p.network, scheme, sparsity, block=block)
        a = on_array(p, c, lanes)
        other = with_as_many_luts(p, whole, a)
        assert other is not None
        windows = max(a.window[n] for n in PRUNED)
        shares = index_share(p, c)
        name = f"{scheme} {block[0]}x{block[1]}" if scheme == "kernel" else scheme
        print(
            f"| {name} | {100 * sparsity:g} % | {a.matrix['conv2']} | {a.matrix['conv3']} | {windows} | {a.interval} |"
            f" {dense.interval / a.interval:.2f} | {dense.interval / with_windows_of(dense, a):.2f} | {a.luts:.0f} |"
            f" {other} | {other / a.interval:.2f} | {100 * max(shares.values(), default=0.0):.1f} % |",
            flush=True,
        )


def large(p: Plan) -> None:
    """The VGG-like network of the first BNNs at half width, folded for a budget of LUTs; nothing is trained."""
    network = vgg_bnn.build((32, 32, 3), IntType(8, signed=False), 10, width=0.5)
    inner = tuple(m.name for m in network.matrix_layers if m.name.startswith("conv"))[1:]
    here = replace(p, network=network)
    schemes = (("dense", 0.0), ("kernel", 0.5), ("kernel", 0.75), ("kernel", 0.875))
    folders = {
        f"{scheme} {100 * s:g} %": question(here, compressions(network, scheme, s, pruned=inner))
        for scheme, s in schemes
    }
    budgets = (20_000, 30_000, 40_000, 50_000)
    print(
        f"\n{network.name} at half width, 32x32, 1 bit, {p.config.board.name}: fastest interval in so many LUTs (upper ends)"
    )
    print("| conv2 to conv6 | " + " | ".join(f"{n:,}" for n in budgets) + " |")
    print("|" + " --- |" * (1 + len(budgets)))
    for name, q in folders.items():
        folder = q.folder()
        found = [fastest(folder, replace(q.limits, lut=n)) for n in budgets]
        cells = ["none fits" if f is None else f"{f.cycles:,}" for f in found]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def binary_ops(network: Network, c: Mapping[str, Compression]) -> float:
    """Products of the pruned layers that are left, in one frame."""
    built, structures = effective(network, c)
    total = 0.0
    for m in built.matrix_layers:
        if m.name in PRUNED:
            tiling = structures[m.name].tiling
            total += m.vectors * m.mh * m.mw * (1.0 if tiling is None else tiling.density)
    return total


def accuracy(p: Plan, seeds: int, epochs: int) -> TrainedNetwork | None:
    """Train networks of equally many epochs; what begins with a float network has trained that for as many before."""
    network, filters = p.network, ("conv1", *PRUNED)
    filtered = compressions(network, "filter", 0.5, pruned=filters)
    plain = compressions(network, "kernel", 0.75)
    regrown = {s: compressions(network, "kernel", s, "regrow") for s in (0.5, 0.75, 0.875)}
    # name: compressions, epochs of the float network, epochs
    rows = {
        "dense, from scratch": (compressions(network, "dense", 0), 0, epochs),
        **{
            f"kernel {100 * s:g} %, from scratch, regrow": (c, 0, epochs)
            for s, c in regrown.items()
        },
        "kernel 75 %, from scratch, regrow, twice the epochs": (regrown[0.75], 0, 2 * epochs),
        "kernel 75 %, from scratch, masks of initial weights": (plain, 0, epochs),
        "kernel 75 %, one-shot from a trained float network": (plain, epochs, epochs),
        "filter 50 %, from scratch": (filtered, 0, epochs),
        "filter 50 %, one-shot from a trained float network": (filtered, epochs, epochs),
    }
    test = p.dataset.test
    reached: dict[str, list[float]] = {name: [] for name in rows}
    kept = None
    for seed in range(seeds):
        bases = {n: pretrain(network, p.dataset, n, seed) for n in (0, epochs)}
        for name, (c, before, after) in rows.items():
            begun = time.perf_counter()
            done = finetune(p.network, c, bases[before], p.dataset, epochs=after, seed=seed)
            reached[name].append(done.accelerator.accuracy(test.images, test.labels))
            if name.endswith("75 %, from scratch, regrow"):
                kept = done
            print(
                f"seed {seed}, {name}: {100 * reached[name][-1]:.1f} ({time.perf_counter() - begun:.0f} s)",
                flush=True,
            )
    if not seeds:
        return None
    dense = binary_ops(p.network, rows["dense, from scratch"][0])
    print(f"\n{seeds} seeds, {epochs} epochs; accuracy on {len(test)} test images")
    print("| network | binary products of conv2 and conv3 | accuracy, mean | least to largest |")
    print("| --- | --- | --- | --- |")
    for name, found in reached.items():
        share = binary_ops(p.network, rows[name][0]) / dense
        print(
            f"| {name} | {100 * share:.1f} % | {100 * np.mean(found):.1f} |"
            f" {100 * min(found):.1f} to {100 * max(found):.1f} |"
        )
    return kept


def structure(p: Plan, trained: TrainedNetwork) -> None:
    """Exactly n kernels in every group, equal work, and both projects against the integers."""
    for name in PRUNED:
        kept = trained.accelerator.parameters[name].kept
        kernels = kept.reshape(len(kept), 9, -1, BLOCK[1])
        whole = bool((kernels == kernels[:, :1]).all())
        counts = kernels[:, 0].sum(axis=2)
        most, mean = work_by_rows(trained.accelerator, name, LANES[0])
        print(
            f"{name}: kernels kept of {BLOCK[1]}, least and most over all (filter, group): {counts.min()}, {counts.max()};"
            f" whole kernels: {whole}; work of PE groups, largest / mean: {most / mean:.2f}"
        )
    c = compressions(p.network, "kernel", 0.75, "regrow")
    array = on_array(p, c, dict.fromkeys(PRUNED, LANES))
    for line in verified(p, array, trained.accelerator, images=60):
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    p = plan(load_config(STUDY))
    hardware(p)
    large(p)
    trained = accuracy(p, options.seeds, options.epochs)
    if trained is not None:
        structure(p, trained)


if __name__ == "__main__":
    main()
