"""Masks that training prepares: ADMM and the reweighted group lasso."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dse.compression import canonical
from dse.config.values import DataConfig
from dse.data import digits
from dse.data._dataset import Dataset
from dse.ir.design import Compression
from dse.ir.network import Network
from dse.networks import digits_cnn
from dse.training import BaseWeights, finetune, pretrain
from dse.training.penalties import FLOOR, LASSO, Admm, GroupLasso, projection
from dse.training.preparing import prepared_epochs
from pruning import bcr

P, Q = 8, 8


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits.load(DataConfig("digits", limit={"train": 600}), seed=0)


@pytest.fixture(scope="module")
def network(data: Dataset) -> Network:
    return digits_cnn.build(data.input_shape, data.input_type, data.classes)


@pytest.fixture(scope="module")
def base(network: Network, data: Dataset) -> BaseWeights:
    return pretrain(network, data, epochs=12, seed=0)


def pruned_by(
    network: Network, how: str, scheme: str = "bcr", weight_bits: int = 4
) -> dict[str, Compression]:
    c = Compression(weight_bits, 4, scheme, 0.75, (4, 8), how)
    dense = Compression(8, 4)
    inner = {m.name for m in network.matrix_layers[1:-1]}
    return canonical(
        network, {m.name: c if m.name in inner else dense for m in network.matrix_layers}
    )


def legal(sparsity: float, how: str, mh: int = 8, mw: int = 16) -> Compression:
    found, block = bcr.legalise(mh, mw, sparsity, (P, Q))
    return Compression(4, 4, "bcr", found, block, how)


@pytest.mark.parametrize(
    ("how", "scheme", "bits"),
    [("admm", "bcr", 1), ("group_lasso", "bcr", 4), ("admm", "unstructured", 4)],
)
def test_a_prepared_mask_is_one_of_the_scheme_and_works(
    how: str, scheme: str, bits: int, network: Network, base: BaseWeights, data: Dataset
) -> None:
    wanted = pruned_by(network, how, scheme, bits)
    trained = finetune(network, wanted, base, data, epochs=6, seed=0)
    assert trained.validation_accuracy >= 0.88
    for name, p in trained.accelerator.parameters.items():
        c, (mh, mw) = wanted[name], p.kept.shape
        assert 1 - p.kept.mean() == pytest.approx(c.sparsity)
        assert not p.weights[~p.kept].any()
        if c.scheme == "bcr":
            t = bcr.structure(mh, mw, c).tiling
            assert t is not None
            blocks = p.kept.reshape(mh // t.block_rows, t.block_rows, -1, t.block_cols)
            assert (blocks.any(axis=3).sum(axis=1) == t.kept_rows).all()
            assert (blocks.any(axis=1).sum(axis=2) == t.kept_cols).all()


def test_each_way_of_pruning_gives_another_network(
    network: Network, base: BaseWeights, data: Dataset
) -> None:
    def digest(how: str, epochs: int) -> str:
        compressions = pruned_by(network, how)
        trained = finetune(network, compressions, base, data, epochs=epochs, images=100, seed=0)
        return trained.accelerator.digest

    ways = ("magnitude", "admm", "group_lasso")
    assert len({digest(how, 2) for how in ways}) == 3
    # one epoch leaves none to prepare a mask in
    assert len({digest(how, 1) for how in ways}) == 1


def test_half_of_the_first_epochs_prepare(network: Network) -> None:
    assert prepared_epochs(pruned_by(network, "admm"), 7) == 3
    assert prepared_epochs(pruned_by(network, "magnitude"), 7) == 0


def test_filters_leave_by_magnitude(network: Network) -> None:
    for how in ("admm", "group_lasso"):
        assert pruned_by(network, how, "filter") == pruned_by(network, "magnitude", "filter")


def test_nothing_is_prepared_where_nothing_is_pruned(network: Network) -> None:
    c = Compression(4, 4, "bcr", 0.0, (4, 8), "admm")
    found = canonical(network, {m.name: c for m in network.matrix_layers})
    assert {x.prune_by for x in found.values()} == {"magnitude"}


def squared_distance_to_the_mask(weights: torch.Tensor, c: Compression) -> float:
    kept = projection(weights, c)
    values = weights.detach().numpy()
    return float(np.square(values * ~kept).sum() / np.square(values).sum())


@pytest.mark.parametrize(
    ("kind", "sparsity", "loss_weight"), [(Admm, 0.75, 3e-5), (GroupLasso, 0.5, 9e-5)]
)
def test_a_penalty_brings_weights_to_a_mask(
    kind: type[Admm | GroupLasso], sparsity: float, loss_weight: float
) -> None:
    """On the loss |W - target|^2 alone, weights would stay where they are: at the target.

    ADMM is told how much to keep; the lasso keeps what the loss is worth.
    """
    torch.manual_seed(0)
    target = torch.randn(8, 16)
    weights = nn.Parameter(target.clone())
    c = legal(sparsity, "admm")
    before = squared_distance_to_the_mask(weights, c)
    penalty = kind(weights, c)
    optimiser = torch.optim.Adam([weights], 0.02)
    for step in range(600):
        optimiser.zero_grad()
        loss = loss_weight * (weights - target).square().sum() + penalty.loss()
        torch.autograd.backward(loss)
        optimiser.step()
        penalty.update((step + 1) / 600)
    assert squared_distance_to_the_mask(weights, c) < 0.1 * before


def test_the_first_step_of_admm_pulls_towards_the_projection() -> None:
    torch.manual_seed(1)
    weights = nn.Parameter(torch.randn(8, 16))
    c = legal(0.5, "admm")
    kept = torch.tensor(projection(weights, c))
    torch.autograd.backward(Admm(weights, c).loss())
    assert weights.grad is not None
    assert not weights.grad[kept].any()
    ratio = weights.grad[~kept] / weights.detach()[~kept]
    assert float(ratio.min()) > 0
    assert float(ratio.max() - ratio.min()) < 1e-6


def test_the_group_lasso_is_the_sum_over_rows_and_columns_of_blocks() -> None:
    rng = np.random.default_rng(2)
    first, then = rng.normal(size=(2, 16, 16))
    c = legal(0.9, "group_lasso", 16, 16)
    tiling = bcr.structure(16, 16, c).tiling
    assert tiling is not None
    assert tiling.kept_rows < P
    assert tiling.kept_cols < Q
    weights = nn.Parameter(torch.tensor(first))
    penalty = GroupLasso(weights, c)
    with torch.no_grad():
        weights.copy_(torch.tensor(then))
    scale = 1 / np.square(first).mean()

    def squares(matrix: np.ndarray, rows: bool) -> np.ndarray:
        found = []
        for u in range(0, 16, P):
            for v in range(0, 16, Q):
                block = np.square(matrix[u : u + P, v : v + Q]) * scale
                found += list(block.sum(axis=1 if rows else 0))
        return np.array(found)

    expected = 0.0
    for rows in (True, False):
        old, new = squares(first, rows), squares(then, rows)
        expected += float((new / (old + FLOOR * old.mean())).sum())
    assert float(penalty.loss().detach()) == pytest.approx(LASSO * expected)
