"""What an emitted project consists of, and how it is written."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from dse.emit.names import identifier, identifiers
from dse.emit.project import HlsProject
from dse.emit.words import chunks, codes, hex_lines
from dse.errors import UsageError
from dse.ir import units as ir_units
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression, DesignPoint, Folding
from dse.ir.hardware import Board
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.lowering.pipeline import pipeline

TREE = """
Makefile
README.md
accelerator.npz
board/batch_last.v
board/block_design.tcl
csim/LICENSE
csim/NOTICE
csim/ap_axi_sdata.h
csim/ap_common.h
csim/ap_decl.h
csim/ap_fixed.h
csim/ap_fixed_base.h
csim/ap_fixed_ref.h
csim/ap_fixed_special.h
csim/ap_int.h
csim/ap_int_base.h
csim/ap_int_ref.h
csim/ap_int_special.h
csim/etc/ap_private.h
csim/hls_stream.h
design.json
driver/benchmark.py
driver/driver.py
folding_config.json
hls/hls_config.cfg
hls/run_hls.tcl
report/estimate_layer_cycles.json
report/estimate_layer_resources.json
report/estimate_network_performance.json
report/op_and_param_counts.json
src/config.h
src/kernels/activation.hpp
src/kernels/average_pool.hpp
src/kernels/axi_stream.hpp
src/kernels/constant_fill.hpp
src/kernels/depthwise_unit.hpp
src/kernels/dot.hpp
src/kernels/edge_skip_unit.hpp
src/kernels/global_sum.hpp
src/kernels/load_weights.hpp
src/kernels/matrix_unit.hpp
src/kernels/max_pool.hpp
src/kernels/numbers.hpp
src/kernels/residual_lane.hpp
src/kernels/skipping_window.hpp
src/kernels/sliding_window.hpp
src/kernels/spatial_mask.hpp
src/kernels/stream_add.hpp
src/kernels/stream_concat.hpp
src/kernels/stream_duplicate.hpp
src/kernels/stream_fork.hpp
src/kernels/tiled_matrix_unit.hpp
src/kernels/trips.hpp
src/kernels/width_converter.hpp
src/top.cpp
src/top.h
src/weights_conv_matrix.h
src/weights_fc_matrix.h
tb/expected.hex
tb/golden.h
tb/inputs.hex
tb/labels.txt
tb/layers/conv_window_in.hex
tb/layers/fc_matrix_in.hex
tb/layers/output.hex
tb/layers/pool_pool_width_in.hex
tb/layers.cpp
tb/testbench.cpp
"""


def text(project: HlsProject, name: str) -> str:
    content = project.files[PurePosixPath(name)]
    assert isinstance(content, str)
    return content


def test_tree(tiny: Any, emit: Any) -> None:
    assert [str(name) for name in emit(tiny).files] == TREE.split()


def test_same_design_same_bytes(tiny: Any, emit: Any) -> None:
    assert emit(tiny).digest == emit(tiny).digest
    assert emit(tiny).digest != emit(tiny, clock_mhz=150.0).digest


def test_every_generated_file_says_what_made_it(tiny: Any, emit: Any) -> None:
    project, design = emit(tiny), tiny[1]
    for name in (
        n for n in TREE.split() if not n.startswith(("csim/", "report/", "src/kernels/", "tb/"))
    ):
        if name not in ("accelerator.npz", "folding_config.json"):
            assert design.digest in text(project, name), name


def test_design_json_rebuilds_everything(tiny: Any, emit: Any, board: Any) -> None:
    network, design, accelerator, images, _ = tiny
    project = emit(tiny)
    value = json.loads(text(project, "design.json"))
    assert value["schema"] == "dse.design/1"
    assert DesignPoint.from_json(value["design"]) == design
    assert value["digests"]["accelerator"] == accelerator.digest
    assert value["estimate"]["kind"] == "predicted"
    assert (value["part"], value["clock_mhz"]) == (board.part, 100.0)
    layers = value["golden"].pop("layers")
    assert layers["images"] == 4
    assert [b["units"] for b in layers["benches"]] == [
        ["conv_window", "conv_matrix_width", "conv_matrix"],
        ["pool_pool_width", "pool_pool"],
        ["fc_matrix", "output_width"],
    ]
    assert value["golden"] == {"images": len(images), "words": 3 * len(images)}
    archive = project.files[PurePosixPath("accelerator.npz")]
    assert isinstance(archive, bytes)
    arrays = dict(np.load(io.BytesIO(archive)))
    assert Accelerator.from_arrays(accelerator.network, arrays).digest == accelerator.digest
    # the units table rebuilds the pipeline, up to its order: units, then FIFOs
    rebuilt = []
    for row in value["units"]:
        parameters = row["parameters"]
        if parameters.get("tiling"):
            parameters["tiling"] = ir_units.Tiling(**parameters["tiling"])
        rebuilt.append(getattr(ir_units, row["kind"])(**parameters))
        assert rebuilt[-1].cycles == row["cycles_predicted"]
        for instance in row["instances"]:
            assert f" {instance}(" in text(project, "src/top.cpp")
    built = sorted(pipeline(network, design), key=lambda u: isinstance(u, ir_units.Fifo))
    assert rebuilt == built


def test_folding_config_is_finns(tiny: Any, emit: Any) -> None:
    value = json.loads(text(emit(tiny), "folding_config.json"))
    assert value["Defaults"] == {}
    assert value["MVAU_hls_0"] == {
        "PE": 2,
        "SIMD": 3,
        "ram_style": "block",
        "resType": "lut",
        "mem_mode": "internal_embedded",
        "runtime_writeable_weights": 0,
    }
    assert value["ConvolutionInputGenerator_hls_0"]["SIMD"] == 2
    assert value["StreamingMaxPool_hls_0"] == {"PE": 4}


def test_write_is_all_or_nothing(tiny: Any, emit: Any, tmp_path: Path) -> None:
    project = emit(tiny)
    folder = project.write(tmp_path / "deep" / "p")
    assert folder == tmp_path / "deep" / "p"
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == sorted(
        TREE.split()
    )
    with pytest.raises(UsageError, match=r"already holds a project; .*--force"):
        project.write(folder)
    (folder / "stale").touch()
    project.write(folder, force=True)
    assert not (folder / "stale").exists()
    broken = HlsProject({**project.files, PurePosixPath("README.md/x"): ""})
    with pytest.raises(OSError, match=r"README\.md"):
        broken.write(tmp_path / "q")
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_write_never_removes_what_is_no_project(tiny: Any, emit: Any, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds no emitted project"):
        emit(tiny).write(tmp_path, force=True)
    with pytest.raises(UsageError, match="is a file"):
        emit(tiny).write(tmp_path / "letter.txt", force=True)


HOSTILE = 'a"; exec rm -rf $(HOME) [exit]\n#include <x> {{ 7 * 7 }} \\'


def test_no_name_reaches_the_code(make_case: Any, emit: Any, board: Any) -> None:
    network = Network(
        HOSTILE,
        (8,),
        BIPOLAR,
        (
            Dense(HOSTILE, ("input",), (8,), True, 4),
            Dense(HOSTILE.replace("7", "8"), (HOSTILE,), (4,), False, 2),
        ),
    )
    names = [layer.name for layer in network.layers]
    compressions = {names[0]: Compression(1, 1), names[1]: Compression(1, None)}
    case = make_case(network, compressions, dict.fromkeys(names, Folding(1, 1)))
    project = emit(
        case,
        study=HOSTILE,
        board=dataclasses.replace(board, name=HOSTILE),
        accuracy={HOSTILE: 0.5},
    )
    for name, content in project.files.items():
        if name.name != "accelerator.npz" and not str(name).startswith("csim/"):
            assert "exec rm" not in str(content) or name.name in ("design.json", "README.md")
        assert identifier(name.name.replace(".", "_")) == name.name.replace(".", "_")
    assert json.loads(text(project, "design.json"))["study"] == HOSTILE
    with pytest.raises(UsageError, match="the part of a board has letters"):
        emit(case, board=dataclasses.replace(board, part=HOSTILE))


def test_identifiers_are_legal_and_different() -> None:
    assert identifiers(["a-b", "a_b", "a b", "1x", "", "_y", "café"]) == {
        "a-b": "a_b",
        "a_b": "a_b_2",
        "a b": "a_b_3",
        "1x": "n1x",
        "": "n",
        "_y": "n_y",
        "café": "caf_",
    }


def test_foreign_integers_are_refused(tiny: Any, emit: Any) -> None:
    network, design, accelerator, images, labels = tiny
    fc = accelerator.parameters["fc"]
    for wrong, message in (
        (dataclasses.replace(fc, weights=fc.weights[:, :-1]), "asks for weights"),
        (dataclasses.replace(fc, output_bits=2), "asks for output bits"),
        (dataclasses.replace(fc, weights=fc.weights + 2), "does not fit"),
    ):
        other = Accelerator(accelerator.network, {**accelerator.parameters, "fc": wrong})
        with pytest.raises(UsageError, match=f"layer fc: .*{message}"):
            emit((network, design, other, images, labels))
    with pytest.raises(UsageError, match="images of shape"):
        emit((network, design, accelerator, images[:, :2], labels))
    with pytest.raises(UsageError, match="input type"):
        emit((network, design, accelerator, images + 8, labels))


def test_too_wide_a_word_names_the_layer(make_case: Any, emit: Any) -> None:
    network = Network(
        "wide", (2048,), IntType(8, False), (Dense("fc", ("input",), (2048,), False, 2),)
    )
    case = make_case(network, {"fc": Compression(8, None)}, {"fc": Folding(1, 2048)})
    with pytest.raises(UsageError, match="layer fc: a stream word must not be wider than 8192"):
        emit(case)


def test_words() -> None:
    signed = codes(np.array([[-4, 3, -1], [0, 1, 2]]), IntType(3, signed=True))
    assert signed.tolist() == [[4, 3, 7], [0, 1, 2]]
    assert codes(np.array([-1, 1]), BIPOLAR).tolist() == [0, 1]
    assert hex_lines(signed, 3, 16) == "01dc\n0088\n"
    packed, width = chunks(signed, 3)
    assert (packed.tolist(), width) == ([[0o734], [0o210]], 9)
    packed, width = chunks(np.ones((1, 65), dtype=np.uint64), 1)
    assert (packed.tolist(), width) == ([[2**33 - 1, 2**32 - 1]], 33)
    with pytest.raises(ValueError, match=r"0\.\.7, got 8"):
        codes(np.array([8]), IntType(3, signed=False))
    with pytest.raises(ValueError, match="got 0"):
        codes(np.array([0]), BIPOLAR)


TCL = """
foreach name {open_project set_top add_files open_solution set_part create_clock csim_design
              csynth_design cosim_design export_design} {
    proc $name args "puts \\[list $name {*}\\$args]"
}
rename exit leave
proc exit {} { leave 0 }
set argv [list -f run_hls.tcl csim csynth cosim export]
source run_hls.tcl
"""


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not on PATH")
def test_tcl_runs_with_stub_commands(tiny: Any, emit: Any, tmp_path: Path) -> None:
    folder = emit(tiny).write(tmp_path / "a b")
    (folder / "hls" / "stubs.tcl").write_text(TCL)
    run = subprocess.run(
        ["tclsh", "stubs.tcl"], cwd=folder / "hls", capture_output=True, text=True, check=True
    )
    lines = run.stdout.splitlines()
    assert "set_part xc7z020clg400-1" in lines
    assert "create_clock -period 10.0 -name default" in lines
    assert f"add_files {{{{{folder}/src/top.cpp}}}}" in lines  # a list of one file
    assert [line.split()[0] for line in lines[-4:]] == [
        "csim_design",
        "csynth_design",
        "cosim_design",
        "export_design",
    ]
    passed = [re.sub(r"^\w+ -argv \{(.*)\}$", r"\1", lines[i]) for i in (-4, -2)]
    assert [shlex.split(p) for p in passed] == [[f"{folder}/tb"], [f"{folder}/tb", "2"]]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Pynq-Z1", "Pynq-Z1"), ("my_board <b>|*", r"my\_board \<b\>\|\*"), ("a\n# b", "a # b")],
)
def test_readme_shows_the_board_as_it_is_called(
    tiny: Any, emit: Any, board: Board, name: str, shown: str
) -> None:
    project = emit(tiny, board=dataclasses.replace(board, name=name))
    readme = project.files[PurePosixPath("README.md")]
    assert f"A streaming accelerator for {shown} (xc7z020clg400-1) at" in readme
