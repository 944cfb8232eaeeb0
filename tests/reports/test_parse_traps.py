"""Known traps of real reports: copied files, mislabelled runs, units and spellings that changed."""

from __future__ import annotations

from pathlib import Path

from cost_models.reports import read_report, read_reports
from dse.ir.measurement import Measurement

CNN = "hls4ml_cnn_vivado2018.2_2019.2/latency_analysis/core"


def numbers(measured: tuple[Measurement, ...]) -> list[tuple[object, ...]]:
    return [(m.instance, m.resources, m.latency_cycles, m.clock_ns) for m in measured]


def test_a_run_that_repeats_another_can_be_told(real_reports: Path) -> None:
    """jet_tagging: what is filed as LUT_reuse1 is a copy of DSP_reuse1; the digests of the XML show it."""
    runs = real_reports / "hls4ml_mlp_vitis2021.1" / "jet_tagging" / "hls4ml_prj"
    dsp, lut = (read_reports([runs / name])[0] for name in ("DSP_reuse1", "LUT_reuse1"))
    assert numbers(dsp) == numbers(lut)
    other = read_reports([runs / "LUT_reuse2"])[0]
    assert numbers(other) != numbers(read_reports([runs / "DSP_reuse2"])[0])


def test_a_copied_utilization_report_has_the_digest_of_its_original(real_reports: Path) -> None:
    four, eight = (
        read_report(next((real_reports / CNN / n).rglob("myproject_utilization_synth.rpt")))
        for n in ("model4", "model8")
    )
    assert four[0].sha256 == eight[0].sha256
    assert four == eight


def test_an_estimate_may_miss_its_target(real_reports: Path) -> None:
    measured, _ = read_reports([real_reports / "hls4ml_mlp_vitis2021.1"])
    missed = {
        (m.clock_ns, m.target_clock_ns)
        for m in measured
        if m.clock_ns is not None
        and m.target_clock_ns is not None
        and m.clock_ns > m.target_clock_ns
    }
    assert {(5.282, 3.33), (5.282, 5.0)} <= missed


def test_block_ram_is_in_blocks_of_18_kb_everywhere(real_reports: Path) -> None:
    """The same memory as tiles of 36 Kb with halves (Vivado), and as BRAM_18K (HLS export)."""
    for path in (real_reports / CNN).rglob("myproject_export.rpt"):
        (export,) = read_report(path)
        (vivado,) = read_report(path.with_name("myproject_utilization_synth.rpt"))
        assert (
            export.resources["bram18"]
            == vivado.resources["bram18"]
            == int(export.resources["bram18"])
        )


def test_dsp_tags_of_all_versions_are_one_resource(real_reports: Path) -> None:
    measured, _ = read_reports([real_reports])
    tools = {m.tool for m in measured if m.kind == "csynth" and m.resources.get("dsp")}
    assert {"vivado_hls 2018.2", "vivado_hls 2019.2.1", "vivado_hls 2020.1"} <= tools
    assert {"vitis_hls 2021.1", "vitis_hls 2023.2", "vitis_hls 2024.2", ""} <= tools


def test_undefined_latency_is_none(real_reports: Path) -> None:
    folder = real_reports / "finn_tfc_vitis2024.2"
    (path, *_) = sorted(folder.rglob("StreamingDataflowPartition_0_IODMA_hls_0_csynth.xml"))
    for report in (path, path.with_suffix(".rpt")):
        (m,) = read_report(report)
        assert (m.latency_cycles, m.interval_cycles) == (None, None)
        assert m.resources["lut"] > 0


def test_layer_names_of_all_finn_versions(real_reports: Path) -> None:
    folders = ("finn_facile", "finn_dac2026", "finn_tesis", "finn_tfc_vitis2024.2")
    names = {m.name.rsplit("_", 1)[0] for m in read_reports([real_reports / f for f in folders])[0]}
    assert {"StreamingFCLayer_Batch", "MVAU_hls", "MVAU_rtl", "LabelSelect_hls"} <= names


def test_a_design_may_exceed_its_device(real_reports: Path) -> None:
    measured, _ = read_reports([real_reports / "hls4ml_mlp_vitis2021.1" / "ARRYTHMIA"])
    small = [m.resources["lut"] for m in measured if m.part == "xc7z007s-clg225-2"]
    assert max(small) > 14_400  # LUTs of an XC7Z007S


def test_optimized_is_a_netlist_before_placement(real_reports: Path) -> None:
    measured, _ = read_reports([real_reports / "hls4ml_layernorm_vitis2023.2"])
    assert {m.kind for m in measured if m.tool == "vivado 2023.2"} == {"synth"}
