"""Names of FINN's nodes through the years, with one back end or both."""

from __future__ import annotations

from typing import Any

import pytest

from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.finn import read_folding
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.stages import flat
from dse.lowering.pipeline import pipeline

FOLDS = [(4, 16), (2, 8), (1, 4), (2, 1)]
NETWORK = Network(
    "mlp",
    (64,),
    IntType(4, signed=False),
    (
        Dense("a", ("input",), (64,), True, 32),
        Dense("b", ("a",), (32,), True, 16),
        Dense("c", ("b",), (16,), True, 8),
        Dense("d", ("c",), (8,), False, 2),
    ),
)


@pytest.mark.parametrize(
    "names",
    [
        [f"StreamingFCLayer_Batch_{i}" for i in range(4)],
        [f"MatrixVectorActivation_{i}" for i in range(4)],
        [f"MVAU_{i}" for i in range(4)],
        [f"MVAU_hls_{i}" for i in range(4)],
        [f"MVAU_rtl_{i}" for i in range(4)],
        # counted apart: the last layer of a build whose sums are its output is often the other one
        ["MVAU_hls_0", "MVAU_hls_1", "MVAU_hls_2", "MVAU_rtl_0"],
        ["MVAU_rtl_0", "MVAU_hls_0", "MVAU_rtl_1", "MVAU_hls_1"],
    ],
    ids=lambda names: names[-1],
)
def test_every_spelling_of_a_matrix_unit(names: list[str]) -> None:
    design = DesignPoint(
        tuple(
            (x.name, LayerDesign(Compression(3, 4 if x.activation else None), Folding(1, 1)))
            for x in NETWORK.matrix_layers
        )
    )
    config: dict[str, Any] = {"Defaults": {}} | {
        name: {"PE": pe, "SIMD": simd, "ram_style": "auto", "mem_mode": "internal_decoupled"}
        for name, (pe, simd) in zip(names, FOLDS, strict=True)
    }
    read = read_folding(config, design, flat(pipeline(NETWORK, design)))
    assert [(d.folding.pe, d.folding.simd) for _, d in read.layers] == FOLDS
