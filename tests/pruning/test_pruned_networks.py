"""Pruning inside a network: what it buys, what caps it, and what it must not change."""

from dataclasses import replace

import numpy as np
import pytest

from dse.compression import canonical
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import Fifo, MatrixUnit, SlidingWindowUnit
from dse.lowering.pipeline import pipeline
from pruning import bcr

NETWORK = Network(
    "net",
    (8, 8, 16),
    IntType(2, signed=False),
    (
        Conv2d("conv", ("input",), (8, 8, 16), True, out_channels=32, kernel=3, padding=1),
        MaxPool2d("pool", ("conv",), (8, 8, 32), kernel=2),
        Dense("fc", ("pool",), (4, 4, 32), False, out_features=10),
    ),
)


def conv_design(sparsity: float, pe: int, simd: int) -> DesignPoint:
    wanted = {
        "conv": Compression(2, 2, "bcr", sparsity, (8, 16)),
        "fc": Compression(2, None),
    }
    c = canonical(NETWORK, wanted)
    return DesignPoint(
        (
            ("conv", LayerDesign(c["conv"], Folding(pe, simd, swu_simd=4))),
            ("pool", LayerDesign(None, Folding(1))),
            ("fc", LayerDesign(c["fc"], Folding(1, 1))),
        )
    )


def interval(design: DesignPoint, kinds: tuple[type, ...]) -> int:
    units = pipeline(NETWORK, design)
    return max(int(u.cycles) for u in units if u.layer == "conv" and isinstance(u, kinds))


def test_sparsity_buys_cycles_where_the_matrix_unit_sets_the_pace() -> None:
    # NF = 8: dense 64 * 8 * 36 cycles against 64 * 36 of the window
    matrix = [interval(conv_design(s, 4, 4), (MatrixUnit,)) for s in (0.0, 0.5, 0.75)]
    assert matrix == [64 * 8 * 36, 64 * 8 * 18, 64 * 8 * 9]
    both = (MatrixUnit, SlidingWindowUnit)
    assert [interval(conv_design(s, 4, 4), both) for s in (0.0, 0.5, 0.75)] == matrix


def test_sparsity_buys_no_cycles_where_the_window_unit_sets_the_pace() -> None:
    # seeds 0.1: at NF = 1 the window writes V * k * k * C / Q_swu words whatever is pruned
    both = (MatrixUnit, SlidingWindowUnit)
    window = interval(conv_design(0.0, 32, 4), (SlidingWindowUnit,))
    assert [interval(conv_design(s, 32, 4), both) for s in (0.0, 0.5, 0.75)] == [window] * 3
    matrix = [interval(conv_design(s, 32, 4), (MatrixUnit,)) for s in (0.0, 0.5, 0.75)]
    assert matrix == [64 * 36, 64 * 18, 64 * 9]


def test_units_of_a_filter_pruned_network_are_smaller() -> None:
    dense = conv_design(0.0, 8, 4)
    wanted = {**dense.compressions, "conv": Compression(2, 2, "filter", 0.5)}
    c = canonical(NETWORK, wanted)
    layers = tuple((n, replace(d, compression=c.get(n))) for n, d in dense.layers)
    units = [u for u in pipeline(NETWORK, DesignPoint(layers)) if not isinstance(u, Fifo)]
    matrix = {u.layer: (u.mh, u.mw) for u in units if isinstance(u, MatrixUnit)}
    assert matrix == {"conv": (16, 144), "fc": (10, 4 * 4 * 16)}


def random_parameters(network: Network, seed: int) -> dict[str, MatrixParameters]:
    rng = np.random.default_rng(seed)
    result = {}
    for layer in network.matrix_layers:
        weights = rng.integers(-7, 8, (layer.mh, layer.mw))
        thresholds = np.sort(rng.integers(-60, 60, (layer.mh, 3)), axis=1)
        last = not layer.activation
        result[layer.name] = MatrixParameters(
            weight_bits=4,
            weights=weights,
            kept=np.ones(weights.shape, dtype=np.bool_),
            output_bits=None if last else 2,
            thresholds=None if last else thresholds,
        )
    return result


@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_reordering_rows_changes_no_score(sparsity: float) -> None:
    plain = random_parameters(NETWORK, 3)
    c = canonical(
        NETWORK, {"conv": Compression(4, 2, "bcr", sparsity, (8, 16)), "fc": Compression(4, None)}
    )
    conv, fc = plain["conv"], plain["fc"]
    mask = bcr.mask(conv.weights.astype(np.float64), c["conv"], reorder=True)
    assert mask.row_order.tolist() != list(range(32))
    conv = replace(conv, kept=mask.kept, weights=conv.weights * mask.kept)
    order = mask.row_order
    assert conv.thresholds is not None
    hardware = replace(
        conv,
        weights=conv.weights[order],
        kept=conv.kept[order],
        thresholds=conv.thresholds[order],
    )
    behind = replace(fc, weights=fc.weights.reshape(10, 16, 32)[:, :, order].reshape(10, -1))
    images = np.random.default_rng(4).integers(0, 4, (12, 8, 8, 16))
    as_trained = Accelerator(NETWORK, {"conv": conv, "fc": fc}).scores(images)
    as_built = Accelerator(NETWORK, {"conv": hardware, "fc": behind}).scores(images)
    assert np.array_equal(as_trained, as_built)
    assert len(np.unique(as_trained)) > 20
