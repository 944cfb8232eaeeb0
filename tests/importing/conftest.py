"""Networks of Brevitas with seeded weights, and their QONNX exports."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cost_models import analytic
from dse.emit.hls import hls_project
from dse.emit.order import Order
from dse.emit.verify import Verification, verify
from dse.folding import standalone
from dse.importing.imported import imported
from dse.importing.onnx_file import read
from dse.ir.numbers import IntType
from hw_templates._boards import load_board

pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxoptimizer", reason="the extra `onnx` is not installed")


def bnn_pynq(name: str) -> torch.nn.Module:
    """A network of the FINN family with random weights; normalisations get statistics, gains and offsets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from brevitas_examples.bnn_pynq.models import model_with_cfg

        torch.manual_seed(1)
        module = model_with_cfg(name, False)[0]
    return lively(module)


def mobilenet() -> torch.nn.Module:
    """MobileNetV1 of Brevitas, with few channels, for 32x32 images; its quantisers have seen some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from brevitas_examples.imagenet_classification.models.mobilenetv1 import MobileNet

        torch.manual_seed(1)
        module = MobileNet(
            channels=[[8], [16], [16, 32]],
            first_stage_stride=False,
            act_bit_width=4,
            weight_bit_width=4,
            avg_pool_kernel_size=8,
            num_classes=10,
            last_layer_bit_width=4,
        )
        with torch.no_grad():
            for _ in range(3):
                module(torch.rand(8, 3, 32, 32))
    return lively(module)


def lively(module: torch.nn.Module) -> torch.nn.Module:
    """Give normalisations other numbers than those of a network that never learned."""
    for m in module.modules():
        if isinstance(m, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            with torch.no_grad():
                m.weight.uniform_(-1.5, 1.5)
                m.bias.uniform_(-0.5, 0.5)
    return module.eval()


def qonnx(module: torch.nn.Module, shape: tuple[int, ...], path: Path, **options: Any) -> Path:
    """Export as QONNX."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from brevitas.export import export_qonnx

        export_qonnx(module, torch.zeros(shape), str(path), **({"dynamo": False} | options))
    return path


def scores_of(module: torch.nn.Module, images: np.ndarray, scale: float = 1 / 255) -> np.ndarray:
    """Class scores of the torch module, computed in float64, of `(n, H, W, C)` integers."""
    x = torch.tensor(images.transpose(0, 3, 1, 2) * scale, dtype=torch.float64)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = module.double()(x)
    return getattr(y, "value", y).numpy()


def same_scores(ours: np.ndarray, theirs: np.ndarray, atol: float = 1e-6) -> None:
    """Scores of ours are theirs times one number; `atol`: that a rounded bias may be off, in ours."""
    assert np.unique(ours).size > 2
    scale = np.abs(ours).max() / np.abs(theirs).max()
    np.testing.assert_allclose(theirs * scale, ours, atol=atol)


def compiled(path: Path, images: np.ndarray, folder: Path, board: str, target: int) -> Verification:
    """Fold the network of a file with its own bits, emit it, and compare the compiled design with its integers."""
    network, compressions = standalone.foreign(path, 8)
    found = load_board(board)
    q = standalone.Question(network, compressions, found, 100.0, analytic.load(found.family))
    design = standalone.solve(q, target).design
    accelerator = imported(read(path), IntType(8, signed=False), {}).accelerator
    hls_project(
        Order(
            study="own",
            network=q.network,
            design=design,
            accelerator=accelerator,
            board=q.board,
            clock_mhz=100,
            estimate=q.hardware(design),
            images=images,
            labels=accelerator.scores(images).argmax(1),
        )
    ).write(folder)
    return verify(folder)


@pytest.fixture(scope="session")
def brevitas() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(
        bnn_pynq=bnn_pynq,
        mobilenet=mobilenet,
        qonnx=qonnx,
        scores_of=scores_of,
        same_scores=same_scores,
        lively=lively,
        compiled=compiled,
    )


@pytest.fixture
def pixels() -> Callable[..., np.ndarray]:
    """Random images `(n, H, W, C)` of 8 bits."""

    def make(n: int, *shape: int) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (n, *shape))

    return make
