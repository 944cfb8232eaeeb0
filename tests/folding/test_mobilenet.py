"""MobileNetV1 through the search side: folded for the largest board at full size, trained at a small one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cost_models import analytic
from dse.compression import canonical
from dse.data._dataset import Dataset, Split
from dse.folding.estimate import estimate
from dse.folding.fold import Folder, cost_weights
from dse.ir.design import Compression
from dse.ir.hardware import RESOURCES
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks import mobilenet_v1
from dse.training import pretrain
from dse.training.finetuning import finetune, quantised
from dse.training.thresholds import accelerator
from dse.training.torch_ops import as_input
from hw_templates._boards import load_board

BYTE = IntType(8, signed=False)


def compressed(network: Network, scheme: str, sparsity: float) -> dict[str, Compression]:
    c = Compression(4, 4, scheme, sparsity, (8, 8))
    return canonical(network, {m.name: c for m in network.matrix_layers})


@pytest.mark.parametrize(("scheme", "sparsity"), [("dense", 0.0), ("filter", 0.5), ("bcr", 0.5)])
def test_the_published_network_fits_the_u280(scheme: str, sparsity: float) -> None:
    board = load_board("U280")
    network = mobilenet_v1.build((224, 224, 3), BYTE, 1000)
    compressions = compressed(network, scheme, sparsity)
    folds = Folder.build(network, compressions, board, analytic.load(board.family), {})
    fastest, _ = folds.targets()
    assert fastest == 112 * 112 * 9  # a pixel of a window per cycle
    weights, costs = cost_weights(board.resources, 0.5), []
    for target in (fastest, 4 * fastest):
        design = folds.solve(target, 0.5)
        found = estimate(network, design, board, 200.0, analytic.load(board.family))
        assert found.interval_cycles <= target
        assert [layer.name for layer in found.layers] == [layer.name for layer in network.layers]
        for resource in RESOURCES:
            limit = getattr(board.resources, resource) * board.usable_share[resource]
            assert getattr(found.total.high, resource) <= limit
        costs.append(weights @ [getattr(found.total.expected, r) for r in RESOURCES])
    assert costs[1] < costs[0]


def test_it_trains_at_a_quarter_of_the_width() -> None:
    network = mobilenet_v1.build((32, 32, 3), BYTE, 3, width=0.25)
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (16, 32, 32, 3), np.uint8), np.arange(16) % 3)
    data = Dataset("noise", split, split, split, BYTE, 3)
    compressions = compressed(network, "filter", 0.5)
    base = pretrain(network, data, epochs=1, seed=0)
    trained = finetune(network, compressions, base, data, epochs=1, seed=0).accelerator
    assert trained.network["dw2"].input_shape == (16, 16, 8)

    module = quantised(network, compressions, base, data)
    integer = accelerator(module)
    with torch.no_grad():
        scores = module(as_input(torch.from_numpy(split.images), torch.float64)).numpy()
    np.testing.assert_array_equal(integer.scores(split.images).argmax(1), scores.argmax(1))
