"""`space.require`: what it means for a design, and for a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dse.config.load import load_config
from dse.search import proposer
from dse.search.driver import Driver
from dse.search.require import unmet
from dse.search.study import open_study, plan


def config_of(small_study: str, folder: Path, *rules: str):
    lines = "".join(f"    - {r}\n" for r in rules)
    path = folder / "small.yaml"
    path.write_text(small_study.replace("objectives:", f"  require:\n{lines}objectives:"))
    return load_config(path)


def test_against_the_numbers_of_the_layers(small_study: str, tmp_path: Path) -> None:
    rules = (
        "pe * simd <= 4",
        "cycles(max) / cycles(min) <= 8",
        "lut(sum) <= 1e9",
        "weight_bits >= 4",
        "2 * cycles / cycles(max) >= 0.5",
    )
    p = plan(config_of(small_study, tmp_path, *rules))
    seen = set()
    for knobs in p.space.spread(24, 0):
        design = p.space.decode(knobs)
        hardware = p.hardware(design)
        folds = [d.folding.pe * d.folding.simd for _, d in design.layers if d.compression]
        cycles = [x.cycles for x in hardware.layers if x.name in design.compressions]
        bits = [c.weight_bits for c in design.compressions.values()]
        truth = {
            rules[0]: max(folds) / 4 - 1,
            rules[1]: max(cycles) / min(cycles) / 8 - 1,
            rules[2]: 0.0,
            rules[3]: 1 - min(bits) / 4,
            rules[4]: (0.5 - 2 * min(cycles) / max(cycles)) / 0.5,
        }
        truth = {text: v for text, v in truth.items() if v > 0}
        assert unmet(p.config.space.require, design, hardware) == pytest.approx(truth)
        seen |= truth.keys()
    assert seen == {*rules} - {rules[2]}


class Never:
    requested = False


def searched(config: Any, folder: Path, workers: Any, progress: Any) -> tuple[str, Any]:
    p = plan(config)
    store = open_study(p, folder, ())
    try:
        driver = Driver(p, store, workers, progress, Never())
        return driver.run(), driver.records
    finally:
        store.release()


def test_a_search_spends_no_trial_on_what_breaks_one(
    small_study: str, tmp_path: Path, fake_workers: Any, silent: Any
) -> None:
    config = config_of(small_study, tmp_path, "pe * simd <= 16", "cycles(max) / cycles(min) <= 40")
    reason, records = searched(config, tmp_path / "s", fake_workers(), silent)
    assert reason == "the budget of 24 trials is met"
    assert len(records) == 24
    for r in records:
        assert r.hardware is not None
        assert not unmet(config.space.require, r.design, r.hardware)
    assert {"sampler"} <= {r.origin for r in records}


def test_what_nothing_holds_ends(
    small_study: str, tmp_path: Path, fake_workers: Any, silent: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(proposer, "REPEATS_BEFORE_END", 30)
    config = config_of(small_study, tmp_path, "cycles >= 1e12")
    reason, records = searched(config, tmp_path / "s", fake_workers(), silent)
    assert reason.endswith("30 proposals in a row were known designs, or do not hold `require`")
    assert records == ()
