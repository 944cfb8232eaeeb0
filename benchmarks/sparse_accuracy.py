"""What blocks cost in accuracy.

Run: python benchmarks/sparse_accuracy.py (one to two minutes on one core)

A float network 64-128-128-10 on the digits of scikit-learn: trained dense, both hidden matrices
pruned at once, trained again with fixed masks. Prints the share of the weights' energy that stays,
accuracy on 397 test images after retraining (mean of three seeds; differences below a point are
noise), and index bits per kept weight.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from sklearn.datasets import load_digits

from dse.ir.design import Compression
from dse.ir.units import Tiling
from pruning import bcr, unstructured

SEEDS = 3
BLOCKS = ((4, 4), (4, 16), (8, 8), (8, 16), (16, 16), (4, 64), (16, 64))
SPARSITIES = (0.5, 0.75, 0.875, 0.9375)


class Digits:
    def __init__(self) -> None:
        images, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(images))
        x = torch.tensor(images[order] / 16, dtype=torch.float32)
        y = torch.tensor(labels[order])
        self.train, self.test = (x[:1400], y[:1400]), (x[1400:], y[1400:])


def network() -> torch.nn.Sequential:
    n = torch.nn
    hidden = [(n.Linear(a, 128), n.BatchNorm1d(128), n.ReLU()) for a in (64, 128)]
    return n.Sequential(*hidden[0], *hidden[1], n.Linear(128, 10))


def fit(
    net: torch.nn.Sequential, data: Digits, epochs: int, masks: dict[int, torch.Tensor]
) -> None:
    x, y = data.train
    net.train()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
            for i, mask in masks.items():
                net[i].weight.data *= mask
    net.eval()


def accuracy(net: torch.nn.Sequential, data: Digits) -> float:
    x, y = data.test
    return float((net(x).argmax(1) == y).float().mean())


def retrained(
    net: torch.nn.Sequential, data: Digits, pruned: dict[int, np.ndarray]
) -> tuple[float, float]:
    """Return the share of energy kept and the mean accuracy after retraining."""
    weights = {i: net[i].weight.detach().numpy() for i in pruned}
    share = [float((weights[i][k] ** 2).sum() / (weights[i] ** 2).sum()) for i, k in pruned.items()]
    masks = {i: torch.tensor(kept, dtype=torch.float32) for i, kept in pruned.items()}
    results = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        candidate = copy.deepcopy(net)
        for i, mask in masks.items():
            candidate[i].weight.data *= mask
        fit(candidate, data, 8, masks)
        results.append(accuracy(candidate, data))
    return float(np.mean(share)), float(np.mean(results))


def index_bits(tiling: Tiling) -> float:
    """Return the index bits per kept weight."""
    row = math.ceil(math.log2(tiling.block_rows // tiling.kept_rows)) * tiling.kept_rows
    column = math.ceil(math.log2(tiling.block_cols)) * tiling.kept_cols
    return (row + column) / (tiling.kept_rows * tiling.kept_cols)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data, net = Digits(), network()
    fit(net, data, 25, {})
    weights = {i: net[i].weight.detach().numpy().astype(np.float64) for i in (0, 3)}
    print(f"dense: {accuracy(net, data):.3f}")
    print("block   sparsity  tile(s)      order      energy  accuracy  index bits/weight")
    for wanted in SPARSITIES:
        free = {}
        for i, w in weights.items():
            sparsity, _ = unstructured.legalise(*w.shape, wanted, None)
            c = Compression(8, 8, "unstructured", sparsity)
            free[i] = unstructured.mask(w, c, reorder=False).kept
        energy, score = retrained(net, data, free)
        print(f"single  {wanted:8.4f}  {'':11}  {'':8} {energy:8.3f}  {score:8.3f}")
        for block in BLOCKS:
            for reorder in (False, True):
                kept, tilings = {}, []
                for i, w in weights.items():
                    sparsity, legal = bcr.legalise(*w.shape, wanted, block)
                    c = Compression(8, 8, "bcr", sparsity, legal)
                    tilings.append(bcr.structure(*w.shape, c).tiling)
                    kept[i] = bcr.mask(w, c, reorder=reorder).kept
                energy, score = retrained(net, data, kept)
                tiles = ",".join(sorted({f"{t.kept_rows}x{t.kept_cols}" for t in tilings}))
                bits = max(index_bits(t) for t in tilings)
                size = f"{block[0]}x{block[1]}"
                order = "similar" if reorder else "as is"
                print(
                    f"{size:7} {wanted:8.4f}  {tiles:11}  {order:8} {energy:8.3f}  {score:8.3f}"
                    f"  {bits:8.2f}"
                )


if __name__ == "__main__":
    main()
