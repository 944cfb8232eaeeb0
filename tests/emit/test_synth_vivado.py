"""Vivado on an emitted Verilog project: its script, and the whole path with a stand-in of the tool.

The stand-in is tclsh with Vivado's commands: it records the calls, and writes reports in Vivado's
format with numbers of our own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dse.calibration.project import read_projects
from dse.cli import cli
from dse.emit import vendor
from dse.emit.project import HlsProject
from dse.errors import ExternalToolError, UsageError

VIVADO = """#!/usr/bin/env tclsh
set home [file dirname [file normalize [info script]]]
set calls [open $home/calls.txt w]
puts $calls "argv $argv"
foreach name {read_verilog read_xdc synth_design opt_design place_design phys_opt_design route_design} {
    proc $name args "puts $calls \\[list $name {*}\\$args]"
}
proc emit {name file} {
    global home state
    set source [open $home/$name.rpt]
    set target [open $file w]
    puts -nonewline $target [string map [list STATE $state] [read $source]]
    close $target
    close $source
}
proc report_utilization args {
    emit [expr {"-hierarchical" in $args ? "hierarchy" : "flat"}] [lindex $args end]
}
proc report_timing_summary args { emit timing [lindex $args end] }
set state Synthesized
rename route_design routed
proc route_design args { global state; set state Routed; routed {*}$args }
set script [lindex $argv [lsearch $argv -source]+1]
set at [lsearch $argv -tclargs]
set argv [expr {$at < 0 ? {} : [lrange $argv $at+1 end]}]
if {[file exists $home/broken]} { puts "ERROR: \\[Synth 8-439] module 'x' not found"; exit 1 }
source $script
"""
HEADER = """\
Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
-----------------------------------------------------
| Tool Version : Vivado v.2023.2 (lin64) Build 1 Mon Jan  1 12:00:00 MDT 2023
| Command      : {command}
| Design       : accelerator
| Device       : xc7z020clg400-1
| Design State : STATE
-----------------------------------------------------

"""
CONTENTS = "Table of Contents\n-----------------\n{0}\n\n{0}\n-----------------\n\n"
TIMING = """\
-------------------------
| Design Timing Summary
| ---------------------
-------------------------

    WNS(ns)      TNS(ns)
    -------      -------
      2.345        0.000

-------------------------
| Clock Summary
| -------------
-------------------------

Clock   Waveform(ns)         Period(ns)      Frequency(MHz)
-----   ------------         ----------      --------------
ap_clk  {0.000 5.000}        10.000          100.000

-------------------------
| Intra Clock Table
| -----------------
-------------------------

Clock       WNS(ns)      TNS(ns)
-----       -------      -------
ap_clk        2.345        0.000

-------------------------
| Inter Clock Table
| -----------------
-------------------------

From Clock    To Clock          WNS(ns)      TNS(ns)
----------    --------          -------      -------

-------------------------
| Other Path Groups Table
| -----------------------
-------------------------

Path Group    From Clock    To Clock          WNS(ns)      TNS(ns)
----------    ----------    --------          -------      -------


"""


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table as Vivado draws it."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    border = "+" + "+".join("-" * (w + 2) for w in widths) + "+\n"
    lines = ["|".join(f" {c:<{w}} " for c, w in zip(r, widths, strict=True)) for r in rows]
    head = "|".join(f" {c:<{w}} " for c, w in zip(columns, widths, strict=True))
    return border + f"|{head}|\n" + border + "".join(f"|{line}|\n" for line in lines) + border


def reports(instances: list[str]) -> dict[str, str]:
    """Return reports of a design whose instance number k has 100 + k LUTs and 10 + k registers."""
    columns = ["Instance", "Module", "Total LUTs", "FFs", "RAMB36", "RAMB18", "DSP Blocks"]
    n = len(instances)
    rows = [["accelerator", "(top)", str(200 * n), str(20 * n), "1", "3", "2"]]
    rows.append(["  (accelerator)", "accelerator", "7", "9", "0", "0", "0"])
    for k, name in enumerate(instances):
        rows.append([f"  {name}", "m", str(100 + k), str(10 + k), "0", str(k % 2), "0"])
        rows.append(["    inner", "i", "50", "5", "0", "0", "0"])
    sites = [["Slice LUTs", str(200 * n)], ["Slice Registers", str(20 * n)]]
    return {
        "hierarchy": HEADER.format(command="report_utilization -hierarchical -file h.rpt")
        + CONTENTS.format("1. Utilization by Hierarchy")
        + table(columns, rows)
        + "\n\n",
        "flat": HEADER.format(command="report_utilization -file u.rpt")
        + CONTENTS.format("1. Slice Logic")
        + table(["Site Type", "Used"], sites)
        + "\n\n",
        "timing": HEADER.format(command="report_timing_summary -file t.rpt") + TIMING,
    }


@pytest.fixture
def project(tiny: Any, tmp_path: Path, emit_rtl: Any) -> Path:
    written = emit_rtl(tiny)
    return written.write(tmp_path / "with a space")


@pytest.fixture
def vivado(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in on PATH, and return its folder."""
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not on PATH")
    home = tmp_path / "tools"
    home.mkdir()
    monkeypatch.setenv("PATH", str(home), prepend=":")
    (home / "vivado").write_text(VIVADO)
    (home / "vivado").chmod(0o755)
    manifest = json.loads((project / "design.json").read_text())
    for name, text in reports([i for u in manifest["units"] for i in u["instances"]]).items():
        (home / f"{name}.rpt").write_text(text)
    return home


def dse_synth(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["synth", *map(str, arguments)])


def test_synthesis(project: Path, vivado: Path) -> None:
    run = dse_synth(project, "--tool", "vivado", "--json")
    assert run.exit_code == 0, run.output
    value = json.loads(run.stdout)
    assert (value["tool"], value["stage"]) == ("vivado 2023.2", "synthesised, not placed")
    assert value["clock_ns"] == pytest.approx(10.0 - 2.345)
    manifest = json.loads((project / "design.json").read_text())
    names = [u["name"] for u in manifest["units"]]
    assert [u["name"] for u in value["units"]] == [*names, "accelerator"]
    for k, unit in enumerate(value["units"][:-1]):
        assert unit["reported"] == {"lut": 100 + k, "ff": 10 + k, "bram18": k % 2, "dsp": 0}
        assert unit["predicted"]["lut"] > 0
    whole = value["units"][-1]
    assert whole["kind"] == ""
    assert whole["reported"] == {
        "lut": 200 * len(names),
        "ff": 20 * len(names),
        "bram18": 2 * 1 + 3,
        "dsp": 2,
    }
    assert whole["predicted"]["lut"] == pytest.approx(
        sum(u["predicted"]["lut"] for u in value["units"][:-1])
    )
    # `dse calibrate` finds the same
    records, _ = read_projects([project], None, None)
    assert {r.instance: dict(r.actual) for r in records} == {
        u["name"]: u["reported"] for u in value["units"][:-1]
    }


def test_script(project: Path, vivado: Path) -> None:
    run = dse_synth(project, "--tool", "vivado")
    assert run.exit_code == 0, run.output
    calls = (vivado / "calls.txt").read_text().splitlines()
    sources = " ".join(sorted(p.name for p in (project / "rtl").glob("*.v")))
    assert calls[1:] == [
        f"read_verilog {{{sources}}}",
        "read_xdc ../vivado/clock.xdc",
        "synth_design -top accelerator -part xc7z020clg400-1 -mode out_of_context",
    ]
    clock = (project / "vivado" / "clock.xdc").read_text().splitlines()[-1]
    assert clock == "create_clock -period 10.000 -name ap_clk [get_ports ap_clk]"
    kept = {p.name for p in (project / "reports" / "vivado").iterdir()}
    assert kept == {"hierarchy_synth.rpt", "utilization_synth.rpt", "timing_synth.rpt"}


def test_place(project: Path, vivado: Path) -> None:
    run = dse_synth(project, "--tool", "vivado", "--place")
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert lines[0] == (
        "by vivado 2023.2 for 7series (xc7z020clg400-1): placed and routed;"
        " a period of 7.655 ns is met"
    )
    assert " | placed and routed, predicted / placed and routed - 1" in lines[2]
    calls = (vivado / "calls.txt").read_text().splitlines()
    assert calls[-4:] == ["opt_design", "place_design", "phys_opt_design", "route_design"]
    # reports of both stages are kept, and say which they are
    records, _ = read_projects([project], None, None)
    assert {r.origin.stage for r in records} == {"synth", "route"}
    # a run without --place leaves none of them behind
    assert dse_synth(project, "--tool", "vivado").exit_code == 0
    assert not list((project / "reports" / "vivado").glob("*_routed.rpt"))


def test_without_vivado(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = dse_synth(project, "--tool", "vivado", "--place")
    assert isinstance(run.exception, UsageError)
    assert f"cd {project / 'vivado'} && vivado -mode batch" in str(run.exception)
    assert "-source run_vivado.tcl -tclargs place`" in str(run.exception)


def test_what_vivado_says_is_shown(project: Path, vivado: Path) -> None:
    assert dse_synth(project, "--tool", "vivado").exit_code == 0
    (vivado / "broken").touch()
    run = dse_synth(project, "--tool", "vivado")
    assert isinstance(run.exception, ExternalToolError)
    assert "ended with status 1:\nERROR: [Synth 8-439] module 'x' not found" in str(run.exception)


def test_a_report_that_is_cut_short(project: Path, vivado: Path) -> None:
    report = vivado / "hierarchy.rpt"
    report.write_text(report.read_text()[:-80])
    run = dse_synth(project, "--tool", "vivado")
    assert isinstance(run.exception, ExternalToolError)
    assert "hierarchy_synth.rpt" in str(run.exception)


def test_options_that_do_not_go_together(
    project: Path, emit: Callable[[Any], HlsProject], tiny: Any, tmp_path: Path
) -> None:
    hls = emit(tiny).write(tmp_path / "hls")
    for arguments, message in (
        ((project, "--place"), "--place needs --tool vivado"),
        ((project, "--tool", "vivado", "--unit", "output"), "leave --unit and --no-top out"),
        ((project, "--tool", "vivado", "--no-top"), "leave --unit and --no-top out"),
        ((hls, "--tool", "vivado"), "need a Verilog project"),
    ):
        run = dse_synth(*arguments)
        assert isinstance(run.exception, UsageError), run.output
        assert message in str(run.exception)


def test_all_of_a_tool_ends_with_its_time(tmp_path: Path) -> None:
    """A wrapper script that waits for its child: the child must not live on, nor be waited for."""
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n(sleep 0.5; touch late) \necho done\n")
    tool.chmod(0o755)
    assert vendor.run([str(tool)], tmp_path, 30).stdout == "done\n"
    (tmp_path / "late").unlink()
    tool.write_text("#!/bin/sh\n(sleep 20; touch late)\necho done\n")
    with pytest.raises(ExternalToolError, match=r"tool must end within 0.2 s.*--timeout"):
        vendor.run([str(tool)], tmp_path, 0.2)
