"""`dse fold` as a user types it, in this process."""

from __future__ import annotations

import csv
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
from dse.ir.stages import flat
from dse.ir.units import Fifo, WidthConverter
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
    assert "none does: each limit could be kept alone" in str(failed.exception)
    assert "bram18" in str(failed.exception)


def test_limits_replace_the_usable_share_and_say_what_is_in_the_way() -> None:
    plain = json.loads(fold("cnv", "--board", "Pynq-Z1", "--json").stdout)
    tight = ["--limit", "lut<=40 %", "--limit", "ff <= 100 %", "--limit", "bram<=120"]
    value = json.loads(fold("cnv", "--board", "Pynq-Z1", *tight, "--json").stdout)
    assert value["fits"]
    assert value["limits"]["lut"] == pytest.approx(0.4 * 53_200)
    assert value["limits"]["bram18"] == 120
    assert value["limits"]["ff"] == 106_400  # more than the usable share, because it was said
    assert value["limits"]["dsp"] == plain["limits"]["dsp"]
    assert all(value["total"]["high"][r] <= value["limits"][r] for r in value["limits"])
    assert value["interval_cycles"] > plain["interval_cycles"]

    # no folding of any speed needs fewer block RAMs; with more LUTs there is one
    shown = fold("cnv", "--board", "Pynq-Z1", "--limit", "lut<=1000", "--limit", "bram<=100%")
    assert "any needs at least" in str(shown.exception)
    assert "of 1,000 lut (layer " in str(shown.exception)
    both = ["--limit", "bram<=0", "--limit", "lut<=23%"]
    assert "could be kept alone" in str(fold("cnv", "--board", "Pynq-Z1", *both).exception)


def test_a_front_as_csv_has_every_point_with_its_folding(tmp_path: Path) -> None:
    table = tmp_path / "front.csv"
    printed = fold("tfc", "--board", "Pynq-Z1", "--front", "-o", str(table), "--json")
    points = json.loads(printed.stdout)["points"]
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [float(r["lut_high"]) for r in rows] == pytest.approx(
        [p["lut"] for p in points], abs=0.01
    )
    # a row's limits find a folding as cheap: any point of the front can be had
    row = rows[len(rows) // 2]
    limits = [f"--limit={r}<={float(row[f'{r}_high']) + 0.01}" for r in ("lut", "bram18", "dsp")]
    args = ["tfc", "--board", "Pynq-Z1", "--cycles", row["interval_cycles"], *limits, "--json"]
    again = json.loads(fold(*args).stdout)
    pins = [
        f"--pin={k}={row[k]}" for k in row if k.endswith((".pe", ".simd", ".memory", ".compute"))
    ]
    pinned = json.loads(fold(*args[:5], *pins, "--json").stdout)
    for found in (again, pinned):
        assert found["interval_cycles"] == int(row["interval_cycles"])
        assert found["total"]["high"]["lut"] == pytest.approx(float(row["lut_high"]), abs=0.02)


def test_a_study_brings_its_constraints(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        "version: 1\nstudy: s\nmodel: digits_cnn\nboard: Pynq-Z1\nclock: 100 MHz\nspace: {weight_bits: [1, 2]}\n"
        "objectives: {lut: minimize}\nreserve: {lut: 3200}\n"
        "constraints: [lut <= 50 %, dsp <= 0, latency <= 1 us, accuracy >= 90 %]\n"
    )
    value = json.loads(fold(str(study), "--json").stdout)
    assert value["limits"]["lut"] == 25_000
    assert value["limits"]["dsp"] == 0
    assert value["limits"]["bram18"] == pytest.approx(0.8 * 280)
    assert value["fits"]
    assert value["breaks"] == ["latency <= 1 us"]  # an accuracy is not known, so it breaks none
    assert "BREAKS latency <= 1 us" in fold(str(study)).stdout
    assert json.loads(fold(str(study), "--limit", "lut<=60%", "--json").stdout)["limits"][
        "lut"
    ] == pytest.approx(30_000)


def test_converters_and_fifos_are_told_apart() -> None:
    value = json.loads(fold("cnv", "--board", "Pynq-Z1", "--fps", "1000", "--json").stdout)
    design, q = DesignPoint.from_json(value["design"]), question("cnv")
    units = flat(pipeline(q.network, design))
    by_hand = [
        q.model.predict(u).expected.lut for u in units if isinstance(u, WidthConverter | Fifo)
    ]
    assert value["converters_and_fifos"]["lut"] == pytest.approx(sum(by_hand))
    assert 0 < sum(by_hand) < value["total"]["expected"]["lut"]


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
        (["tfc", "--board", "Pynq-Z1", "--front", "-o", "x"], "--out must end in .csv, got x"),
        (
            ["tfc", "--board", "Pynq-Z1", "--front", "--fps", "9"],
            "--front finds the foldings of all",
        ),
        (["tfc", "--board", "Pynq-Z1", "--limit", "latency <= 1 ms"], "--limit must be of lut, ff"),
        (["tfk", "--board", "Pynq-Z1"], "there is no model 'tfk'. Did you mean 'tfc'? There are: "),
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


def test_a_folding_of_a_deeper_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cnv.json"
    assert fold("cnv", "--board", "Pynq-Z1", "--fps", "1000", "-o", str(file)).exit_code == 0
    failed = fold("tfc", "--board", "Pynq-Z1", "--evaluate", str(file))
    assert isinstance(failed.exception, UsageError)
    assert "must have 4 MVAU nodes, one per such layer; the file has 9" in str(failed.exception)
