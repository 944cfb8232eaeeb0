"""`dse calibrate` as a user types it."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cost_models import analytic, learned
from dse.calibration.records import SynthesisRecord
from dse.ir.units import MatrixUnit

Dse = Callable[..., "subprocess.CompletedProcess[str]"]
Records = Callable[..., list[SynthesisRecord]]


@pytest.fixture
def table(tmp_path: Path, records: Records) -> Callable[[float], Path]:
    """Write the matrix units of ten designs as FINN names them, with `ratio` of the LUTs."""

    def write(ratio: float) -> Path:
        path = tmp_path / "units.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                [
                    "design",
                    "op_type",
                    "MH",
                    "MW",
                    "PE",
                    "SIMD",
                    "weightDataType",
                    "inputDataType",
                    "outputDataType",
                    "numInputVectors",
                    "ram_style",
                    "resType",
                    "LUT",
                    "FF",
                    "tool",
                    "tool_version",
                    "part",
                ]
            )
            writer.writerow(["b0", "LabelSelect_hls", *[""] * 15])
            model = analytic.load("7series")
            for r in records(10, 1.0):
                if isinstance(r.unit, MatrixUnit):
                    u, p = r.unit, model.predict(r.unit).expected
                    styles = [f"INT{u.weight_bits}", "UINT4", "UINT4", "[10, 10]", "block", "lut"]
                    counts = [ratio * float(p.lut), float(p.ff)]
                    made_by = ["yosys", "0.70", "xc7z020"]
                    writer.writerow(
                        [r.design, "MVAU_hls", u.mh, u.mw, u.pe, u.simd, *styles, *counts, *made_by]
                    )
        return path

    return write


def test_a_better_model_is_written_and_can_be_used(
    dse: Dse, table: Callable[[float], Path], tmp_path: Path, study_file: Path
) -> None:
    done = dse("calibrate", "--csv", table(0.4), "-o", "mine.json")
    assert done.returncode == 0, done.stderr
    assert "skipped units.csv: 1 rows: LabelSelect_hls is no unit" in done.stderr
    (line,) = (x for x in done.stdout.splitlines() if x.startswith("matrix     lut"))
    assert "150.0%" in line
    assert line.endswith("better")
    assert "written to mine.json" in done.stdout
    model = learned.read(tmp_path / "mine.json", "7series")
    assert (model.name, model.facts["tool"], model.facts["tool_version"]) == (
        "mine",
        "yosys",
        "0.70",
    )
    assert set(model.corrections["matrix"]) == {"lut"}
    checked = dse("check", study_file, "--set", "cost_model.file=mine.json")
    assert checked.returncode == 0, checked.stderr
    assert f"cost     {model.source}" in checked.stdout


def test_a_model_that_is_not_better_is_refused(
    dse: Dse, table: Callable[[float], Path], tmp_path: Path
) -> None:
    path = table(1.0)
    done = dse("calibrate", "--csv", path, "-o", "mine.json", "--base", "analytic")
    assert done.returncode == 2
    assert "must err less than analytic" in done.stderr
    assert "nothing was written" in done.stderr
    assert not (tmp_path / "mine.json").exists()
    forced = dse(
        "calibrate", "--csv", path, "-o", "m.json", "--base", "analytic", "--force", "--json"
    )
    assert forced.returncode == 0, forced.stderr
    document = json.loads(forced.stdout)
    assert document["schema"] == "dse.calibrate/1"
    assert document["improved"] is False
    assert document["skipped"][0]["name"] == "units.csv"
    assert (tmp_path / "m.json").exists()


def test_what_was_built_must_be_known(dse: Dse, tmp_path: Path) -> None:
    (tmp_path / "a.rpt").write_text("no report")
    done = dse("calibrate", "a.rpt", "-o", "m.json")
    assert done.returncode == 2
    assert (
        "there is no design.json above it; give --design design.json or --csv FILE" in done.stderr
    )
    nothing = dse("calibrate", "-o", "m.json")
    assert nothing.returncode == 2
    assert "calibration needs at least one report" in nothing.stderr


def test_what_is_not_there_is_named(dse: Dse) -> None:
    done = dse("calibrate", "nowhere", "-o", "m.json")
    assert done.returncode == 2
    assert "'nowhere' does not exist" in done.stderr
    assert "design.json" not in done.stderr


def test_skipped_files_are_named_where_json_ends_in_an_error(dse: Dse, tmp_path: Path) -> None:
    (tmp_path / "a.rpt").write_text("no report")
    (tmp_path / "units.csv").write_text("op_type,LUT\nLabelSelect_hls,53\n")
    done = dse("calibrate", "a.rpt", "--csv", "units.csv", "-o", "m.json", "--json")
    assert done.returncode == 2
    assert "skipped a.rpt: not a report" in done.stderr
    assert "skipped units.csv: 1 rows: LabelSelect_hls" in done.stderr
    assert json.loads(done.stdout)["schema"] == "dse.error/1"
