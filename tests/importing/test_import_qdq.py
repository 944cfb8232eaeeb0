"""QuantizeLinear, Clip and DequantizeLinear give the integers that QONNX gives, and what ONNX says of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from dse.errors import UsageError
from dse.importing.imported import imported
from dse.importing.onnx_file import parse, read
from dse.ir.numbers import IntType

PIXELS = IntType(8, signed=False)


def qcdq(module, shape, path):
    """Export with QuantizeLinear, Clip and DequantizeLinear, as Brevitas does for ONNX Runtime."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from brevitas.export import export_onnx_qcdq

        export_onnx_qcdq(module, torch.zeros(shape), str(path), dynamo=False)
    return path


def small_cnn(brevitas) -> nn.Module:
    """Weight scales per channel and per tensor, a whole bias, a quantiser in front of padding."""
    from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
    from brevitas.quant import Int8WeightPerChannelFloat, Int32Bias

    torch.manual_seed(3)
    module = nn.Sequential(
        QuantIdentity(bit_width=8, return_quant_tensor=True),
        QuantConv2d(
            2, 4, 3, padding=1, bias=True, bias_quant=Int32Bias, weight_bit_width=4,
            weight_quant=Int8WeightPerChannelFloat,
        ),
        nn.BatchNorm2d(4),
        QuantReLU(bit_width=3),
        nn.MaxPool2d(2),
        QuantConv2d(4, 4, 3, groups=4, bias=False, weight_bit_width=3),
        nn.BatchNorm2d(4),
        QuantReLU(bit_width=3),
        nn.Flatten(),
        QuantLinear(16, 10, bias=False, weight_bit_width=4),
    )  # fmt: skip
    module(torch.rand(16, 2, 8, 8))
    return brevitas.lively(module)


@pytest.mark.parametrize(
    ("name", "shape"), [("tfc_2w2a", (28, 28, 1)), ("small", (8, 8, 2)), ("cnv_2w2a", (32, 32, 3))]
)
def test_one_integer_network_from_qcdq_and_qonnx(brevitas, tmp_path, pixels, name, shape) -> None:
    module = small_cnn(brevitas) if name == "small" else brevitas.bnn_pynq(name)
    h, w, c = shape
    first = imported(read(brevitas.qonnx(module, (1, c, h, w), tmp_path / "m.onnx")), PIXELS, {})
    second = imported(read(qcdq(module, (1, c, h, w), tmp_path / "m2.onnx")), PIXELS, {})
    assert first.why == second.why == ""
    assert [(type(x), x.output_shape) for x in first.exact.network.layers] == [
        (type(x), x.output_shape) for x in second.exact.network.layers
    ]
    ours, theirs = first.accelerator.parameters, second.accelerator.parameters
    for key, mine in ours.items():
        assert np.array_equal(mine.weights, theirs[key].weights)
        assert mine.weight_bits == theirs[key].weight_bits
        assert (mine.thresholds is None) == (theirs[key].thresholds is None)
        if mine.thresholds is not None:
            assert np.array_equal(mine.thresholds, theirs[key].thresholds)
    images = pixels(20 if name != "cnv_2w2a" else 2, *shape)
    assert np.array_equal(first.accelerator.scores(images), second.accelerator.scores(images))
    scores = brevitas.scores_of(module, images)
    assert np.array_equal(second.accelerator.scores(images).argmax(1), scores.argmax(1))


def static(weight: np.ndarray, kind: type[np.generic], zero: int, *, readers: int = 1) -> bytes:
    """A Gemm of codes of an input of 6 features and a Gemm of its codes, as ONNX Runtime quantises statically.

    Args:
        weight: `(4, 6)` int8 codes with a scale for each row.
        kind: of the codes behind the first product.
        zero: their zero point.
        readers: DequantizeLinear nodes that read the codes; their sum is what goes on.
    """
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "in_scale": np.float32(0.5),
        "in_zero": np.uint8(0),
        "w": weight.astype(np.int8),
        "w_scale": np.array([0.25, 0.5, 0.125, 1], np.float32),
        "w_zero": np.zeros(4, np.int8),
        "b": np.array([3, -7, 0, 11], np.int32),
        "b_scale": np.array([0.125, 0.25, 0.0625, 0.5], np.float32),
        "b_zero": np.zeros(4, np.int32),
        "scale": np.float32(1.5),
        "zero": kind(zero),
        "v": np.arange(-6, 6).reshape(3, 4).astype(np.int8),
        "v_scale": np.float32(0.5),
        "v_zero": np.int8(0),
    }
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "in_scale", "in_zero"], ["xq"], "quantise input"),
        make("DequantizeLinear", ["xq", "in_scale", "in_zero"], ["xr"], "input"),
        make("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wr"], "weights", axis=0),
        make("DequantizeLinear", ["b", "b_scale", "b_zero"], ["br"], "bias", axis=0),
        make("Gemm", ["xr", "wr", "br"], ["y"], "first", transB=1),
        make("QuantizeLinear", ["y", "scale", "zero"], ["yq"], "quantise"),
        *[
            make("DequantizeLinear", ["yq", "scale", "zero"], [f"y{i}"], f"codes {i}")
            for i in range(readers)
        ],
        make("DequantizeLinear", ["v", "v_scale", "v_zero"], ["vr"], "last weights"),
        make("Gemm", [f"y{readers - 1}", "vr"], ["out"], "last", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "static",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 6))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, 3))],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph).SerializeToString()


def by_hand(weight: np.ndarray, x: np.ndarray, low: int, high: int, zero: int) -> np.ndarray:
    """What ONNX says that `static` computes of real inputs."""
    x = np.clip(np.rint(x / 0.5), 0, 255) * 0.5
    row = np.array([0.25, 0.5, 0.125, 1])
    y = x @ (weight * row[:, None]).T + np.array([3, -7, 0, 11]) * row * 0.5
    codes = np.clip(np.rint(y / 1.5) + zero, low, high)
    return (codes - zero) * 1.5 @ (np.arange(-6, 6).reshape(3, 4) * 0.5).T


@pytest.mark.parametrize(
    ("kind", "zero", "low", "high"),
    [
        (np.int8, 0, -128, 127),
        (np.uint8, 0, 0, 255),
        (np.int8, -128, -128, 127),  # unsigned codes, as torch and ONNX Runtime shift them
        (np.uint8, 121, 0, 255),  # an odd zero point: halves go to the even code in front of it
    ],
)
@pytest.mark.parametrize("readers", [1, 2])
def test_static_quantisation(kind, zero, low, high, readers) -> None:
    weight = np.random.default_rng(2).integers(-127, 128, (4, 6))
    model = parse(static(weight, kind, zero, readers=readers), "m", "m.onnx")
    found = imported(model, PIXELS, {"input_scale": 0.5})
    assert found.why == ""
    accelerator = found.accelerator
    assert [x.name for x in accelerator.network.layers] == ["fc1", "fc2"]
    assert np.array_equal(accelerator.parameters["fc1"].weights, weight)
    x = np.random.default_rng(1).integers(0, 256, (200, 6))
    expected = by_hand(weight, 0.5 * x, low, high, zero)
    assert np.allclose(
        accelerator.scores(x) * 1.5 * 0.5, expected + _left_out(accelerator, expected, x)
    )


def _left_out(accelerator, expected: np.ndarray, x: np.ndarray) -> float:
    """One number for all images and classes: what a zero point adds to codes is in the bias of the scores."""
    first = (accelerator.scores(x[:1]) * 0.75 - expected[:1])[0]
    assert np.ptp(first) == 0
    return float(first[0])


def test_codes_that_are_no_whole_bits_are_refused_by_name() -> None:
    import onnx

    weight = np.ones((4, 6))
    model = onnx.load_from_string(static(weight, np.int8, 0))
    clip = onnx.helper.make_node("Clip", ["yq", "from", "to"], ["yc"], "cut")
    model.graph.node.insert(6, clip)
    model.graph.node[7].input[0] = "yc"
    ends = {"from": np.int8(-5), "to": np.int8(6)}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in ends.items())
    content = model.SerializeToString()
    with pytest.raises(UsageError, match=r"'codes 0' .* codes from -5 to 6 must be those of whole"):
        imported(parse(content, "m", "m.onnx"), PIXELS, {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": np.array([1, 2, 3, 4], np.float32)}, "activations must have one scale"),
        ({"w_scale": np.array([1, 2, 3], np.float32)}, "'weights' .* 3 scales must be those of axis 0"),
        ({"w_zero": np.ones(4, np.int8)}, "'first'|'weights' .* zero point of weights must be 0"),
        ({"scale": np.float32(0)}, "its scale must be above 0"),
    ],
)  # fmt: skip
def test_numbers_that_no_unit_has_are_refused_by_name(change, message) -> None:
    import onnx

    model = onnx.load_from_string(static(np.ones((4, 6)), np.int8, 0))
    for tensor in model.graph.initializer:
        if tensor.name in change:
            tensor.CopyFrom(
                onnx.numpy_helper.from_array(np.asarray(change[tensor.name]), tensor.name)
            )
    with pytest.raises(UsageError, match=message):
        imported(parse(model.SerializeToString(), "m", "m.onnx"), PIXELS, {})


def test_halves_of_a_pair_do_not_agree() -> None:
    import onnx

    model = onnx.load_from_string(static(np.ones((4, 6)), np.int8, 0))
    model.graph.node[6].input[1] = "v_scale"
    with pytest.raises(UsageError, match=r"'codes 0' .* those of QuantizeLinear 'quantise'"):
        imported(parse(model.SerializeToString(), "m", "m.onnx"), PIXELS, {})
    model.graph.node[6].input[0] = "y"
    with pytest.raises(
        UsageError, match=r"'codes 0' .* must stand behind a constant or a Quantize"
    ):
        imported(parse(model.SerializeToString(), "m", "m.onnx"), PIXELS, {})
