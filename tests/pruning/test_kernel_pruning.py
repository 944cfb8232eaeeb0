"""Kernel pruning: exactly n of every M kernels, for each group of rows that share the choice."""

import numpy as np
import pytest

from dse.errors import UsageError
from dse.ir.design import Compression
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from pruning import kernel
from pruning._pack import pack

ROWS, CHANNELS, POSITIONS = 16, 24, 9


def compression(sparsity: float, block: tuple[int, int]) -> Compression:
    done, legal = kernel.legalise(ROWS, CHANNELS * POSITIONS, sparsity, block, positions=POSITIONS)
    return Compression(1, 1, "kernel", done, legal)


def kept_kernels(kept: np.ndarray) -> np.ndarray:
    """`(rows, channels)` kept positions of every kernel; columns are (ky, kx, channel)."""
    return kept.reshape(ROWS, POSITIONS, CHANNELS).sum(axis=1)


@pytest.mark.parametrize("block", [(1, 4), (8, 4), (16, 8), (4, 2)])
@pytest.mark.parametrize("reorder", [False, True])
def test_every_filter_keeps_exactly_n_whole_kernels_of_every_group(
    block: tuple[int, int], reorder: bool
) -> None:
    weights = np.random.default_rng(0).normal(size=(ROWS, CHANNELS * POSITIONS))
    for count in range(1, block[1]):
        c = compression(1 - count / block[1], block)
        mask = kernel.mask(weights, c, reorder=reorder, positions=POSITIONS)
        kernels = kept_kernels(mask.kept)
        assert set(np.unique(kernels)) == {0, POSITIONS}
        assert ((kernels > 0).reshape(ROWS, -1, block[1]).sum(axis=2) == count).all()
        shared = kernels[mask.row_order].reshape(-1, block[0], CHANNELS)
        assert (shared == shared[:, :1]).all()


def test_the_kernels_with_the_largest_norm_stay() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(ROWS, CHANNELS * POSITIONS))
    mask = kernel.mask(weights, compression(0.75, (2, 4)), reorder=False, positions=POSITIONS)
    norms = np.abs(weights).reshape(ROWS, POSITIONS, CHANNELS).sum(axis=1)
    together = norms.reshape(ROWS // 2, 2, CHANNELS // 4, 4).sum(axis=1)
    best = together == together.max(axis=2, keepdims=True)
    expected = best.repeat(2, axis=0).reshape(ROWS, CHANNELS)
    assert np.array_equal(kept_kernels(mask.kept) > 0, expected)


def test_sparsity_and_block_shrink_to_what_the_layer_has() -> None:
    mw = CHANNELS * POSITIONS
    assert kernel.legalise(ROWS, mw, 0.7, (6, 5), positions=POSITIONS) == (0.75, (4, 4))
    # one channel: no group to choose from
    assert kernel.legalise(ROWS, 9, 0.5, (8, 4), positions=9) == (0.0, None)
    with pytest.raises(UsageError, match="kernel needs a block"):
        kernel.legalise(ROWS, mw, 0.5, None, positions=POSITIONS)


def test_the_index_is_stored_once_for_all_positions() -> None:
    c = compression(0.75, (8, 4))
    structure = kernel.structure(ROWS, CHANNELS * POSITIONS, c, positions=POSITIONS)
    weights = np.random.default_rng(2).normal(size=(ROWS, CHANNELS * POSITIONS))
    kept = kernel.mask(weights, c, reorder=False, positions=POSITIONS).kept
    for pe, simd in ((1, 1), (8, 6), (16, 54)):
        packed = pack(kept * 1, kept, structure.tiling, pe, simd)
        assert packed.columns is not None
        # 2 groups of rows x 6 groups of channels x 1 kernel each, unless lanes hold copies
        assert packed.columns.size == max(12, packed.columns.shape[1])
    assert structure.tiling is not None
    assert structure.tiling.index_bits == 2


def test_layers_say_how_many_positions_they_have() -> None:
    assert Conv2d("c", ("input",), (8, 8, 3), True, 4, 3).positions == 9
    assert Conv2d("c", ("input",), (8, 8, 3), True, 4, 1).positions == 1
    assert Dense("d", ("input",), (12,), True, 4).positions == 1
