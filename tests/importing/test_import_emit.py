"""From a Brevitas export to a folded, emitted and compiled design."""

from __future__ import annotations

import pytest


@pytest.mark.slow
def test_cnv_compiles_bit_exact(brevitas, tmp_path, pixels) -> None:
    path = brevitas.qonnx(brevitas.bnn_pynq("cnv_1w1a"), (1, 3, 32, 32), tmp_path / "cnv.onnx")
    result = brevitas.compiled(path, pixels(1, 32, 32, 3), tmp_path / "out", "Pynq-Z1", 100_000)
    assert result.words == 10
    assert result.passed


def test_mobilenet_folds_and_compiles_with_its_bias(brevitas, tmp_path, pixels) -> None:
    path = brevitas.qonnx(brevitas.mobilenet(), (1, 3, 32, 32), tmp_path / "mobilenet.onnx")
    result = brevitas.compiled(path, pixels(2, 32, 32, 3), tmp_path / "out", "ZCU104", 20_000)
    assert result.passed
