"""Every real report beside the project, against a second, independent reading of it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cost_models.reports import read_report, read_reports
from cost_models.reports._file import HEAD_BYTES
from cost_models.reports._read import PACKAGE
from dse.ir import plugins
from dse.ir.measurement import Measurement

DSP = ("DSP", "DSP48E")


def files(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.rglob(pattern))
    assert found, pattern
    return found


def whole(text: str | None) -> int | None:
    return None if text is None or text in ("undef", "?", "-") else int(text)


def first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return found[1]


def test_every_file_is_read_by_one_parser_or_left_out_with_a_reason(real_reports: Path) -> None:
    parsers = {n: plugins.load(PACKAGE, n) for n in plugins.names(PACKAGE)}
    known: Counter[str] = Counter()
    for path in (p for p in files(real_reports, "*") if p.is_file()):
        head = path.read_text(errors="replace")[:HEAD_BYTES]
        names = [n for n, parser in parsers.items() if parser.recognises(path, head)]
        assert len(names) <= 1, path
        known[names[0] if names else "left out"] += 1
    measured, skipped = read_reports([real_reports])
    assert known["left out"] == len(skipped)
    # two files are no report of any tool: a licence and a README
    unknown = [s.name for s in skipped if s.reason == "not a report that is read here"]
    assert sorted(Path(n).name for n in unknown) == ["LICENSE", "README.md"]
    assert not [s for s in skipped if s.reason.startswith("expected")]
    assert known["hls_csynth_xml"] == 268
    assert known["hls_csynth_rpt"] + known["hls_summary_rpt"] == 19 + 13 + 24 + 23
    assert known["vivado_utilization"] == 80
    assert known["vivado_utilization_xml"] == 3
    assert known["vivado_timing"] == known["hls_export_rpt"] == 19
    assert known["yosys_stat"] == 33
    assert len(measured) > 900


def test_no_name_of_a_person_or_a_machine_comes_out(real_reports: Path) -> None:
    text = repr(read_reports([real_reports])[0])
    for word in ("/home", "Host", "host ", "@", str(real_reports)):
        assert word not in text


def test_csynth_xml(real_reports: Path) -> None:
    for path in files(real_reports, "*csynth.xml"):
        root = ET.parse(path).getroot()
        measured = read_report(path)
        below = {m.findtext("Name"): m for m in root.iter("Module")}
        top = root.findtext("UserAssignments/TopModelName")
        assert [m.instance for m in measured] == [top, *(n for n in below if n != top)]
        for m in measured:
            element = root if m.instance == top else below[m.instance]
            check_csynth(m, element)
            assert m.target_clock_ns == float(root.findtext(".//TargetClockPeriod") or "")
            assert m.tool.split()[1] == root.findtext(".//Version")
            assert m.part == root.findtext(".//Part")


def check_csynth(m: Measurement, element: ET.Element) -> None:
    area = element.find("AreaEstimates/Resources")
    assert area is not None
    texts = {t.tag: float(t.text or "") for t in area if t.text and t.text.isdigit()}
    dsp = next(tag for tag in DSP if tag in texts)
    names = {"LUT": "lut", "FF": "ff", dsp: "dsp", "BRAM_18K": "bram18", "URAM": "uram"}
    assert m.resources == {name: texts[tag] for tag, name in names.items() if tag in texts}
    estimates = element.find("PerformanceEstimates")
    assert estimates is not None
    assert m.latency_cycles == whole(estimates.findtext(".//Worst-caseLatency"))
    assert m.latency_cycles_min == whole(estimates.findtext(".//Best-caseLatency"))
    interval = estimates.findtext(".//Interval-max") or estimates.findtext(
        ".//PipelineInitiationInterval"
    )
    expected = whole(interval)
    if m.latency_cycles is None and expected == 0:  # a loop of unknown length
        expected = None
    assert m.interval_cycles == expected
    assert m.clock_ns == float(estimates.findtext(".//EstimatedClockPeriod") or "")


def test_csynth_rpt(real_reports: Path) -> None:
    texts = [(p, p.read_text(errors="replace")) for p in files(real_reports, "*.rpt")]
    reports = [(p, t) for p, t in texts if " HLS Report for '" in t]
    assert len(reports) == 79 - 6
    for path, text in reports:
        (m,) = read_report(path)
        assert m.instance == first(r"HLS Report for '(.*)'", text)
        columns = [c.strip() for c in first(r"^\|\s+Name\s+\|(.*)\|$", text).split("|")]
        total = [c.strip() for c in first(r"^\|Total\s+\|(.*)\|$", text).split("|")]
        cells = dict(zip(columns, total, strict=True))
        for names, key in ((("LUT",), "lut"), (("FF",), "ff"), (DSP, "dsp")):
            assert m.resources[key] == float(next(cells[n] for n in names if n in cells))
        assert m.resources["bram18"] == float(cells["BRAM_18K"])
        target, estimated = re.findall(r"[\d.]+", first(r"^\s+\|ap_clk\s*\|(.*)$", text))[:2]
        assert (m.target_clock_ns, m.clock_ns) == (float(target), float(estimated))
        row = first(r"Type\s+\|\n\s*\+[-+]+\+\n\s*\|(.*)\|$", text).split("|")
        numbers = [c.strip() for c in row]
        assert (m.latency_cycles_min, m.latency_cycles) == (whole(numbers[0]), whole(numbers[1]))
        if numbers[0] == "?" and numbers[-2] == "0":  # a loop of unknown length
            assert m.interval_cycles is None
        else:
            assert m.interval_cycles_min == whole(numbers[-3])
            assert m.interval_cycles == whole(numbers[-2])


def test_reports_of_one_run_agree(real_reports: Path) -> None:
    """The .rpt of a module, the summary and the XML beside them state the same."""
    compared: Counter[str] = Counter()
    for xml in files(real_reports, "*csynth.xml"):
        text = xml.with_suffix(".rpt")
        if not text.exists():
            continue
        stated = {m.instance: m for m in read_report(xml)}
        for m in read_report(text):
            other = stated.get(m.instance) or next(iter(stated.values()))
            compared["summary" if text.name == "csynth.rpt" else "module"] += 1
            assert m.resources.items() <= other.resources.items()
            if text.name != "csynth.rpt":  # the summary leaves out that a loop rewinds
                assert m.interval_cycles == other.interval_cycles
            assert m.latency_cycles == other.latency_cycles
            assert (m.tool.split()[1], m.part) == (other.tool.split()[1], other.part)
    assert compared["module"] >= 40
    assert compared["summary"] >= 12


def test_utilization_rpt(real_reports: Path) -> None:
    texts = [(p, p.read_text(errors="replace")) for p in files(real_reports, "*.rpt")]
    for path, text in ((p, t) for p, t in texts if "report_utilization" in t):
        (m,) = read_report(path)

        def used(label: str, text: str = text) -> float:
            return float(first(rf"^\|\s*{label}\*?\s*\|\s*([\d.]+)", text))

        assert m.resources["lut"] == used("(?:Slice|CLB) LUTs")
        assert m.resources["ff"] == used("Register as Flip Flop") + used("Register as Latch")
        assert m.resources["dsp"] == used("DSPs")
        assert m.resources["bram18"] == 2 * used("Block RAM Tile")
        assert m.resources["bram18"] == 2 * used("RAMB36/FIFO") + used("RAMB18")
        assert ("uram" in m.resources) == ("| URAM " in text)
        assert m.instance == first(r"^\| Design\s+: (\S+)", text)
        state = first(r"^\| Design State : (.*?)\s*$", text)
        assert m.kind == {"Fully Placed": "route"}.get(state, "synth")


def test_utilization_xml(real_reports: Path) -> None:
    for path in (*files(real_reports, "synth_report.xml"), *files(real_reports, "post_synth*.xml")):
        rows = [
            [c.get("contents") or "" for c in row]
            for row in ET.parse(path).getroot().iter("tablerow")
        ]
        titles = rows[0]
        cells = [dict(zip(titles, row, strict=True)) for row in rows[1:]]
        inner = [c for c in cells if not c["Instance"].strip().startswith("(")]
        measured = read_report(path)
        assert [m.name for m in measured] == [c["Instance"].strip() for c in inner]
        for m, cell in zip(measured, inner, strict=True):
            assert m.resources["lut"] == int(cell["Total LUTs"])
            assert m.resources["ff"] == int(cell["FFs"])
            assert m.resources["bram18"] == 2 * int(cell["RAMB36"]) + int(cell["RAMB18"])
            assert m.instance.count("/") == (len(cell["Instance"]) - len(m.name)) // 2
        assert len({m.instance for m in measured}) == len(measured)


def test_timing_and_export_of_one_run_agree(real_reports: Path) -> None:
    for path in files(real_reports, "myproject_export.rpt"):
        (export,) = read_report(path)
        (timing,) = read_report(path.with_name("myproject_timing_synth.rpt"))
        (used,) = read_report(path.with_name("myproject_utilization_synth.rpt"))
        text = path.read_text()
        assert export.clock_ns == float(first(r"post-synthesis:\s+([\d.]+)", text))
        assert timing.clock_ns == export.clock_ns
        assert timing.target_clock_ns == export.target_clock_ns == 5.0
        assert export.resources == used.resources
        assert export.kind == timing.kind == used.kind == "synth"


def layers(value: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    for name, entry in value.items():
        yield name, {k: float(v) for k, v in entry.items()}


def test_finn_json(real_reports: Path) -> None:
    for path in files(real_reports, "estimate_layer_resources*.json"):
        measured = {m.instance: m for m in read_report(path)}
        stated = dict(layers(json.loads(path.read_text())))
        assert measured.keys() == stated.keys()
        hls = path.name.endswith("hls.json")
        for name, m in measured.items():
            assert m.kind == ("csynth" if hls else "estimate")
            tags = {"LUT": "lut", "BRAM_18K": "bram18", "DSP48E" if hls else "DSP": "dsp"}
            assert {t: m.resources[n] for t, n in tags.items()} == {
                t: stated[name][t] for t in tags
            }
            assert m.resources.get("ff") == stated[name].get("FF")
    for path in files(real_reports, "estimate_layer_cycles.json"):
        value = json.loads(path.read_text())
        assert {m.instance: m.interval_cycles for m in read_report(path)} == value
    for path in files(real_reports, "estimate_network_performance.json"):
        value = json.loads(path.read_text())
        (m,) = read_report(path)
        assert m.interval_cycles == value["max_cycles"]
        assert m.latency_cycles == value["critical_path_cycles"]
        assert m.target_clock_ns == pytest.approx(
            1e9 / value["estimated_throughput_fps"] / value["max_cycles"]
        )


def test_finn_rtl_simulation(real_reports: Path) -> None:
    (path,) = files(real_reports, "rtlsim_performance.json")
    (m,) = read_report(path)
    assert (m.kind, m.interval_cycles, m.latency_cycles) == ("simulation", 440, 782)
    assert m.target_clock_ns == 200


def test_hls4ml_json(real_reports: Path) -> None:
    paths = files(real_reports / "hls4ml_official", "*Vi*.json")
    assert len(paths) == 60
    for path in paths:
        (m,) = read_report(path)
        report = json.loads(path.read_text())["CSynthesisReport"]
        assert m.resources["lut"] == int(report["LUT"])
        assert m.resources["dsp"] == int(report.get("DSP", report.get("DSP48E", "-1")))
        assert m.latency_cycles == whole(report["WorstLatency"])
        assert m.interval_cycles == whole(report["IntervalMax"])
        assert m.clock_ns == float(report["EstimatedClockPeriod"])


def test_yosys(real_reports: Path) -> None:
    table = real_reports.parent / "tables" / "yosys_vs_csynth.csv"
    if not table.is_file():
        pytest.skip("the table of the yosys runs is not beside the reports")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    index = {name: i for i, name in enumerate(rows[0])}
    published = {f"{r[0]}__{r[1]}__myproject_{r[2]}": r for r in rows[1:]}
    for path in files(real_reports, "yosys_stat/*.json"):
        (m,) = read_report(path)
        row = published[path.stem]
        assert f"\\{m.instance}" in json.loads(path.read_text())["modules"]
        assert m.resources["lut"] == float(row[index["LUT_ys"]]) + float(row[index["SRL_ys"]])
        assert m.resources["ff"] == float(row[index["FF_ys"]])
        assert m.resources["dsp"] == float(row[index["DSP_ys"]])
        assert m.tool == "yosys 0.23"
    for path in files(real_reports, "yosys_stat_0.70/*.json"):
        (m,) = read_report(path)
        cells = next(iter(json.loads(path.read_text())["modules"].values()))["num_cells_by_type"]
        assert m.resources["ff"] == sum(v for k, v in cells.items() if k.startswith("FD"))
        assert m.tool == "yosys 0.70"
