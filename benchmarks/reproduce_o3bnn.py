"""What docs/reproduction.md shows about O3BNN-R: python benchmarks/reproduce_o3bnn.py (DSE_DATA names the folder of the data).

Trains the network of studies/o3bnn.yaml without and with the two losses, then counts edges and cycles of every
layer that can skip on images of the test split, and compares all outputs on the whole of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from dse.config.load import load_config
from dse.ir.accelerator import Accelerator, Integers
from dse.ir.design import Compression
from dse.ir.edge_cycles import EdgeCounts, edge_work, frame_ends, layer_inputs
from dse.ir.edge_skip import EdgeSkipUnit, pooling_behind
from dse.search.study import Plan, plan
from dse.training import BaseWeights, finetune, pretrain

STUDY = Path(__file__).parents[1] / "studies" / "o3bnn.yaml"
PE, SIMD = 4, 16  # of every layer whose cycles are counted
MODES = ("lockstep", "ooo")
COLUMNS = (
    *("lambda_threshold", "lambda_pooling", "test accuracy", "T1", "T0", "PL", "pruned"),
    *("cycles saved, lockstep", "ooo", "ooo / pruned", "differing outputs"),
)


def units_of(accelerator: Accelerator, mode: str) -> dict[str, EdgeSkipUnit]:
    """Return the units of all layers that can skip: 1-bit inputs, weights and outputs."""
    found = {}
    for layer in accelerator.network.matrix_layers:
        p = accelerator.parameters[layer.name]
        if (
            p.weight_bits != 1
            or p.output_bits != 1
            or not accelerator.input_type(layer.name).bipolar
        ):
            continue
        found[layer.name] = EdgeSkipUnit(
            layer=layer.name,
            mh=layer.mh,
            mw=layer.mw,
            vectors=layer.vectors,
            pe=PE,
            simd=SIMD,
            weight_bits=1,
            input_bits=1,
            input_signed=True,
            output_bits=1,
            memory="bram",
            compute="lut",
            mode=mode,
            pooling=pooling_behind(accelerator.network, layer),
        )
    return found


def differing_outputs(unit: EdgeSkipUnit, outputs: Integers, truth: Integers) -> int:
    """Return how many outputs differ behind the pool, where there is one."""
    pool = unit.pooling
    if pool is not None:
        k, h, w = pool.kernel, pool.height, pool.width
        maps = (
            a.reshape(-1, h, w, unit.mh)[:, : h // k * k, : w // k * k].reshape(
                -1, h // k, k, w // k, k, int(unit.mh)
            )
            for a in (outputs, truth)
        )
        outputs, truth = (m.any(axis=(2, 4)) for m in maps)
    return int((outputs != truth).sum())


def measured(
    accelerator: Accelerator, images: Integers, counted: int
) -> tuple[dict[str, EdgeCounts], dict[str, dict[str, np.ndarray]], int]:
    """Return edges by layer (of all images), cycles by mode and layer (of the first `counted`), differing outputs."""
    edges: dict[str, EdgeCounts] = {}
    cycles: dict[str, dict[str, np.ndarray]] = {mode: {} for mode in MODES}
    differ = 0
    for name, unit in units_of(accelerator, "ooo").items():
        p = accelerator.parameters[name]
        for chosen, x in layer_inputs(accelerator, name, images):
            work = edge_work(unit, p, x)
            truth = x @ p.weights.T >= p.thresholds[:, 0]
            differ += differing_outputs(unit, work.outputs, truth)
            edges[name] = edges[name] + work.edges if name in edges else work.edges
            todo = counted - chosen.start
            if todo > 0:
                first = replace(work, words=work.words[: todo * int(unit.vectors)])
                for mode in MODES:
                    ends = frame_ends(replace(unit, mode=mode), first)
                    one = np.diff(ends, prepend=0)
                    before = cycles[mode].get(name, np.zeros(0))
                    cycles[mode][name] = np.concatenate([before, one])
    return edges, cycles, differ


def trained(p: Plan, base: BaseWeights, losses: tuple[float, float]) -> Accelerator:
    """Return the integer network of 1 bit with weights of the two losses."""
    compressions: Mapping[str, Compression] = p.space.compressions(
        p.space.baseline() | {"all.lambda_threshold": losses[0], "all.lambda_pooling": losses[1]}
    )
    assert p.stages.final_epochs is not None
    done = finetune(
        p.network,
        compressions,
        base,
        p.dataset,
        epochs=p.stages.final_epochs,
        seed=p.config.seed,
    )
    return done.accelerator


def share(value: float) -> str:
    """Return a percentage."""
    return f"{100 * value:.1f}"


def show(
    title: str,
    edges: Mapping[str, EdgeCounts],
    cycles: Mapping[str, Mapping[str, np.ndarray]],
    units: Mapping[str, EdgeSkipUnit],
) -> None:
    """Print the table of one network."""
    print(f"\n{title}, PE {PE}, SIMD {SIMD}; percent of all edges, of dense cycles")
    print(
        "| layer | T1 | T0 | PL | pruned | cycles saved, lockstep | ooo | ooo expected before training |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    dense = {n: int(u.dense_cycles) for n, u in units.items()}
    for name, e in edges.items():
        saved = [1 - cycles[m][name].mean() / dense[name] for m in MODES]
        prior = 1 - int(units[name].cycles) / dense[name]
        cells = [
            e.by_one / e.total,
            e.by_zero / e.total,
            e.by_pool / e.total,
            e.pruned,
            *saved,
            prior,
        ]
        print(f"| {name} | " + " | ".join(map(share, cells)) + " |")


def totals(
    edges: Mapping[str, EdgeCounts],
    cycles: Mapping[str, Mapping[str, np.ndarray]],
    units: Mapping[str, EdgeSkipUnit],
) -> tuple[EdgeCounts, dict[str, float]]:
    """Return all edges, and the share of cycles saved by mode, layers one after the other."""
    total = EdgeCounts(0, 0, 0, 0)
    for e in edges.values():
        total = total + e
    dense = sum(int(u.dense_cycles) for u in units.values())
    return total, {m: 1 - sum(c.mean() for c in cycles[m].values()) / dense for m in MODES}


def main() -> None:
    """Train, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000, help="of the test split")
    parser.add_argument("--counted", type=int, default=50, help="images whose cycles are counted")
    parser.add_argument(
        "--losses",
        default="0:0,0.3:0,0:0.1,0.1:0.1,0.3:0.1,0:0.3,0.1:0",
        help="lambda_threshold:lambda_pooling, by commas",
    )
    options = parser.parse_args()
    p = plan(load_config(STUDY))
    assert p.stages.pretrain_epochs is not None
    base = pretrain(p.network, p.dataset, p.stages.pretrain_epochs, p.config.seed)
    test = p.dataset.test.first(options.images)
    rows = []
    for text in options.losses.split(","):
        first, second = (float(v) for v in text.split(":"))
        begun = time.perf_counter()
        accelerator = trained(p, base, (first, second))
        reached = accelerator.accuracy(test.images, test.labels)
        edges, cycles, differ = measured(accelerator, test.images, options.counted)
        units = units_of(accelerator, "ooo")
        show(f"lambda_threshold {first:g}, lambda_pooling {second:g}", edges, cycles, units)
        e, saved = totals(edges, cycles, units)
        cells = [e.by_one / e.total, e.by_zero / e.total, e.by_pool / e.total, e.pruned]
        cells += [saved["lockstep"], saved["ooo"], saved["ooo"] / e.pruned]
        values = [f"{first:g}", f"{second:g}", share(reached), *map(share, cells), f"{differ}"]
        rows.append("| " + " | ".join(values) + " |")
        print(f"{rows[-1]}  {time.perf_counter() - begun:.0f} s", flush=True)
    print(f"\nAll layers that can skip, {len(test)} test images, {options.counted} for cycles")
    print("| " + " | ".join(COLUMNS) + " |")
    print("| --- " * len(COLUMNS) + "|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
