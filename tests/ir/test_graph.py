"""Networks with sums: their graph, what may be compressed, and their integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dse.compression import canonical
from dse.errors import UsageError
from dse.ir.accelerator import Accelerator, MatrixParameters, count_thresholds
from dse.ir.design import Compression
from dse.ir.graph import Block, blocks, fixed_channels, series, shared_codes
from dse.ir.layers._base import Layer
from dse.ir.layers.add import Add
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.lowering.main_units import element_types

MAP, HALF = (4, 4, 2), (2, 2, 2)
U4 = IntType(4, signed=False)


def conv(name: str, source: str, *, signed: bool = False, stride: int = 1) -> Conv2d:
    return Conv2d(name, (source,), MAP, True, 2, 1, stride, signed=signed)


def network(*layers: Layer) -> Network:
    last = layers[-1]
    return Network("n", MAP, U4, (*layers, Dense("fc", (last.name,), last.output_shape, False, 3)))


TWO_BLOCKS = network(
    conv("c", "input"),
    conv("a1", "c"),
    conv("a2", "a1", signed=True),
    Add("a", ("a2", "c"), MAP, (True, False)),
    conv("b1", "a", signed=True, stride=2),
    conv("b2", "a", signed=True, stride=2),
    Add("b", ("b1", "b2"), HALF, (True, True)),
)


def test_a_network_is_a_series_of_layers_and_blocks() -> None:
    names = [p.join.name if isinstance(p, Block) else p.name for p in series(TWO_BLOCKS)]
    assert names == ["c", "a", "b", "fc"]
    found = blocks(TWO_BLOCKS)
    assert list(found) == ["a", "b"]
    assert [[x.name for x in branch] for branch in found["a"].branches] == [["a1", "a2"], []]
    assert [[x.name for x in branch] for branch in found["b"].branches] == [["b1"], ["b2"]]
    assert (found["a"].source.name, found["b"].source.name) == ("c", "a")


def test_branches_are_those_of_the_inputs_of_the_join_in_their_order() -> None:
    turned = replace(TWO_BLOCKS["a"], inputs=("c", "a2"), signed=(False, True))
    layers = tuple(turned if x.name == "a" else x for x in TWO_BLOCKS.layers)
    block = blocks(replace(TWO_BLOCKS, layers=layers))["a"]
    assert [[x.name for x in branch] for branch in block.branches] == [[], ["a1", "a2"]]


def test_layers_that_meet_share_codes_and_keep_channels() -> None:
    assert shared_codes(TWO_BLOCKS) == (("c", "a2"), ("b1", "b2"))
    assert fixed_channels(TWO_BLOCKS) == {"c", "a2", "b1", "b2"}
    through = network(
        conv("c", "input"),
        MaxPool2d("p", ("c",), MAP, 3, 1, 1),
        conv("a1", "p"),
        DepthwiseConv2d("a2", ("a1",), MAP, True, 3, 1, 1, signed=True),
        Add("a", ("a2", "p"), MAP, (True, False)),
        conv("b1", "a", signed=True),
        Add("b", ("a", "b1"), MAP, (False, True)),
    )
    assert shared_codes(through) == (("c", "a2", "b1"),)
    # what a depthwise layer hands on are the channels of the layer in front
    assert fixed_channels(through) == {"c", "a1", "a2", "b1"}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (conv("a", "input"), conv("b", "input", signed=True)),
            "input of model n must be read by one layer at most, got a, b",
        ),
        (
            (conv("c", "input"), conv("a", "c"), conv("b", "c"), conv("d", "c")),
            "c of model n must be read by two layers at most, got a, b, d",
        ),
        (
            (conv("c", "input"), conv("a", "c"), conv("b", "c")),
            "must end in the two inputs of one Add",
        ),
        (
            (conv("c", "input"), conv("a", "c"), Add("s", ("a", "c"), MAP, (True, False))),
            "the shape .* and the signs .* got .* unsigned, of a",
        ),
        (
            (
                conv("c", "input"),
                conv("a", "c", signed=True, stride=2),
                Add("s", ("a", "c"), MAP, (True, False)),
            ),
            "must have the shape",
        ),
        (
            (
                conv("c", "input"),
                GlobalAveragePool("m", ("c",), MAP),
                Dense("d", ("m",), (2,), True, 2, signed=True),
                Add("s", ("m", "d"), (2,), (False, True)),
            ),
            "must join activations of matrix layers and other joins, got m",
        ),
        ((conv("c", "input"), Add("s", ("c",), MAP, (True, False))), "must have two inputs"),
        ((replace(conv("c", "input"), inputs=("input", "input")),), "must have one input"),
    ],
)
def test_what_is_no_series_of_blocks_is_refused(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        series(network(*layers))


def test_layers_must_be_in_stream_order() -> None:
    first, second, *rest = network(conv("c", "input"), conv("a", "c")).layers
    turned = Network("n", MAP, U4, (second, first, *rest))
    with pytest.raises(UsageError, match="in stream order; of a, c, fc only c, a, fc"):
        series(turned)


def test_added_activations_have_one_width_and_all_their_filters() -> None:
    wanted = {x.name: Compression(2, 4, "filter", 0.5) for x in TWO_BLOCKS.matrix_layers}
    wanted["a2"] = Compression(2, 3)
    found = canonical(TWO_BLOCKS, wanted)
    assert {n: c.scheme for n, c in found.items()} == dict.fromkeys(found, "dense") | {
        "a1": "filter"
    }
    assert found["c"].activation_bits == found["a2"].activation_bits == 4
    types = element_types(TWO_BLOCKS, found)
    assert types["a"] == IntType(4, signed=True)
    assert types["b1"] == types["fc"] == U4
    with pytest.raises(UsageError, match="c, a2 are added and must have 2 bits or more, got 1"):
        canonical(TWO_BLOCKS, wanted | {"c": Compression(2, 1)})


def test_types_that_cannot_be_added_or_padded_are_refused() -> None:
    with pytest.raises(UsageError, match="must have 2 bits or more, got 1"):
        Add("a", ("x", "y"), MAP, (False, False)).output_type(BIPOLAR)
    with pytest.raises(UsageError, match="needs activations with ReLU"):
        MaxPool2d("p", ("x",), MAP, 3, 1, 1).output_type(IntType(4, signed=True))


def test_sums_are_clipped_sums_of_codes() -> None:
    rng, bits = np.random.default_rng(0), 3
    parameters = {}
    for layer in TWO_BLOCKS.matrix_layers:
        weights = rng.integers(-3, 4, (layer.mh, layer.mw))
        thresholds = np.sort(rng.integers(-30, 60, (layer.mh, 7)), axis=1)
        out = (bits, thresholds) if layer.activation else (None, None)
        parameters[layer.name] = MatrixParameters(3, weights, np.ones(weights.shape, bool), *out)
    accelerator = Accelerator(TWO_BLOCKS, parameters)
    images = rng.integers(0, 16, (5, *MAP)).astype(np.float64)

    def codes(name: str, x: np.ndarray, stride: int = 1) -> np.ndarray:
        p = parameters[name]
        assert p.thresholds is not None
        dot = x[:, ::stride, ::stride] @ p.weights.T
        code = count_thresholds(dot.astype(np.float64), p.thresholds)
        return code - 4 if TWO_BLOCKS[name].signed else code  # type: ignore[attr-defined]

    c = codes("c", images)
    a = np.clip(codes("a2", codes("a1", c)) + c, 0, 7)
    both = [codes(name, a, stride=2) for name in ("b1", "b2")]
    assert min(both[0].min(), both[1].min()) < 0
    b = np.clip(both[0] + both[1], 0, 7)
    scores = b.reshape(5, -1) @ parameters["fc"].weights.T
    np.testing.assert_array_equal(accelerator.scores(images.astype(np.int64)), scores)
    assert accelerator.input_type("a") == IntType(3, signed=True)
    assert accelerator.input_type("fc") == IntType(3, signed=False)


def test_networks_without_sums_keep_their_digest() -> None:
    plain = network(conv("c", "input"), MaxPool2d("p", ("c",), MAP, 2))
    assert plain.digest == "d6c259ee2072a1f5"  # of the version before sums
    assert (
        network(conv("c", "input", signed=True), MaxPool2d("p", ("c",), MAP, 2)).digest
        != plain.digest
    )
