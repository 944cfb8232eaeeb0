"""`dse fold` as a user types it, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cost_models import analytic
from dse.cli import cli
from dse.errors import NoFeasibleDesignError, UsageError
from dse.folding import standalone
from dse.ir.design import DesignPoint
from dse.ir.finn import folding_config, read_folding
from dse.lowering.pipeline import pipeline
from hw_templates._boards import load_board

BOARD = load_board("Pynq-Z1")


def fold(*args: str) -> Result:
    return CliRunner().invoke(cli, ["fold", *args])


def question(name: str, bits: int = 1, **options: float) -> standalone.Question:
    network = standalone.built(name, None, None, None, options)
    compressions = standalone.uniform(network, bits, bits)
    return standalone.Question(network, compressions, BOARD, 100.0, analytic.load(BOARD.family))


def test_a_target_is_met_within_the_board() -> None:
    value = json.loads(fold("cnv", "--board", "Pynq-Z1", "--fps", "1000", "--json").stdout)
    assert value["schema"] == "dse.fold/1"
    assert value["proven"]
    assert value["fits"]
    assert value["throughput_fps"] >= 1000
    assert value["interval_cycles"] <= 100_000
    assert all(value["total"]["high"][r] <= value["limits"][r] for r in value["limits"])
    assert value["bottleneck"] == max(value["layers"], key=lambda x: x["cycles"])["name"]
    # the same through the estimator of studies
    design = DesignPoint.from_json(value["design"])
    total = question("cnv").hardware(design).total
    assert value["total"]["expected"]["lut"] == pytest.approx(total.expected.lut)


def test_without_a_target_nothing_that_fits_is_faster() -> None:
    value = json.loads(fold("tfc", "--board", "Pynq-Z1", "--json").stdout)
    q = question("tfc")
    folder = q.folder()
    cycles = np.unique(np.concatenate([o.cycles for o in folder.options]))
    faster = cycles[cycles < value["interval_cycles"]]
    with pytest.raises(NoFeasibleDesignError):
        standalone.solve(q, int(faster[-1]))


def test_the_table_names_layers_bottleneck_and_limits() -> None:
    shown = fold("cnv", "--board", "Pynq-Z1", "--cycles", "100000", "--weight-bits", "2")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert sum("<- bottleneck" in line for line in lines) == 1
    assert [line.split()[0] for line in lines if line.startswith(("conv", "fc", "pool"))] == [
        *(
            "conv1",
            "conv2",
            "pool1",
            "conv3",
            "conv4",
            "pool2",
            "conv5",
            "conv6",
            "fc1",
            "fc2",
            "fc3",
        )
    ]
    assert "of     37,240 usable" in shown.stdout
    assert "proven: nothing that fits is" in shown.stdout


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            ["--cycles", "100"],
            (
                "100 cycles between frames (1,000,000.0 frames/s) must be possible, but layer conv1 needs"
                " 8,100 at least, however it is folded. The best that fits takes"
            ),
        ),
        (
            ["--cycles", "9000"],
            "but no folding that fits Pynq-Z1 is so fast. The best that fits takes",
        ),
        (["--cycles", "9000", "--pin", "conv2.pe=1"], "bound by layer conv2 (at least "),
    ],
)
def test_an_unreachable_target_says_why_and_what_is_best(target: list[str], message: str) -> None:
    failed = fold("cnv", "--board", "Pynq-Z1", *target)
    assert isinstance(failed.exception, NoFeasibleDesignError)
    assert failed.exception.exit_code == 3
    assert message in str(failed.exception)


def test_a_board_that_is_too_small_is_told_by_its_resources() -> None:
    failed = fold("mobilenet-v1", "--board", "Pynq-Z1", "--weight-bits", "4")
    assert isinstance(failed.exception, NoFeasibleDesignError)
    assert "none does: even the slowest needs" in str(failed.exception)
    assert "bram18" in str(failed.exception)


def test_pins_hold() -> None:
    pins = ["--pin", "conv2.pe=8,16", "--pin", "conv2.simd=32", "--pin", "fc1.memory=lutram"]
    value = json.loads(fold("cnv", "--board", "Pynq-Z1", "--fps", "500", *pins, "--json").stdout)
    layers = {layer["name"]: layer for layer in value["layers"]}
    assert layers["conv2"]["pe"] in (8, 16)
    assert layers["conv2"]["simd"] == 32
    assert layers["fc1"]["memory"] == "lutram"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tfc"], "--board must name a board"),
        (["tfc", "--board", "Pynq-Z1", "--fps", "1", "--cycles", "1"], "keep one"),
        (
            ["tfc", "--board", "Pynq-Z1", "--pin", "fc9.pe=1"],
            "--pin must name a layer, got 'fc9.pe=1'",
        ),
        (["tfc", "--board", "Pynq-Z1", "--pin", "fc1.pe=x"], "--pin must be like fc1.pe=8"),
        (
            ["tfc", "--board", "Pynq-Z1", "--pin", "fc1.pe=7"],
            "layer fc1: pe must be one of 1, 2, 4",
        ),
        (["tfc", "--board", "Pynq-Z1", "--input", "28-28"], "--input must be like 32x32x3 or 784"),
        (["tfc", "--board", "Pynq-Z1", "--option", "width"], "--option must be like width=0.25"),
        (["tfc", "--board", "Pynq-Z1", "--front", "-o", "x"], "--front finds many foldings"),
        (["tfk", "--board", "Pynq-Z1"], "Did you mean 'tfc'?"),
    ],
)
def test_mistakes_are_named(args: list[str], message: str) -> None:
    failed = fold(*args)
    assert isinstance(failed.exception, UsageError)
    assert message in str(failed.exception)


@pytest.mark.parametrize("option", ["--fps", "--clock", "--prefer"])
@pytest.mark.parametrize("number", ["nan", "inf", "-1"])
def test_numbers_are_finite_and_in_range(option: str, number: str) -> None:
    refused = fold("tfc", "--board", "Pynq-Z1", option, number)
    assert refused.exit_code == 2
    assert option in refused.stderr


def test_a_folding_is_written_as_finn_has_it_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "folding.json"
    solved = fold("cnv", "--board", "Pynq-Z1", "--fps", "300", "-o", str(file), "--json")
    written = json.loads(file.read_text())
    assert written["Defaults"] == {}
    assert set(written["MVAU_hls_0"]) >= {"PE", "SIMD", "ram_style", "resType"}
    again = fold("cnv", "--board", "Pynq-Z1", "--evaluate", str(file), "--json")
    old, new = json.loads(solved.stdout), json.loads(again.stdout)
    assert new["design"] == old["design"]
    assert new["proven"] is None


def test_names_of_older_finn_are_understood_and_gaps_are_filled_as_finn_does() -> None:
    q = question("cnv")
    start = q.folder().solve(1, 0.5)
    config = {"Defaults": {}} | {
        f"MatrixVectorActivation_{i}": {"PE": pe, "SIMD": simd, "ram_style": "auto"}
        for i, (pe, simd) in enumerate(
            # the folding that FINN ships for CNV-w1a1
            [(16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (5, 1)]
        )
    }
    read = read_folding(config, start, pipeline(q.network, start))
    assert [(d.folding.pe, d.folding.simd) for n, d in read.layers if n.startswith("conv")] == [
        *((16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32))
    ]
    assert read["conv1"].folding.swu_simd == 3
    assert read["conv2"].folding.swu_simd == 32
    assert read["pool1"].folding.pe == 64
    assert q.hardware(read).interval_cycles >= 28 * 28 * (64 // 32) * (576 // 32)
    units = pipeline(q.network, read)
    assert read_folding(folding_config(units), start, units) == read


def test_a_folding_of_another_network_is_refused() -> None:
    q = question("cnv")
    start = q.folder().solve(1, 0.5)
    units = pipeline(q.network, start)
    with pytest.raises(UsageError, match=r"must have PE and SIMD of MVAU_1 \(layer conv2\)"):
        read_folding({"MVAU_hls_0": {"PE": 1, "SIMD": 3}}, start, units)
    with pytest.raises(UsageError, match=r"must be a JSON object of nodes"):
        read_folding({"PE": 3}, start, units)
    config = folding_config(units)
    config["MVAU_hls_0"]["ram_style"] = "flash"
    with pytest.raises(UsageError, match=r"ram_style of MVAU_0 must be one of .*, got 'flash'"):
        read_folding(config, start, units)


@pytest.mark.parametrize("value", ["x", 1.5, 0, None, True])
def test_a_folding_without_whole_numbers_is_refused(value: object) -> None:
    q = question("cnv")
    start = q.folder().solve(1, 0.5)
    units = pipeline(q.network, start)
    for node, key in (("MVAU_hls_2", "PE"), ("ConvolutionInputGenerator_hls_1", "SIMD")):
        config = folding_config(units)
        config[node][key] = value
        message = rf"{key} of {node.replace('_hls', '')} must be a whole number from 1"
        with pytest.raises(UsageError, match=message):
            read_folding(config, start, units)


def test_the_front_is_that_of_the_library() -> None:
    value = json.loads(fold("tfc", "--board", "Pynq-Z1", "--front", "--json").stdout)
    assert value["schema"] == "dse.fold-front/1"
    assert value["exact"]
    front = standalone.front(question("tfc"), 1000)
    assert [p["interval_cycles"] for p in value["points"]] == front.cycles.tolist()
    assert [p["lut"] for p in value["points"]] == front.resources[:, 0].tolist()
    shown = fold("tfc", "--board", "Pynq-Z1", "--front")
    assert shown.stdout.rstrip().endswith("exact: the whole front")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ("2", "nothing is proven about what was left out; --labels for more"),
        ("100", "no slower and needs at most 1% more LUTs,"),
    ],
)
def test_a_thinned_front_of_a_residual_network_says_what_is_proven(
    labels: str, sentence: str
) -> None:
    given = ("resnet8", "--board", "Pynq-Z1", "--weight-bits", "2", "--front", "--labels", labels)
    shown = fold(*given)
    assert shown.exit_code == 0, shown.output
    assert sentence in shown.stdout


def test_a_study_file_says_board_bits_and_pins(small_study: str, tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(small_study)
    value = json.loads(fold(str(file), "--fps", "1000", "--json").stdout)
    assert value["throughput_fps"] >= 1000
    failed = fold(str(file), "--board", "Pynq-Z1")
    assert isinstance(failed.exception, UsageError)
    assert "leave out board" in str(failed.exception)


def test_activations_that_are_added_have_two_bits_unless_said() -> None:
    done = fold("resnet8", "--board", "Pynq-Z1", "--cycles", "100000", "--json")
    assert done.exit_code == 0, done.output
    first = next(iter(json.loads(done.stdout)["design"].values()))["compression"]
    assert (first["weight_bits"], first["activation_bits"]) == (1, 2)


def test_bits_that_are_not_given_are_those_of_the_study() -> None:
    study = str(Path(__file__).parents[2] / "studies" / "quickstart.yaml")
    given = json.loads(fold(study, "--cycles", "100000", "--weight-bits", "3", "--json").stdout)
    own = json.loads(fold(study, "--cycles", "100000", "--json").stdout)
    first = next(iter(own["design"]))
    assert given["design"][first]["compression"]["weight_bits"] == 3
    bits = [d["design"][first]["compression"]["activation_bits"] for d in (given, own)]
    assert bits[0] == bits[1] > 1
