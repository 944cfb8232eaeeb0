"""Every field of the project's own small reports, written in the documented formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cost_models.reports import read_report, read_reports

DATA = Path(__file__).parent / "data"
TIMES = ("interval_cycles", "latency_cycles", "clock_ns", "target_clock_ns")


def stated(file: str) -> dict[str, Any]:
    """Return {instance: (kind, resources, interval, latency, clock, target)}."""
    measured = read_report(DATA / file)
    found = {
        m.instance: (m.kind, dict(m.resources), *(getattr(m, t) for t in TIMES)) for m in measured
    }
    assert len(found) == len(measured)
    return found


def use(
    lut: float | None = None,
    ff: float | None = None,
    dsp: float | None = None,
    bram18: float | None = None,
    uram: float | None = None,
) -> dict[str, float]:
    values = {"lut": lut, "ff": ff, "dsp": dsp, "bram18": bram18, "uram": uram}
    return {k: v for k, v in values.items() if v is not None}


EXPECTED: dict[str, dict[str, Any]] = {
    "vitis_hls_2023.2_csynth.xml": {
        "digits_top": ("csynth", use(2302, 1201, 3, 5, 0), 260, 390, 7.212, 10.0),
        "conv1": ("csynth", use(702, 401, 0, 5, 0), None, None, 6.1, 10.0),
        "dense2": ("csynth", use(640, 350, 3), 65, 66, 7.212, 10.0),
    },
    "vivado_hls_2019.1_csynth.xml": {
        "dense": ("csynth", use(142, 88, 2, 1), 16, 17, 5.401, 5.0),
    },
    "vivado_hls_2018.2_csynth.rpt": {
        "dense": ("csynth", use(1700, 912, 4, 7), 128, 420, 4.125, 5.0),
    },
    "vitis_hls_2024.1_csynth.rpt": {
        "mvau_0": ("csynth", use(4033, 6600, 1, 11, 0), None, None, 3.65, 5.0),
    },
    "vitis_hls_2024.1_summary.rpt": {
        "digits_top": ("csynth", use(4085, 6613, 1, 11), None, None, None, None),
        "mvau_0": ("csynth", use(1655, 626, 1), 98, 102, None, None),
    },
    "vivado_2020.1_utilization_synth.rpt": {
        "digits_wrapper": ("synth", use(7451, 8932, 5, 35), None, None, None, None),
    },
    "vivado_2023.2_utilization_placed.rpt": {
        "digits_wrapper": ("route", use(2759, 3185, 48, 4, 3), None, None, None, None),
    },
    "vivado_2022.2_utilization_hierarchical.rpt": {
        "digits_wrapper": ("route", use(1000, 1500, 4, 7, 1), None, None, None, None),
        "digits_wrapper/conv1": ("route", use(600, 900, 4, 6, 0), None, None, None, None),
        "digits_wrapper/conv1/mul": ("route", use(100, 64, 4, 0, 0), None, None, None, None),
        "digits_wrapper/dense2": ("route", use(390, 580, 0, 1, 1), None, None, None, None),
    },
    "vivado_utilization_hierarchical.xml": {
        "digits_wrapper": ("route", use(1164, 1434, 2, 37), None, None, None, None),
        "digits_wrapper/conv1": ("route", use(673, 750, 2, 35), None, None, None, None),
    },
    "vivado_2018.2_timing_synth.rpt": {
        "digits": ("synth", {}, None, None, 5.932, 5.0),
    },
    "vivado_2022.2_timing_summary_routed.rpt": {
        "digits_wrapper": ("route", {}, None, None, 4.582, 5.0),
    },
    "vivado_hls_2019.2_export.rpt": {
        "": ("synth", use(14357, 7208, 51, 49, 0), None, None, 5.932, 5.0),
    },
    "estimate_layer_resources.json": {
        "MVAU_hls_0": ("estimate", use(6741, None, 0, 36, 0), None, None, None, None),
        "LabelSelect_hls_0": ("estimate", use(0, None, 0, 0, 0), None, None, None, None),
        "total": ("estimate", use(6741, None, 0, 36, 0), None, None, None, None),
    },
    "estimate_layer_cycles.json": {
        "MVAU_hls_0": ("estimate", {}, 98, None, None, None),
        "MVAU_hls_1": ("estimate", {}, 64, None, None, None),
    },
    "estimate_network_performance.json": {
        "": ("estimate", {}, 98, 252, None, 10.0),
    },
    "estimate_layer_resources_hls.json": {
        "MVAU_hls_0": ("csynth", use(2679, 1129, 2, 3, 0), None, None, None, None),
    },
    "post_synth_resources.json": {
        "(top)": ("route", use(6342, 9070, 2, 11), None, None, None, None),
        "MVAU_hls_0": ("route", use(2100, 3000, 2, 2), None, None, None, None),
    },
    "rtlsim_performance.json": {
        "": ("simulation", {}, 440, 782, None, 10.0),
    },
    "hls4ml_report.json": {
        "": ("csynth", use(7768, 3371, 18, 4), 1029, 1030, 3.513, 5.0),
    },
    "hls4ml_report_only.json": {
        "": ("csynth", use(7768, 3371, 18, 4), 1029, 1030, 3.513, 5.0),
    },
    "yosys_0.23_stat.json": {
        "leaf": ("synth", use(8, 8, 0, 0, 0), None, None, None, None),
        "top": ("synth", use(2 * 8 + 3 + 1 + 4 + 1, 16, 0, 2, 0), None, None, None, None),
    },
    "yosys_0.70_stat.json": {
        "leaf": ("synth", use(8, 8, 0, 0, 0), None, None, None, None),
        "lram": ("synth", use(8, 0, 0, 0, 0), None, None, None, None),
        "mul": ("synth", use(0, 0, 1, 0, 0), None, None, None, None),
        "ram": ("synth", use(0, 0, 0, 1, 0), None, None, None, None),
        "top": ("synth", use(2 * 8 + 8 + 2, 16, 1, 1, 0), None, None, None, None),
    },
}


@pytest.mark.parametrize("file", EXPECTED)
def test_fields(file: str) -> None:
    assert stated(file) == EXPECTED[file]


def test_out_of_context_synthesis() -> None:
    (m,) = read_report(DATA / "ooc_synth_and_timing.json")
    assert dict(m.resources) == use(7073, 7534, 0, 35)
    assert m.kind == "route"
    assert m.target_clock_ns == pytest.approx(10.0)
    assert m.clock_ns == pytest.approx(10.0 - 0.632)


def test_yosys_layouts_agree() -> None:
    plain = stated("yosys_0.70_stat.json")
    assert stated("yosys_0.70_stat_hierarchy.json") == plain
    tech = {m.instance: m for m in read_report(DATA / "yosys_0.70_stat_tech.json")}
    assert tech["leaf"].extras["estimated_lc"] == 8
    assert tech["top"].extras == {"estimated_lc": 32, "lutram": 8, "srl": 2}
    assert tech["top"].resources["ff"] == 48


@pytest.mark.parametrize(
    ("file", "tool", "part"),
    [
        ("vitis_hls_2023.2_csynth.xml", "vitis_hls 2023.2", "xc7z020-clg400-1"),
        ("vivado_hls_2019.1_csynth.xml", "vivado_hls 2019.1", "xc7z020-clg400-1"),
        ("vivado_hls_2018.2_csynth.rpt", "vivado_hls 2018.2", "xc7z020clg400-1"),
        ("vitis_hls_2024.1_csynth.rpt", "vitis_hls 2024.1", "xczu3eg-sbva484-1-e"),
        ("vitis_hls_2024.1_summary.rpt", "vitis_hls 2024.1", "xc7z020-clg400-1"),
        ("vivado_2020.1_utilization_synth.rpt", "vivado 2020.1", "7z020clg400-1"),
        ("vivado_utilization_hierarchical.xml", "vivado", "7z020clg400-1"),
        ("vivado_2022.2_timing_summary_routed.rpt", "vivado 2022.2", "xczu3eg-sbva484"),
        ("vivado_hls_2019.2_export.rpt", "vivado 2019.2.1", "xc7z020-clg400-1"),
        ("yosys_0.70_stat_hierarchy.json", "yosys 0.70", ""),
        ("post_synth_resources.json", "", ""),
    ],
)
def test_tool_and_part(file: str, tool: str, part: str) -> None:
    assert {(m.tool, m.part) for m in read_report(DATA / file)} == {(tool, part)}


def test_ranges_keep_both_ends() -> None:
    top, unknown, dense = read_report(DATA / "vitis_hls_2023.2_csynth.xml")
    assert (top.interval_cycles_min, top.latency_cycles_min) == (130, 210)
    assert (unknown.interval_cycles_min, unknown.latency_cycles_min) == (None, None)
    assert (dense.interval_cycles_min, dense.latency_cycles_min) == (64, 66)


def test_extras() -> None:
    (flat,) = read_report(DATA / "vivado_2020.1_utilization_synth.rpt")
    assert flat.extras == {"lutram": 12, "srl": 24}
    (simulated,) = read_report(DATA / "rtlsim_performance.json")
    assert simulated.extras == {"throughput_fps": 204558.7}


def test_hierarchy_with_percentages(tmp_path: Path) -> None:
    text = (DATA / "vivado_utilization_hierarchical.xml").read_text()
    copy = tmp_path / "percent.xml"
    copy.write_text(text.replace('contents="673"', 'contents="673(1.27%)"'))
    assert read_report(copy)[1].resources["lut"] == 673


def test_name_is_the_instance_without_its_path() -> None:
    measured = read_report(DATA / "vivado_2022.2_utilization_hierarchical.rpt")
    assert [m.name for m in measured] == ["digits_wrapper", "conv1", "mul", "dense2"]


def test_folders_are_read_recursively_and_in_order(tmp_path: Path) -> None:
    deep = tmp_path / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "1.json").write_bytes((DATA / "rtlsim_performance.json").read_bytes())
    (tmp_path / "a.txt").write_text("hello\n")
    (tmp_path / "x.bin").write_bytes(b"\x00\x01" * 100)
    measured, skipped = read_reports([tmp_path, tmp_path / "absent.xml"])
    assert [m.source for m in measured] == ["1.json"]
    assert [(s.name, s.reason) for s in skipped] == [
        ("a.txt", "not a report that is read here"),
        ("x.bin", "expected text, found binary data"),
        ("absent.xml", "expected a readable file, found No such file or directory"),
    ]
