"""Every example of docs/extending.md is written into its folder and used, and keeps its promise."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cost_models import analytic
from cost_models._named import model_of
from cost_models.reports import ReportError, read_reports
from cost_models.reports._read import parsers
from dse.cli import cli
from dse.compression import canonical, scheme
from dse.folding.fold import Folder
from dse.ir import plugins
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.design import Compression
from dse.ir.layers.dense import Dense
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import legal_folds
from dse.lowering.pipeline import check
from hw_templates._boards import load_board
from pruning._pack import pack, unpack

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extending.md").read_text()
FILES = {
    Path(name): f"# {name}\n{body}"
    for name, body in re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", TEXT, re.DOTALL)
}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder with all files; those of packages are found as if they stood in these."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    before = set(sys.modules)
    for folder in {path.parent for path in FILES if path.suffix == ".py"}:
        package = importlib.import_module(".".join(folder.parts))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
    importlib.invalidate_caches()
    parsers.cache_clear()  # other tests of this process have asked for those that are there
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DSE_DIR", raising=False)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            parent, _, child = name.rpartition(".")
            delattr(sys.modules[parent], child)
            del sys.modules[name]
    parsers.cache_clear()


def dse(*args: str) -> str:
    done = CliRunner().invoke(cli, list(args), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_kind_has_an_example_and_the_tables_name_files_that_are_there() -> None:
    folders = ["cost_models", "cost_models/reports", "dse/data", "dse/ir/layers", "dse/networks"]
    assert sorted({str(p.parent) for p in FILES}) == [".", *folders, "pruning"]
    for name in re.findall(r"`((?:dse|tests|hw_templates|cost_models|pruning)/\S+?)`", TEXT):
        if "NAME" not in name:
            assert (ROOT / name).exists(), name


def test_the_study_runs_with_all_of_it(written: Path) -> None:
    dse("run", "study.yaml", "--inline")
    said = json.loads(dse("inspect", "extended", "--json"))
    assert (said["board"], said["state"]) == ("Arty-A7-100", "complete")
    assert said["front"]
    assert "cautious: analytic, LUT + 10 %" in (written / "runs/extended/report.html").read_text()
    trials = written / "trials.json"
    dse("export", "extended", "-o", str(trials))
    knobs = [t["knob.fc1.sparsity"] for t in json.loads(trials.read_text())["trials"]]
    assert 0.5 in knobs  # a half of the weights went, so the scheme was asked
    assert "two_of_four" in (written / "runs/extended/journal.log").read_text()
    listed = json.loads(dse("list", "pruning", "--json"))["items"]
    about = "Of every four neighbouring weights of a row the two largest stay (2:4)."
    assert {"name": "two-of-four", "about": about} in listed


@pytest.mark.usefixtures("written")
def test_the_scheme_keeps_its_promise() -> None:
    s, rng = scheme("two_of_four"), np.random.default_rng(0)
    assert s.legalise(6, 7, 0.9, None) == (0.0, None)
    for mh, mw in ((1, 4), (6, 8), (10, 64)):
        sparsity, block = s.legalise(mh, mw, 0.4, None)
        assert s.legalise(mh, mw, sparsity, block) == (sparsity, block)
        c = Compression(4, 2, "two_of_four", sparsity)
        kept = s.mask(rng.normal(size=(mh, mw)), c, reorder=False).kept
        assert (kept.reshape(mh, -1, 4).sum(axis=-1) == 2).all()
        tiling = s.structure(mh, mw, c).tiling
        weights = rng.integers(1, 8, (mh, mw)) * kept
        for pe, simd in zip(*legal_folds(mh, mw, tiling), strict=True):
            packed = pack(weights, kept, tiling, int(pe), int(simd))
            again = unpack(packed, mh, mw, tiling, int(pe), int(simd))[0]
            np.testing.assert_array_equal(again, weights)


@pytest.mark.usefixtures("written")
def test_the_cost_model_adds_a_tenth() -> None:
    unit = importlib.import_module("dse.ir.units").WidthConverter("c", 6, 4, 2, 96)
    plain, more = (
        analytic.load("7series").predict(unit),
        model_of("cautious", "7series").predict(unit),
    )
    assert float(more.high.lut) == pytest.approx(1.1 * float(plain.high.lut))
    assert float(more.expected.ff) == float(plain.expected.ff)


def test_the_parser_reads_its_report_and_refuses_a_damaged_one(written: Path) -> None:
    path = written / "mine.txt"
    path.write_text("# lut list of quick 1.0\ntop/conv1 120\ntop/fc 64\n")
    (found, skipped) = read_reports([path])
    assert not skipped
    assert [(m.name, m.resources, m.tool) for m in found] == [
        ("conv1", {"lut": 120.0}, "quick 1.0"),
        ("fc", {"lut": 64.0}, "quick 1.0"),
    ]
    parser = plugins.load("cost_models.reports", "lut_list")
    for text in ("", "{}", "# lut list of x\n", "# lut list of x\nconv many\n"):
        path.write_text(text)
        with pytest.raises(ReportError):
            parser.parse(path)


@pytest.mark.usefixtures("written")
def test_the_layer_computes_folds_and_is_built() -> None:
    layer = importlib.import_module("dse.ir.layers.pointwise").Pointwise(
        "x", ("input",), (4, 4, 6), activation=True, out_channels=8
    )
    last = Dense("last", ("x",), (4, 4, 8), activation=False, out_features=3)
    network = Network("n", (4, 4, 6), IntType(4, signed=False), (layer, last))
    rng = np.random.default_rng(0)
    weights = rng.integers(-3, 4, (8, 6))
    thresholds = np.sort(rng.integers(-40, 40, (8, 3)), axis=1)
    first = MatrixParameters(3, weights, np.ones_like(weights, bool), 2, thresholds)
    rest = rng.integers(-3, 4, (3, 128))
    parts = {"x": first, "last": MatrixParameters(3, rest, np.ones_like(rest, bool), None, None)}
    images = rng.integers(0, 16, (5, 4, 4, 6))
    codes = (images @ weights.T)[..., None] >= thresholds
    expected = codes.sum(axis=-1).reshape(5, -1) @ rest.T
    np.testing.assert_array_equal(Accelerator(network, parts).scores(images), expected)
    wanted = canonical(network, {"x": Compression(3, 2), "last": Compression(3, None)})
    board = load_board("Pynq-Z1")
    folds = Folder.build(network, wanted, board, analytic.load(board.family), {})
    check(network, folds.solve(folds.targets()[0], 0.5))
    assert replace(layer, name="y").kernel == 1
