"""A study goes on in a space that holds the old one, and in no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dse.errors import StudyConflictError
from dse.search.driver import Driver
from dse.search.study import Plan, open_study


class Never:
    requested = False


@pytest.fixture
def searched(tmp_path: Path, fake_workers: Any, silent: Any) -> Callable[[Plan], Any]:
    def go(plan: Plan) -> Any:
        store = open_study(plan, tmp_path / "s", plan.config.overrides)
        try:
            driver = Driver(plan, store, fake_workers(), silent, Never())
            driver.run()
            return driver.records
        finally:
            store.release()

    return go


@pytest.mark.parametrize("storage", ["file", "sqlite"])
def test_more_values_are_searched_and_old_trials_kept(
    planned: Any, searched: Any, tmp_path: Path, storage: str
) -> None:
    where = "file" if storage == "file" else f"sqlite:///{tmp_path}/trials.db"
    old = searched(planned("budget.trials=10", f"storage={where}"))
    more = ("space.weight_bits=[1, 2, 4, 8]", "space.sparsity=[0.0, 0.25, 0.5]")
    new = searched(planned("budget.trials=40", f"storage={where}", *more))
    assert new[: len(old)] == old
    assert len(new) == 40
    bits = {c.weight_bits for r in new[len(old) :] for c in r.design.compressions.values()}
    assert bits == {1, 2, 4, 8}
    assert {c.weight_bits for r in old for c in r.design.compressions.values()} == {2, 4}


@pytest.mark.parametrize(
    "change",
    [
        "space.weight_bits=[2]",
        "space.weight_bits=[2, 8]",
        "space.block=[4x4, 8x8]",  # was fixed: trials do not say
        "space.fold=free",
        "space.layers=[{match: conv*, tie: [sparsity]}]",
        "space.layers=[{match: conv1, weight_bits: [2]}]",
        "space.pe=[1, 2]",
        "space.memory=[bram]",
        "space.require=[pe <= 4]",
    ],
)
def test_less_or_other_is_refused(planned: Any, searched: Any, change: str) -> None:
    searched(planned("budget.trials=2"))
    with pytest.raises(StudyConflictError, match="space"):
        searched(planned("budget.trials=4", change))


def test_fewer_limits_are_more(planned: Any, searched: Any) -> None:
    limits = ("space.pe=[1, 2, 4]", "space.require=[pe * simd <= 64]")
    old = searched(planned("budget.trials=4", *limits))
    new = searched(planned("budget.trials=8", "space.pe=divisors"))
    assert new[: len(old)] == old
