"""Fused residual networks: torch, integers and C++ agree on every value, for every precision of a block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cost_models import analytic
from dse.compression import canonical
from dse.config.values import DataConfig
from dse.data import digits
from dse.data._dataset import Dataset
from dse.emit.hls import hls_project
from dse.emit.order import Order
from dse.emit.project import HlsProject
from dse.emit.rtl import rtl_project
from dse.emit.verify import verify
from dse.folding.estimate import estimate
from dse.folding.fold import Folder
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression, DesignPoint
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.thresholding import Thresholding
from dse.ir.network import Network
from dse.networks._build import Chain
from dse.networks._fused import Lanes, block, stem
from dse.training import BaseWeights, pretrain
from dse.training.finetuning import groups, quantised
from dse.training.fitting import Recipe, fit, settle_statistics
from dse.training.quantised_network import QuantisedNetwork
from dse.training.thresholds import accelerator
from dse.training.torch_ops import as_input
from hw_templates._boards import load_board

IMAGES = 12


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits.load(DataConfig("digits", limit={"train": 256}), seed=0)


@pytest.fixture(scope="module")
def hybrid(data: Dataset) -> tuple[Network, BaseWeights]:
    """A standard block with shifts as constants, and a depthwise one that halves the map and doubles the
    channels; the stream is narrow and saturates.
    """
    chain = Chain("hybrid", data.input_shape, data.input_type)
    stem(chain, 0.125, 2)
    block(chain, 1, 8, 1, Lanes(6, 6, shifts=True), depthwise=False)
    block(chain, 2, 16, 2, Lanes(6, 8, shifts=False), depthwise=True)
    chain.mean("mean")
    chain.dense("fc", data.classes, activation=False)
    network = chain.network()
    return network, pretrain(network, data, epochs=2, seed=1)


def compressions(network: Network) -> dict[str, Compression]:
    """The first block is binary, the second has 4 bits."""
    ends = {"conv1": Compression(4, 5), "fc": Compression(3, None)}
    wanted = {
        m.name: ends.get(m.name, Compression(*(1, 1) if m.name.startswith("b1") else (4, 4)))
        for m in network.matrix_layers
    }
    return canonical(network, wanted)


def trained(
    network: Network, base: BaseWeights, data: Dataset
) -> tuple[DesignPoint, QuantisedNetwork]:
    wanted = compressions(network)
    module = quantised(network, wanted, base, data)
    fit(module, groups(module, 0.3), data.train, Recipe(epochs=1), seed=0, device="cpu")
    settle_statistics(module, data.train, "cpu")
    with torch.no_grad():  # what training rarely leaves behind: inverted and constant channels
        for name in module.lanes:
            lane = module.lane(name)
            lane.gain[0] *= -1
            lane.gain[1] = 0
            lane.slope[2] = -0.5
    board = load_board("Pynq-Z1")
    folder = Folder.build(network, wanted, board, analytic.load(board.family), {})
    return folder.solve(folder.targets()[len(folder.targets()) // 2], 0.5), module


def outputs_of_torch(module: QuantisedNetwork, images: np.ndarray) -> dict[str, np.ndarray]:
    """Channels last: the integers of every product, threshold and lane."""
    seen: dict[str, np.ndarray] = {}
    for name, layer in [*module.matrices.items(), *module.lanes.items()]:

        def keep(
            _: object, inputs: tuple[torch.Tensor, ...], y: torch.Tensor, n: str = name
        ) -> None:
            y = y if n != "fc" else module.matrix(n).dot(*inputs)
            seen[n] = (y.permute(0, 2, 3, 1) if y.ndim == 4 else y).numpy()

        layer.register_forward_hook(keep)
    with torch.no_grad():
        module(as_input(torch.from_numpy(images), torch.float64))
    return seen


def up_to(integer: Accelerator, name: str) -> Accelerator:
    built = integer.network
    end = [x.name for x in built.layers].index(name) + 1
    part = Network("part", built.input_shape, built.input_type, built.layers[:end])
    return Accelerator(part, integer.parameters, integer.lanes)


def project(
    network: Network, design: DesignPoint, integer: Accelerator, data: Dataset, rtl: bool = False
) -> HlsProject:
    board = load_board("Pynq-Z1")
    emit = rtl_project if rtl else hls_project
    return emit(
        Order(
            study="study",
            network=network,
            design=design,
            accelerator=integer,
            board=board,
            clock_mhz=100.0,
            estimate=estimate(network, design, board, 100.0, analytic.load(board.family)),
            images=data.test.images[:IMAGES],
            labels=data.test.labels[:IMAGES],
        )
    )


def test_torch_integers_and_hls_agree(
    hybrid: tuple[Network, BaseWeights], data: Dataset, check_layers: Any, tmp_path: Path
) -> None:
    network, base = hybrid
    design, module = trained(network, base, data)
    integer = accelerator(module)
    images = data.test.images[:IMAGES]
    found = outputs_of_torch(module, images)
    lanes = [x.name for x in network.layers if isinstance(x, FusedAdd)]
    assert set(found) == {*lanes, *(m.name for m in network.matrix_layers)}
    for name, values in found.items():
        np.testing.assert_array_equal(values, up_to(integer, name).scores(images), name)
    thresholds = [x.name for x in network.layers if isinstance(x, Thresholding)]
    assert all(len(np.unique(found[name])) > 1 for name in (*lanes, *thresholds))
    again = Accelerator.from_arrays(integer.network, integer.arrays())
    assert again.digest == integer.digest
    assert (again.scores(images) == integer.scores(images)).all()

    result = verify(project(network, design, integer, data).write(tmp_path / "p"))
    assert result.mismatches == 0
    assert result.words == IMAGES * network.classes
    assert result.loop_trips == result.predicted
    check_layers(tmp_path / "p")


def test_verilog(
    hybrid: tuple[Network, BaseWeights], data: Dataset, check_verilog: Any, tmp_path: Path
) -> None:
    network, base = hybrid
    design, module = trained(network, base, data)
    folder = project(network, design, accelerator(module), data, rtl=True).write(tmp_path / "p")
    check_verilog(folder)
