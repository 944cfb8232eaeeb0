"""`*_csynth.xml` and `csynth.xml` of Vivado HLS and Vitis HLS: the top function and its modules."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._numbers import Ends, cycles, interval_of, number, resources
from dse.ir.measurement import Measurement


def recognises(path: Path, head: str) -> bool:
    """Whether the root element is <profile>."""
    return re.match(r"\s*(<\?xml[^>]*>\s*)?<profile[\s>]", head) is not None


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return the function the report is about, then the modules below it where the file lists them.

    Raises:
        ReportError: the file is damaged.
    """
    file = load(path)
    root = file.xml("profile")
    version = _text(file, root, "ReportVersion/Version")
    user = _element(file, root, "UserAssignments")
    unit = user.findtext("unit", "ns").strip()
    if unit != "ns":
        raise ReportError(file.name, "times in ns", unit)
    top = _text(file, user, "TopModelName")
    target = number(file, "TargetClockPeriod", _text(file, user, "TargetClockPeriod"))
    # Vitis HLS took over in 2020.2; both shipped in 2020.1, where only Vitis HLS writes a flow target
    vitis = user.find("FlowTarget") is not None or _year(file, version) >= (2020, 2)
    tool = f"{'vitis_hls' if vitis else 'vivado_hls'} {version}"
    part = _text(file, user, "Part")

    def measure(element: ET.Element, name: str) -> Measurement:
        clock, latency, interval = _performance(file, element)
        area = _element(file, element, "AreaEstimates/Resources")
        stated = resources(file, {tag.tag: tag.text for tag in area})
        if not stated:
            raise ReportError(file.name, f"resources of {name}", "none")
        return file.measurement(
            name,
            "csynth",
            stated,
            interval=interval,
            latency=latency,
            clock_ns=clock,
            target_clock_ns=target,
            tool=tool,
            part=part,
        )

    modules = [(m, _text(file, m, "Name")) for m in root.iterfind("ModuleInformation/Module")]
    below = [measure(m, name) for m, name in modules if name != top]
    return (measure(root, top), *below)


def _performance(file: ReportFile, element: ET.Element) -> tuple[float | None, Ends, Ends]:
    """Return the estimated clock, the latency and the interval."""
    estimates = _element(file, element, "PerformanceEstimates")
    clock = estimates.findtext("SummaryOfTimingAnalysis/EstimatedClockPeriod")
    overall = estimates.find("SummaryOfOverallLatency")
    if overall is None:
        return _clock(file, clock), (None, None), (None, None)
    latency = _ends(file, overall, "Best-caseLatency", "Worst-caseLatency")
    interval = _ends(file, overall, "Interval-min", "Interval-max")
    initiation = overall.findtext("PipelineInitiationInterval")
    if interval == (None, None) and initiation is not None:  # modules of csynth.xml have only this
        interval = cycles(file, "PipelineInitiationInterval", initiation)
    return _clock(file, clock), latency, interval_of(latency, interval)


def _clock(file: ReportFile, text: str | None) -> float | None:
    return None if text is None else number(file, "EstimatedClockPeriod", text)


def _ends(file: ReportFile, parent: ET.Element, best: str, worst: str) -> Ends:
    low, high = parent.findtext(best), parent.findtext(worst)
    return (
        None if low is None else cycles(file, best, low)[0],
        None if high is None else cycles(file, worst, high)[1],
    )


def _element(file: ReportFile, parent: ET.Element, path: str) -> ET.Element:
    found = parent.find(path)
    if found is None:
        raise ReportError(file.name, f"<{path}> in <{parent.tag}>", "none")
    return found


def _text(file: ReportFile, parent: ET.Element, path: str) -> str:
    text = (_element(file, parent, path).text or "").strip()
    if not text:
        raise ReportError(file.name, f"text in <{path}>", "none")
    return text


def _year(file: ReportFile, version: str) -> tuple[int, int]:
    match = re.match(r"(\d{4})\.(\d+)", version, re.ASCII)
    if match is None:
        raise ReportError(file.name, "a version such as 2023.2", repr(version))
    return int(match[1]), int(match[2])
