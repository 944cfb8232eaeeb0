"""`dse schema` against the reader of study files: whatever the one accepts, the other does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dse.config.complaints import Complaints
from dse.config.load import load_config
from dse.config.parse import parse
from dse.config.problems import StudyFileError
from dse.config.schema import study_schema
from dse.config.source import Source
from dse.config.tree import Items, Map, Node, Scalar

SCHEMA = study_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
STUDIES = sorted((Path(__file__).parents[2] / "studies").rglob("*.yaml"))

# every key in full, as a value that the reader accepts
FULL = """\
version: 1
study: full
description: 2024
seed: 7
model: {name: digits-cnn, width: 0.5}
data: {name: digits, pad: 1, validation: 20 %, limit: {train: 500, validation: 100, test: 100}}
board: {part: xc7z020clg400-1, family: 7series, name: mine, lut: 53.2 k, ff: 106400, bram: 280, dsp: 220}
clock: 10 ns
reserve: {lut: 1 k, bram: 10}
space:
  defaults:
    weight_bits: [2, 4]
    activation_bits: {min: 2, max: 8, log: true}
    sparsity: {min: 0.0, max: 60 %, step: 0.2}
    block: [4x4, 4 x 8]
    scheme: [bcr, filter]
    prune_by: magnitude
    fold: free
    pe: [1, 2, 4, 8]
    simd: divisors
    memory: [bram, lutram]
    compute: lut
  layers:
    - {match: conv*, weight_bits: 8, tie: [sparsity]}
objectives: {accuracy: maximise, bram: minimize}
constraints: [lut <= 70 %, latency <= 2 ms]
seeds: baseline
sampler: nsga3
budget: {trials: 10, time: 15 min, patience: 5, failures: 10 %}
stages:
  - pretrain: {epochs: 2}
  - estimate: {keep: all}
  - accuracy: {images: 50, keep: 40 %}
  - short:
  - finetune: {epochs: 1, images: 100, keep: all}
  - accuracy:
  - final: {epochs: 1}
cost_model:
  name: yosys-rtl
  confidence: 90 %
  synthesise: {top: 2, every: 5, choose: both, tool: yosys, timeout: 1 h}
parallel: {ray: local, workers: 2, cpus: 1, gpus: 0, memory: 2 GiB, timeout: 5 min, retries: 2}
storage: sqlite:///trials.db
artifacts: weights/of-this-one
report: {file: mine.html, every: 30 min}
"""


def plain(node: Node) -> Any:
    """Return a tree as JSON values."""
    if isinstance(node, Map):
        return {e.key.text: plain(e.value) for e in node.entries}
    if isinstance(node, Items):
        return [plain(i) for i in node.items]
    return node.value


def values(text: str) -> Any:
    root = parse(Source.of("s", text), text, Complaints())
    return None if root is None else plain(root)


def complaints(text: str) -> list[str]:
    return [f"{e.json_path}: {e.message[:200]}" for e in VALIDATOR.iter_errors(values(text))]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.name)
def test_every_study_of_the_repository_is_valid(path: Path) -> None:
    assert complaints(path.read_text()) == []


def test_a_file_with_every_key_is_valid_for_both(load: Any) -> None:
    load(FULL)
    assert complaints(FULL) == []


def leaves(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    if isinstance(node, Map):
        for entry in node.entries:
            yield from leaves(entry.value, (*path, entry.key.text))
    elif isinstance(node, Items):
        for item in node.items:
            yield from leaves(item, (*path, "[]"))
    else:
        yield path, node


# the reader's word for each; odd in a way that most readers judge
ODD = ("-1", "0", "0.5", "1", "2", "8", "9", "1e3", "70000", "yes", "true", "x", "50 %", "100 %",
       "3 s", "1 GiB", "[]", "[1, 1]", "{}", "all", "4x4", "[4x4, 0x4]", "200 MHz", "''")  # fmt: skip


def test_whatever_the_reader_accepts_the_schema_accepts(load: Any) -> None:
    root = parse(Source.of("s", FULL), FULL, Complaints())
    assert root is not None
    rng = random.Random(3)
    lines, accepted, refused, missed = FULL.splitlines(), 0, 0, 0
    for path, leaf in leaves(root):
        for odd in rng.sample(ODD, 5):
            span = leaf.span
            line = lines[span.line - 1]
            at = span.column - 1
            changed = [*lines]
            changed[span.line - 1] = line[:at] + odd + line[at + span.length :]
            text = "\n".join(changed) + "\n"
            try:
                load(text)
            except StudyFileError:
                refused += 1
                missed += not complaints(text)
                continue
            accepted += 1
            assert complaints(text) == [], (path, odd)
    assert accepted > 20
    assert missed < 0.25 * refused  # and it sees most of what is wrong with one value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("trials: 10", "trails: 10"),
        ("trials: 10", "trials: 0"),
        ("time: 15 min", "time: 15"),
        ("clock: 10 ns", "clock: 100"),
        ("sampler: nsga3", "sampler: cmaes"),
        ("weight_bits: [2, 4]", "weight_bits: [2, 40]"),
        ("fold: free", "fold: balanced(+-9)"),
        ("accuracy: maximise", "accuracy: minimise"),
        ("objectives: {accuracy: maximise, bram: minimize}", ""),
        ("- final: {epochs: 1}", "- final: {epoch: 1}"),
        ("match: conv*, ", ""),
        ("tool: yosys", "tool: quartus"),
        ("study: full", "study: Full"),
        ("version: 1", "version: 2"),
        ("bram: 280, ", ""),
    ],
)
def test_both_refuse(old: str, new: str, load: Any) -> None:
    assert old in FULL
    text = FULL.replace(old, new, 1)
    with pytest.raises(StudyFileError):
        load(text)
    assert complaints(text)


def test_a_quick_start_without_what_is_extended_is_valid_too(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(FULL)
    text = "extends: base.yaml\nstudy: other\n"
    (tmp_path / "s.yaml").write_text(text)
    assert load_config(tmp_path / "s.yaml").study == "other"
    assert complaints(text) == []
