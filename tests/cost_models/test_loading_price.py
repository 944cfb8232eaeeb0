"""What loading of weights takes: by hand, and as yosys builds the Verilog."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cost_models import analytic, learned
from cost_models._loading import loader, without_loading
from dse.emit import synth_yosys
from dse.errors import ExternalToolError
from dse.ir.units import MatrixUnit
from hw_templates import folder

UNIT = MatrixUnit(
    "m", 144, 5000, 1, 36, 1, 4, 4, False, 4, "uram", "lut"
)  # 20,000 words of 144 bits


@pytest.mark.parametrize("name", ["analytic", "vivado-finn", "yosys-rtl"])
def test_loading_is_paid_for_and_blocks_are_counted(name: str) -> None:
    model = learned.named(name, "ultrascale+")
    said = model.predict(UNIT)
    assert said.expected.uram == 2 * 5
    assert said.expected.bram18 == 0
    constant = replace(UNIT, pe=144, simd=5000)  # one word
    assert model.predict(constant).expected.uram == 0
    # as many LUTs as the same constant in LUTs
    in_luts = model.predict(replace(constant, memory="lutram")).expected
    assert model.predict(constant).expected.lut == pytest.approx(float(in_luts.lut), rel=0.5)
    many = model.predict(replace(UNIT, pe=np.array([1, 36, 144]), simd=np.array([1, 1, 5000])))
    assert (many.low.ff <= many.expected.ff).all()
    assert (many.expected.lut <= many.high.lut).all()
    assert many.expected.uram.tolist() == [176, 10, 0]


def test_bram_and_uram_differ_by_theloader_alone() -> None:
    model = analytic.load("ultrascale+")
    uram, bram = (model.predict(replace(UNIT, memory=m)).expected for m in ("uram", "bram"))
    # a word in the making, one that is handed on, 15 bits of 20,000 rows, 2 of 3 parts, 3 of 5 blocks, 4 more
    assert uram.ff - bram.ff == pytest.approx(192 + 64 + 15 + 2 + 3 + 4)
    assert uram.lut - bram.lut == pytest.approx(16 + 144 * 2)


def test_what_a_report_says_is_learned_from_without_the_loader() -> None:
    said = analytic.load("ultrascale+").predict(UNIT).expected
    plain = analytic.load("ultrascale+").predict(replace(UNIT, memory="bram")).expected
    for resource in ("lut", "ff"):
        found = without_loading(float(getattr(said, resource)), resource, UNIT)
        assert found == pytest.approx(float(getattr(plain, resource)))
    assert without_loading(10.0, "uram", UNIT) == 10
    assert without_loading(200.0, "ff", replace(UNIT, memory="bram")) == 200
    assert without_loading(3.0, "ff", UNIT) == 1


def test_yosys_counts_what_is_predicted(tmp_path: Path) -> None:
    try:
        tool = synth_yosys.find()
    except ExternalToolError as e:
        pytest.skip(str(e))
    source = folder("rtl") / "loaded_memory.v"
    (tmp_path / source.name).write_text(source.read_text())
    commands = synth_yosys.script(
        "loaded_memory",
        {"WIDTH": "144", "DEPTH": "4096"},
        [source.name],
        family="xcup",
        dsp=False,
    ).replace("read_verilog -defer ; ", "")
    report = synth_yosys.synthesise(tool, commands, "m", tmp_path, 300.0)
    cells = next(iter(report["modules"].values()))["num_cells_by_type"]
    unit = replace(UNIT, mh=36, mw=4096)
    lut, ff = loader(unit)
    assert cells["URAM288"] == analytic.load("ultrascale+").predict(unit).expected.uram == 2
    assert cells["FDRE"] == ff
    counted = sum(n for cell, n in cells.items() if cell.startswith("LUT"))
    assert counted == pytest.approx(lut, abs=8)
