"""docs/import.md: its files are written, its commands run, and its outputs are what comes out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOC = Path(__file__).parents[2] / "docs" / "import.md"
BLOCK = re.compile(r"```(\w+)(?: (\S+))?\n(.*?)```", re.DOTALL)
ROW = re.compile(r"([a-z ,]+) (trial # .*)")


def plain(text: str) -> list[str]:
    """Lines without what depends on a training: numbers, which widths are converted, whether the front still rises.

    Which of the named designs are one, and so share a row, depends on it too: a row per name, in order of the names.
    """
    lines = (re.sub(r"[0-9a-f]{16}|\d[\d,.]*", "#", line) for line in text.splitlines())
    found = (" ".join(line.split()) for line in lines if "_width" not in line)
    said = [line for line in found if line and not line.startswith("search ")]
    rows = [ROW.fullmatch(line) for line in said]
    named = [f"{name} {row[2]}" for row in rows if row for name in row[1].split(", ")]
    return [line for line, row in zip(said, rows, strict=True) if row is None] + sorted(named)


@pytest.mark.slow
def test_commands_of_the_tutorial(tmp_path) -> None:
    run = 0
    for kind, name, body in BLOCK.findall(DOC.read_text(encoding="utf-8")):
        if name:
            (tmp_path / name).write_text(body, encoding="utf-8")
        if kind != "console":
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            program, *arguments = command.split()
            start = ["-W", "ignore"] if program == "python" else ["-m", "dse"]
            done = subprocess.run(
                [sys.executable, *start, *arguments],
                cwd=tmp_path,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (command, done.stderr)
            assert plain(done.stdout) == plain(expected), command
            run += 1
    assert run == 13


def test_a_damaged_file_ends_in_exit_code_2(tmp_path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no network")
    done = subprocess.run(
        [sys.executable, "-m", "dse", "fold", "m.onnx", "--board", "Pynq-Z1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: m.onnx must be an ONNX file, but it is damaged")
    assert "Traceback" not in done.stderr
