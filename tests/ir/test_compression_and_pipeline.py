"""What compression leaves to build, and the chain of units a design becomes."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from dse.compression import canonical, effective
from dse.errors import UsageError
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType, activation_type
from dse.ir.units import (
    Fifo,
    MatrixUnit,
    PoolUnit,
    SlidingWindowUnit,
    Tiling,
    WidthConverter,
    legal_folds,
)
from dse.lowering.main_units import element_types
from dse.lowering.pipeline import check, pipeline

NETWORK = Network(
    "net",
    (8, 8, 3),
    IntType(8, signed=False),
    (
        Conv2d("a", ("input",), (8, 8, 3), True, out_channels=16, kernel=3, padding=1),
        MaxPool2d("pool", ("a",), (8, 8, 16), kernel=2),
        Conv2d("b", ("pool",), (4, 4, 16), True, out_channels=32, kernel=3),
        Dense("c", ("b",), (2, 2, 32), True, out_features=24),
        Dense("d", ("c",), (24,), False, out_features=10),
    ),
)
DENSE = {n: Compression(2, 2) for n in "abc"} | {"d": Compression(4, None)}


def design(wanted: dict[str, Compression], **foldings: Folding) -> DesignPoint:
    """Return a canonical design: PE = SIMD = 1 but where a folding is given."""
    done = canonical(NETWORK, wanted)
    one = {n: Folding(1, 1, 1) for n in "ab"} | {"pool": Folding(1)}
    return DesignPoint(
        tuple(
            (layer.name, LayerDesign(done.get(layer.name), folding))
            for layer in NETWORK.layers
            for folding in [(one | foldings).get(layer.name, Folding(1, 1))]
        )
    )


class TestCanonical:
    def test_dense_is_dense_whatever_else_is_said(self) -> None:
        same = [
            Compression(2, 2),
            Compression(2, 2, "dense", 0.5, (8, 16)),
            Compression(2, 2, "bcr", 0.0, (8, 16)),
            Compression(2, 2, "filter", 0.01, None),
            Compression(2, 2, "bcr", 0.9, (1, 1)),
        ]
        for c in same:
            assert canonical(NETWORK, DENSE | {"b": c}) == DENSE

    def test_the_last_layer_has_no_activation_and_keeps_its_classes(self) -> None:
        wanted = DENSE | {"d": Compression(4, 8, "filter", 0.5)}
        assert canonical(NETWORK, wanted)["d"] == Compression(4, None)

    def test_blocks_and_sparsities_that_build_the_same_are_the_same(self) -> None:
        first, second = (
            canonical(NETWORK, DENSE | {"c": Compression(2, 2, "bcr", s, b)})
            for s, b in ((0.5, (8, 16)), (0.501, (11, 31)))
        )
        assert first == second
        assert first["c"] == Compression(2, 2, "bcr", 0.5, (8, 16))

    def test_it_is_idempotent_for_random_wishes(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(200):
            wanted = {
                n: Compression(
                    int(rng.integers(1, 9)),
                    int(rng.integers(1, 9)),
                    str(rng.choice(["dense", "unstructured", "filter", "bcr"])),
                    float(rng.random()),
                    (int(rng.integers(1, 40)), int(rng.integers(1, 70))),
                )
                for n in "abcd"
            }
            once = canonical(NETWORK, wanted)
            assert canonical(NETWORK, once) == once
            for c in once.values():
                assert (c.scheme == "dense") == (c.sparsity == 0)
            built, structures = effective(NETWORK, once)
            for layer in built.matrix_layers:
                s = structures[layer.name]
                assert (s.mh, s.mw) == (layer.mh, layer.mw)
                assert s.tiling is None or (
                    s.mh % s.tiling.block_rows == s.mw % s.tiling.block_cols == 0
                )

    def test_a_block_is_cut_to_the_matrix_that_filter_pruning_leaves(self) -> None:
        wanted = DENSE | {
            "b": Compression(2, 2, "filter", 0.25),
            "c": Compression(2, 2, "bcr", 0.5, (8, 64)),
        }
        done = canonical(NETWORK, wanted)
        assert done["c"].block == (8, 48)  # 24 channels of 2 x 2 left: 96 columns
        built, structures = effective(NETWORK, done)
        assert built["c"].input_shape == (2, 2, 24)
        assert structures["c"].tiling == Tiling(8, 48, 8, 24)


class TestPipeline:
    def test_element_types(self) -> None:
        types = element_types(NETWORK, DENSE | {"b": Compression(2, 1)})
        assert types == {
            "a": IntType(8, signed=False),
            "pool": activation_type(2),
            "b": activation_type(2),
            "c": BIPOLAR,
            "d": activation_type(2),
        }

    def test_units_of_the_slowest_design(self) -> None:
        units = [u for u in pipeline(NETWORK, design(DENSE)) if not isinstance(u, Fifo)]
        assert [(type(u), u.layer, int(u.cycles)) for u in units] == [
            (SlidingWindowUnit, "a", 64 * 9 * 3),
            (MatrixUnit, "a", 64 * 16 * 27),
            (PoolUnit, "pool", 64 * 16),
            (SlidingWindowUnit, "b", 4 * 9 * 16),
            (MatrixUnit, "b", 4 * 32 * 144),
            (MatrixUnit, "c", 24 * 128),
            (MatrixUnit, "d", 10 * 24),
        ]

    @pytest.mark.parametrize("seed", range(30))
    def test_words_and_elements_agree_along_the_chain(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        wanted = {
            n: Compression(2, 2, str(rng.choice(["dense", "filter", "bcr"])), 0.5, (8, 16))
            for n in "abcd"
        }
        done = canonical(NETWORK, wanted)
        built, structures = effective(NETWORK, done)
        foldings = {}
        for layer in built.layers:
            channels = layer.input_shape[-1]
            word = int(rng.choice([d for d in range(1, channels + 1) if channels % d == 0]))
            if isinstance(layer, MatrixLayer):
                s = structures[layer.name]
                pes, simds = legal_folds(s.mh, s.mw, s.tiling)
                i = int(rng.integers(len(pes)))
                swu = word if isinstance(layer, Conv2d) else 0
                foldings[layer.name] = Folding(int(pes[i]), int(simds[i]), swu)
            else:
                foldings[layer.name] = Folding(word)
        units = pipeline(NETWORK, design(wanted, **foldings))
        widths = [u for u in units if not isinstance(u, Fifo)]
        for source, target in itertools.pairwise(widths):
            assert source.out_width == target.in_width
        assert widths[-1].out_width == 1
        for before, unit in itertools.pairwise(units):
            if isinstance(unit, WidthConverter):
                assert unit.in_width != unit.out_width
                assert not isinstance(before, WidthConverter)
                # a FIFO between unit and converter only where a pooling unit makes bursts
                assert not isinstance(before, Fifo) or before.layer == "b"
                assert unit.elements % unit.in_width == 0
                assert unit.elements % unit.out_width == 0
        between = len(built.layers) + 2 - 1  # two layers have a window unit of their own
        bursts = [
            isinstance(a, Fifo) and isinstance(b, WidthConverter)
            for a, b in itertools.pairwise(units)
        ]
        assert sum(isinstance(u, Fifo) for u in units) == between + 1 + sum(bursts)

    def test_fifos_and_converters_are_as_wide_as_their_words(self) -> None:
        d = design(DENSE, a=Folding(4, 9, 3), pool=Folding(16), b=Folding(1, 8, 16))
        chain = [u for u in pipeline(NETWORK, d) if u.layer in ("a", "pool")]
        kinds = [type(u) for u in chain]
        assert kinds == [
            SlidingWindowUnit,
            WidthConverter,
            Fifo,
            MatrixUnit,
            WidthConverter,
            Fifo,
            PoolUnit,
        ]
        assert [u.width_bits for u in chain if isinstance(u, Fifo)] == [9 * 8, 16 * 2]
        assert [u.elements for u in chain if isinstance(u, WidthConverter)] == [64 * 27, 64 * 16]

    @pytest.mark.parametrize(
        ("folding", "depth"),
        [
            # 27 words of a vector of a = 16 x 27 come in 27 / swu_simd cycles
            (Folding(1, 1, 1), 2),  # as fast as the first pass takes them
            (
                Folding(1, 9, 1),
                3,
            ),  # 27 cycles, a pass takes 3: the window works ahead, 3 words wait
            (Folding(4, 3, 1), 9),
            (Folding(16, 3, 1), 2),  # one pass: the vectors flow
            (Folding(8, 1, 3), 2),
            (Folding(8, 27, 3), 2),  # one word is a vector
        ],
    )
    def test_a_slow_window_unit_gets_room_to_work_ahead(self, folding: Folding, depth: int) -> None:
        units = pipeline(NETWORK, design(DENSE, a=folding))
        assert next(u.depth for u in units if isinstance(u, Fifo)) == depth

    @pytest.mark.parametrize(
        ("folding", "depth"), [(Folding(1, 1), 128), (Folding(8, 16), 8), (Folding(24, 4), 2)]
    )
    def test_a_dense_layer_of_several_passes_has_room_for_its_vector(
        self, folding: Folding, depth: int
    ) -> None:
        units = pipeline(NETWORK, design(DENSE, c=folding))
        assert [u.depth for u in units if isinstance(u, Fifo) and u.layer == "c"] == [depth]

    @pytest.mark.parametrize(
        ("pool", "window", "depths"),
        [
            (4, 4, [2]),  # a window takes words as they come
            (4, 8, [2]),
            (8, 4, [4 * 2, 2]),  # where they are not cut: a row of 4 pixels waits
            (16, 1, [4, 2]),
        ],
    )
    def test_words_of_a_pooling_unit_wait_where_they_are_cut(
        self, pool: int, window: int, depths: list[int]
    ) -> None:
        d = design(DENSE, pool=Folding(pool), b=Folding(1, 1, window))
        units = [u for u in pipeline(NETWORK, d) if u.layer == "b"]
        before = units[: [isinstance(u, SlidingWindowUnit) for u in units].index(True)]
        assert [u.depth for u in before if isinstance(u, Fifo)] == depths


class TestCheck:
    def test_a_legal_design_passes(self) -> None:
        check(NETWORK, design(DENSE))

    def test_layers_must_be_those_of_the_network(self) -> None:
        with pytest.raises(
            UsageError, match=r"must list the layers a, pool, b, c, d in this order"
        ):
            check(NETWORK, DesignPoint(design(DENSE).layers[::-1]))

    def test_compression_must_be_canonical(self) -> None:
        d = dict(design(DENSE).layers)
        d["c"] = replace(d["c"], compression=Compression(2, 2, "bcr", 0.51, (8, 16)))
        with pytest.raises(UsageError, match="not canonical; pass it through `canonical`"):
            check(NETWORK, DesignPoint(tuple(d.items())))

    @pytest.mark.parametrize(
        ("name", "compression", "message"),
        [
            ("c", None, "^layer c needs a compression, got None$"),
            ("pool", Compression(2, 2), "^layer pool has no weights and takes no compression"),
        ],
    )
    def test_layers_with_weights_have_a_compression(
        self, name: str, compression: Compression | None, message: str
    ) -> None:
        d = dict(design(DENSE).layers)
        d[name] = replace(d[name], compression=compression)
        with pytest.raises(UsageError, match=message):
            check(NETWORK, DesignPoint(tuple(d.items())))

    @pytest.mark.parametrize(
        ("foldings", "message"),
        [
            (
                {"d": Folding(3, 1)},
                r"^layer d: PE 3 x SIMD 1 is not legal for its 10 x 24 matrix; PE may be 1, 2,"
                + r" 5, 10, SIMD 1, 2, 3, 4, 6, 8, 12, 24$",
            ),
            ({"b": Folding(1, 1, 3)}, r"^layer b: 3 channels per word do not divide 16 channels$"),
            ({"b": Folding(1, 1, 0)}, r"^layer b: 0 channels per word"),
            ({"pool": Folding(5)}, r"^layer pool: 5 channels per word"),
            (
                {"c": Folding(1, 1, memory="dram")},
                r"^layer c: memory must be one of bram, lutram, uram, got 'dram'$",
            ),
            (
                {"c": Folding(1, 1, compute="gpu")},
                r"^layer c: compute must be one of lut, dsp, got 'gpu'$",
            ),
        ],
    )
    def test_foldings_must_be_legal(self, foldings: dict[str, Folding], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            pipeline(NETWORK, design(DENSE, **foldings))
