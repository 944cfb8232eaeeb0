"""From a Brevitas export to a folded, emitted and compiled design."""

from __future__ import annotations

import pytest

from cost_models import analytic
from dse.emit.hls import hls_project
from dse.emit.verify import verify
from dse.folding import standalone
from dse.importing.imported import imported
from dse.importing.onnx_file import read
from dse.ir.numbers import IntType
from hw_templates._boards import load_board

PIXELS = IntType(8, signed=False)


def question(path, board: str) -> standalone.Question:
    """Fold the network of a file with its own bits."""
    network, compressions = standalone.foreign(path, 8)
    found = load_board(board)
    return standalone.Question(network, compressions, found, 100.0, analytic.load(found.family))


@pytest.mark.slow
def test_cnv_compiles_bit_exact(brevitas, tmp_path, pixels) -> None:
    path = brevitas.qonnx(brevitas.bnn_pynq("cnv_1w1a"), (1, 3, 32, 32), tmp_path / "cnv.onnx")
    q = question(path, "Pynq-Z1")
    design = standalone.solve(q, 100_000).design
    images = pixels(1, 32, 32, 3)
    accelerator = imported(read(path), PIXELS, {}).accelerator
    hls_project(
        study="cnv",
        network=q.network,
        design=design,
        accelerator=accelerator,
        board=q.board,
        clock_mhz=100,
        estimate=q.hardware(design),
        images=images,
        labels=accelerator.scores(images).argmax(1),
    ).write(tmp_path / "out")
    result = verify(tmp_path / "out")
    assert result.words == 10
    assert result.mismatches == 0
    assert result.passed


def test_mobilenet_folds_and_compiles_with_its_bias(brevitas, tmp_path, pixels) -> None:
    path = brevitas.qonnx(brevitas.mobilenet(), (1, 3, 32, 32), tmp_path / "mobilenet.onnx")
    q = question(path, "ZCU104")
    design = standalone.solve(q, 20_000).design
    images = pixels(2, 32, 32, 3)
    accelerator = imported(read(path), PIXELS, {}).accelerator
    hls_project(
        study="mobilenet",
        network=q.network,
        design=design,
        accelerator=accelerator,
        board=q.board,
        clock_mhz=100,
        estimate=q.hardware(design),
        images=images,
        labels=accelerator.scores(images).argmax(1),
    ).write(tmp_path / "out")
    result = verify(tmp_path / "out")
    assert result.mismatches == 0
    assert result.passed
