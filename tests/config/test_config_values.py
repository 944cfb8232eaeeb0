"""What a correct study file means."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from dse.config.load import load_config
from dse.config.problems import StudyFileError
from dse.config.values import (
    Budget,
    DataConfig,
    Knobs,
    ModelConfig,
    Objective,
    Parallel,
    ReportConfig,
    Stages,
    Synthesise,
)
from dse.errors import UsageError
from dse.ir.hardware import Resources
from hw_templates._boards import load_board


def space(quick_start: str, text: str) -> str:
    """Put other lines in the place of the quick start's fold."""
    start = quick_start.index("  fold:")
    end = quick_start.index("\n", start)
    return quick_start[:start] + text + quick_start[end:]


def test_quick_start(quick_start, load) -> None:
    config = load(quick_start)
    assert (config.study, config.seed, config.description) == ("digits-pynq", 0, "")
    assert config.model == ModelConfig("digits_cnn")
    assert config.data == DataConfig("digits")
    assert config.board == load_board("Pynq-Z1")
    assert (config.clock_mhz, config.reserve) == (100.0, Resources())
    assert config.space.layers == ()
    assert config.space.defaults == Knobs(
        weight_bits=(2, 4, 8),
        activation_bits=(4, 8),
        sparsity=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        block=((1, 1), (1, 4), (4, 4)),
        fold="balanced",
    )
    assert config.objectives == (
        Objective("accuracy", "maximize"),
        Objective("latency", "minimize"),
        Objective("lut", "minimize"),
    )
    found = [(c.metric, c.op, c.limit, c.share, c.text, c.line) for c in config.constraints]
    assert found == [
        ("accuracy", ">=", 0.9, None, "accuracy >= 90 %", 23),
        ("lut", "<=", pytest.approx(0.7 * 53200), 0.7, "lut <= 70 %", 24),
        ("bram18", "<=", pytest.approx(0.8 * 280), 0.8, "bram <= 80 %", 25),
        ("dsp", "<=", pytest.approx(0.8 * 220), 0.8, "dsp <= 80 %", 26),
    ]
    assert config.budget == Budget(trials=200, time_s=900.0)
    assert (config.stages, config.parallel, config.sampler) == (Stages(), Parallel(), "auto")
    assert (config.seeds, config.confidence) == (("baseline",), 0.9)
    assert (config.storage, config.report) == ("file", ReportConfig())
    assert (config.path, config.text) == (Path("study.yaml"), quick_start)
    assert config.marks["space.block[2]"] == (14, 21)
    assert config.marks["constraints[2]"] == (25, 5)


def test_all_the_rest(quick_start, load) -> None:
    config = load(
        quick_start.replace("digits-cnn  ", "{name: digits-cnn, width: 0.5}")
        .replace(
            "data: digits", "data: {name: digits, pad: 2, validation: 10 %, limit: {train: 9}}"
        )
        .replace("100 MHz", "5 ns")
        .replace("budget:\n", "budget:\n  patience: 50\n  failures: 25 %\n")
        + """\
description: on a board
seed: 7
reserve: {lut: 10 k, bram: 20}
seeds: []
sampler: nsga2
stages:
  - pretrain: {epochs: 3}
  - estimate:
  - finetune: {epochs: 2, images: 1e3}
  - final: {epochs: 0}
cost_model: {confidence: 90 %}
parallel: {ray: 10.0.0.1:6379, workers: 4, cpus: 2, gpus: 0.25, memory: 4 GiB, timeout: 20 min, retries: 0}
storage: redis://db.lab:6379/0
report: off
"""
    )
    assert config.model == ModelConfig("digits_cnn", {"width": 0.5})
    assert config.data == DataConfig("digits", None, 2, 0.1, {"train": 9})
    assert (config.clock_mhz, config.description, config.seed) == (200.0, "on a board", 7)
    assert config.reserve == Resources(lut=10_000, bram18=20)
    assert config.constraints[1].limit == pytest.approx(0.7 * 43_200)
    assert config.constraints[2].limit == pytest.approx(0.8 * 260)
    assert config.budget == Budget(200, 900.0, 50, 0.25)
    assert config.stages == Stages(3, 2, 1000, 0)
    assert config.parallel == Parallel("10.0.0.1:6379", 4, 1200.0, 0, 2, 0.25, 4 * 2**20)
    assert (config.seeds, config.sampler, config.confidence) == ((), "nsga2", 0.9)
    assert (config.storage, config.report) == ("redis://db.lab:6379/0", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scheme: [bcr, filter]", Knobs(scheme=("bcr", "filter"))),
        ("prune_by: [admm, group-lasso]", Knobs(prune_by=("admm", "group_lasso"))),
        ("pe: {min: 1, max: 64, log: true}", Knobs(pe=(1, 2, 4, 8, 16, 32, 64))),
        ("pe: {min: 3, max: 50, log: true}", Knobs(pe=(3, 6, 12, 24, 48))),
        ("simd: {min: 2, max: 9, step: 3}", Knobs(simd=(2, 5, 8))),
        ("pe: [16, 4]", Knobs(pe=(4, 16))),
        ("pe: divisors", Knobs()),
        ("memory: [lutram, bram]", Knobs(memory=("lutram", "bram"))),
        ("compute: dsp", Knobs(compute=("dsp",))),
        ("tie: [weight_bits, block]", Knobs(tie=("weight_bits", "block"))),
        ("fold: free", Knobs(fold="free")),
    ],
)
def test_knobs(text, expected, quick_start, load) -> None:
    knobs = load(space(quick_start, f"  {text}")).space.defaults
    name = text.partition(":")[0]
    assert getattr(knobs, name) == getattr(expected, name)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.5", (0.5,)),
        ("50 %", (0.5,)),
        ("[0.9, 0, 0.45]", (0.0, 0.45, 0.9)),
        ("{min: 0, max: 0.35}", (0.0, 0.1, 0.2, 0.3)),
        ("{min: 0.1, max: 0.9, log: true}", (0.1, 0.2, 0.4, 0.8)),
        ("{min: 0, max: 0.99, step: 0.33}", (0.0, 0.33, 0.66, 0.99)),
        ("{min: 0.2, max: 0.2}", (0.2,)),
    ],
)
def test_sparsity(text, values, quick_start, load) -> None:
    changed = quick_start.replace("{min: 0.0, max: 0.9, step: 0.1}", text)
    assert load(changed).space.defaults.sparsity == values


def test_levels_of_the_space(quick_start, load) -> None:
    text = """\
  defaults:
    fold: free
  layers:
    - match: conv*
      weight_bits: 8
    - {match: fc2, sparsity: 0.0, block: [4x4, 1x8]}"""
    found = load(space(quick_start, text)).space
    assert (found.defaults.fold, found.defaults.weight_bits) == ("free", (2, 4, 8))
    assert found.layers == (
        ("conv*", Knobs(weight_bits=(8,))),
        ("fc2", Knobs(sparsity=(0.0,), block=((1, 8), (4, 4)))),
    )


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("latency <= 2 ms", 2000.0),
        ("latency<=2.5us", 2.5),
        ("latency <= 30 ns", 0.03),
        ("latency ≤ 1 µs", 1.0),
        ("throughput >= 10 k fps", 10_000.0),
        ("throughput >= 30 /s", 30.0),
        ("throughput >= 2.5 M frames/s", 2_500_000.0),
        ("model_size <= 1.5 MiB", 1536.0),
        ("model_size <= 64 KiB", 64.0),
        ("utilisation <= 60 %", 0.6),
        ("ff <= 40 k", 40_000.0),
        ("ff <= 40000", 40_000.0),
        ("uram <= 80 %", 0.0),
        ("dsp <= 0", 0.0),
    ],
)
def test_limits(text, limit, quick_start, load) -> None:
    constraint = load(quick_start.replace("dsp <= 80 %", text)).constraints[-1]
    assert constraint.limit == pytest.approx(limit, rel=1e-12)
    assert constraint.text == text


def test_board_rules_without_constraints(quick_start, load) -> None:
    start, end = quick_start.index("constraints:"), quick_start.index("budget:")
    found = load(quick_start[:start] + quick_start[end:] + "reserve: {lut: 3200}\n").constraints
    assert {c.text: (c.limit, c.line) for c in found} == {
        "lut <= 70 %": (pytest.approx(35_000), 0),
        "ff <= 50 %": (pytest.approx(53_200), 0),
        "dsp <= 80 %": (pytest.approx(176), 0),
        "bram18 <= 80 %": (pytest.approx(224), 0),
        "uram <= 80 %": (0.0, 0),
    }


def test_described_board(quick_start, load) -> None:
    board = "{part: xczu3eg-sbva484-1-i, lut: 70560, ff: 141 k, dsp: 360, bram: 432}"
    found = load(quick_start.replace("Pynq-Z1", board)).board
    assert (found.name, found.family) == ("xczu3eg-sbva484-1-i", "ultrascale+")
    assert found.resources == Resources(70560, 141_000, 360, 432, 0)
    assert found.usable_share["lut"] == 0.7


def test_data_follows_the_model(quick_start, load) -> None:
    assert load(quick_start.replace("data: digits", "#")).data == DataConfig("digits")


def test_model_without_own_data(quick_start, errors) -> None:
    found = errors(quick_start.replace("digits-cnn", "tfc").replace("data: digits", "#"))
    assert "error[missing-key]: the study file needs 'data'" in found


def test_paths_start_at_the_study_file(quick_start, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "studies"
    (folder / "sets").mkdir(parents=True)
    np.savez(folder / "sets" / "mine.npz", x_train=np.zeros(1))
    study = folder / "s.yaml"
    study.write_text(
        quick_start.replace("data: digits", "data: ${SETS}/mine.npz")
        + "storage: sqlite:///trials.db\n"
    )
    monkeypatch.setenv("SETS", "sets")
    config = load_config(study)
    assert config.data == DataConfig("npz", folder.resolve() / "sets" / "mine.npz")
    assert config.storage == f"sqlite:///{folder.resolve()}/trials.db"
    copy = tmp_path / "copy.yaml"
    copy.write_text(study.read_text())
    assert load_config(copy, base=folder).data == config.data
    assert load_config(copy, check_files=False).data.path == tmp_path.resolve() / "sets/mine.npz"
    with pytest.raises(StudyFileError, match="no-such-file"):
        load_config(copy)
    monkeypatch.delenv("SETS")
    assert load_config(copy, check_files=False).data.name == "npz"
    with pytest.raises(StudyFileError, match="undefined-variable"):
        load_config(copy, base=folder)


def test_environment_may_hold_the_password(quick_start, load, monkeypatch) -> None:
    monkeypatch.setenv("PW", "hunter2")
    text = quick_start + "storage: mysql+pymysql://dse:${PW}@db/dse\n"
    assert load(text).storage == "mysql+pymysql://dse:hunter2@db/dse"


def test_unreadable_file(tmp_path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read") as caught:
            load_config(path)
        assert str(path) in str(caught.value)


def test_huge_file(tmp_path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"x" * (1 << 21))
    with pytest.raises(UsageError, match=r"big\.yaml is no study file"):
        load_config(path)


def test_byte_order_mark_and_line_ends(quick_start, load) -> None:
    plain = load(quick_start)
    text = b"\xef\xbb\xbf" + quick_start.replace("\n", "\r\n").encode()
    found = load(text)
    assert found.space == plain.space
    assert found.marks == plain.marks


def test_error_travels_between_processes(quick_start, load) -> None:
    with pytest.raises(StudyFileError) as caught:
        load(quick_start.replace("Pynq-Z1", "x"))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.exit_code == 2


def test_json(quick_start, load) -> None:
    with pytest.raises(StudyFileError) as caught:
        load(quick_start.replace("trials", "trails"))
    assert caught.value.to_json() == [
        {
            "file": "study.yaml",
            "line": 29,
            "column": 3,
            "slug": "unknown-key",
            "message": "unknown key 'trails' in budget",
            "source": "  trails: 200",
            "length": 6,
            "hint": "did you mean 'trials'?",
            "notes": ["budget takes: trials, time, patience, failures"],
            "allowed": ["trials", "time", "patience", "failures"],
        }
    ]


def test_synthesis_is_of_the_tool_of_the_cost_model(load, quick_start, tmp_path, monkeypatch):
    (tmp_path / "mine.json").write_text('{"tool": "yosys"}')
    text = quick_start + "cost_model:\n  file: mine.json\n  synthesise: {}\n"
    assert load(text).cost_model.synthesise == Synthesise()

    asked = "{top: 2, every: 40, choose: uncertain, tool: yosys, timeout: 10 min}"
    found = load(text.replace("{}", asked)).cost_model.synthesise
    assert found == Synthesise(2, 40, "uncertain", "yosys", 600.0)

    monkeypatch.setenv("PATH", str(tmp_path))
    hls = quick_start + "cost_model: {synthesise: {tool: vitis_hls}}\n"
    with pytest.raises(StudyFileError, match=r"tool vitis_hls must be on PATH, it is not"):
        load(hls)
    (tmp_path / "vitis_hls").write_text("#!/bin/sh\n")
    (tmp_path / "vitis_hls").chmod(0o755)
    assert load(hls).cost_model.synthesise == Synthesise(tool="vitis_hls")
    with pytest.raises(StudyFileError, match=r"vitis_hls cannot correct mine.json, which is of y"):
        load(text.replace("{}", "{tool: vitis_hls}"))
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(StudyFileError, match=r"yosys cannot correct mine.json, which is of no t"):
        load(text)
