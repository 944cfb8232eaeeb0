"""What `verify` says about projects that are whole, partly run, broken, foreign or stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dse.emit.hls import BATCH
from dse.emit.verify import verify
from dse.errors import ExternalToolError, UsageError
from dse.ir.design import Compression, Folding
from dse.ir.units import SlidingWindowUnit
from dse.lowering.pipeline import pipeline


@pytest.fixture
def folder(tiny: Any, emit: Any, tmp_path: Path) -> Path:
    folder: Path = emit(tiny).write(tmp_path / "p")
    return folder


def test_the_first_images_only(folder: Path) -> None:
    result = verify(folder, images=2)
    assert (result.images, result.words, result.mismatches) == (2, 6, 0)
    assert result.passed
    with pytest.raises(UsageError, match="at least one image"):
        verify(folder, images=0)


def test_broken_source_shows_the_compiler(folder: Path) -> None:
    (folder / "src" / "config.h").write_text("#error deliberately broken\n")
    with pytest.raises(ExternalToolError, match="deliberately broken"):
        verify(folder)


def test_wrong_golden_word_is_a_mismatch(folder: Path) -> None:
    path = folder / "tb" / "expected.hex"
    lines = path.read_text().splitlines()
    lines[0] = f"{int(lines[0], 16) ^ 1:0{len(lines[0])}x}"
    path.write_text("\n".join(lines) + "\n")
    result = verify(folder)
    assert result.mismatches == 1
    assert result.changed == ("tb/expected.hex",)


@pytest.mark.parametrize("name", ["src/top.cpp", "accelerator.npz"])
def test_a_changed_file_fails_where_every_word_agrees(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    result = verify(folder, images=1)
    assert result.mismatches == 0
    assert result.loop_trips == result.predicted
    assert result.changed == (name,)
    assert not result.passed


def test_a_constant_that_changes_no_score_fails(folder: Path) -> None:
    path = folder / "src" / "weights_conv_matrix.h"
    # sums stay below 18 inputs * 7 * 3 = 378
    changed = path.read_text().replace(" 512}", " 511}")
    path.write_text(changed)
    result = verify(folder)
    assert (result.mismatches, result.changed) == (0, ("src/weights_conv_matrix.h",))
    assert not result.passed


@pytest.mark.parametrize("name", ["tb/inputs.hex", "tb/expected.hex", "tb/labels.txt"])
@pytest.mark.parametrize(("content", "found"), [("", "empty"), ("\n", "empty"), (None, "missing")])
def test_golden_files_without_images_are_named(
    folder: Path, name: str, content: str | None, found: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(UsageError, match=f"{name} must hold golden vectors, but it is {found}"):
        verify(folder)


def test_a_missing_makefile_is_named(folder: Path) -> None:
    (folder / "Makefile").unlink()
    with pytest.raises(UsageError, match=r"an emitted project has a Makefile; .* has none"):
        verify(folder)


def test_sources_of_another_design(folder: Path) -> None:
    path = folder / "design.json"
    value = json.loads(path.read_text())
    value["digests"]["design"] = "0" * 16
    path.write_text(json.dumps(value))
    with pytest.raises(UsageError, match=r"sources are of design .* emit the project again"):
        verify(folder)


def test_a_missing_tool_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    with pytest.raises(ExternalToolError, match="needs no-such-compiler"):
        verify(folder)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"schema": "other/1"}'])
def test_not_a_project(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "design.json").write_text(content)
    with pytest.raises(UsageError, match=r"design\.json of schema dse\.design/1"):
        verify(tmp_path)


def test_a_pooled_row_waits_where_it_is_cut(
    tiny: Any, make_case: Any, emit: Any, tmp_path: Path
) -> None:
    compressions = {"conv": Compression(3, 2), "fc": Compression(2, None)}
    foldings = {"conv": Folding(2, 3, 2), "pool": Folding(2), "fc": Folding(1, 1)}
    folder: Path = emit(make_case(tiny[0], compressions, foldings)).write(tmp_path / "p")
    units = json.loads((folder / "design.json").read_text())["units"]
    depths = {u["name"]: u["parameters"]["depth"] for u in units if u["kind"] == "Fifo"}
    # two pixels of two words, then the vector of a layer that makes several passes
    assert (depths["fc_matrix_width_in"], depths["fc_matrix_in"]) == (4, 16)
    assert verify(folder).passed


def test_trips_are_whole_numbers_over_all_calls(
    tiny: Any, make_case: Any, emit: Any, tmp_path: Path
) -> None:
    network, design, *_ = tiny
    foldings = {name: layer.folding for name, layer in design.layers}
    case = make_case(network, design.compressions, foldings, count=BATCH + 1)
    result = verify(emit(case).write(tmp_path / "p"))
    window = next(u for u in pipeline(network, design) if isinstance(u, SlidingWindowUnit))
    # two calls: the window unit waits for its first words twice
    expected = (BATCH + 1) * window.cycles + 2 * window.fill_cycles
    assert result.loop_trips["conv_window"] == result.predicted["conv_window"] == expected
    assert result.loop_trips == result.predicted


def test_other_cycles_than_predicted_fail(folder: Path, dse: Any) -> None:
    path = folder / "design.json"
    manifest = json.loads(path.read_text())
    row = next(u for u in manifest["units"] if u["name"] == "conv_matrix")
    row["cycles_predicted"] -= 1
    path.write_text(json.dumps(manifest))
    run = dse("verify", folder, "--images", "1")
    assert run.returncode == ExternalToolError.exit_code
    assert "mismatches  0" in run.stdout
    assert run.stdout.count("DIFFERS") == 1
    assert "must take the cycles that design.json predicts" in run.stderr
