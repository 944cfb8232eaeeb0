"""Every layer of an emitted project alone: golden words in, golden words out, and a fault is named."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.emit.verify_layers import Difference, verify_layers
from dse.errors import ExternalToolError, UsageError
from dse.ir.accelerator import Accelerator
from dse.ir.network import Network

ICARUS = pytest.mark.skipif(
    shutil.which("iverilog") is None or shutil.which("make") is None,
    reason="Icarus Verilog and make are not on PATH",
)
FLOWS = [pytest.param("hls"), pytest.param("rtl", marks=ICARUS)]
Emit = Callable[[str], Path]


@pytest.fixture
def emitted(tiny: Any, emit: Any, emit_rtl: Any, tmp_path: Path) -> Emit:
    """Factory: flow -> folder of a project of the tiny network."""

    def write(flow: str) -> Path:
        folder: Path = (emit if flow == "hls" else emit_rtl)(tiny).write(tmp_path / flow)
        return folder

    return write


def flip(path: Path, line: int) -> None:
    """Turn the lowest bit of a word over."""
    lines = path.read_text().splitlines()
    lines[line] = f"{int(lines[line], 16) ^ 1:0{len(lines[line])}x}"
    path.write_text("\n".join(lines) + "\n")


def test_golden_words_are_the_values_of_the_layers(tiny: Any, emitted: Emit) -> None:
    network, design, accelerator, images, _ = tiny
    folder = emitted("hls")
    # what the first layer alone computes, as a network that ends with it
    first = Network("first", network.input_shape, network.input_type, network.layers[:1])
    values = Accelerator(first, {"conv": accelerator.parameters["conv"]}).scores(images[:4])
    lines = (folder / "tb/layers/pool_pool_width_in.hex").read_text().split()
    pe = design["conv"].folding.pe
    words = [int(x, 16) for x in lines]
    got = [[w >> 2 * i & 3 for i in range(pe)] for w in words]
    assert np.array_equal(np.reshape(got, values.shape), values)


@pytest.mark.parametrize("flow", FLOWS)
def test_every_layer_agrees_and_a_fault_is_named(emitted: Emit, flow: str, dse: Any) -> None:
    folder = emitted(flow)
    whole = dse("verify", folder, "--layers", "--json")
    assert whole.returncode == 0, whole.stderr
    said = json.loads(whole.stdout)
    assert (said["schema"], said["images"], said["passed"]) == ("dse.verify-layers/1", 4, True)
    assert [(x["name"], x["words"], x["first"]) for x in said["layers"]] == [
        ("conv", 128, None),
        ("pool", 16, None),
        ("fc", 12, None),
    ]
    # the fault: a pool that takes the smallest
    path = folder / ("src/kernels/max_pool.hpp" if flow == "hls" else "rtl/max_pool.v")
    path.write_text(
        path.read_text().replace(": ea > eb", ": ea < eb").replace("= a > b", "= a < b")
    )
    run = dse("verify", folder)
    assert run.returncode == ExternalToolError.exit_code
    assert (
        "does not compute what was scored: layer pool alone differs, image 0, word " in run.stderr
    )
    assert "of stream fc_matrix_in; emit it again" in run.stderr
    found = {b: json.loads((folder / f"build/layers/{b}.json").read_text()) for b in ("conv", "fc")}
    assert {b: x["mismatches"] for b, x in found.items()} == {"conv": 0, "fc": 0}
    make = ["make", "csim-layers" if flow == "hls" else "sim-layers"]
    for layer, status in (("conv", 0), ("pool", 2), ("conf", 2)):
        alone = subprocess.run(
            [*make, f"LAYER={layer}"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert alone.returncode == status, layer
    assert "conv pool fc" in alone.stderr.replace(",", "")


@ICARUS
def test_a_golden_word_that_is_wrong_is_named(emitted: Emit) -> None:
    folder = emitted("rtl")
    flip(folder / "tb/layers/fc_matrix_in.hex", 5)
    result = verify_layers(folder)
    pool = result.layers[1]
    assert (pool.mismatches, pool.first) == (1, Difference("fc_matrix_in", 1, 1))
    assert result.layers[0].mismatches == 0
    assert result.differing == pool
    assert result.changed == ("tb/layers/fc_matrix_in.hex",)


@ICARUS
@pytest.mark.parametrize(
    ("valid", "least"),
    [
        pytest.param("1'b0", 16, id="nothing comes"),
        pytest.param("in_valid & whole & last_kx", 16, id="twice as many words"),
    ],
)
def test_words_that_are_missing_or_too_many(emitted: Emit, valid: str, least: int) -> None:
    folder = emitted("rtl")
    pool = folder / "rtl/max_pool.v"
    asked = "in_valid & whole & last_kx & last_ky"
    assert asked in pool.read_text()
    pool.write_text(pool.read_text().replace(asked, valid))
    conv, found, fc = verify_layers(folder).layers
    assert conv.mismatches == fc.mismatches == 0
    assert found.words == 16
    assert found.mismatches >= least


def test_what_cannot_be_run_is_said(
    emitted: Emit, monkeypatch: pytest.MonkeyPatch, dse: Any
) -> None:
    folder = emitted("rtl")
    run = dse("verify", folder, "--layers", "--stall")
    assert run.returncode == UsageError.exit_code
    assert "leave out --stall" in run.stderr
    path = folder / "design.json"
    value = json.loads(path.read_text())
    layers = value["golden"].pop("layers")
    path.write_text(json.dumps(value))
    with pytest.raises(UsageError, match="an earlier version wrote it; emit it again"):
        verify_layers(folder)
    value["golden"]["layers"] = layers
    path.write_text(json.dumps(value))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExternalToolError, match="need make, which is not on PATH"):
        verify_layers(folder)


@ICARUS
def test_what_takes_too_long_is_given_up(emitted: Emit) -> None:
    folder = emitted("rtl")
    bench = folder / "tb" / "layers" / "pool.v"
    bench.write_text(bench.read_text().replace("$finish;", ""))  # its clock never stops
    with pytest.raises(ExternalToolError, match=r"not done in 1 s; `dse verify --layers .*rtl`"):
        verify_layers(folder, within_s=1)
