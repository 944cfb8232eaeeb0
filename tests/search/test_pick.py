"""Which design a text names: against the smallest and largest of the records themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dse.config.problems import StudyFileError
from dse.errors import NoFeasibleDesignError, UsageError
from dse.search.pareto import front, knee
from dse.search.pick import pick
from dse.search.study import snapshot
from dse.snapshot import StudySnapshot

STUDY = (
    "version: 1\nstudy: s\nmodel: digits-cnn\ndata: {name: noise, size: 8, classes: 10}\n"
    "board: Pynq-Z1\nclock: 100 MHz\nspace: {weight_bits: [1, 2, 4], activation_bits: 2}\n"
    "objectives: {latency: minimize, lut: minimize, energy: minimize}\n"
    "constraints: [lut <= 30 %]\nbudget: {trials: 25}\nsampler: random\nreport: off\n"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("picks")
    (folder / "study.yaml").write_text(STUDY)
    run = [sys.executable, "-m", "dse", "run", "study.yaml", "--inline", "-q"]
    subprocess.run(run, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def study(home: Path) -> StudySnapshot:
    return snapshot(home / "runs" / "s")


def chosen(study: StudySnapshot, text: str) -> int:
    return pick(study.config, study.records, {}, text).id


def test_names(study: StudySnapshot) -> None:
    best = front(study.records, study.config.objectives)
    assert len(best) > 3
    assert chosen(study, "knee") == knee(best, study.config.objectives).id
    for name, key in (("best:latency", "latency_us"), ("min:energy", "energy_mj")):
        assert chosen(study, name) == min(best, key=lambda r, k=key: (r.metrics[k], r.id)).id
    fastest = max(r.metrics["throughput_fps"] for r in best)
    for text in ("best:throughput", "max:throughput", "fastest"):
        found = pick(study.config, study.records, {}, text)
        assert found.metrics["throughput_fps"] == fastest
    worst = max(study.records, key=lambda r: r.metrics["lut"])
    assert chosen(study, str(worst.id)) == worst.id  # by id, feasible or not


def test_limits_hold_at_upper_ends_and_the_rest_is_the_best_of_them(study: StudySnapshot) -> None:
    best = front(study.records, study.config.objectives)
    highs = sorted(r.hardware.total.high.lut for r in best if r.hardware)
    limit = (highs[1] + highs[2]) / 2
    left = [r for r in best if r.hardware and r.hardware.total.high.lut <= limit]
    assert len(left) == 2
    quickest = min(left, key=lambda r: (r.metrics["latency_us"], r.id)).id
    text = f"lut <= {limit:.0f}"
    assert chosen(study, f"{text},best:latency") == quickest
    assert chosen(study, text) == knee(left, study.config.objectives).id
    both = f"{text},power<=2 W,min:latency"
    assert chosen(study, both) == quickest


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("99999", UsageError, "s has no trial 99999"),
        ("kneee", UsageError, "--pick takes knee, .* not 'kneee'"),
        ("max:lut", UsageError, "asks for the worst design; write min:lut"),
        ("best:nothing", UsageError, "not 'best:nothing'"),
        ("most-accurate", UsageError, "trains nothing"),
        ("max:accuracy", UsageError, "accuracy is not known"),
        ("lut<=1,knee", NoFeasibleDesignError, "meets lut<=1; loosen it"),
        ("lut<=4 kB,knee", StudyFileError, "--pick:1:8: error.bad-unit"),
        ("luts<=4,knee", StudyFileError, "did you mean 'lut'"),
        (",", UsageError, "--pick takes"),
    ],
)
def test_what_names_nothing(study: StudySnapshot, text: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        chosen(study, text)


def dse(home: Path, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "dse", *args],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_inspect_and_settings_take_the_same_names(home: Path, study: StudySnapshot) -> None:
    quickest = chosen(study, "best:latency")
    shown = dse(home, "inspect", "s", "best:latency").stdout
    assert shown.startswith(f"trial {quickest} ")
    assert dse(home, "inspect", "s", "--pick", "best:latency").stdout == shown
    dse(home, "emit", "s", "best:latency", "--flow", "json", "-o", "d.json")
    written = json.loads((home / "d.json").read_text())
    assert written["trial"] == quickest
    record = next(r for r in study.records if r.id == quickest)
    assert written["design"] == record.design.to_json()
    dse(home, "emit", "s", "--pick", str(quickest), "--flow", "finn-config", "-o", "finn")
    config = json.loads((home / "finn" / "folding_config.json").read_text())
    folds = [(v["PE"], v["SIMD"]) for k, v in config.items() if k.startswith("MVAU")]
    own = [(d.folding.pe, d.folding.simd) for _, d in record.design.layers if d.compression]
    assert folds == own
    again = dse(home, "emit", "s", "0", "--flow", "json", "-o", "d.json", code=2)
    assert "is there already" in again.stderr
    both = dse(home, "emit", "s", "0", "--pick", "1", "--flow", "json", "-o", "e.json", code=2)
    assert "both name a design" in both.stderr


def test_two_designs_side_by_side_show_what_differs(home: Path) -> None:
    shown = dse(home, "inspect", "s", "best:latency", "best:lut").stdout
    assert "latency_us" in shown
    assert "_high" not in shown
    same = dse(home, "inspect", "s", "0", "0").stdout
    assert "all metrics are the same" in same
    assert "every layer is built the same" in same
    assert "not 3" in dse(home, "inspect", "s", "0", "0", "0", code=2).stderr


def test_verbose_talks_on_stderr_only(home: Path) -> None:
    plain = dse(home, "inspect", "s", "0")
    once = dse(home, "inspect", "s", "0", "-v")
    assert once.stdout == plain.stdout
    assert not plain.stderr
    assert "study folder" in once.stderr
    twice = dse(home, "inspect", "s", "99999", "-vv", code=2)
    assert "Traceback" in twice.stderr
    assert "Traceback" not in dse(home, "inspect", "s", "99999", "-v", code=2).stderr
    hidden = dse(home, "export", "s", "-o", "sqlite://u:secret@h/x", "-vv", code=5).stderr
    assert "secret" not in hidden
