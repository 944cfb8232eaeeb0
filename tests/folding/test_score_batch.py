"""The batch says what `estimate` says, design by design."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from cost_models import analytic, learned
from cost_models._model import CostModel
from dse.compression import canonical, effective
from dse.errors import UsageError
from dse.folding.estimate import ENDS, estimate
from dse.folding.foldings import Foldings
from dse.folding.score_batch import Totals, folded, totals
from dse.ir.design import COMPUTES, MEMORIES, Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import RESOURCES, Board, Resources
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import divisors
from dse.lowering.main_units import layer_folds
from dse.networks import cnv, digits_cnn, digits_separable, lenet5, resnet8, resnet50
from dse.search.score import layer_table, metrics_of

BOARD = Board("b", "p", "ultrascale+", Resources(9e5, 2e6, 9e3, 4e3, 960), {}, 300.0, "made up", 3)
NO_URAM = replace(BOARD, resources=replace(BOARD.resources, uram=0))
BYTES = IntType(8, signed=False)
NETWORKS = {
    "digits-cnn": digits_cnn.build((8, 8, 1), IntType(4, signed=False), 10),
    "digits-separable": digits_separable.build((8, 8, 1), IntType(4, signed=False), 10),
    "lenet5": lenet5.build((28, 28, 1), BYTES, 10),
    "cnv": cnv.build((32, 32, 3), BYTES, 10, width=0.25),
    "concatenations": Network(
        "concatenations",
        (8, 8, 3),
        BYTES,
        (
            Conv2d("stem", ("input",), (8, 8, 3), True, 8, 3, 1, 1),
            Conv2d("one", ("stem",), (8, 8, 8), True, 12, 1),
            Conv2d("three", ("stem",), (8, 8, 8), True, 8, 3, 1, 1),
            Concat("fire", ("one", "three"), (8, 8, 12), 8),
            Conv2d("grown", ("fire",), (8, 8, 20), True, 4, 3, 1, 1),
            Concat("dense", ("grown", "fire"), (8, 8, 4), 20),
            Dense("fc", ("dense",), (8, 8, 24), False, 10),
        ),
    ),
    "resnet8": resnet8.build((16, 16, 3), BYTES, 10, width=0.5),
    "resnet50": resnet50.build((33, 33, 3), BYTES, 10, width=0.0625),
}
WANTED = {
    "dense": Compression(2, 2),
    "binary": Compression(1, 1),
    "blocks": Compression(4, 3, "bcr", 0.5, (4, 4)),
    "filters": Compression(3, 2, "filter", 0.5),
}


def random_design(
    network: Network, wanted: Compression, rng: np.random.Generator, memories: tuple[str, ...]
) -> DesignPoint:
    if any(isinstance(layer, Add) for layer in network.layers):
        wanted = replace(wanted, activation_bits=max(wanted.activation_bits or 0, 2))
    compressions = canonical(network, {x.name: wanted for x in network.matrix_layers})
    built, structures = effective(network, compressions)
    layers = []
    for layer in built.layers:
        channels = divisors(layer.word_channels)
        folding = Folding(int(rng.choice(channels)))
        if isinstance(layer, MatrixLayer):
            pe, simd = layer_folds(layer, structures[layer.name])
            row = rng.integers(len(pe))
            folding = Folding(
                int(pe[row]),
                int(simd[row]),
                int(rng.choice(channels)) if layer.windowed else 0,
                str(rng.choice(memories)),
                str(rng.choice(COMPUTES)),
            )
        layers.append((layer.name, LayerDesign(compressions.get(layer.name), folding)))
    return DesignPoint(tuple(layers))


def assert_equal_to_estimates(
    found: Totals, network: Network, designs: list[DesignPoint], model: CostModel
) -> None:
    power, energy = found.power_w(100.0, BOARD), found.energy_mj(100.0, BOARD)
    die = found.per_slr(BOARD)
    for i, design in enumerate(designs):
        single = estimate(network, design, BOARD, 100.0, model)
        table = [astuple(getattr(single.total, end)) for end in ENDS]
        np.testing.assert_allclose(found.resources[i], table, rtol=1e-12)
        assert found.interval_cycles[i] == single.interval_cycles
        np.testing.assert_allclose(found.layers[i], layer_table(single), rtol=1e-9, atol=1e-9)
        assert found.layer_cycles[i].tolist() == [layer.cycles for layer in single.layers]
        metrics = metrics_of(single, BOARD)
        for name, column in (("power_w", power), ("energy_mj", energy)):
            np.testing.assert_allclose(column[i, 0], metrics[name])
            np.testing.assert_allclose(column[i, 2], metrics[f"{name}_high"])
        for k, resource in enumerate(RESOURCES):
            np.testing.assert_allclose(die[i, 0, k], metrics[f"{resource}_per_slr"], atol=1e-9)
            np.testing.assert_allclose(die[i, 2, k], metrics[f"{resource}_per_slr_high"], atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("load", [analytic.load, learned.load], ids=["analytic", "learned"])
def test_designs_of_many_compressions_cost_what_estimate_says(name: str, load) -> None:  # type: ignore[no-untyped-def]
    model, rng = load("ultrascale+"), np.random.default_rng(0)
    designs = [
        random_design(NETWORKS[name], wanted, rng, MEMORIES)
        for wanted in WANTED.values()
        for _ in range(6)
    ]
    rng.shuffle(designs)
    found = totals(NETWORKS[name], designs, BOARD, model)
    assert_equal_to_estimates(found, NETWORKS[name], designs, model)


def test_arrays_of_foldings_are_designs_and_back() -> None:
    network, rng = NETWORKS["cnv"], np.random.default_rng(1)
    designs = [random_design(network, WANTED["blocks"], rng, MEMORIES) for _ in range(20)]
    foldings, compressions = Foldings.of(designs), designs[0].compressions
    assert [foldings.design(i, network, compressions) for i in range(20)] == designs
    model = analytic.load("ultrascale+")
    assert_equal_to_estimates(
        folded(network, compressions, foldings, BOARD, model), network, designs, model
    )


@pytest.mark.parametrize(
    ("field", "layer", "value", "message"),
    [
        ("pe", 0, 7, "layer conv1: PE 7 x SIMD .* is not legal"),
        ("swu_simd", 1, 5, "layer conv2: 5 channels per word do not divide"),
        ("pe", 2, 3, "layer pool1: 3 channels per word do not divide"),
        ("memory", 3, MEMORIES.index("uram"), "layer conv3: memory `uram` needs a board"),
    ],
)
def test_an_illegal_design_among_many_is_named(
    field: str, layer: int, value: int, message: str
) -> None:
    network, rng = NETWORKS["cnv"], np.random.default_rng(2)
    designs = [random_design(network, WANTED["dense"], rng, ("bram",)) for _ in range(5)]
    foldings = Foldings.of(designs)
    getattr(foldings, field)[3, layer] = value
    with pytest.raises(UsageError, match=message):
        folded(network, designs[0].compressions, foldings, NO_URAM, analytic.load("7series"))


def test_a_network_whose_input_is_forked_is_refused() -> None:
    chain, rng = NETWORKS["digits-cnn"], np.random.default_rng(3)
    design = random_design(chain, WANTED["dense"], rng, ("bram",))
    first, second, *rest = chain.layers
    forked = replace(chain, layers=(first, replace(second, inputs=("input",)), *rest))
    with pytest.raises(UsageError, match="must be read by one layer at most"):
        folded(forked, design.compressions, Foldings.of([design]), BOARD, analytic.load("7series"))
