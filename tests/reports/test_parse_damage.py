"""Damaged, hostile and foreign files are skipped by name; what is missing never becomes a number."""

from __future__ import annotations

import json
import math
import os
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import cost_models.reports._file as report_file
from cost_models.reports import read_reports
from dse.ir.measurement import Measurement

DATA = Path(__file__).parent / "data"
FIXTURES = sorted(DATA.iterdir())
FIELDS = ("interval_cycles", "latency_cycles", "clock_ns", "target_clock_ns")
XML = (DATA / "vivado_hls_2019.1_csynth.xml").read_text()


def read(folder: Path, name: str, data: bytes) -> tuple[Measurement, ...] | str:
    """Return the measurements, or the reason they are missing."""
    path = folder / name
    path.write_bytes(data)
    found, skipped = read_reports([path])
    if found:
        assert not skipped
        return found
    (skip,) = skipped
    assert skip.name == name
    assert skip.reason
    return skip.reason


def measured(folder: Path, name: str, data: bytes) -> tuple[Measurement, ...]:
    result = read(folder, name, data)
    assert not isinstance(result, str), result
    return result


def check_nothing_is_invented(
    damaged: tuple[Measurement, ...] | str, original: tuple[Measurement, ...]
) -> None:
    """What is still stated of an instance is what the whole file states of it."""
    if isinstance(damaged, str):
        return
    whole = {m.instance: m for m in original}
    for m in damaged:
        if m.instance in whole:
            assert m.resources.items() <= whole[m.instance].resources.items()
            for field in FIELDS:
                assert getattr(m, field) in (None, getattr(whole[m.instance], field))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_truncated(path: Path, tmp_path: Path) -> None:
    data, (original, _) = path.read_bytes(), read_reports([path])
    for i in range(20):
        cut = read(tmp_path, path.name, data[: len(data.rstrip()) * i // 20])
        if not isinstance(cut, str):  # only where all that is read stands before the cut
            assert [replace(m, sha256="") for m in cut] == [replace(m, sha256="") for m in original]


def reverse_one(text: str, random: random.Random) -> str:
    found = random.choice(list(re.finditer(r"[A-Za-z_][\w-]{2,}", text)))
    return text[: found.start()] + found[0][::-1] + text[found.end() :]


def reverse_all(text: str, random: random.Random) -> str:
    word = random.choice(re.findall(r"[A-Za-z_][\w-]{2,}", text))
    return text.replace(word, word[::-1])


def blank_number(text: str, random: random.Random) -> str:
    found = random.choice(list(re.finditer(r"(?<![\w.])-?\d[\d.]*(?![\w.])", text)))
    return text[: found.start()] + " " * len(found[0]) + text[found.end() :]


def drop_line(text: str, random: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    del lines[random.randrange(len(lines))]
    return "".join(lines)


@pytest.mark.parametrize("mutate", [reverse_one, reverse_all, blank_number, drop_line])
@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_renamed_blanked_and_dropped(
    path: Path, mutate: Callable[[str, random.Random], str], tmp_path: Path
) -> None:
    text, (original, _) = path.read_text(), read_reports([path])
    source = random.Random(7)
    for _ in range(25):
        damaged = mutate(text, source)
        check_nothing_is_invented(read(tmp_path, path.name, damaged.encode()), original)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_flipped_bytes(path: Path, tmp_path: Path) -> None:
    source = random.Random(11)
    for _ in range(100):
        data = bytearray(path.read_bytes())
        for _ in range(source.choice((1, 1, 3, 20))):
            data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        result = read(tmp_path, path.name, bytes(data))
        if not isinstance(result, str):
            for m in result:
                numbers = [*m.resources.values(), *m.extras.values()]
                numbers += [v for f in FIELDS if (v := getattr(m, f)) is not None]
                assert all(math.isfinite(v) for v in numbers)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("empty.xml", "", "not a report"),
        ("other.xml", "<profiles/>", "not a report"),
        ("root.xml", "<profile><a/></profile>", "<ReportVersion/Version>"),
        ("doctype.xml", '<?xml version="1.0"?><!DOCTYPE profile [<!ENTITY a "b">]>' + XML, "not a"),
        ("inner.xml", XML.replace("<profile>", "<profile><!DOCTYPE x>", 1)[39:], "document type"),
        ("us.xml", XML.replace("<unit>ns", "<unit>us", 1), "times in ns, found us"),
        ("negative.xml", XML.replace("<LUT>142", "<LUT>-142"), "a count for LUT"),
        ("text.xml", XML.replace("<LUT>142", "<LUT>many"), "a number for LUT, found 'many'"),
        ("empty_tag.xml", XML.replace("<LUT>142</LUT>", "<LUT/>"), "a number for LUT"),
        ("half.xml", XML.replace("17<", "17.5<"), "whole cycles"),
        ("underscore.xml", XML.replace("<FF>88", "<FF>8_8"), "a number for FF"),
        ("huge.xml", XML.replace("<FF>88", "<FF>1e999"), "a number for FF"),
        ("version.xml", XML.replace("2019.1", "new"), "a version such as 2023.2"),
        ("encoding.xml", XML.replace("UTF-8", "no-such"), "well-formed XML"),
    ],
)
def test_bad_xml(name: str, text: str, reason: str, tmp_path: Path) -> None:
    found = read(tmp_path, name, text.encode())
    assert isinstance(found, str)
    assert reason in found


def test_entities_are_never_expanded(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 30))
    text = f'<profile > <!DOCTYPE p [<!ENTITY a0 "ha">{laughs}]>&a29;</profile>'
    assert "document type" in str(read(tmp_path, "laughs.xml", text.encode()))
    assert "binary" in str(read(tmp_path, "utf16.xml", text.encode("utf-16")))
    outside = '<profile > <!doctype p [<!ENTITY f SYSTEM "file:///etc/hostname">]>&f;</profile>'
    assert "document type" in str(read(tmp_path, "outside.xml", outside.encode()))


YOSYS = json.loads((DATA / "yosys_0.23_stat.json").read_text())
HEAD = '{"creator": "Yosys 0.70", "invocation": "stat -json", "modules": '


@pytest.mark.parametrize(
    ("modules", "reason"),
    [
        ("{}}", "modules, found none"),
        ("[]}", "an object 'modules', found list"),
        ('{"a": 3}}', "an object 'a'"),
        ('{"a": {"num_cells": 1}}}', "num_cells_by_type"),
        ('{"a": {"num_cells": 2, "num_cells_by_type": {"FDRE": 1}}}}', "2 cells in 'a', found 1"),
        ('{"a": {"num_cells_by_type": {"FDRE": 1}}}}', "a number for cells of 'a', found None"),
        ('{"a": {"num_cells": 1, "num_cells_by_type": {"$add": 1}}}}', r"synth_xilinx.*'\$add'"),
        ('{"a": {"num_cells": 1, "num_cells_by_type": {"box": 1}}}}', "'box'"),
        ('{"a": {"num_cells": 1, "num_cells_by_type": {"a": 1}}}}', "in itself"),
        ('{"a": {"num_cells": 1, "num_cells_by_type": {"FDRE": true}}}}', "found True"),
        ('{"a": {"num_cells": 1, "num_cells": 1}}}', "every key once, found 'num_cells' twice"),
        ('{"a": {"num_cells": NaN}}}', "finite numbers, found NaN"),
        ("[" * 100_000, "few levels"),
        ("9" * 10_000 + "}", "JSON"),
    ],
)
def test_bad_yosys_json(modules: str, reason: str, tmp_path: Path) -> None:
    found = read(tmp_path, "stat.json", (HEAD + modules).encode())
    assert isinstance(found, str)
    assert re.search(reason, found)


def test_a_deep_hierarchy_is_refused_and_a_wide_one_is_fast(tmp_path: Path) -> None:
    def chain(levels: int, times: int) -> bytes:
        modules = {
            f"m{i}": {"num_cells": times, "num_cells_by_type": {f"m{i + 1}": times}}
            for i in range(levels)
        }
        modules[f"m{levels}"] = {"num_cells": 1, "num_cells_by_type": {"FDRE": 1}}
        return (HEAD + json.dumps(modules) + "}").encode()

    assert "at most 100 levels" in str(read(tmp_path, "deep.json", chain(3000, 1)))
    wide = measured(tmp_path, "wide.json", chain(40, 2))
    assert wide[0].resources["ff"] == 2**40


def test_finn_zeros_for_what_was_not_found_are_no_measurement(tmp_path: Path) -> None:
    zeros = {"BRAM_18K": 0, "FF": 0, "LUT": 0, "DSP": 0, "URAM": 0}
    text = json.dumps({"MVAU_rtl_0": zeros}).encode()
    assert "zeros" in str(read(tmp_path, "estimate_layer_resources_hls.json", text))
    failed = {"LUT": 0, "FF": 0, "DSP": 0, "BRAM": 0, "WNS": 0, "fmax_mhz": 0}
    assert "zeros" in str(read(tmp_path, "ooc.json", json.dumps(failed).encode()))
    partly = {"LUT": 70.0, "FF": 75.0, "DSP": 0, "BRAM": 18.0, "WNS": 0, "fmax_mhz": 0}
    (m,) = measured(tmp_path, "ooc.json", json.dumps(partly).encode())
    assert m.resources == {"lut": 70, "ff": 75}
    assert (m.clock_ns, m.target_clock_ns) == (None, None)


def test_simulations_without_a_steady_state(tmp_path: Path) -> None:
    value = json.loads((DATA / "rtlsim_performance.json").read_text())
    (one,) = measured(tmp_path, "one.json", json.dumps({**value, "N": 1}).encode())
    assert one.interval_cycles is None
    stuck = {**value, "TIMEOUT": 1}
    assert "TIMEOUT" in str(read(tmp_path, "stuck.json", json.dumps(stuck).encode()))
    wrong = {**value, "cycles": 3}
    assert "latency_cycles" in str(read(tmp_path, "wrong.json", json.dumps(wrong).encode()))


def test_large_binary_and_special_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_file, "MAX_BYTES", 1 << 20)
    assert "at most 1 MB" in str(read(tmp_path, "large.xml", XML.encode() + b" " * (1 << 21)))
    assert "binary" in str(read(tmp_path, "late.xml", XML.encode() + b" " * (1 << 17) + b"\0"))
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "loop").symlink_to(tmp_path)
    found, skipped = read_reports([tmp_path / "pipe.xml", tmp_path])
    assert not found
    assert [s.name for s in skipped] == ["pipe.xml", "large.xml", "late.xml"]
