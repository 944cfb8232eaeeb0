"""Records: repeats are one, tools are never mixed; CSV rows and reports become units."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dse.calibration.project import instance_of, joined, read_projects
from dse.calibration.records import Origin, SynthesisRecord, digest, distinct, one_origin
from dse.calibration.table import read_table
from dse.emit.manifest import unit_json
from dse.errors import UsageError
from dse.ir.measurement import Kind, Measurement
from dse.ir.units import Fifo, MatrixUnit, Tiling, WidthConverter

HOME = Path(__file__).parents[2]
TABLES = Path(os.environ.get("DSE_TABLES") or HOME.parent / "shared/data/tables")
Records = Callable[..., list[SynthesisRecord]]
MATRIX = MatrixUnit("conv1", 64, 576, 100, 4, 8, 4, 4, False, 4, "bram", "lut", Tiling(8, 16, 4, 8))
FIFO = Fifo("conv1", 2, 16)


def test_repeats_become_their_median(records: Records) -> None:
    (first, *_) = records(1, 1.0)
    repeats = [
        replace(first, design=f"b{i}", actual={"lut": lut, "ff": 10.0})
        for i, lut in enumerate((100.0, 120.0, 500.0))
    ]
    renamed = replace(first.unit, layer="elsewhere")
    (one,) = distinct([*repeats, replace(repeats[1], unit=renamed)])
    assert one.actual == {"lut": 120.0, "ff": 10.0}
    assert digest(repeats) == digest(repeats[::-1])


def test_tools_and_stages_are_not_mixed(records: Records) -> None:
    csynth = records(1, 1.0, origin=Origin("vitis_hls", "csynth", "dse"))
    with pytest.raises(UsageError, match=r"vitis_hls csynth.*3 records.*choose with --stage"):
        one_origin([*records(2, 1.0), *csynth])
    with pytest.raises(UsageError, match="got none; give reports inside an emitted project"):
        one_origin([])


# -- the CSV --------------------------------------------------------------------------------------

ROW = {
    "op_type": "MVAU_hls",
    "MH": "64.0",
    "MW": "784",
    "PE": "2",
    "SIMD": "49",
    "weightDataType": "INT2",
    "inputDataType": "UINT4",
    "outputDataType": "UINT2",
    "numInputVectors": "[1, 16, 16]",
    "noActivation": "0.0",
    "ram_style": "distributed",
    "resType": "lut",
    "LUT": "1428",
    "FF": "1059",
    "BRAM36": "0.5",
    "DSP": "0",
}


def table(folder: Path, *rows: dict[str, str], name: str = "units.csv") -> Path:
    path = folder / name
    columns = list(dict.fromkeys(c for row in rows for c in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["units.csv", "units.csv.gz"])
def test_a_row_is_a_unit(tmp_path: Path, name: str) -> None:
    (record,), skipped = read_table(table(tmp_path, ROW, name=name))
    assert record.unit == MatrixUnit("", 64, 784, 256, 2, 49, 2, 4, False, 2, "lutram", "lut")
    assert record.actual == {"lut": 1428, "ff": 1059, "dsp": 0, "bram18": 1}
    assert record.origin == Origin("vivado", "synth", "finn")
    assert skipped == ()


@pytest.mark.parametrize(
    ("change", "unit"),
    [
        ({"weightDataType": "BINARY", "inputDataType": "BIPOLAR"}, {"weight_bits": 1, "input_bits": 1, "input_signed": True}),
        ({"weightDataType": "TERNARY", "inputDataType": "INT8"}, {"weight_bits": 2, "input_bits": 8, "input_signed": True}),
        ({"noActivation": "1"}, {"output_bits": 0}),
        ({"ram_style": "auto"}, {"memory": "bram"}),
        ({"ram_style": "auto", "BRAM36": "0"}, {"memory": "lutram"}),
        ({"resType": "dsp", "DSP": "98"}, {"compute": "dsp"}),
        ({"resType": "auto"}, {"compute": "lut"}),
        ({"op_type": "StreamingFCLayer_Batch"}, {}),
    ],
)  # fmt: skip
def test_names_and_styles_of_finn(
    tmp_path: Path, change: dict[str, str], unit: dict[str, object]
) -> None:
    ((record, *_), _) = read_table(table(tmp_path, ROW | change))
    assert isinstance(record.unit, MatrixUnit)
    for name, value in unit.items():
        assert getattr(record.unit, name) == value


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"op_type": "MVAU_rtl"}, "MVAU_rtl is no unit"),
        ({"isRTL": "1.0"}, "MVAU_rtl is another implementation"),
        ({"PE": "3"}, "PE and SIMD must divide MH and MW"),
        ({"SIMD": "0"}, "SIMD is no whole number from 1 on"),
        ({"SIMD": ""}, "SIMD is no count"),
        ({"LUT": "many"}, "LUT is no count"),
        ({"LUT": "nan"}, "LUT is no count"),
        ({"FF": "-1"}, "FF is no count"),
        ({"weightDataType": "FLOAT32"}, "weightDataType is no integer type"),
        ({"numInputVectors": "x"}, "numInputVectors is no list"),
        ({"resType": "dsp", "DSP": "20"}, "too few DSPs"),
        ({"LUT": "", "FF": "", "DSP": "", "BRAM36": ""}, "neither resources"),
    ],
)
def test_a_bad_row_is_skipped_with_its_reason(
    tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    records, skipped = read_table(table(tmp_path, ROW, ROW | change))
    assert len(records) == 1
    assert [s.name for s in skipped] == ["units.csv"]
    assert skipped[0].reason.startswith("1 rows: ")
    assert reason in skipped[0].reason


def test_fifos_and_converters(tmp_path: Path) -> None:
    fifo = {"op_type": "StreamingFIFO_rtl", "depth": "32", "inWidth": "12", "LUT": "30", "FF": "20"}
    wide = fifo | {"FF": "400"}
    dwc = {"op_type": "StreamingDataWidthConverter_hls", "inWidth": "8", "outWidth": "32",
           "dataType": "INT2", "LUT": "30", "FF": "20"}  # fmt: skip
    records, skipped = read_table(table(tmp_path, fifo, wide, dwc))
    assert [r.unit for r in records] == [Fifo("", 32, 16), WidthConverter("", 4, 16, 2, 16)]
    assert "inWidth is of an element" in skipped[0].reason


def test_a_row_without_counts_takes_those_of_its_report(tmp_path: Path) -> None:
    row = {k: v for k, v in ROW.items() if k not in ("LUT", "FF", "BRAM36", "DSP")}
    path = table(tmp_path, row | {"instance": "MVAU_hls_0"})
    measured = measurement("top/MVAU_hls_0", {"lut": 900.0, "ff": 700.0}, kind="route")
    (record,), _ = read_table(path, [measured])
    assert record.actual == {"lut": 900.0, "ff": 700.0}
    assert record.origin == Origin("vivado", "route", "finn")
    assert (record.version, record.part) == ("2023.2", "xc7z020")


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UsageError, match=r"must have a column `op_type`.*it has: x, y"):
        read_table(tmp_path / "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(UsageError, match="must be a readable CSV file"):
        read_table(tmp_path / "a.csv.gz")


@pytest.mark.skipif(not TABLES.is_dir(), reason="no shared/data/tables beside the project")
def test_the_traps_of_the_real_table() -> None:
    """Configurations repeat in many builds; RTL rows state folds of other nodes."""
    records, skipped = read_table(TABLES / "finn_submodules.csv.gz")
    matrix = [r for r in records if isinstance(r.unit, MatrixUnit)]
    assert len(matrix) > 2000
    assert 400 < len(distinct(matrix)) < 600
    assert len({r.design for r in matrix}) == 588
    assert any("129 rows: MVAU_rtl" in s.reason for s in skipped)


# -- reports of emitted projects ------------------------------------------------------------------


def measurement(
    instance: str, resources: dict[str, float], kind: Kind = "synth", tool: str = "vivado 2023.2"
) -> Measurement:
    return Measurement(
        instance, kind, resources, None, None, None, None, tool, "xc7z020", "u.rpt", "0"
    )


def manifest() -> dict[str, object]:
    units = [
        unit_json("conv1_matrix", MATRIX, ["conv1_matrix", "conv1_rows"]),
        unit_json("conv1_fifo", FIFO, ["conv1_fifo"]),
    ]
    return {"schema": "dse.design/1", "top": "accelerator", "units": units}


def test_units_come_back_from_the_manifest_and_instances_add_up() -> None:
    measured = [
        measurement("accelerator/conv1_matrix_U0", {"lut": 100.0, "ff": 50.0}),
        measurement("accelerator_conv1_rows", {"lut": 11.0}),
        measurement("conv1_rows", {"lut": 99.0}),  # a second report of it
        measurement("conv1_fifo", {"lut": 7.0}, kind="estimate"),  # a formula measures nothing
        measurement("somebody_else", {"lut": 7.0}),
    ]
    (record,), skipped = joined(manifest(), "p", measured)
    assert record.unit == MATRIX
    assert record.actual == {"lut": 111.0}
    assert record.origin == Origin("vivado", "synth", "dse")
    assert skipped == ()


def test_part_and_clock_are_the_projects_where_the_report_is_silent() -> None:
    one = manifest() | {"part": "xc7z020clg400-1", "clock_mhz": 200.0}
    silent = [replace(measurement("conv1_fifo", {"lut": 7.0}), part="")]
    (record,), _ = joined(one, "d", silent)
    assert (record.part, record.clock_ns) == ("xc7z020clg400-1", 5.0)
    said = [replace(silent[0], part="xczu7ev", target_clock_ns=4.0)]
    (record,), _ = joined(one, "d", said)
    assert (record.part, record.clock_ns) == ("xczu7ev", 4.0)


def test_a_unit_with_an_instance_missing_is_skipped() -> None:
    records, skipped = joined(manifest(), "p", [measurement("conv1_matrix", {"lut": 1.0})])
    assert records == ()
    assert [(s.name, s.reason) for s in skipped] == [
        ("p/conv1_matrix", "no synth report of conv1_rows")
    ]


def test_a_report_of_something_else_is_named() -> None:
    records, skipped = joined(manifest(), "p", [measurement("top", {"lut": 1.0})])
    assert records == ()
    assert skipped[0].name == "u.rpt"
    assert "none of its instances is one of design.json" in skipped[0].reason


@pytest.mark.parametrize(
    ("reported", "instance"),
    [
        ("conv1_fifo", "conv1_fifo"),
        ("accelerator_conv1_fifo", "conv1_fifo"),
        ("conv1_fifo_U0", "conv1_fifo"),
        ("conv1_fifo_s", "conv1_fifo"),
        ("accelerator_conv1_fifo_1_U0", "conv1_fifo"),
        ("conv1", None),
        ("xconv1_fifo", None),
    ],
)
def test_how_tools_rename_functions(reported: str, instance: str | None) -> None:
    assert instance_of(reported, {"conv1_fifo", "fc"}, "accelerator") == instance


def test_the_manifest_is_found_above_reports_and_inside_folders(tmp_path: Path) -> None:
    project = tmp_path / "hls"
    reports = project / "prj" / "report"
    reports.mkdir(parents=True)
    (project / "design.json").write_text(json.dumps(manifest()))
    csynth = reports / "conv1_fifo_csynth.xml"
    csynth.write_text(
        "<profile><ReportVersion><Version>2023.2</Version></ReportVersion><UserAssignments>"
        "<unit>ns</unit><ProductFamily>zynq</ProductFamily><Part>xc7z020-clg400-1</Part>"
        "<TopModelName>conv1_fifo</TopModelName><TargetClockPeriod>10.00</TargetClockPeriod>"
        "</UserAssignments><PerformanceEstimates><SummaryOfTimingAnalysis>"
        "<EstimatedClockPeriod>5.0</EstimatedClockPeriod></SummaryOfTimingAnalysis>"
        "<SummaryOfOverallLatency><Best-caseLatency>1</Best-caseLatency><Worst-caseLatency>1"
        "</Worst-caseLatency><Interval-min>1</Interval-min><Interval-max>1</Interval-max>"
        "</SummaryOfOverallLatency></PerformanceEstimates><AreaEstimates><Resources>"
        "<BRAM_18K>0</BRAM_18K><DSP>0</DSP><FF>9</FF><LUT>13</LUT><URAM>0</URAM></Resources>"
        "</AreaEstimates></profile>"
    )
    for given in (csynth, tmp_path, project, reports):
        (record,), _ = read_projects([given], None, None)
        assert (record.unit, record.actual["lut"], record.origin.stage) == (FIFO, 13, "csynth")
        assert read_projects([given], None, "route")[0] == ()
    loose = tmp_path / "loose"
    loose.mkdir()
    csynth.rename(loose / csynth.name)
    with pytest.raises(UsageError, match=r"there is no design\.json above it; give --design"):
        read_projects([loose], None, None)
    assert len(read_projects([loose], project / "design.json", None)[0]) == 1


@pytest.mark.parametrize("text", ["[", "{}", '{"schema": "x/1", "units": [1]}'])
def test_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "design.json").write_text(text)
    (tmp_path / "a.rpt").write_text("")
    with pytest.raises(UsageError, match=r"design\.json must be the design\.json of an emitted"):
        read_projects([tmp_path], None, None)
    broken = {"units": [{"name": "x", "instances": [], "kind": "Nothing", "parameters": {}}]}
    with pytest.raises(UsageError, match="is not one of this version of dse"):
        joined(broken, "p", [])
