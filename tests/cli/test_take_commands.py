"""`dse export`, `dse compare`, `dse doctor`, `dse stop`, on a study that was run once."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from click.testing import CliRunner

from dse.cli import cli
from dse.emit.synth_hls import COMMAND
from dse.errors import DseError
from dse.report.compare import compare_studies
from dse.report.view import build_view
from dse.search.mirror import mirror
from dse.search.study import snapshot
from dse.store import Trials


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_study: str) -> Path:
    """A folder with a study that has feasible and infeasible trials, and a fork of it."""
    folder = tmp_path_factory.mktemp("home")
    text = small_study.replace("lut <= 70 %", "lut <= 11 %").replace("trials: 24", "trials: 12")
    (folder / "small.yaml").write_text(text)
    for more in ([], ["--fork", "other", "--trials", "+3"]):
        subprocess.run(
            [sys.executable, "-m", "dse", "run", "small.yaml", "--inline", "-q", *more],
            cwd=folder,
            check=True,
        )
    return folder


def invoke(home: Path, *args: str) -> str:
    result = CliRunner().invoke(cli, [*args, "-C", str(home / "runs")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_csv_and_json_hold_what_inspect_holds(home: Path) -> None:
    records = snapshot(home / "runs" / "small").records
    table = list(csv.DictReader(io.StringIO(invoke(home, "export", "small"))))
    document = json.loads(invoke(home, "export", "small", "--format", "json"))
    assert document["schema"] == "dse.export/1"
    assert len(table) == len(records) == len(document["trials"])
    front = json.loads(invoke(home, "inspect", "small", "--json"))["front"]
    best = {d["id"]: d["metrics"] for d in front}
    for row, trial, record in zip(table, document["trials"], records, strict=True):
        assert int(row["id"]) == trial["id"] == record.id
        assert float(row["lut"]) == trial["lut"] == record.metrics["lut"]
        assert (trial["accuracy"] is None) == ("accuracy" not in record.metrics)
        assert bool(row["violated"]) == (record.state == "infeasible")
        assert {k: trial[f"knob.{k}"] for k in record.knobs} == dict(record.knobs)
        if record.id in best:
            assert trial["test_accuracy"] == best[record.id]["test_accuracy"]
            assert row["on_front"] == "True"
    assert {r.state for r in records} >= {"feasible", "infeasible"}


@pytest.mark.parametrize("target", ["trials.log", "sqlite:///{}/trials.db"])
def test_an_optuna_storage_knows_what_is_feasible(home: Path, target: str, tmp_path: Path) -> None:
    where = target.format(tmp_path) if "://" in target else str(tmp_path / target)
    invoke(
        home, "export", "small", "-o", where, *([] if "://" in where else ["--format", "optuna"])
    )
    source = snapshot(home / "runs" / "small")
    storage: Any = where
    if "://" not in where:
        backend = optuna.storages.journal.JournalFileBackend(where)
        storage = optuna.storages.JournalStorage(backend)
    study = optuna.load_study(study_name="small", storage=storage)
    trials = study.get_trials(deepcopy=False)
    assert study.metric_names == ["accuracy", "latency_us", "lut"]
    for trial, record in zip(trials, source.records, strict=True):
        # what optuna-dashboard 0.21 calls feasible
        assert all(c <= 0 for c in trial.system_attrs["constraints"]) == (
            record.state == "feasible"
        )
        assert trial.params == dict(record.knobs)
        assert trial.user_attrs["lut"] == record.metrics["lut"]
    feasible = {r.id for r in source.records if r.state == "feasible"}
    assert {t.number for t in study.best_trials} <= feasible
    # and it is a storage of dse, too
    again = Trials("small", where if "://" in where else "file", Path(where)).records()
    assert [r.to_json() for r in again] == [r.to_json() for r in source.records]
    with pytest.raises(DseError, match="already"):
        mirror(source, home / "runs" / "small", where)


def test_parquet_or_what_it_needs(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "trials.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(DseError, match="pip install pyarrow"):
            invoke(home, "export", "small", "-o", str(target))
        assert not target.exists()
        return
    invoke(home, "export", "small", "-o", str(target))
    from pyarrow import parquet

    rows = json.loads(invoke(home, "export", "small", "--format", "json"))["trials"]
    assert parquet.read_table(target).to_pylist() == rows


def test_a_file_that_is_there_stays(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "t.csv"
    target.write_text("mine")
    with pytest.raises(DseError, match="--force"):
        invoke(home, "export", "small", "-o", str(target))
    assert target.read_text() == "mine"
    invoke(home, "export", "small", "-o", str(target), "--force")
    assert target.read_text().startswith("id,digest,")


def test_studies_are_compared_in_one_box(home: Path) -> None:
    views = [build_view(snapshot(home / "runs" / name)) for name in ("small", "other")]
    found = compare_studies(views[0], views[1])
    # by brute force: the share of random points of the box that a front dominates
    fronts = []
    for view in views:
        metrics = [view.designs[i].metrics for i in view.front]
        fronts.append(
            np.array([[-m["accuracy"], np.log(m["latency_us"]), m["lut"]] for m in metrics])
        )
    every = np.concatenate(fronts)
    low, span = every.min(axis=0), np.ptp(every, axis=0)
    drawn = np.random.default_rng(0).random((20000, 3)) * 1.1
    for front, volume in zip([*fronts, every], [*found.volumes, found.joint], strict=True):
        scaled = (front - low) / span
        inside = (drawn[:, None] >= scaled[None]).all(axis=2).any(axis=1).mean()
        assert volume == pytest.approx(inside, abs=0.015)
    assert found.sizes == tuple(map(len, fronts))
    assert found.joint >= max(found.volumes)
    document = json.loads(invoke(home, "compare", "small", "other", "--json"))
    assert document["schema"] == "dse.compare/1"
    assert document["settings"]["trials"] == ["12 of 12", "15 of 15"]
    text = invoke(home, "compare", "small", "other")
    assert f"{found.volumes[0]:.3f}" in text


def test_a_study_equals_itself_and_designs_differ(home: Path) -> None:
    same = json.loads(invoke(home, "compare", "small", "small", "--json"))
    assert same["volumes"][0] == same["volumes"][1] == same["joint"]
    assert (same["dominated"], same["settings"]) == ([0, 0], {})
    a, b = (f"small:{i}" for i in build_view(snapshot(home / "runs" / "small")).front[:2])
    document = json.loads(invoke(home, "compare", a, b, "--json"))
    assert document["schema"] == "dse.compare-designs/1"
    assert document["layers"]
    assert "every layer is built the same" in invoke(home, "compare", a, a)
    for wrong in (("small:999", a), ("small", a)):
        with pytest.raises(DseError):
            invoke(home, "compare", *wrong)


def test_doctor_finds_damage_and_exits_with_5(home: Path, tmp_path: Path, dse: Any) -> None:
    good = json.loads(invoke(home, "doctor", "--json"))
    levels = {c["name"]: c["level"] for c in good["checks"]}
    assert levels["python"] == levels["packages"] == levels["disk"] == levels["study small"] == "ok"
    assert "FAIL" not in levels.values()
    shutil.copytree(home / "runs" / "small", tmp_path / "runs" / "small")
    journal = tmp_path / "runs" / "small" / "journal.log"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:-3], lines[-1]]))
    (tmp_path / "runs" / "broken").mkdir(parents=True)
    (tmp_path / "runs" / "broken" / "study.json").write_text("garbage")
    url = "postgresql://dse:hunter2@127.0.0.1:9/x"
    done = dse("doctor", "--json", "--storage", url, "--ray", "127.0.0.1:9")
    assert done.returncode == 5
    said = {c["name"]: c["text"] for c in json.loads(done.stdout)["checks"]}
    levels = {c["name"]: c["level"] for c in json.loads(done.stdout)["checks"]}
    assert levels["study small"] == "warn"
    assert "finished trials that are not in the storage any more: 2" in said["study small"]
    assert levels["study broken"] == levels["storage"] == levels["ray"] == "FAIL"
    assert "hunter2" not in done.stdout + done.stderr


def test_stop_ends_a_run_as_ctrl_c_does(small_study: str, tmp_path: Path) -> None:
    text = small_study.replace("trials: 24", "trials: 100000")
    (tmp_path / "small.yaml").write_text(text)
    command = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    command += "from dse.cli import main; main()"
    run = subprocess.Popen(
        [sys.executable, "-c", command, "run", "small.yaml", "--inline", "--log", "json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert run.stdout is not None
        for line in run.stdout:
            if json.loads(line)["event"] == "trial":
                break
        asked = json.loads(invoke(tmp_path, "stop", "small", "--json"))
        assert asked["process"] == run.pid
        _, said = run.communicate(timeout=120)
    finally:
        if run.poll() is None:
            os.kill(run.pid, signal.SIGKILL)
    assert run.returncode == 130
    assert "Continue with: dse resume small" in said
    assert json.loads(invoke(tmp_path, "status", "--json"))["studies"][0]["state"] == "stopped"
    assert json.loads(invoke(tmp_path, "stop", "small", "--json"))["process"] is None


def test_build_runs_the_tool_of_the_flow(home: Path, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "vitis_hls"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "$@" > ran\nexit 1\n')
    fake.chmod(0o755)

    def emit(out: str, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dse", "emit", "small", "--build", "-o", out, *args],
            cwd=home,
            env=dict(os.environ, PATH=f"{fake.parent}:{os.environ['PATH']}"),
            capture_output=True,
            text=True,
            check=False,
        )

    assert emit("hls").returncode == 7  # what the tool answers is shown, and is an error
    (ran,) = (home / "hls").rglob("ran")
    assert ran.read_text().split() == list(COMMAND[1:])
    for more in (["--json"], ["--flow", "json"]):
        refused = emit("other", *more)
        assert refused.returncode == 2
        assert "leave out --" in refused.stderr
        assert not (home / "other").exists()
