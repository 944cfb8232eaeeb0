"""MobileNetV1 as Brevitas ships it, in full: imported score by score, and folded for a data-centre board."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cost_models import analytic
from dse.folding import standalone
from dse.importing.imported import imported
from dse.importing.onnx_file import read
from dse.ir.numbers import IntType
from hw_templates._boards import load_board

# `quant_mobilenet_v1` of brevitas_examples, at width 1
CHANNELS = [[32], [64], [128, 128], [256, 256], [512] * 6, [1024, 1024]]


@pytest.mark.slow
def test_full_size(brevitas: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from brevitas_examples.imagenet_classification.models.mobilenetv1 import MobileNet

        torch.manual_seed(1)
        module = MobileNet(
            channels=CHANNELS,
            first_stage_stride=False,
            act_bit_width=4,
            weight_bit_width=4,
            last_layer_bit_width=4,
        )
        with torch.no_grad():
            module(torch.rand(2, 3, 224, 224))
    module = brevitas.lively(module)
    path = brevitas.qonnx(module, (1, 3, 224, 224), tmp_path / "mobilenet.onnx")
    found = imported(read(path), IntType(8, signed=False), {})
    assert found.why == ""
    network = found.accelerator.network
    assert len(network.layers) == 29
    assert network.weights == 4_209_088 + 1024 * 49  # those of MobileNetV1, and the ones of a mean
    images = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3))
    ours, theirs = found.accelerator.scores(images), brevitas.scores_of(module, images)
    assert np.unique(ours).size > 100
    brevitas.same_scores(ours, theirs)
    assert np.array_equal(ours.argmax(1), theirs.argmax(1))

    board = load_board("U280")
    built, compressions = standalone.foreign(path, 8)
    q = standalone.Question(built, compressions, board, 200.0, analytic.load(board.family))
    hardware = q.hardware(standalone.solve(q, None).design)
    assert (
        hardware.interval_cycles == 111 * 111 * 9
    )  # a pixel of a window of the first layers a cycle
