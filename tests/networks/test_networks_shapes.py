"""The built-in networks have the layers of their papers."""

from __future__ import annotations

import math

import pytest

from dse.errors import UsageError
from dse.ir import plugins
from dse.ir.graph import blocks
from dse.ir.layers.conv2d import Conv2d
from dse.ir.network import Network
from dse.ir.numbers import IntType

BYTE = IntType(8, signed=False)


def build(name: str, shape: tuple[int, ...], classes: int = 10, **options: float) -> Network:
    network = plugins.load("dse.networks", name).build(shape, BYTE, classes, **options)
    assert isinstance(network, Network)
    return network


# Matrices (mh, mw) from the papers: Umuroglu et al. 2017 (TFC, SFC, LFC, CNV), Duarte et al. 2018 (jets),
# LeCun et al. 1998, Courbariaux et al. 2016.
MATRICES = {
    "tfc": ((28, 28, 1), 10, [(64, 784), (64, 64), (64, 64), (10, 64)]),
    "sfc": ((28, 28, 1), 10, [(256, 784), (256, 256), (256, 256), (10, 256)]),
    "lfc": ((28, 28, 1), 10, [(1024, 784), (1024, 1024), (1024, 1024), (10, 1024)]),
    "jet_mlp": ((16,), 5, [(64, 16), (32, 64), (32, 32), (5, 32)]),
    "lenet5": ((28, 28, 1), 10, [(6, 25), (16, 150), (120, 400), (84, 120), (10, 84)]),
    "cnv": (
        (32, 32, 3),
        10,
        [
            (64, 27),
            (64, 576),
            (128, 576),
            (128, 1152),
            (256, 1152),
            (256, 2304),
            (512, 256),
            (512, 512),
            (10, 512),
        ],
    ),
    "vgg_bnn": (
        (32, 32, 3),
        10,
        [
            (128, 27),
            (128, 1152),
            (256, 1152),
            (256, 2304),
            (512, 2304),
            (512, 4608),
            (1024, 8192),
            (1024, 1024),
            (10, 1024),
        ],
    ),
    "digits_cnn": ((8, 8, 1), 10, [(16, 9), (16, 144), (32, 144), (64, 128), (10, 64)]),
}


@pytest.mark.parametrize("name", sorted(MATRICES))
def test_matrices(name: str) -> None:
    shape, classes, matrices = MATRICES[name]
    network = build(name, shape, classes)
    assert [(m.mh, m.mw) for m in network.matrix_layers] == matrices


def test_cnv_has_the_maps_of_finn() -> None:
    network = build("cnv", (32, 32, 3))
    sides = [layer.output_shape[0] for layer in network.layers if len(layer.output_shape) == 3]
    assert sides == [30, 28, 14, 12, 10, 5, 3, 1]
    assert math.prod(network["conv6"].output_shape) == 256


def test_digits_cnn_layer_names() -> None:
    names = [m.name for m in build("digits_cnn", (8, 8, 1)).matrix_layers]
    assert names == ["conv1", "conv2", "conv3", "fc1", "fc2"]


def test_widths_are_multiples_of_four() -> None:
    network = build("lenet5", (28, 28, 1), width=0.5)
    assert [m.mh for m in network.matrix_layers] == [4, 8, 60, 40, 10]
    network = build("cnv", (32, 32, 3), width=0.01)
    assert [m.mh for m in network.matrix_layers] == [4] * 8 + [10]


def test_cnv_on_mnist_says_how_to_pad() -> None:
    with pytest.raises(UsageError) as caught:
        build("cnv", (28, 28, 1))
    assert str(caught.value) == (
        "model cnv: layer conv6 needs a map of at least 3x3, but 2x2 is left of an input of 28x28;"
        " use larger images or pad them (`pad:` in the data section)"
    )
    assert build("cnv", (32, 32, 1)).classes == 10


@pytest.mark.parametrize(
    ("width", "weights", "macs"),  # Howard et al. 2017, tables 4 and 6, in millions
    [(1.0, 4.2, 569), (0.75, 2.6, 325), (0.5, 1.3, 149), (0.25, 0.5, 41)],
)
def test_mobilenet_has_the_published_size(width: float, weights: float, macs: int) -> None:
    network = build("mobilenet_v1", (224, 224, 3), 1000, width=width)
    assert len(network.matrix_layers) == 28
    assert round(network.weights / 1e6, 1) == weights
    assert round(sum(m.macs for m in network.matrix_layers) / 1e6) == macs
    assert network["mean"].input_shape[:2] == (7, 7)


def test_mobilenet_counts_weight_by_weight() -> None:
    network = build("mobilenet_v1", (224, 224, 3), 1000)
    assert network.weights == 4_209_088  # the 4,231,976 of the usual count, less norms and biases
    assert sum(m.macs for m in network.matrix_layers) == 568_740_352
    macs = dict.fromkeys(("conv", "dw", "pw", "fc"), 0)
    for layer in network.matrix_layers:
        macs[layer.name.rstrip("0123456789")] += layer.macs
    # table 2 of the paper, in percent (its 1.19 of the first layer leaves the sum at 99.29)
    shares = {kind: round(100 * macs[kind] / 568_740_352, 2) for kind in ("pw", "dw", "fc")}
    assert shares == {"pw": 94.86, "dw": 3.06, "fc": 0.18}


def test_resnet50_is_the_published_one() -> None:
    network = build("resnet50", (224, 224, 3), 1000)
    convs = [layer for layer in network.layers if isinstance(layer, Conv2d)]
    assert len(convs) == 53
    assert len(blocks(network)) == 16
    # the 25,557,032 parameters of torchvision less 53,120 of norms and 1,000 biases
    assert network.weights == 25_502_912
    assert network["fc"].mh * network["fc"].mw == 2_048_000  # type: ignore[attr-defined]
    assert sum(m.macs for m in network.matrix_layers) == 4_089_184_256  # 4.09 G (torchvision)
    sides = [(b.join.output_shape[0], b.join.output_shape[2]) for b in blocks(network).values()]
    assert sides == [(56, 256)] * 3 + [(28, 512)] * 4 + [(14, 1024)] * 6 + [(7, 2048)] * 3
    assert network["pool1"].output_shape == (56, 56, 64)
    assert [n for n in (x.name for x in convs) if n.endswith("proj")] == [
        f"b{i}_proj" for i in (1, 4, 8, 14)
    ]


def test_resnet8_is_the_published_one() -> None:
    network = build("resnet8", (32, 32, 3))
    # the 78,666 parameters of MLPerf Tiny less norms and biases; 12.5 million products
    assert network.weights == 77_360
    assert sum(m.macs for m in network.matrix_layers) == 12_501_632
    assert [b.join.output_shape for b in blocks(network).values()] == [
        (32, 32, 16),
        (16, 16, 32),
        (8, 8, 64),
    ]
