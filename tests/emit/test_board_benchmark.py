"""The benchmark of the board: golden scores, accuracy beside the design's, frames per second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# a board that knows the golden images only, and may be wrong in one score
PYNQ = """
import json, os, pathlib, types
import numpy as np
ROOT = pathlib.Path(os.environ["PROJECT"])
def words(name):
    return [bytes.fromhex(x)[::-1] for x in (ROOT / "tb" / name).read_text().split()]
def allocate(shape, dtype):
    return np.zeros(shape, dtype)
class Overlay:
    def __init__(self, path):
        n = len((ROOT / "tb" / "labels.txt").read_text().split())
        given, scores = b"".join(words("inputs.hex")), bytearray(b"".join(words("expected.hex")))
        scores[0] ^= int(os.environ["FLIP"])
        self.size, out = len(given) // n, len(scores) // n
        self.known = {given[i * self.size:][:self.size]: bytes(scores[i * out:][:out]) for i in range(n)}
        channel = types.SimpleNamespace
        self.dma = channel(sendchannel=channel(transfer=self.send, wait=int),
                           recvchannel=channel(transfer=self.receive, wait=int))
        self.batch_frames = channel(write=lambda *_: None)
        self.accelerator = channel(read=lambda _: 4, write=lambda *_: None)
    def receive(self, buffer, nbytes):
        self.reply = buffer
    def send(self, buffer, nbytes):
        data = buffer[:nbytes].tobytes()
        out = b"".join(self.known[data[i:i + self.size]] for i in range(0, nbytes, self.size))
        self.reply[:len(out)] = np.frombuffer(out, np.uint8)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Factory: (folder, arguments) -> status, benchmark.json and output on the fake board."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "pynq.py").write_text(PYNQ)

    def start(
        folder: Path, *arguments: str, flip: int = 0, refused: bool = False
    ) -> tuple[int, dict[str, Any], str]:
        done = subprocess.run(
            [sys.executable, "driver/benchmark.py", "--frames", "20", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ
            | {"PYTHONPATH": str(tmp_path / "fake"), "PROJECT": str(folder), "FLIP": str(flip)},
        )
        assert (done.stderr != "") == refused
        if refused:
            return done.returncode, {}, done.stderr
        result = json.loads((folder / "driver/benchmark.json").read_text())
        return done.returncode, result, done.stdout

    return start


def test_benchmark(tiny: Any, write: Any, run: Any, tmp_path: Path) -> None:
    accelerator, images, labels = tiny[2:]
    folder = write("hls", tiny)
    np.savez(tmp_path / "own.npz", images=images[:2], labels=labels[:2])
    status, result, shown = run(folder)
    assert (status, result["mismatches"], result["images"]) == (0, 0, len(images))
    assert result["accuracy"] == pytest.approx(accelerator.accuracy(images, labels))
    assert result["predicted_frames_per_second"] == 100e6 / 1000  # of the estimate in conftest
    assert "measured on the board" in shown
    assert "predicted for the accelerator alone" in shown
    status, result, shown = run(folder, flip=1)
    assert (status, result["mismatches"]) == (1, 1)
    assert f"1 of {3 * len(images)} golden scores differ" in shown
    status, result, shown = run(folder, "--images", str(tmp_path / "own.npz"), flip=1)
    assert (status, result["mismatches"], result["images"]) == (0, None, 2)
    # arrays of a data set do as well
    np.savez(tmp_path / "own.npz", x_test=images, y_test=labels)
    found = run(folder, "--images", str(tmp_path / "own.npz"))[1]
    assert found["accuracy"] == pytest.approx(accelerator.accuracy(images, labels))


def test_accuracy_stands_beside_the_designs(tiny: Any, write: Any, run: Any) -> None:
    accelerator, images, labels = tiny[2:]
    measured = accelerator.accuracy(images, labels)
    for promised, verdict in (
        (measured, "is within"),
        (1 - 0.9 * (measured > 0.5), "is more than"),
    ):
        folder = write("hls", tiny, accuracy={"test": promised})
        _, result, shown = run(folder)
        assert result["design_accuracy"] == pytest.approx(promised)
        assert result["difference"] == pytest.approx(measured - promised)
        assert f"accuracy {promised:.4f}: measured on the integer network" in shown
        assert verdict in shown, (result, shown)


def test_a_file_without_the_arrays_is_refused(
    tiny: Any, write: Any, run: Any, tmp_path: Path
) -> None:
    path, folder = tmp_path / "own.npz", write("hls", tiny)
    for arrays, message in (
        ({"x": np.zeros(3)}, "must have arrays images and labels, or x_test and y_test, it has x;"),
        ({"images": tiny[3], "labels": np.zeros(2)}, "must have a label for each"),
    ):
        np.savez(path, **arrays)
        assert message in run(folder, "--images", str(path), refused=True)[2]
