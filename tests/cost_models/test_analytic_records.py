"""The stored factors against the synthesis results they were fitted on, where those are at hand."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cost_models import _finn, _fit_analytic
from cost_models._fit_analytic import Record
from dse.ir.units import MatrixUnit

HOME = Path(__file__).parents[2]
DATA = Path(os.environ.get("DSE_DATA") or HOME.parent / "shared/data")
TABLE = DATA / "tables/finn_submodules.csv.gz"
pytestmark = pytest.mark.skipif(not TABLE.exists(), reason=f"no {TABLE.name} beside the project")


@pytest.fixture(scope="module")
def found() -> dict[str, list[Record]]:
    with gzip.open(TABLE, "rt", encoding="utf-8") as file:
        return _fit_analytic.records(list(csv.DictReader(file)))


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    kinds: dict[str, Any] = json.loads(_fit_analytic.OUTPUT.read_text(encoding="utf-8"))["kinds"]
    return kinds


@pytest.mark.parametrize("kind", ["matrix", "window", "fifo"])
@pytest.mark.parametrize("resource", ["lut", "ff"])
def test_the_fit_is_reproduced(
    found: dict[str, list[Record]], stored: dict[str, Any], kind: str, resource: str
) -> None:
    again = _fit_analytic.fitted(found[kind], kind, resource)
    for name, factor in again["factors"].items():
        if name not in _fit_analytic.TILED[resource] or kind != "matrix":
            assert stored[kind][resource]["factors"][name] == pytest.approx(factor, rel=0.02)
    assert stored[kind][resource]["band"] == pytest.approx(again["band"], abs=0.02)
    assert again["held_out_coverage"] >= 0.9


def test_the_fit_errs_far_less_than_finn_on_networks_it_has_not_seen(
    found: dict[str, list[Record]], stored: dict[str, Any]
) -> None:
    errors = []
    for record in found["matrix"]:
        u = record.unit
        assert isinstance(u, MatrixUnit)
        finn = _finn.mvau_lut(
            u.pe,
            u.simd,
            u.weight_bits,
            u.input_bits,
            u.acc_bits,
            u.output_bits,
            u.mh // u.pe,
            u.depth,
            lut_multipliers=u.compute == "lut",
            lut_weights=u.memory == "lutram",
        )
        errors.append(abs(float(finn.total) / record.actual["lut"] - 1))
    assert stored["matrix"]["lut"]["held_out_error"] < 0.4 * np.mean(errors)
    assert stored["matrix"]["lut"]["held_out_error"] < 0.2
    assert stored["matrix"]["ff"]["held_out_error"] < 0.1


def test_dsps_and_block_ram_are_counted_right(found: dict[str, list[Record]]) -> None:
    for resource, exact in (("dsp", 1.0), ("bram18", 0.9)):
        pairs = [
            (getattr(_fit_analytic.decomposed(r.unit), resource), r.actual[resource])
            for r in found["matrix"]
        ]
        used = [(float(p), a) for p, a in pairs if p]
        assert len(used) > 200
        assert np.mean([p == a for p, a in used]) >= exact
