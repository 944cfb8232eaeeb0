"""Every built-in network keeps the promise of `dse.networks`."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from dse.compression import canonical, effective
from dse.config.values import Stages
from dse.data._dataset import Dataset, Split
from dse.errors import UsageError
from dse.ir import plugins
from dse.ir.design import Compression
from dse.ir.graph import series
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.numbers import IntType
from dse.training import finetune, pretrain

NAMES = plugins.names("dse.networks")
BYTE = IntType(8, signed=False)
SHAPE = (32, 32, 1)  # every network takes it


@pytest.fixture(params=NAMES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("dse.networks", request.param)


def test_the_networks_are_there() -> None:
    assert {"cnv", "digits_cnn", "jet_mlp", "lenet5", "lfc", "sfc", "tfc", "vgg_bnn"} <= set(NAMES)
    assert {"digits_separable", "mobilenet_v1", "resnet8", "resnet50"} <= set(NAMES)


def test_it_says_what_it_is(module: ModuleType) -> None:
    first = (module.__doc__ or "").splitlines()[0]
    assert len(first) > 20
    assert first.endswith(".")
    assert "(" in first, "the source"
    assert module.DATA is None or module.DATA in plugins.names("dse.data")
    assert isinstance(module.STAGES, Stages)
    for field in ("pretrain_epochs", "finetune_epochs", "finetune_images", "final_epochs"):
        assert getattr(module.STAGES, field) >= 1, field


@pytest.mark.parametrize("width", [1, 0.25])
def test_its_layers_fit_and_it_ends_in_the_classes(module: ModuleType, width: float) -> None:
    network = module.build(SHAPE, BYTE, 7, width=width)
    assert network.input_shape == SHAPE
    assert network.input_type == BYTE
    assert network.name == module.__name__.rpartition(".")[2]
    assert network.classes == 7
    names = [layer.name for layer in network.layers]
    assert len(set(names)) == len(names)
    shapes = {"input": SHAPE}
    for layer in network.layers:
        assert {shapes[name] for name in layer.inputs} == {layer.input_shape}
        assert min(layer.output_shape) >= 1
        shapes[layer.name] = layer.output_shape
    assert series(network)  # chains, and blocks of two branches
    sums = {x.inputs[1] for x in network.layers if isinstance(x, FusedAdd)}
    activations = {x.name: x.activation for x in network.matrix_layers if x.name not in sums}
    assert list(activations.values()) == [True] * (len(activations) - 1) + [False]
    if width != 1:
        assert all(layer.mh % 4 == 0 for layer in network.matrix_layers[:-1])


def test_width_scales_the_weights(module: ModuleType) -> None:
    sizes = [module.build(SHAPE, BYTE, 10, width=w).weights for w in (0.25, 0.5, 1, 2)]
    assert sizes == sorted(set(sizes))
    assert module.build(SHAPE, BYTE, 10) == module.build(SHAPE, BYTE, 10, width=1.0)


def test_illegal_options_are_refused(module: ModuleType) -> None:
    with pytest.raises(UsageError, match=r"no option 'widht'\. Did you mean 'width'\?"):
        module.build(SHAPE, BYTE, 10, widht=1)
    with pytest.raises(UsageError, match=r"width of model .* must be above 0"):
        module.build(SHAPE, BYTE, 10, width=0)


def test_small_images_are_refused_or_fit(module: ModuleType) -> None:
    if not any(isinstance(layer, Conv2d) for layer in module.build(SHAPE, BYTE, 10).layers):
        assert module.build((16,), BYTE, 10).input_shape == (16,)
        return
    with pytest.raises(UsageError, match=r"needs a map of at least .* pad them"):
        module.build((3, 3, 1), BYTE, 10)
    with pytest.raises(UsageError, match="takes images"):
        module.build((16,), BYTE, 10)


@pytest.mark.parametrize("scheme", ["dense", "filter"])
def test_it_trains_and_computes_in_integers(module: ModuleType, scheme: str) -> None:
    network = module.build(SHAPE, BYTE, 3, width=0.0625)
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (24, *SHAPE), np.uint8), np.arange(24) % 3)
    data = Dataset("noise", split, split, split, BYTE, 3)
    c = Compression(2, 2, scheme, 0.5)
    compressions = canonical(network, {m.name: c for m in network.matrix_layers})
    base = pretrain(network, data, epochs=1, seed=0)
    trained = finetune(network, compressions, base, data, epochs=1, seed=0)
    assert trained.accelerator.network == effective(network, compressions)[0]
    assert trained.accelerator.scores(split.images).shape == (24, 3)
