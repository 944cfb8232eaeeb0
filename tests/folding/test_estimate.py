"""What an estimate adds up, and that the solver's tables say the same."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from cost_models import analytic
from dse.compression import canonical
from dse.errors import UsageError
from dse.folding.estimate import estimate, price, stored_bits
from dse.folding.fold import Folder
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import RESOURCES, Board, HardwareEstimate, Resources
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import MatrixUnit, Tiling
from dse.lowering.pipeline import pipeline

NETWORK = Network(
    "toy",
    (6, 6, 2),
    IntType(8, signed=False),
    (
        Conv2d("conv", ("input",), (6, 6, 2), True, 8, 3, 1, 1),
        MaxPool2d("pool", ("conv",), (6, 6, 8), 2),
        Dense("fc", ("pool",), (3, 3, 8), False, 4),
    ),
)
BOARD = Board("toy", "toy", "ultrascale+", Resources(9000, 18000, 90, 60, 4), {}, 200.0, "made up")
MODEL = analytic.load("ultrascale+")
COMPRESSIONS = canonical(
    NETWORK,
    {"conv": Compression(2, 2, "bcr", 0.5, (4, 6)), "fc": Compression(4, None)},
)


def design(*foldings: Folding) -> DesignPoint:
    return DesignPoint(
        tuple(
            (layer.name, LayerDesign(COMPRESSIONS.get(layer.name), folding))
            for layer, folding in zip(NETWORK.layers, foldings, strict=True)
        )
    )


SMALL = design(Folding(2, 1, 2), Folding(2), Folding(1, 8))


def values(resources: Resources) -> np.ndarray:
    return np.array(astuple(resources))


def test_the_whole_is_the_sum_of_units_and_of_layers() -> None:
    result = estimate(NETWORK, SMALL, BOARD, 100.0, MODEL)
    units = [MODEL.predict(u) for u in pipeline(NETWORK, SMALL)]
    for end in ("expected", "low", "high"):
        total = values(getattr(result.total, end))
        layers = sum(values(getattr(x.resources, end)) for x in result.layers)
        one_by_one = [[float(getattr(getattr(p, end), r)) for r in RESOURCES] for p in units]
        np.testing.assert_allclose(total, layers)
        np.testing.assert_allclose(total, np.sum(one_by_one, axis=0))


def test_the_facts_of_layers() -> None:
    result = estimate(NETWORK, SMALL, BOARD, 100.0, MODEL)
    conv, pool, fc = result.layers
    # half of 8 x 18 weights of 2 bits; 2 x 3 blocks keep 3 of 6 columns: 3 indices of 3 bits
    assert conv.weight_kib * 8192 == 8 * 18 // 2 * 2 + 6 * 3 * 3
    assert (conv.macs, conv.vectors) == (8 * 18 // 2 * 36, 36)
    assert (pool.macs, pool.weight_kib, pool.cycles) == (0, 0.0, 6 * 6 * 8 // 2)
    assert (fc.macs, fc.weight_kib * 8192, fc.cycles) == (4 * 72, 4 * 72 * 4, 4 * 72 // 8)
    assert result.interval_cycles == max(x.cycles for x in result.layers)
    assert result.latency_cycles > result.interval_cycles
    assert result.latency_us == result.latency_cycles / 100.0
    assert result.source == MODEL.source


def test_index_bits_of_pruned_rows() -> None:
    unit = MatrixUnit("x", 16, 32, 1, 2, 4, 1, 1, True, 1, "bram", "lut", Tiling(8, 16, 2, 4))
    blocks = 2 * 2
    # 2 of 8 rows: each says which of 4 in its residue class; 4 of 16 columns
    assert stored_bits(unit) == blocks * (2 * 4 * 1 + 4 * 4 + 2 * 2)


def test_an_estimate_survives_json() -> None:
    result = estimate(NETWORK, SMALL, BOARD, 100.0, MODEL)
    assert HardwareEstimate.from_json(result.to_json()) == result


@pytest.mark.parametrize("target", [20, 200, 2000])
def test_tables_over_many_foldings_equal_single_estimates(target: int) -> None:
    folder = Folder.build(NETWORK, COMPRESSIONS, BOARD, MODEL, {})
    solved = folder.solve(target, 0.5)
    units = pipeline(NETWORK, solved)
    for name, options in zip(folder.names, folder.options, strict=True):
        f = solved[name].folding
        row = np.flatnonzero((options.pe == f.pe) & (options.simd == f.simd))[0]
        style = 0 if name == "pool" else options.styles.index((f.memory, f.compute))
        main = [u for u in units if u.layer == name and hasattr(u, "pe")]
        single = price(main, MODEL)[0, 0]
        np.testing.assert_allclose(options.main[style, row], single)
        assert options.main_cycles[row] == main[0].cycles


def test_memory_that_the_board_lacks_is_an_error() -> None:
    uram = design(Folding(2, 1, 2), Folding(4), Folding(1, 8, memory="uram"))
    small = Board("z", "z", "7series", Resources(9000, 18000, 90, 60, 0), {}, 200.0, "made up")
    with pytest.raises(UsageError, match="layer fc: memory `uram` needs a board with UltraRAM"):
        estimate(NETWORK, uram, small, 100.0, analytic.load("7series"))
    assert estimate(NETWORK, uram, BOARD, 100.0, MODEL).total.expected.uram == 1
