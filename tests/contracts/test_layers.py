"""Every layer type in dse/ir/layers: facts that agree with the integer reference, a unit, a price, a folding."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical
from dse.folding.fold import Folder
from dse.ir import plugins
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.design import Compression
from dse.ir.lanes import LaneParameters
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.duplicate import Duplicate
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.layers.thresholding import Thresholding
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import flat
from dse.lowering.pipeline import check, pipeline
from hw_templates import folder
from hw_templates._boards import load_board

PIXEL = IntType(4, signed=False)
SHAPE = (7, 6, 4)
# a new layer file needs an example here, and a kernel
EXAMPLES: dict[str, tuple[Layer, str]] = {
    "average_pool2d": (AveragePool2d("x", ("input",), SHAPE, kernel=2), "average_pool.hpp"),
    "duplicate": (Duplicate("x", ("input",), SHAPE), "stream_duplicate.hpp"),
    "fused_add": (
        FusedAdd("x", ("front", "branch"), SHAPE, (True, True), 8, 6, shifts=False),
        "residual_lane.hpp",
    ),
    "thresholding": (
        Thresholding("x", ("input",), SHAPE, activation=True, kernel=1),
        "depthwise_unit.hpp",
    ),
    "add": (Add("x", ("branch", "front"), SHAPE, signed=(True, False)), "stream_add.hpp"),
    "concat": (Concat("x", ("branch", "front"), SHAPE, 4), "stream_concat.hpp"),
    "conv2d": (
        Conv2d("x", ("input",), SHAPE, activation=True, out_channels=8, kernel=3, padding=1),
        "sliding_window.hpp",
    ),
    "dense": (Dense("x", ("input",), SHAPE, activation=True, out_features=8), "matrix_unit.hpp"),
    "depthwise_conv2d": (
        DepthwiseConv2d("x", ("input",), SHAPE, activation=True, kernel=3, stride=2, padding=1),
        "depthwise_unit.hpp",
    ),
    "global_average_pool": (GlobalAveragePool("x", ("input",), SHAPE), "global_sum.hpp"),
    "max_pool2d": (MaxPool2d("x", ("input",), SHAPE, kernel=2), "max_pool.hpp"),
}


def network_of(layer: Layer) -> Network:
    last = Dense("last", ("x",), layer.output_shape, activation=False, out_features=3)
    if layer.inputs == ("input",):
        return Network("n", SHAPE, PIXEL, (layer, last))
    front = Conv2d("front", ("input",), SHAPE, activation=True, out_channels=4, kernel=1)
    branch = replace(front, name="branch", inputs=("front",), kernel=3, padding=1, signed=True)
    if isinstance(layer, Concat):
        branch = replace(branch, signed=False)
    if isinstance(layer, FusedAdd):
        front, branch = replace(front, signed=True), replace(branch, activation=False, signed=False)
    return Network("n", SHAPE, PIXEL, (front, branch, layer, last))


def parameters(layer: MatrixLayer, rng: np.random.Generator) -> MatrixParameters:
    weights = rng.integers(-3, 4, (layer.mh, layer.mw))
    thresholds = np.sort(rng.integers(-40, 40, (layer.mh, 3)), axis=1) if layer.activation else None
    return MatrixParameters(
        3, weights, np.ones_like(weights, dtype=bool), 2 if layer.activation else None, thresholds
    )


@pytest.mark.parametrize("name", plugins.names("dse.ir.layers"))
def test_a_layer_file_keeps_the_promise(name: str) -> None:
    module: Any = importlib.import_module(f"dse.ir.layers.{name}")
    assert module.__doc__
    layer, kernel = EXAMPLES[name]
    assert type(layer).__module__ == module.__name__
    assert (folder("kernels") / kernel).is_file()

    rng = np.random.default_rng(0)
    network = network_of(layer)
    built = {m.name: parameters(m, rng) for m in network.matrix_layers}
    lane = LaneParameters(*rng.integers(-31, 32, (3, SHAPE[-1])), 4, 4, 1)
    images = rng.integers(0, 16, (3, *SHAPE))
    scores = Accelerator(network, built, {"x": lane}).scores(images)
    assert scores.shape == (3, 3)
    assert layer.is_matrix == isinstance(layer, MatrixLayer)
    if isinstance(layer, MatrixLayer):
        assert layer.macs == layer.mh * layer.mw * layer.vectors
        assert np.prod(layer.output_shape) == layer.mh * layer.vectors

    wanted = {m.name: Compression(3, 2 if m.activation else None) for m in network.matrix_layers}
    board = load_board("Pynq-Z1")
    folds = Folder.build(
        network, canonical(network, wanted), board, analytic.load(board.family), {}
    )
    for target in (folds.targets()[0], folds.targets()[1]):
        design = folds.solve(target, 0.5)
        check(network, design)
        units = flat(pipeline(network, design))
        assert any(u.layer == "x" and int(u.cycles) > 0 for u in units)
        assert max(int(u.cycles) for u in units) <= target
