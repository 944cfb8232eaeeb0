"""What `verify` says about projects that are whole, partly run, broken, foreign or stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dse.emit.verify import verify
from dse.errors import ExternalToolError, UsageError


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
