"""What docs/reproduction.md shows about small-world pruning: python benchmarks/reproduce_small_world.py

Cycles and LUTs are predictions of the product (units of the pipeline, cost model of the study); accuracies are those of
integer networks on the test split; words and cycles of the last part are simulated. `--seeds 0` leaves the training out.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import numpy as np
from same_array import index_share, on_array, verified, with_as_many_luts, work_by_rows

from dse.compression import canonical, scheme
from dse.config.load import load_config
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.search.study import Plan, plan
from dse.training import TrainedNetwork, finetune, pretrain
from dse.training.pruned import pruned
from pruning._block_graph import coefficient, small_world_graph

STUDY = Path(__file__).parents[1] / "studies" / "small_world.yaml"
BLOCKS = {"conv2": (4, 2), "conv3": (4, 2), "fc1": (16, 8)}  # output x input channels of a node
LANES = {"conv2": (16, 4), "conv3": (16, 4), "fc1": (8, 8)}  # PE, SIMD
BITS = (2, 2)
BETAS = (0.0, 0.05, 0.1, 0.2, 1.0)
SIZES = ((8, 16, 4), (16, 16, 4), (32, 32, 8), (64, 64, 8))  # blocks out, blocks in, edges of each


def compressions(
    network: Network, name: str, sparsity: float, beta: float = 0.1, bits: tuple[int, int] = BITS
) -> dict[str, Compression]:
    wanted = {}
    for m in network.matrix_layers:
        of = (bits[0], bits[1] if m.activation else None)
        wanted[m.name] = Compression(*of)
        if m.name in BLOCKS:
            wanted[m.name] = Compression(*of, name, sparsity, BLOCKS[m.name], beta=beta)
    return canonical(network, wanted)


def hardware(p: Plan) -> None:
    lanes = ", ".join(f"{n} {pe} x {simd}" for n, (pe, simd) in LANES.items())
    print(
        f"\nPE x SIMD: {lanes}; cycles of the matrix units, predicted LUTs; weights of 8 bits for the index"
    )
    print(
        "| scheme | sparsity | conv2 | conv3 | fc1 | speed-up of these | interval | speed-up | LUT |"
        " dense network in as many LUTs | index bits / weight bits, conv2, conv3, fc1 |"
    )
    print("|" + " --- |" * 11)
    whole = compressions(p.network, "dense", 0)
    dense = on_array(p, whole, LANES)
    work = sum(dense.matrix[n] for n in BLOCKS)
    cases = [
        ("dense", 0.0),
        *(("small_world", s) for s in (0.5, 0.75, 0.875)),
        ("unstructured", 0.75),
    ]
    for name, sparsity in cases:
        c = compressions(p.network, name, sparsity)
        a = on_array(p, c, LANES)
        other = with_as_many_luts(p, whole, a)
        shares = index_share(p, c, weight_bits=8)
        index = ", ".join(f"{100 * shares[n]:.2f} %" for n in BLOCKS) if shares else "0"
        print(
            f"| {name} | {100 * sparsity:g} % | {a.matrix['conv2']} | {a.matrix['conv3']} | {a.matrix['fc1']} |"
            f" {work / sum(a.matrix[n] for n in BLOCKS):.2f} | {a.interval} | {dense.interval / a.interval:.2f} |"
            f" {a.luts:.0f} | {other} | {index} |",
            flush=True,
        )


def graphs(seeds: int = 10) -> None:
    print(
        f"\nsmall-world coefficient sigma, mean of {seeds} graphs (least); progressive in 4 stages, and at once"
    )
    print("| blocks out x in, edges | stages | " + " | ".join(f"beta {b:g}" for b in BETAS) + " |")
    print("|" + " --- |" * (2 + len(BETAS)))
    for outputs, inputs, edges in SIZES:
        for stages in (4, 1):
            cells = []
            for beta in BETAS:
                found = [
                    coefficient(small_world_graph(outputs, inputs, edges, beta, s, stages))
                    for s in range(seeds)
                ]
                cells.append(f"{np.mean(found):.2f} ({min(found):.2f})")
            print(
                f"| {outputs} x {inputs}, {edges} | {stages} | " + " | ".join(cells) + " |",
                flush=True,
            )


def accuracy(p: Plan, seeds: int, epochs: int) -> TrainedNetwork | None:
    rows: dict[str, tuple[Mapping[str, Compression], int]] = {
        "dense": (compressions(p.network, "dense", 0), 4),
        **{
            f"small world 87.5 %, beta {b:g}": (compressions(p.network, "small_world", 0.875, b), 4)
            for b in BETAS
        },
        "small world 87.5 %, beta 0.1, trimmed at once": (
            compressions(p.network, "small_world", 0.875),
            1,
        ),
        "small world 75 %, beta 0.1": (compressions(p.network, "small_world", 0.75), 4),
    }
    test = p.dataset.test
    reached: dict[str, list[float]] = {name: [] for name in rows}
    kept = None
    for seed in range(seeds):
        base = pretrain(p.network, p.dataset, 0, seed)  # initial weights: nothing is trained
        for name, (c, stages) in rows.items():
            begun = time.perf_counter()
            drawn = functools.partial(_reseeded, seed=seed, stages=stages)
            with patch("pruning.small_world.small_world_graph", drawn):
                before = {x.layer.name: x.kept for x in pruned(p.network, c, base)[1]}
                done = finetune(p.network, c, base, p.dataset, epochs=epochs, seed=seed)
            after = done.accelerator.parameters
            assert all(np.array_equal(after[n].kept, mask) for n, mask in before.items())
            reached[name].append(done.accelerator.accuracy(test.images, test.labels))
            print(
                f"seed {seed}, {name}: {100 * reached[name][-1]:.1f} ({time.perf_counter() - begun:.0f} s)",
                flush=True,
            )
            if name.endswith("75 %, beta 0.1"):
                kept = done
    if not seeds:
        return None
    print(
        f"\n{BITS[0]}-bit weights and activations; {seeds} seeds (of weights, order and graphs), {epochs} epochs from initial"
        f" weights; accuracy on {len(test)} test images; masks before and after training are equal"
    )
    print("| network | accuracy, mean | least to largest |")
    print("| --- | --- | --- |")
    for name, found in reached.items():
        print(
            f"| {name} | {100 * np.mean(found):.1f} | {100 * min(found):.1f} to {100 * max(found):.1f} |"
        )
    return kept


def _reseeded(
    outputs: int, inputs: int, edges: int, beta: float, layer: int, *, seed: int, stages: int
) -> np.ndarray:
    """Another graph for every seed of the training; the product's depends on the layer's name only."""
    return small_world_graph(outputs, inputs, edges, beta, layer + seed, stages)


def structure(p: Plan, trained: TrainedNetwork) -> None:
    """Equal work of output tiles, and both projects against the integers."""
    c = compressions(p.network, "small_world", 0.75)
    for name, (rows, _) in BLOCKS.items():
        most, mean = work_by_rows(trained.accelerator, name, rows)
        m = next(x for x in p.network.matrix_layers if x.name == name)
        weights = np.random.default_rng(0).normal(size=(m.mh, m.mw))
        masks = [
            scheme("small_world").mask(w, c[name], reorder=True, positions=m.positions).kept
            for w in (weights, -weights[::-1])
        ]
        print(
            f"{name}: work of output tiles, largest / mean: {most / mean:.2f};"
            f" the mask depends on weights: {not np.array_equal(*masks)}"
        )
    for line in verified(p, on_array(p, c, LANES), trained.accelerator, images=60):
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    p = plan(load_config(STUDY))
    hardware(p)
    graphs()
    trained = accuracy(p, options.seeds, options.epochs)
    if trained is not None:
        structure(p, trained)


if __name__ == "__main__":
    main()
