"""Commands as a user types them: output, exit codes, one document with --json."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Result = subprocess.CompletedProcess[str]
Dse = Callable[..., Result]

HEAVY = ("torch", "optuna", "ray", "sklearn", "plotly", "numpy", "brevitas", "rich", "yaml")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def call(home: Path) -> Dse:
    def run(*args: str | Path) -> Result:
        return subprocess.run(
            [sys.executable, "-m", "dse", *map(str, args)],
            cwd=home,
            env=os.environ | {"NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def study(home: Path, call: Dse, small_study: str) -> Result:
    """A small study, run once for the tests of this file."""
    (home / "small.yaml").write_text(small_study)
    return call("run", "small.yaml", "--inline", "--set", "budget.trials=10", "--json")


def document(result: Result, schema: str) -> dict[str, object]:
    value = json.loads(result.stdout)
    assert value["schema"] == schema
    return dict(value)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom dse.cli import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_run_prints_one_json_document_with_the_promised_keys(study: Result) -> None:
    assert study.returncode == 0, study.stderr
    value = document(study, "dse.inspect/1")
    assert value["study"] == "small"
    assert value["state"] == "complete"
    trials = value["trials"]
    assert isinstance(trials, dict)
    assert trials["finished"] == 10 == trials["feasible"] + trials["infeasible"] + trials["failed"]
    assert "repeated" in trials
    front = value["front"]
    assert isinstance(front, list)
    assert front
    for design in front:
        assert {"id", "digest", "metrics", "intervals", "layers"} <= set(design)
        metrics = design["metrics"]
        assert {
            "accuracy",
            "test_accuracy",
            "latency_us",
            "throughput_fps",
            "lut",
            "bram18",
        } <= set(metrics)
        assert 0 <= metrics["test_accuracy"] <= 1
        assert metrics["test_images"] == 360
        for resource in ("lut", "ff", "dsp", "bram18", "uram"):
            ends = design["intervals"][resource]
            assert ends["low"] <= metrics[resource] <= ends["high"]
        assert next(layer["name"] for layer in design["layers"]) == "conv1"


def test_inspect_says_the_same_as_run(study: Result, call: Dse) -> None:
    assert json.loads(call("inspect", "small", "--json").stdout) == json.loads(study.stdout)


def test_a_finished_study_says_so_and_exits_0(study: Result, call: Dse) -> None:
    again = call("run", "small.yaml", "--inline", "--set", "budget.trials=10")
    assert again.returncode == 0
    assert "nothing to do: the study is complete (10 trials)" in again.stderr


@pytest.mark.usefixtures("study")
def test_a_study_is_named_where_it_is_and_resumed_there(
    call: Dse, home: Path, tmp_path: Path
) -> None:
    shown = call("inspect", "small", "-C", home / "runs").stdout
    folder = str(home / "runs" / "small")
    assert f"one design: dse inspect {folder} " in shown
    assert f"dse inspect {folder}" not in call("inspect", "small").stdout
    resumed = [sys.executable, "-m", "dse", "resume", folder, "--inline", "--no-report"]
    done = subprocess.run(
        resumed, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nothing to do: the study is complete (10 trials)" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("study")
def test_tables_name_units_and_say_what_is_predicted(call: Dse) -> None:
    table = call("inspect", "small").stdout
    assert "predicted" in table
    assert "measured" in table
    trial = json.loads(call("inspect", "small", "--json").stdout)["front"][0]["id"]
    design = call("inspect", "small", str(trial)).stdout
    assert "conv1" in design
    assert "interval" in design


@pytest.mark.usefixtures("study")
def test_status_list_and_report(call: Dse, home: Path) -> None:
    status = document(call("status", "--json"), "dse.status/1")
    assert [s["study"] for s in status["studies"]] == ["small"]  # type: ignore[attr-defined]
    listed = document(call("list", "--json"), "dse.list/1")
    assert [s["name"] for s in listed["items"]] == ["small"]  # type: ignore[attr-defined]
    assert "ended: the budget of 10 trials is met" in call("status", "small").stdout
    done = call("report", "small", "-o", "r.html")
    assert done.returncode == 0
    assert done.stdout.strip() == "r.html"
    assert "<html" in (home / "r.html").read_text()


@pytest.mark.usefixtures("study")
def test_emit_and_verify_and_a_flipped_weight(call: Dse, home: Path) -> None:
    emitted = call(
        "emit", "small", "--pick", "best:accuracy", "-o", "hls", "--images", "20", "--json"
    )
    assert emitted.returncode == 0, emitted.stderr
    value = document(emitted, "dse.emit/1")
    assert value["images"] == 20
    checked = document(call("verify", "hls", "--json"), "dse.verify/1")
    assert checked["mismatches"] == 0
    assert checked["words"] == 200
    again = call("emit", "small", "-o", "hls")
    assert again.returncode == 2
    assert "hls is not empty" in again.stderr


@pytest.mark.usefixtures("study")
def test_a_changed_study_file_is_refused_with_a_diff(call: Dse, home: Path) -> None:
    text = (home / "small.yaml").read_text().replace("clock: 100 MHz", "clock: 150 MHz")
    (home / "changed.yaml").write_text(text)
    done = call("run", "changed.yaml", "--inline")
    assert done.returncode == 6
    assert "clock_mhz: 100.0 -> 150.0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("run", "absent.yaml"), 2, "absent.yaml cannot be read"),
        (("inspect", "smal"), 2, "no study 'smal' in runs/"),
        (("emit", "absent", "-o", "x"), 2, "no study 'absent' in runs/"),
        (("verify", "absent"), 2, "absent"),
        (("boards", "Pynq-Z3"), 2, "Pynq-Z"),
        (("frobnicate",), 2, "No such command"),
        (("run",), 2, "Missing argument"),
    ],
)
def test_wrong_usage_exits_with_2_and_one_message(
    call: Dse, args: tuple[str, ...], code: int, message: str
) -> None:
    done = call(*args)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_study_file_is_located_in_text_and_json(call: Dse, home: Path) -> None:
    (home / "wrong.yaml").write_text("version: 1\nstudy: x\nclok: 100 MHz\n")
    done = call("check", "wrong.yaml")
    assert done.returncode == 2
    assert "\nwrong.yaml:3:1: error[unknown-key]: unknown key 'clok'" in done.stderr
    value = document(call("check", "wrong.yaml", "--json"), "dse.error/1")
    problems = value["problems"]
    assert isinstance(problems, list)
    assert 3 in [p["line"] for p in problems]


def test_a_pattern_that_matches_nothing_is_located(call: Dse, home: Path, small_study: str) -> None:
    text = small_study.replace(
        "objectives:", "  layers:\n    - match: con1\n      sparsity: 0.0\nobjectives:"
    )
    (home / "pattern.yaml").write_text(text)
    done = call("check", "pattern.yaml")
    assert done.returncode == 2
    assert "error[no-match]: 'con1' matches none of the" in done.stderr
    assert "pattern.yaml:13:14" in done.stderr


def test_a_space_where_nothing_fits_is_refused(call: Dse, home: Path, small_study: str) -> None:
    (home / "tight.yaml").write_text(small_study.replace("lut <= 70 %", "lut <= 100"))
    done = call("check", "tight.yaml")
    assert done.returncode == 2
    assert "error[nothing-fits]: no design in this space meets 'lut <= 100'" in done.stderr


def test_no_feasible_design_exits_with_3_and_a_report(
    call: Dse, home: Path, small_study: str
) -> None:
    text = small_study.replace("lut <= 70 %", "accuracy >= 99.9 %").replace(
        "study: small", "study: hopeless"
    )
    (home / "hopeless.yaml").write_text(text)
    done = call("run", "hopeless.yaml", "--inline", "--set", "budget.trials=4")
    assert done.returncode == 3, done.stderr
    assert "no design of hopeless meets the constraints" in done.stderr
    assert (home / "runs" / "hopeless" / "report.html").exists()


def test_boards_lists_parts(call: Dse) -> None:
    boards = document(call("boards", "--json"), "dse.boards/1")["boards"]
    assert isinstance(boards, list)
    z1 = next(b for b in boards if b["name"] == "Pynq-Z1")
    assert z1["part"] == "xc7z020clg400-1"
    assert z1["resources"]["bram18"] == 280


def test_a_damaged_study_does_not_hide_the_others(call: Dse, home: Path, study: Result) -> None:
    del study
    broken = home / "many" / "broken"
    shutil.copytree(home / "runs" / "small", home / "many" / "small")
    shutil.copytree(home / "runs" / "small", broken)
    (broken / "study.json").write_text("garbage")
    done = call("status", "-C", "many", "--json")
    assert done.returncode == 0
    shown = {s["study"]: s for s in json.loads(done.stdout)["studies"]}
    assert "is damaged" in shown["broken"]["error"]
    assert shown["small"]["trials"]["finished"] == 10


def test_finals_cut_short_still_make_a_report(call: Dse, home: Path, study: Result) -> None:
    del study
    folder = home / "cut" / "small"
    shutil.copytree(home / "runs" / "small", folder)
    lines = (folder / "finals.jsonl").read_text().splitlines(keepends=True)
    (folder / "finals.jsonl").write_text("".join(lines[: max(1, len(lines) // 2)]))
    state = json.loads((folder / "driver.json").read_text())
    (folder / "driver.json").write_text(json.dumps(state | {"complete": False}))
    done = call("report", "small", "-C", "cut")
    assert done.returncode == 0, done.stderr
    assert call("inspect", "small", "-C", "cut").returncode == 0


def test_emit_refuses_data_that_is_not_the_studys(call: Dse, home: Path, study: Result) -> None:
    del study
    folder = home / "moved" / "small"
    shutil.copytree(home / "runs" / "small", folder)
    header = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(header | {"data": "other"}))
    done = call("emit", "small", "-C", "moved", "-o", "x")
    assert done.returncode == 6
    assert "are not those it was made with" in done.stderr


@pytest.mark.parametrize("args", [("frobnicate",), ("inspect", "absent"), ("run", "absent.yaml")])
def test_errors_are_one_document_with_json(call: Dse, args: tuple[str, ...]) -> None:
    done = call(*args, "--json")
    assert done.returncode == 2
    assert document(done, "dse.error/1")["error"]


def test_a_path_that_cannot_be_written_is_one_message(call: Dse, home: Path, study: Result) -> None:
    del study
    done = call("report", "small", "-o", "absent/r.html")
    assert done.returncode == 2
    assert "absent/r.html" in done.stderr
    assert "bug" not in done.stderr
