"""Every knob of a design and every argument of an emission shows in the Verilog project."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from dse.cli.use import emit as emit_command
from dse.emit.order import Order
from dse.emit.project import HlsProject
from dse.ir.design import Compression, Folding
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType

NETWORK = Network(
    "knobs",
    (6, 6, 4),
    IntType(4, signed=False),
    (
        Conv2d("conv", ("input",), (6, 6, 4), True, 8, 3, 1, 1),
        MaxPool2d("pool", ("conv",), (6, 6, 8), 2),
        Dense("fc1", ("pool",), (3, 3, 8), True, 16),
        Dense("fc2", ("fc1",), (16,), False, 6),
    ),
)
COMPRESSIONS = {
    "conv": Compression(4, 3),
    "fc1": Compression(2, 2, "bcr", 0.5, (4, 8)),
    "fc2": Compression(4, None),
}
FOLDINGS = {
    "conv": Folding(4, 6, 2),
    "pool": Folding(4),
    "fc1": Folding(4, 4),
    "fc2": Folding(2, 4),
}
# (layer, knob, value) -> instance, its parameter before and after; "" is the name of the module
KNOBS: tuple[tuple[str, str, Any, str, str, str, str], ...] = (
    ("conv", "pe", 8, "conv_matrix", "PE", "4", "8"),
    ("conv", "simd", 9, "conv_matrix", "SIMD", "6", "9"),
    ("conv", "swu_simd", 4, "conv_window", "WORDS", "2", "1"),
    ("conv", "memory", "lutram", "conv_matrix", "MEMORY", '"block"', '"distributed"'),
    ("conv", "compute", "dsp", "conv_matrix", "USE_DSP", '"no"', '"yes"'),
    ("conv", "weight_bits", 3, "conv_matrix", "WEIGHT_BITS", "4", "3"),
    ("conv", "activation_bits", 2, "conv_matrix", "OUT_BITS", "3", "2"),
    ("conv", "activation_bits", 2, "pool_pool", "BITS", "3", "2"),
    ("pool", "pe", 2, "pool_pool", "PE", "4", "2"),
    ("fc1", "pe", 2, "fc1_matrix", "PE", "4", "2"),
    ("fc1", "simd", 2, "fc1_matrix", "SIMD", "4", "2"),
    ("fc1", "memory", "lutram", "fc1_matrix", "MEMORY", '"block"', '"distributed"'),
    ("fc1", "compute", "dsp", "fc1_matrix", "USE_DSP", '"no"', '"yes"'),
    ("fc1", "weight_bits", 4, "fc1_matrix", "WEIGHT_BITS", "2", "4"),
    ("fc1", "activation_bits", 1, "fc1_matrix", "OUT_BITS", "2", "1"),
    ("fc1", "scheme", "filter", "fc1_matrix", "", "tiled_matrix_unit", "matrix_unit"),
    ("fc1", "sparsity", 0.75, "fc1_matrix", "KEPT_COLS", "4", "2"),
    ("fc1", "block", (8, 8), "fc1_matrix", "BLOCK_ROWS", "4", "8"),
)
INSTANCE = re.compile(r"^  (\w+) #\(\n(.*?)\n  \) (\w+) \(", re.MULTILINE | re.DOTALL)
Files = dict[PurePosixPath, str | bytes]


def instances(project: HlsProject) -> dict[str, dict[str, str]]:
    """Return the parameters of every instance, with the module as parameter ""."""
    top = project.files[PurePosixPath("rtl/accelerator.v")]
    assert isinstance(top, str)
    return {
        m[3]: {"": m[1]} | dict(re.findall(r"\.(\w+)\((.*)\)", m[2]))
        for m in INSTANCE.finditer(top)
    }


@pytest.mark.parametrize(
    ("layer", "knob", "value", "instance", "parameter", "before", "after"),
    KNOBS,
    ids=[f"{k[0]}-{k[1]}-{k[3]}" for k in KNOBS],
)
def test_knob_of_a_layer(
    layer: str,
    knob: str,
    value: Any,
    instance: str,
    parameter: str,
    before: str,
    after: str,
    make_case: Any,
    emit_rtl: Any,
) -> None:
    compressions, foldings = dict(COMPRESSIONS), dict(FOLDINGS)
    if knob in {f.name for f in fields(Folding)}:
        foldings[layer] = replace(foldings[layer], **{knob: value})
    else:
        compressions[layer] = replace(compressions[layer], **{knob: value})
        if knob == "scheme":
            compressions[layer] = replace(compressions[layer], block=None)
    found = [
        instances(emit_rtl(make_case(NETWORK, c, f)))[instance][parameter]
        for c, f in ((COMPRESSIONS, FOLDINGS), (compressions, foldings))
    ]
    assert found == [before, after]


ELSEWHERE = {
    "edge_skip",  # test_emit_edge_skip.py, which simulates it
    # how weights and masks come about; what is emitted follows from the integers
    *("prune_by", "beta", "lambda_threshold", "lambda_pooling"),
    *("spatial_keep", "spatial_tile"),  # refused in Verilog
}


def test_all_knobs_of_a_layer_are_tested() -> None:
    assert {k[1] for k in KNOBS} | ELSEWHERE == {
        f.name for f in (*fields(Folding), *fields(Compression))
    }


def test_arguments_of_an_emission(make_case: Any, emit_rtl: Any, board: Any, estimate: Any) -> None:
    """Each is seen in files of its own, beside design.json, headers and the README."""
    case = make_case(NETWORK, COMPRESSIONS, FOLDINGS)
    other = make_case(NETWORK, COMPRESSIONS, FOLDINGS, seed=1)
    project = emit_rtl(case)
    arguments: dict[str, tuple[Any, str]] = {
        "study": ("another", "rtl/accelerator.v"),
        "accelerator": (other[2], "rtl/conv_matrix_weights.hex"),
        "board": (replace(board, part="xczu7ev-ffvc1156-2-e"), "vivado/run_vivado.tcl"),
        "clock_mhz": (125.0, "vivado/clock.xdc"),
        "estimate": (replace(estimate, source="measured"), "README.md"),
        "images": (other[3], "tb/inputs.hex"),
        "labels": (other[4], "tb/labels.txt"),
        "accuracy": ({"test": 0.75}, "README.md"),
    }
    designs = {"network", "design"}  # tested by knob
    assert {f.name for f in fields(Order)} == designs | set(arguments)
    for name, (value, file) in arguments.items():
        changed = emit_rtl(case, **{name: value}).files[PurePosixPath(file)]
        assert changed != project.files[PurePosixPath(file)], name


def test_options_of_the_command_line() -> None:
    """A new option of `dse emit` has to be tested with `--flow rtl`, too."""
    tested = {
        "study",
        "pick",
        "out",
        "flow",
        "images",
        "as_json",
    }  # test_verilog_of_trained_networks
    for_any_flow = {"force", "root", "no_color", "verbose"}  # where to read and write, how to speak
    for_any_flow |= {"design"}  # `pick`, said otherwise
    for_any_flow |= {"build"}  # `dse synth` afterwards, which knows the flow of a project
    assert {p.name for p in emit_command.params} == tested | for_any_flow
