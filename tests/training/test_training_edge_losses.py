"""The losses for early decisions: their formulas, and that a training with them decides earlier."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dse.compression import canonical
from dse.config.values import DataConfig
from dse.data import digits
from dse.ir.design import Compression
from dse.ir.edge_cycles import work_on
from dse.ir.edge_skip import EdgeSkipUnit, pooling_behind
from dse.ir.layers._base import MatrixLayer
from dse.networks import vgg_bnn
from dse.training import finetune, pretrain
from dse.training.edge_losses import MARGIN, ONES, pooling_loss, threshold_loss


def test_formulas() -> None:
    rng = np.random.default_rng(0)
    dot = torch.tensor(rng.normal(3, 20, (500, 4, 6)))
    gain, shift = torch.tensor([1.0, -2.0, 0.5, 1.0]), torch.tensor([0.0, 1.0, -0.5, 3.0])
    mean, std = dot.mean(dim=(0, 2)), dot.std(dim=(0, 2), unbiased=False)
    y = (dot - mean[:, None]) / std[:, None] * gain[:, None] + shift[:, None]
    threshold = mean - shift * std / gain  # where y is 0
    distance = (dot - threshold[:, None]).abs() / 64
    wanted = torch.relu(MARGIN - distance).mean()
    assert float(threshold_loss(dot, y, gain, 64)) == pytest.approx(float(wanted), rel=1e-4)
    ones = torch.full((3, 2), 10.0)
    assert float(pooling_loss(ones)) == 0.0
    assert float(pooling_loss(-ones)) == pytest.approx(ONES, abs=1e-6)


def test_training_gives_more_ones_in_front_of_a_pool() -> None:
    data = digits.load(DataConfig("digits", limit={"train": 320}), seed=0)
    network = vgg_bnn.build(data.input_shape, data.input_type, data.classes, width=0.0625)
    base = pretrain(network, data, epochs=2, seed=0)
    images = data.validation.first(40).images
    cancelled = []
    for weight in (0.0, 50.0):
        wanted = Compression(1, 1, lambda_pooling=weight)
        compressions = canonical(network, {x.name: wanted for x in network.matrix_layers})
        accelerator = finetune(network, compressions, base, data, epochs=3, seed=0).accelerator
        layer = accelerator.network["conv4"]
        assert isinstance(layer, MatrixLayer)
        unit = EdgeSkipUnit(
            *("conv4", layer.mh, layer.mw, layer.vectors, 1, 4, 1, 1, True, 1, "bram", "lut"),
            pooling=pooling_behind(network, layer),
        )
        cancelled.append(work_on(unit, accelerator, images).edges.by_pool)
    assert cancelled[1] > 1.05 * cancelled[0]
