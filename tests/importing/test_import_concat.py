"""Branches that end side by side: imported, exact, searched, trained and emitted."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from dse.errors import UsageError
from dse.importing.export import to_qonnx
from dse.importing.imported import imported
from dse.importing.onnx_file import parse, read
from dse.ir.layers.concat import Concat
from dse.ir.numbers import IntType

PIXELS = IntType(8, signed=False)


def relu(bits: int = 3, most: float = 2.0) -> nn.Module:
    """A quantised ReLU with a step that is known, so that branches have one."""
    from brevitas.nn import QuantReLU
    from brevitas.quant import Uint8ActPerTensorFloatMaxInit

    return QuantReLU(act_quant=Uint8ActPerTensorFloatMaxInit, bit_width=bits, max_val=most)


class Fire(nn.Module):
    """Two kernels side by side, then a layer beside what it reads, as in SqueezeNet and DenseNet."""

    def __init__(self, other: nn.Module | None = None, behind: nn.Module | None = None) -> None:
        from brevitas.nn import QuantConv2d, QuantLinear

        super().__init__()
        torch.manual_seed(5)
        plain = {"bias": False, "weight_bit_width": 3}
        self.stem = nn.Sequential(
            QuantConv2d(2, 4, 3, padding=1, **plain), nn.BatchNorm2d(4), relu()
        )
        self.one = nn.Sequential(QuantConv2d(4, 4, 1, **plain), nn.BatchNorm2d(4), relu())
        self.three = nn.Sequential(
            QuantConv2d(4, 6, 3, padding=1, **plain), nn.BatchNorm2d(6), other or relu()
        )
        self.behind = behind or nn.Identity()
        self.grown = nn.Sequential(
            QuantConv2d(10, 2, 3, padding=1, **plain), nn.BatchNorm2d(2), relu()
        )
        self.pool = nn.MaxPool2d(2)
        self.last = QuantLinear(12 * 9, 5, **plain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return class scores."""
        x = self.stem(x)
        x = self.behind(torch.cat([self.one(x), self.three(x)], dim=1))
        x = torch.cat([x, self.grown(x)], dim=1)
        return self.last(self.pool(x).flatten(1))


def made(brevitas, module: nn.Module) -> nn.Module:
    """The module with statistics of some images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module(torch.rand(8, 2, 6, 6))
    return brevitas.lively(module)


def exported(brevitas, module, path):
    return imported(read(brevitas.qonnx(module, (1, 2, 6, 6), path)), PIXELS, {})


def test_scores_of_brevitas_and_back(brevitas, tmp_path, pixels) -> None:
    module = made(brevitas, Fire())
    path = tmp_path / "m.onnx"
    found = exported(brevitas, module, path)
    assert found.why == ""
    accelerator, images = found.accelerator, pixels(20, 6, 6, 2)
    names = [x.name for x in accelerator.network.layers]
    assert names == ["conv1", "conv2", "conv3", "concat1", "conv4", "concat2", "pool1", "fc1"]
    ours, theirs = accelerator.scores(images), brevitas.scores_of(module, images)
    assert np.ptp(theirs.argmax(1)) > 0
    brevitas.same_scores(ours, theirs)
    back = imported(parse(to_qonnx(accelerator), "m", ""), PIXELS, {"input_scale": 1.0})
    assert np.array_equal(back.accelerator.scores(images), ours)


def test_scales_of_their_own_are_exact_behind_one_more_quantiser(
    brevitas, tmp_path, pixels
) -> None:
    from brevitas.nn import QuantIdentity
    from brevitas.quant import Uint8ActPerTensorFloatMaxInit

    alone = exported(brevitas, made(brevitas, Fire(relu(most=3.3))), tmp_path / "alone.onnx")
    assert "the channels of its input have scales of their own" in alone.why
    again = QuantIdentity(act_quant=Uint8ActPerTensorFloatMaxInit, bit_width=3, max_val=2.0)
    module = made(brevitas, Fire(relu(most=3.3), again))
    found = exported(brevitas, module, tmp_path / "again.onnx")
    assert found.why == ""
    assert "quant1" in found.accelerator.parameters
    images = pixels(20, 6, 6, 2)
    ours, theirs = found.accelerator.scores(images), brevitas.scores_of(module, images)
    brevitas.same_scores(ours, theirs)


def test_widths_of_their_own_are_no_integers_to_take_over(brevitas, tmp_path) -> None:
    module = made(brevitas, Fire(relu(bits=4, most=2.0 * 15 / 7)))
    found = exported(brevitas, module, tmp_path / "m.onnx")
    assert "node Concat '/Concat'" in found.why
    assert "its inputs must have one width" in found.why


class Branches(nn.Module):
    """Plain torch: what two layers make of the input of the second one, joined along an axis."""

    def __init__(self, first: nn.Module, second: nn.Module, axis: int = 1) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
        self.first, self.second, self.axis = first, second, axis
        self.last = nn.LazyLinear(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return class scores."""
        y = self.stem(x)
        return self.last(torch.cat([self.first(y), self.second(y)], dim=self.axis).flatten(1))


def conv(*behind: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), *behind)


def plain(module: nn.Module):
    """Import a float module."""
    module(torch.zeros(1, 2, 6, 6))
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.zeros(1, 2, 6, 6),), content, dynamo=False)
    return imported(parse(content.getvalue(), "m", "m.onnx"), PIXELS, {})


def test_a_float_network_is_imported_to_be_trained() -> None:
    found = plain(Branches(conv(nn.ReLU()), nn.Identity()))
    assert isinstance(found.plain.network["concat1"], Concat)
    assert found.plain.network["concat1"].output_shape == (6, 6, 8)
    assert "not quantised" in found.why


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Branches(conv(nn.ReLU()), nn.Identity(), axis=2), "Concat '/Concat' .*only channels"),
        (Branches(conv(nn.ReLU()), conv()), "Concat '/Concat' .*one of its inputs has a ReLU"),
        (Branches(conv(nn.ReLU()), conv(nn.Sigmoid())), "Sigmoid in front of it has no quantiser"),
        (
            Branches(conv(nn.ReLU()), nn.Sequential(conv(nn.ReLU(), nn.MaxPool2d(3, 1, 1)), nn.AvgPool2d(6, 6), nn.Upsample(6))),
            "not supported",
        ),
    ],
)  # fmt: skip
def test_what_cannot_stand_side_by_side_is_refused_by_name(module, message) -> None:
    with pytest.raises(UsageError, match=message):
        plain(module)


class Inception(nn.Module):
    """Four branches of one fork, one of them nothing but a shortcut; a dense block behind them."""

    def __init__(self) -> None:
        from brevitas.nn import QuantConv2d, QuantLinear

        super().__init__()
        torch.manual_seed(6)

        def conv(before: int, after: int, kernel: int) -> nn.Module:
            padding = kernel // 2
            weights = QuantConv2d(
                before, after, kernel, padding=padding, bias=False, weight_bit_width=3
            )
            return nn.Sequential(weights, nn.BatchNorm2d(after), relu())

        self.stem, self.one, self.pooled = conv(2, 4, 1), conv(4, 2, 1), conv(4, 2, 1)
        self.three = nn.Sequential(conv(4, 2, 1), conv(2, 4, 3))
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.grown, self.more = conv(12, 2, 1), conv(14, 2, 3)
        self.last = QuantLinear(16 * 16, 5, bias=False, weight_bit_width=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return class scores."""
        x = self.stem(x)
        x = torch.cat([self.one(x), x, self.three(x), self.pooled(self.pool(x))], dim=1)
        y = self.grown(x)
        z = self.more(torch.cat([x, y], dim=1))
        return self.last(torch.cat([x, y, z], dim=1).flatten(1))


def test_four_branches_of_one_fork(brevitas, tmp_path, pixels) -> None:
    module = Inception()
    module(torch.rand(8, 2, 4, 4))
    module = brevitas.lively(module)
    path = brevitas.qonnx(module, (1, 2, 4, 4), tmp_path / "m.onnx")
    found = imported(read(path), PIXELS, {})
    assert found.why == ""
    network, images = found.accelerator.network, pixels(20, 4, 4, 2)
    kinds = [x.name.rstrip("0123456789") for x in network.layers]
    assert (kinds.count("concat"), kinds.count("fork")) == (
        5,
        2,
    )  # 3 within the first, 1 for each of the others
    ours, theirs = found.accelerator.scores(images), brevitas.scores_of(module, images)
    assert np.ptp(theirs.argmax(1)) > 0
    brevitas.same_scores(ours, theirs)
    assert brevitas.compiled(path, images[:3], tmp_path / "out", "Pynq-Z1", 100_000).passed
