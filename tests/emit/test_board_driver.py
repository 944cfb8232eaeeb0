"""The PYNQ driver against a board in software, and against the compiled C simulation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dse.ir.accelerator import Accelerator
from dse.ir.numbers import BIPOLAR, IntType
from hw_templates._boards import load_board


class Overlay:
    """A board in software: the DMA hands words to the integer reference, decoded bit by bit here."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self.design = json.loads((folder / "design.json").read_text())
        self.reference = accelerator
        self.sent: list[bytes] = []
        self.batch = self.started = 0
        self.waiting: tuple[Any, int] | None = None
        self.dma = SimpleNamespace(
            sendchannel=SimpleNamespace(transfer=self.send, wait=lambda: None),
            recvchannel=SimpleNamespace(transfer=self.receive, wait=lambda: None),
        )
        self.weights = b""
        self.weights_dma = SimpleNamespace(
            sendchannel=SimpleNamespace(transfer=self.load, wait=lambda: None)
        )
        self.batch_frames = SimpleNamespace(write=self.set_batch)
        if self.design.get("flow") != "rtl":
            self.registers = {0x00: 4, 0x10: 0}
            self.accelerator = SimpleNamespace(
                read=self.registers.__getitem__, write=self.registers.__setitem__
            )

    def set_batch(self, offset: int, frames: int) -> None:
        assert offset == 0
        self.batch = frames

    def load(self, buffer: Any) -> None:
        assert not self.sent  # weights come first
        if self.design.get("flow") != "rtl":
            assert (self.registers[0x00], self.registers[0x10]) == (1, 0)
            self.registers[0x00] = 4
        self.weights += buffer.tobytes()

    def receive(self, buffer: Any, nbytes: int) -> None:
        self.waiting = buffer, nbytes

    def send(self, buffer: Any, nbytes: int) -> None:
        source, target = self.design["input"], self.design["output"]
        step, element = source["axis_bits"] // 8, source["element"]
        data = buffer[:nbytes].tobytes()
        self.sent.append(data)
        bits = element["bits"]
        values = []
        for start in range(0, len(data), step):
            word = int.from_bytes(data[start : start + step], "little")
            for i in range(source["elements_per_word"]):
                code = word >> i * bits & (1 << bits) - 1
                if element["bipolar"]:
                    code = 2 * code - 1
                elif element["signed"] and code >> bits - 1:
                    code -= 1 << bits
                values.append(code)
            assert word >> bits * source["elements_per_word"] == 0
        images = np.array(values).reshape(-1, *self.reference.network.input_shape)
        scores = self.reference.scores(images)
        size = target["axis_bits"] // 8
        out = b"".join(int(s).to_bytes(size, "little", signed=True) for s in scores.reshape(-1))
        # TLAST ends the transfer with the last frame of the batch: all three counts must agree
        assert self.waiting is not None
        reply, expected = self.waiting
        assert (len(images), len(out)) == (self.batch, expected)
        if self.design.get("flow") != "rtl":
            assert (self.registers[0x00], self.registers[0x10]) == (1, self.batch)
            self.registers[0x00] = 4
        reply[:expected] = np.frombuffer(out, np.uint8)


@pytest.mark.parametrize("flow", ["hls", "rtl"])
@pytest.mark.parametrize(
    ("element", "simd"),
    [
        (None, 0),  # the convolutional network, 3-bit unsigned pixels
        (BIPOLAR, 5),
        (IntType(4, signed=True), 3),
        (IntType(8, signed=False), 15),  # 120 bits in a word of 128
        (IntType(11, signed=True), 3),
    ],
)
def test_driver(
    load_driver: Any,
    flow: str,
    element: IntType | None,
    simd: int,
    tiny: Any,
    dense_case: Any,
    write: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = tiny if element is None else dense_case(element, simd)
    accelerator, images = case[2:4]
    folder = write(flow, case)
    overlay = Overlay(folder, accelerator)
    pynq = ModuleType("pynq")
    pynq.Overlay = lambda path: overlay  # type: ignore[attr-defined]
    pynq.allocate = lambda shape, dtype: np.full(shape, 255, dtype)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    driver = load_driver(folder).Accelerator(batch=3)
    assert np.array_equal(driver.infer(images), accelerator.scores(images))
    assert len(overlay.sent) == -(-len(images) // 3)
    # the bytes are the golden words, which C and RTL simulation read
    lines = (folder / "tb" / "inputs.hex").read_text().split()
    assert b"".join(overlay.sent) == b"".join(bytes.fromhex(line)[::-1] for line in lines)
    assert driver.infer(images[:0]).shape == (0, 3)


class Buffer(np.ndarray[Any, Any]):
    """Memory of a DMA."""

    def freebuffer(self) -> None:
        self[:] = 0


@pytest.mark.parametrize("flow", ["hls", "rtl"])
def test_driver_loads_weights_first(
    load_driver: Any, flow: str, dense_case: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = dense_case(IntType(8, signed=False), 5, "uram")
    accelerator, images = case[2:4]
    folder = write(flow, case, board=load_board("ZCU104"))
    overlay = Overlay(folder, accelerator)
    pynq = ModuleType("pynq")
    pynq.Overlay = lambda path: overlay  # type: ignore[attr-defined]
    pynq.allocate = lambda shape, dtype: np.full(shape, 255, dtype).view(Buffer)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    driver = load_driver(folder).Accelerator(batch=3)
    assert np.array_equal(driver.infer(images), accelerator.scores(images))
    # 3 passes of 3 steps of 5 weights of 2 bits: a word of 64 bits each
    words = np.frombuffer(overlay.weights, "<u8").reshape(3, 3, 1)
    codes = words >> (2 * np.arange(5, dtype=np.uint64)) & np.uint64(3)
    signed = codes.astype(int) - 4 * (codes > 1)
    assert np.array_equal(signed.reshape(3, 15), accelerator.parameters["fc"].weights)

    path = folder / "tb" / "weights.hex"
    path.write_text(path.read_text()[:-17])
    with pytest.raises(ValueError, match=r"weights\.hex must have 9 words, it has 8"):
        load_driver(folder).Accelerator()


# what the DMA sees of the C++: bytes of words in, bytes of words out
HARNESS = """
#include <cstdlib>
#include <iostream>
#include "src/top.h"
int main(int, char **argv) {
  const unsigned frames = std::atoi(argv[1]);
  hls::stream<input_word> in;
  hls::stream<output_word> out;
  for (unsigned i = 0; i < frames * INPUT_WORDS; i++) {
    input_word word;
    for (int b = 0; b < INPUT_BITS; b += 8) word.data.range(b + 7, b) = std::cin.get();
    in.write(word);
  }
  accelerator(in, out, frames);
  for (unsigned i = 0; i < frames * OUTPUT_WORDS; i++) {
    const output_word word = out.read();
    for (int b = 0; b < OUTPUT_BITS; b += 8) {
      std::cout.put(static_cast<char>(word.data.range(b + 7, b).to_uint()));
    }
  }
}
"""


def test_driver_and_c_simulation(load_driver: Any, tiny: Any, write: Any) -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not on PATH")
    folder = write("hls", tiny)
    value = json.loads((folder / "design.json").read_text())
    (folder / "harness.cpp").write_text(HARNESS)
    widths = [f"-D{k.upper()}_BITS={value[k]['axis_bits']}" for k in ("input", "output")]
    command = [compiler, "-std=c++14", "-w", *widths, "-isystem", "csim", "-I.", "-o", "harness"]
    subprocess.run([*command, "harness.cpp", "src/top.cpp"], cwd=folder, check=True)
    form = load_driver(folder).Format()
    images = np.random.default_rng(1).integers(0, 8, (6, *form.shape))  # not the golden ones
    run = subprocess.run(
        [folder / "harness", str(len(images))],
        input=form.pack(images).tobytes(),
        capture_output=True,
        check=True,
    )
    scores = form.unpack(np.frombuffer(run.stdout, np.uint8))
    assert np.array_equal(scores, tiny[2].scores(images))
    assert len(np.unique(scores)) > 3


def test_driver_refuses(load_driver: Any, tiny: Any, write: Any) -> None:
    form = load_driver(write("hls", tiny)).Format()
    for wrong, message in (
        (np.zeros((1, 4, 4, 3), int), r"must be \(n, \(4, 4, 2\)\), got \(1, 4, 4, 3\)"),
        (np.zeros((1, 4, 4, 2)), "must be integers as the network takes them, got float64"),
        (np.full((1, 4, 4, 2), 8), r"integers 0\.\.7"),
    ):
        with pytest.raises(ValueError, match=message):
            form.pack(wrong)
