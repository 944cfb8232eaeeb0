"""Another cost model for a study that has trials: estimates are made again, nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cost_models import learned
from dse.config.load import load_config
from dse.errors import UsageError
from dse.search.driver import Driver
from dse.search.score import metrics_of
from dse.search.study import open_study, plan, snapshot


class Never:
    requested = False


def with_model(study_file: Path, text: str) -> Path:
    path = study_file.with_name("other.yaml")
    path.write_text(study_file.read_text() + f"cost_model: {text}\n")
    return path


def model_file(folder: Path, factor: float) -> Path:
    """A model whose every matrix unit takes `factor` times the LUTs of the analytic one."""
    import numpy as np

    from cost_models._learn import blank, records_of
    from cost_models._learn import learned as learn
    from cost_models._prior import priced, prior
    from dse.ir.units import MatrixUnit

    kinds = prior("7series").kinds
    units = [
        priced(MatrixUnit("", 64, 64, 1, p, s, 4, 4, False, 4, m, "lut"), "dse", kinds)
        for p in (1, 4, 16)
        for s in (1, 4, 16)
        for m in ("bram", "lutram")
    ]
    actual = np.array([factor * float(u.totals["lut"]) for u in units])
    correction = learn(blank("matrix", "lut"), records_of(units, "lut", actual), "t")
    model = learned.LearnedModel("7series", "mine", "dse", {}, {"matrix": {"lut": correction}})
    path = folder / "mine.json"
    path.write_text(learned.dumps(model))
    return path


@pytest.fixture
def searched(study_file: Path, tmp_path: Path, fake_workers: Any, silent: Any) -> Path:
    first = plan(load_config(study_file, ["budget.trials=8"]))
    store = open_study(first, tmp_path / "s", ())
    Driver(first, store, fake_workers(), silent, Never()).run()
    store.release()
    return tmp_path / "s"


def test_estimates_of_all_trials_are_made_again(
    searched: Path, study_file: Path, tmp_path: Path, fake_workers: Any, silent: Any
) -> None:
    before = {r.id: r for r in snapshot(searched).records}
    model_file(tmp_path, 3.0)
    other = with_model(study_file, "{file: mine.json}")
    changed = plan(load_config(other, ["budget.trials=8"]))
    store = open_study(changed, searched, ())
    workers = fake_workers()
    driver = Driver(changed, store, workers, silent, Never())
    assert driver.run() == "the budget of 8 trials is met"
    store.release()
    assert workers.tasks == []
    after = {r.id: r for r in snapshot(searched).records}
    assert after.keys() == before.keys()
    for i, record in after.items():
        assert record.hardware is not None
        assert record.hardware == changed.hardware(record.design)
        assert record.hardware.source == changed.model.source != "analytic"
        assert record.metrics["lut"] > 1.5 * before[i].metrics["lut"]
        assert record.metrics.get("accuracy") == before[i].metrics.get("accuracy")
        fresh = metrics_of(record.hardware, changed.config.board)
        assert {k: record.metrics[k] for k in fresh} == fresh
    assert store.header()["cost_model"] == changed.model.source
    # constraints are judged by the new estimates
    board = changed.config.board.resources.lut
    for record in after.values():
        assert record.hardware is not None
        fits = record.hardware.total.high.lut <= 0.7 * board
        assert (record.constraints["lut <= 70 %"] <= 0) == fits


def test_a_study_can_be_looked_at_where_its_model_is_not(
    searched: Path, study_file: Path, tmp_path: Path
) -> None:
    file = model_file(tmp_path, 2.0)
    other = plan(load_config(with_model(study_file, "{file: mine.json}"), ["budget.trials=8"]))
    open_study(other, searched, ()).release()
    assert {r.hardware.source for r in snapshot(searched).records if r.hardware} == {
        other.model.source
    }
    file.unlink()
    assert {r.hardware.source for r in snapshot(searched).records if r.hardware} == {"analytic"}


def test_a_built_in_model_by_name(study_file: Path) -> None:
    config = load_config(with_model(study_file, "{name: vivado-finn, confidence: 90 %}"))
    assert plan(config).model.source.startswith("vivado-finn ")
    assert config.cost_model.name == "vivado-finn"


def test_a_file_that_is_no_model(study_file: Path, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(UsageError, match=r"m\.json must be a cost model"):
        plan(load_config(with_model(study_file, "{file: m.json}")))
