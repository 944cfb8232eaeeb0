"""The shipped model against the table it was fitted on, where that is at hand."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cost_models import _fit_finn, analytic, learned
from cost_models._fit_analytic import Record
from cost_models._learn import surprise

HOME = Path(__file__).parents[2]
TABLE = (
    Path(os.environ.get("DSE_TABLES") or HOME.parent / "shared/data/tables")
    / "finn_submodules.csv.gz"
)
pytestmark = pytest.mark.skipif(not TABLE.exists(), reason=f"no {TABLE.name} beside the project")


@pytest.fixture(scope="module")
def group() -> list[Record]:
    return _fit_finn.modules(TABLE)["matrix"]


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_fit_finn.OUTPUT.read_text(encoding="utf-8"))
    return value


def test_the_file_was_made_of_this_table(stored: dict[str, Any], group: list[Record]) -> None:
    assert stored["data_digest"] == hashlib.sha256(TABLE.read_bytes()).hexdigest()[:16]
    assert stored["records"] == len(group)


def test_it_errs_less_than_half_of_the_analytic_model(group: list[Record]) -> None:
    ours, plain = learned.load("7series"), analytic.load("7series")
    errors = {}
    for resource in ("lut", "ff"):
        for model in (ours, plain):
            found = [float(getattr(model.predict(r.unit).expected, resource)) for r in group]
            actual = np.array([r.actual[resource] for r in group])
            errors[resource, model.source] = np.mean(np.abs(np.array(found) / actual - 1))
        assert errors[resource, ours.source] < 0.5 * errors[resource, plain.source]


def test_the_file_holds_means_of_records_not_records(
    stored: dict[str, Any], group: list[Record]
) -> None:
    for correction in stored["corrections"]["matrix"].values():
        assert len(correction["support"]) < 0.4 * len(group)


@pytest.mark.slow
def test_a_network_left_out_is_predicted(group: list[Record]) -> None:
    (fold,) = _fit_finn.folds(group, "lut", [{"SAT6_T2W4"}])
    error, scaled = surprise(fold.correction, fold.records)
    assert np.mean(np.abs(np.expm1(-error))) < 0.08
    assert np.mean(np.abs(scaled) < 1.645) > 0.85
