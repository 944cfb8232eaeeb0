"""Torch modules by name: float networks, residual blocks, and what is refused."""

from __future__ import annotations

import io
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from dse.config.values import ModelConfig
from dse.data._dataset import Dataset, Split
from dse.errors import UsageError
from dse.importing.imported import imported, imported_of
from dse.importing.onnx_file import parse
from dse.importing.start import base_weights
from dse.ir.numbers import IntType

PIXELS = IntType(8, signed=False)
NETS = '''
import torch
from torch import nn

class Residual(nn.Module):
    """A stem, a block with a projection, a mean and a classifier: everything in floating point."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.body = nn.Sequential(
            nn.Conv2d(4, 6, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6))
        self.short = nn.Conv2d(4, 6, 1, stride=2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(6, 3, bias=False))

    def forward(self, x):
        x = self.stem(x - 0.5)
        return self.head(torch.relu(self.body(x) + self.short(x))).softmax(1)

def residual():
    torch.manual_seed(0)
    net = Residual()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5); nn.init.uniform_(m.bias, -0.5, 0.5)
            nn.init.uniform_(m.running_mean, -0.5, 0.5); nn.init.uniform_(m.running_var, 0.5, 2)
    return net

def flat():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(), nn.Flatten(), nn.Linear(4 * 16, 10, bias=False))

def broken():
    raise ValueError("no weights here")

def number():
    return 7
'''


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """Makes the configuration of a function of a module beside the study file."""
    (tmp_path / "own_nets.py").write_text(NETS)
    monkeypatch.delitem(sys.modules, "own_nets", raising=False)

    def of(name: str) -> ModelConfig:
        return ModelConfig(name, function=f"own_nets:{name}", folder=tmp_path)

    return of


def labelled(module: nn.Module, images: np.ndarray) -> Dataset:
    """A data set whose labels are what a module says."""
    x = torch.tensor(images.transpose(0, 3, 1, 2) / 255, dtype=torch.float32)
    with torch.no_grad():
        labels = module.eval()(x).argmax(1).numpy()
    part = Split(images, labels)
    return Dataset("own", part, part, part, PIXELS, int(labels.max()) + 1)


def test_float_network_with_a_residual_block(nets, pixels) -> None:
    found = imported_of(nets("residual"), (8, 8, 1), PIXELS, 3)
    names = [x.name for x in found.plain.network.layers]
    assert names == ["conv1", "pool1", "conv2", "conv3", "conv4", "add1", "mean1", "fc1"]
    assert "not quantised" in found.why
    assert found.accelerator is None
    data = labelled(sys.modules["own_nets"].residual(), pixels(60, 8, 8, 1))
    # the offset of the input reaches the padded edge in the model, not here: a pixel value of 0 is -0.5
    assert base_weights(found.plain, data).accuracy > 0.9


def test_flattened_map_keeps_its_order(nets, pixels) -> None:
    found = imported_of(nets("flat"), (6, 6, 3), PIXELS, 10)
    data = labelled(sys.modules["own_nets"].flat(), pixels(100, 6, 6, 3))
    assert len(set(data.test.labels)) > 2
    assert base_weights(found.plain, data).accuracy == 1.0


@pytest.mark.parametrize(
    ("name", "shape", "classes", "message"),
    [
        ("broken", (8, 8, 1), 3, "ValueError: no weights here"),
        ("number", (8, 8, 1), 3, "must return a torch.nn.Module, got int"),
        ("missing", (8, 8, 1), 3, "has no attribute 'missing'"),
        ("flat", (5, 5, 3), 10, "must be exportable to ONNX for inputs of"),
        ("flat", (6, 6, 3), 4, "must have the 4 classes of the data, it has 10 scores"),
        ("flat", (6, 6, 3), 11, "labels of the data go up to 10, and the first class is 0"),
    ],
)
def test_functions_that_are_no_models(nets, name, shape, classes, message) -> None:
    with pytest.raises(UsageError, match=r"own_nets|flat") as caught:
        imported_of(nets(name), shape, PIXELS, classes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Conv2d(2, 4, (3, 1))], "Conv '/0/Conv' .* must be square, got .3, 1."),
        ([nn.Conv2d(2, 4, 3), nn.Sigmoid()], "/1/Sigmoid|Sigmoid in front of it has no quantiser"),
        ([nn.Conv2d(2, 4, 3), nn.GELU()], "node .*'/1/.*' .*not supported"),
        ([nn.Conv2d(2, 4, 3, padding_mode="circular", padding=1)], "Pad|Concat|Slice|not supported"),
        ([nn.ConvTranspose2d(2, 4, 3)], "ConvTranspose '/0/ConvTranspose' .*not supported"),
        ([nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2)], "AveragePool '/2/AveragePool' .*quantiser"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(layers, message) -> None:
    module = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))
    module(torch.zeros(1, 2, 8, 8))
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.zeros(1, 2, 8, 8),), content, dynamo=False)
    with pytest.raises(UsageError, match=message):
        imported(parse(content.getvalue(), "m", "m.onnx"), PIXELS, {})
