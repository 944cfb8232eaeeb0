"""Grouped and dilated convolutions are built as larger ones, with the same scores."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from dse.errors import UsageError
from dse.importing.equivalents import larger, undilated, ungrouped
from dse.importing.graph import Node
from dse.importing.imported import imported
from dse.importing.onnx_file import parse, read
from dse.importing.weights import Weights
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.numbers import IntType

PIXELS = IntType(8, signed=False)


@pytest.mark.parametrize(("groups", "rows", "dilation"), [(2, 6, 1), (3, 3, 2), (1, 4, 3)])
def test_weights_are_those_of_torch(groups, rows, dilation) -> None:
    weight = torch.randn(rows, 6 // groups, 3, 3, dtype=torch.float64)
    x = torch.randn(2, 6, 11, 11, dtype=torch.float64)
    expected = torch.conv2d(x, weight, padding=2, groups=groups, dilation=dilation)
    stored = weight.permute(0, 2, 3, 1).numpy()
    found = ungrouped(undilated(Weights(stored, stored), dilation), groups).real
    got = torch.conv2d(x, torch.tensor(found).permute(0, 3, 1, 2), padding=2)
    assert torch.allclose(got, expected)


def convolution(*, groups: int, dilation: int, bits: int, rows: int = 4) -> nn.Module:
    """Two convolutions, the second one in groups or dilated, and a classifier."""
    from brevitas.nn import QuantConv2d, QuantLinear, QuantReLU
    from brevitas.quant import SignedBinaryWeightPerTensorConst

    torch.manual_seed(4)
    kind = {"weight_bit_width": bits}
    if bits == 1:
        kind = {"weight_quant": SignedBinaryWeightPerTensorConst, "scaling_init": 0.25}
    return nn.Sequential(
        QuantConv2d(2, 4, 3, padding=1, bias=False, weight_bit_width=3),
        nn.BatchNorm2d(4),
        QuantReLU(bit_width=2),
        QuantConv2d(
            4, rows, 3, padding=dilation, groups=groups, dilation=dilation, stride=2, bias=False, **kind
        ),
        nn.BatchNorm2d(rows),
        QuantReLU(bit_width=2),
        nn.Flatten(),
        QuantLinear(16 * rows, 5, bias=False, weight_bit_width=3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "dilation", "bits", "rows", "kind", "kernel"),
    [
        (2, 1, 3, 4, Conv2d, 3),
        (2, 1, 1, 6, Conv2d, 3),  # a weight of 1 bit is never 0: 2 bits
        (4, 1, 3, 8, Conv2d, 3),  # two filters for each channel: no depthwise unit does that
        (1, 2, 3, 4, Conv2d, 5),
        (4, 2, 3, 4, DepthwiseConv2d, 5),
        (2, 3, 2, 4, Conv2d, 7),
    ],
)
def test_scores_of_brevitas(
    brevitas, tmp_path, pixels, groups, dilation, bits, rows, kind, kernel
) -> None:
    module = convolution(groups=groups, dilation=dilation, bits=bits, rows=rows)
    module(torch.rand(8, 2, 8, 8))
    module.eval()
    found = imported(read(brevitas.qonnx(module, (1, 2, 8, 8), tmp_path / "m.onnx")), PIXELS, {})
    assert found.why == ""
    second = found.exact.network.layers[1]
    assert type(second) is kind
    assert second.kernel == kernel
    assert found.accelerator.parameters[second.name].weight_bits == max(2, bits)
    dense = rows * (4 if kind is Conv2d else 1) * kernel**2
    assert (
        found.accelerator.parameters[second.name].weights.size == dense
    )  # what is built is priced
    assert "node Conv '/3/Conv' is built as a larger product" in found.exact.notes[0]
    images = pixels(20, 8, 8, 2)
    ours, theirs = found.accelerator.scores(images), brevitas.scores_of(module, images)
    assert np.ptp(theirs.argmax(1)) > 0
    brevitas.same_scores(ours, theirs)


def test_far_too_many_weights_are_refused_before_they_are_made() -> None:
    kernel = np.ones((512, 3, 3, 1))
    node = Node("far", "Conv", ("x", "w"), "y")
    with pytest.raises(UsageError, match=r"'far' .* more than 134,217,728 weights"):
        larger(node, Weights(kernel, kernel), 512, 2**20)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv2d(2, 4, 3, dilation=(1, 2)), "its dilation must be square, got .1, 2."),
        (nn.MaxPool2d(2, dilation=2), "dilated windows of a pooling are not supported"),
        (nn.Conv2d(2, 4, 3, dilation=3, padding=7), "its padding 7 must be below its window of 7 pixels"),
    ],
)  # fmt: skip
def test_what_is_no_larger_product_is_refused_by_name(layer, message) -> None:
    module = nn.Sequential(layer, nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    module(torch.zeros(1, 2, 8, 8))
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.zeros(1, 2, 8, 8),), content, dynamo=False)
    with pytest.raises(UsageError, match=message):
        imported(parse(content.getvalue(), "m", "m.onnx"), PIXELS, {})
