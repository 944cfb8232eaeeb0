"""The promise of pruning/_scheme.py, kept by every file in the folder."""

from collections.abc import Iterator

import numpy as np
import pytest

from dse.compression import scheme
from dse.ir import plugins
from dse.ir.design import Compression
from dse.ir.units import MatrixUnit, legal_folds
from pruning import _scheme
from pruning._pack import pack, unpack

SCHEMES = plugins.names("pruning")
# rows, columns, kernel positions
SHAPES = [
    *[(1, 1, 1), (7, 5, 1), (10, 64, 1), (48, 72, 1), (64, 128, 1), (30, 1, 1)],
    *[(32, 27, 9), (24, 72, 9), (16, 64, 4)],
]
BLOCKS = [(1, 1), (4, 4), (8, 16), (16, 64), (5, 7), (1, 8), (8, 1)]
SPARSITIES = [0.01, 0.1, 0.25, 0.4, 0.5, 0.625, 0.75, 0.8, 0.9, 0.95, 0.999]


def compressions(name: str, weight_bits: int = 4) -> Iterator[tuple[int, int, int, Compression]]:
    """Yield (mh, mw, positions, canonical compression) for many sizes, sparsities and blocks."""
    s = scheme(name)
    beta = 0.1 if s.NEEDS_BETA else None
    for mh, mw, k in SHAPES:
        for block in BLOCKS if s.NEEDS_BLOCK else [None]:
            for wanted in SPARSITIES:
                sparsity, legal = s.legalise(mh, mw, wanted, block, positions=k)
                if sparsity > 0 or name == "dense":
                    yield mh, mw, k, Compression(weight_bits, 2, name, sparsity, legal, beta=beta)


def unit(structure: _scheme.Structure, pe: int, simd: int, vectors: int = 1) -> MatrixUnit:
    return MatrixUnit(
        "layer",
        structure.mh,
        structure.mw,
        vectors,
        pe,
        simd,
        structure.stored_weight_bits,
        input_bits=2,
        input_signed=False,
        output_bits=2,
        memory="bram",
        compute="lut",
        tiling=structure.tiling,
    )


def folds(structure: _scheme.Structure) -> list[tuple[int, int]]:
    pe, simd = legal_folds(structure.mh, structure.mw, structure.tiling)
    return list(zip(pe.tolist(), simd.tolist(), strict=True))


@pytest.mark.parametrize("name", SCHEMES)
class TestEveryScheme:
    def test_the_module_says_in_a_line_what_it_does(self, name: str) -> None:
        assert (plugins.load("pruning", name).__doc__ or "").splitlines()[0].endswith(".")

    def test_legalise_twice_changes_nothing(self, name: str) -> None:
        s = scheme(name)
        for mh, mw, k, c in compressions(name):
            assert s.legalise(mh, mw, c.sparsity, c.block, positions=k) == (c.sparsity, c.block)

    def test_legalise_stays_in_range_and_keeps_zero(self, name: str) -> None:
        s = scheme(name)
        for mh, mw, k in SHAPES:
            assert s.legalise(mh, mw, 0.0, (8, 16), positions=k) == (0.0, None)
            for block in BLOCKS:
                for wanted in SPARSITIES:
                    sparsity, legal = s.legalise(mh, mw, wanted, block, positions=k)
                    assert 0 <= sparsity < 1
                    assert isinstance(sparsity, float)
                    if not s.NEEDS_BLOCK or sparsity == 0:
                        assert legal is None

    def test_more_is_never_less(self, name: str) -> None:
        s = scheme(name)
        for mh, mw, k in SHAPES:
            for block in BLOCKS:
                done = [s.legalise(mh, mw, x, block, positions=k)[0] for x in SPARSITIES]
                assert done == sorted(done)

    def test_mask_removes_exactly_the_sparsity(self, name: str) -> None:
        rng = np.random.default_rng(1)
        for mh, mw, k, c in compressions(name):
            for reorder in (False, True):
                mask = scheme(name).mask(rng.normal(size=(mh, mw)), c, reorder=reorder, positions=k)
                assert mask.kept.shape == (mh, mw)
                assert mask.kept.dtype == np.bool_
                assert mask.kept.sum() == round((1 - c.sparsity) * mh * mw)
                assert sorted(mask.row_order.tolist()) == list(range(mh))

    def test_mask_depends_on_weights_and_compression_only(self, name: str) -> None:
        weights = np.random.default_rng(2).normal(size=(48, 72))
        for mh, mw, k, c in compressions(name):
            if (mh, mw) == weights.shape:
                first, second = (
                    scheme(name).mask(weights, c, reorder=True, positions=k) for _ in range(2)
                )
                assert np.array_equal(first.kept, second.kept)
                assert np.array_equal(first.row_order, second.row_order)

    def test_the_strong_stay(self, name: str) -> None:
        # a kept weight may be small, but on average kept weights are no smaller than removed ones
        if not scheme(name).BY_WEIGHTS:
            pytest.skip("masks do not follow weights")
        weights = np.abs(np.random.default_rng(3).normal(size=(48, 72)))
        for mh, mw, k, c in compressions(name):
            if (mh, mw) == weights.shape and c.sparsity > 0:
                kept = scheme(name).mask(weights, c, reorder=False, positions=k).kept
                assert (weights[kept] ** 2).mean() > (weights[~kept] ** 2).mean()

    def test_unpack_inverts_pack_for_every_fold(self, name: str) -> None:
        rng = np.random.default_rng(4)
        for mh, mw, k, c in compressions(name):
            if mh * mw > 3500:
                continue
            structure = scheme(name).structure(mh, mw, c, positions=k)
            mask = scheme(name).mask(rng.normal(size=(mh, mw)), c, reorder=True, positions=k)
            rows = mask.row_order[: structure.mh]
            kept = mask.kept[rows]
            weights = rng.integers(1, 8, size=kept.shape) * kept
            for pe, simd in folds(structure):
                packed = pack(weights, kept, structure.tiling, pe, simd)
                assert packed.weights.shape == (unit(structure, pe, simd).depth, pe, simd)
                back = unpack(packed, structure.mh, structure.mw, structure.tiling, pe, simd)
                assert np.array_equal(back[0], weights)
                assert np.array_equal(back[1], kept)

    def test_executed_work_is_what_hardware_sees(self, name: str) -> None:
        vectors = 9
        for mh, mw, k, c in compressions(name):
            structure = scheme(name).structure(mh, mw, c, positions=k)
            useful = vectors * round((1 - c.sparsity) * mh * mw)
            for pe, simd in folds(structure):
                executed = unit(structure, pe, simd, vectors).macs
                assert executed <= vectors * mh * mw
                assert executed >= useful
                if name != "unstructured":
                    assert executed == useful
                else:
                    assert executed == vectors * mh * mw  # no gain

    def test_cycles_are_at_most_the_dense_ones(self, name: str) -> None:
        for mh, mw, k, c in compressions(name):
            structure = scheme(name).structure(mh, mw, c, positions=k)
            for pe, simd in folds(structure):
                if mh % pe == 0 and mw % simd == 0:
                    dense = (mh // pe) * (mw // simd)
                    assert unit(structure, pe, simd).cycles <= dense


@pytest.mark.parametrize(
    ("name", "bits"),
    [("bcr", 1), ("filter", 1), ("kernel", 1), ("small_world", 1), ("unstructured", 2)],
)
def test_one_bit_weights_take_two_where_a_stored_one_may_be_absent(name: str, bits: int) -> None:
    for mh, mw, k, c in compressions(name, weight_bits=1):
        assert scheme(name).structure(mh, mw, c, positions=k).stored_weight_bits == bits
