"""Random integer networks with thresholds where the sums really lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from dse.compression import canonical, effective, scheme
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import Board, HardwareEstimate, Resources, UnitEstimate
from dse.ir.network import Network

Case = tuple[Network, DesignPoint, Accelerator, np.ndarray, np.ndarray]


def random_accelerator(
    network: Network,
    compressions: Mapping[str, Compression],
    images: np.ndarray,
    rng: np.random.Generator,
) -> Accelerator:
    """Random weights, masks of the schemes, thresholds at random sums of the images."""
    built, structures = effective(network, compressions)
    parameters: dict[str, MatrixParameters] = {}
    for layer in built.matrix_layers:
        c, s = compressions[layer.name], structures[layer.name]
        kept = np.ones((s.mh, s.mw), dtype=bool)
        if c.scheme not in ("dense", "filter"):
            kept = scheme(c.scheme).mask(rng.normal(size=kept.shape), c, reorder=False).kept
        limit = 2 ** (c.weight_bits - 1) - 1
        weights = (
            rng.choice([-1, 1], kept.shape)
            if c.weight_bits == 1
            else rng.integers(-limit, limit + 1, kept.shape)
        )
        p = MatrixParameters(c.weight_bits, weights * kept, kept, None, None)
        if c.activation_bits is not None:
            # what the layers so far give, without an activation: the sums of this layer
            until = built.layers[: [x.name for x in built.layers].index(layer.name) + 1]
            part = Network(built.name, built.input_shape, built.input_type, until)
            sums = Accelerator(part, {**parameters, layer.name: p}).scores(images).reshape(-1, s.mh)
            picks = rng.integers(0, len(sums), (2**c.activation_bits - 1, s.mh))
            thresholds = np.sort(np.take_along_axis(sums, picks, 0), axis=0).T
            # some that every sum reaches, and some that none does
            thresholds[0, 0], thresholds[-1, -1] = -(10**6), 10**6
            p = MatrixParameters(c.weight_bits, p.weights, kept, c.activation_bits, thresholds)
        parameters[layer.name] = p
    return Accelerator(built, parameters)


@pytest.fixture
def make_case() -> Callable[..., Case]:
    """Factory: (network, compressions, foldings, images, seed) -> a whole case."""

    def make(
        network: Network,
        compressions: Mapping[str, Compression],
        foldings: Mapping[str, Folding],
        count: int = 12,
        seed: int = 0,
    ) -> Case:
        rng = np.random.default_rng(seed)
        t = network.input_type
        images = rng.integers(t.min, t.max + 1, (count, *network.input_shape))
        if t.bipolar:
            images = rng.choice([-1, 1], images.shape)
        compressions = canonical(network, compressions)
        design = DesignPoint(
            tuple(
                (layer.name, LayerDesign(compressions.get(layer.name), foldings[layer.name]))
                for layer in network.layers
            )
        )
        accelerator = random_accelerator(network, compressions, images, rng)
        return network, design, accelerator, images, rng.integers(0, network.classes, count)

    return make


@pytest.fixture
def board() -> Board:
    return Board(
        name="test-board",
        part="xc7z020clg400-1",
        family="7series",
        resources=Resources(53200, 106400, 220, 280, 0),
        usable_share={},
        max_clock_mhz=200,
        source="test",
    )


@pytest.fixture
def estimate() -> HardwareEstimate:
    unit = UnitEstimate(Resources(100), Resources(90), Resources(110))
    return HardwareEstimate((), unit, 1000, 2000, 100.0, "analytic")
