"""What Brevitas computes is what the imported integer network computes, score by score."""

from __future__ import annotations

import numpy as np
import pytest

from dse.importing.imported import imported
from dse.importing.onnx_file import read
from dse.ir.numbers import IntType

PIXELS = IntType(8, signed=False)


@pytest.mark.parametrize(
    ("name", "shape", "layers"),
    [
        ("tfc_1w1a", (28, 28, 1), "quant1 fc1 fc2 fc3 fc4"),
        ("tfc_2w2a", (28, 28, 1), "quant1 fc1 fc2 fc3 fc4"),
        (
            "cnv_1w1a",
            (32, 32, 3),
            "quant1 conv1 conv2 pool1 conv3 conv4 pool2 conv5 conv6 fc1 fc2 fc3",
        ),
    ],
)
def test_networks_of_bnn_pynq(brevitas, tmp_path, pixels, name, shape, layers) -> None:
    module = brevitas.bnn_pynq(name)
    h, w, c = shape
    found = imported(read(brevitas.qonnx(module, (1, c, h, w), tmp_path / "m.onnx")), PIXELS, {})
    assert found.why == ""
    accelerator = found.accelerator
    assert [x.name for x in accelerator.network.layers] == layers.split()
    images = pixels(50 if name.startswith("tfc") else 4, *shape)
    ours, theirs = accelerator.scores(images), brevitas.scores_of(module, images)
    brevitas.same_scores(ours, theirs, 1e-3 * np.abs(ours).max())
    assert np.array_equal(ours.argmax(1), theirs.argmax(1))


def test_mobilenet(brevitas, tmp_path, pixels) -> None:
    module = brevitas.mobilenet()
    found = imported(read(brevitas.qonnx(module, (1, 3, 32, 32), tmp_path / "m.onnx")), PIXELS, {})
    assert found.why == ""
    accelerator = found.accelerator
    names = [x.name for x in accelerator.network.layers]
    assert names == ["conv1", "dw1", "conv2", "dw2", "conv3", "dw3", "conv4", "mean1", "fc1"]
    assert accelerator.parameters["fc1"].bias is not None
    images = pixels(20, 32, 32, 3)
    ours, theirs = accelerator.scores(images), brevitas.scores_of(module, images)
    brevitas.same_scores(ours, theirs, 1e-3 * np.abs(ours).max())
    assert np.array_equal(ours.argmax(1), theirs.argmax(1))


def test_both_exporters_of_torch_give_one_network(brevitas, tmp_path, pixels) -> None:
    module = brevitas.bnn_pynq("tfc_1w1a")
    traced = read(brevitas.qonnx(module, (1, 1, 28, 28), tmp_path / "traced.onnx"))
    dynamo = read(brevitas.qonnx(module, (1, 1, 28, 28), tmp_path / "dynamo.onnx", dynamo=True))
    first, second = (imported(g, PIXELS, {}).accelerator for g in (traced, dynamo))
    assert first.network.layers == second.network.layers
    images = pixels(20, 28, 28, 1)
    assert np.array_equal(first.scores(images), second.scores(images))
