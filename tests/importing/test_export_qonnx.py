"""An integer network written as QONNX comes back with the same scores."""

from __future__ import annotations

import numpy as np
import pytest

from dse.errors import UsageError
from dse.importing.export import to_qonnx
from dse.importing.imported import imported
from dse.importing.onnx_file import parse, read
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.networks import digits_separable, resnet8, tfc, vgg_bnn

PIXELS = IntType(8, signed=False)


def random_accelerator(network: Network, weight_bits: int, activation_bits: int) -> Accelerator:
    """Random weights and thresholds; a few weights are pruned."""
    rng = np.random.default_rng(3)
    parameters = {}
    for layer in network.matrix_layers:
        shape = layer.mh, layer.mw
        kept = rng.random(shape) < 0.9
        most = max(1, 2 ** (weight_bits - 1) - 1)
        weights = rng.choice([-1, 1], shape) * rng.integers(1, most + 1, shape) * kept
        thresholds = None
        if layer.activation:
            steps = rng.integers(-3 * layer.mw, 3 * layer.mw, (layer.mh, 2**activation_bits - 1))
            thresholds = np.sort(steps, axis=1)
        bits = activation_bits if layer.activation else None
        bias = None if layer.activation else rng.integers(-9, 10, layer.mh)
        parameters[layer.name] = MatrixParameters(
            weight_bits, weights, kept, bits, thresholds, bias=bias
        )
    return Accelerator(network, parameters)


@pytest.mark.parametrize(
    ("build", "shape", "element", "weight_bits", "activation_bits"),
    [
        (resnet8.build, (8, 8, 3), PIXELS, 3, 4),
        (digits_separable.build, (8, 8, 1), IntType(5, signed=False), 2, 2),
        (tfc.build, (49,), BIPOLAR, 1, 1),
        (tfc.build, (16,), IntType(8, signed=True), 4, 3),
    ],
)
def test_back_with_the_same_scores(build, shape, element, weight_bits, activation_bits) -> None:
    first = random_accelerator(build(shape, element, 10), weight_bits, activation_bits)
    back = imported(parse(to_qonnx(first), "m", "m.onnx"), element, {"input_scale": 1.0})
    assert back.why == ""
    second = back.accelerator
    kinds = [(type(x), x.output_shape) for x in first.network.layers]
    assert [(type(x), x.output_shape) for x in second.network.layers] == kinds
    images = np.random.default_rng(0).integers(element.min, element.max + 1, (20, *shape))
    images = np.where(images < 0, -1, 1) if element.bipolar else images
    assert np.array_equal(first.scores(images), second.scores(images))


def test_what_brevitas_made_comes_back_equal(brevitas, tmp_path) -> None:
    path = brevitas.qonnx(brevitas.bnn_pynq("tfc_2w2a"), (1, 1, 28, 28), tmp_path / "m.onnx")
    first = imported(read(path), PIXELS, {}).accelerator
    back = imported(parse(to_qonnx(first), first.network.name, ""), PIXELS, {"input_scale": 1.0})
    assert back.accelerator.digest == first.digest


def test_padding_with_minus_one_has_no_counterpart() -> None:
    network = vgg_bnn.build((32, 32, 3), PIXELS, 10, width=0.0625)
    with pytest.raises(UsageError, match="conv2 pads with -1, QONNX with 0"):
        to_qonnx(random_accelerator(network, 1, 1))
