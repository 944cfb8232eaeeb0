"""The study folder: what is written is there, what a kill leaves is repaired, one driver at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from dse.errors import StudyConflictError, UsageError
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.record import FinalRecord, TrialRecord
from dse.store import DriverState, Store, write_atomic

RECORD = TrialRecord(
    id=0,
    knobs={"fc.weight_bits": 4, "fc.block": "4x8", "fold.cycles": 120.5},
    design=DesignPoint(
        (("fc", LayerDesign(Compression(4, None, "bcr", 0.5, (4, 8)), Folding(2, 4))),)
    ),
    state="feasible",
    stage="finetune",
    metrics={"accuracy": 0.5, "lut": 10.0},
    hardware=None,
    constraints={"lut <= 70 %": -0.5},
    error=None,
    origin="sampler",
    cached_accuracy=False,
    seconds=1.0,
    finished="2026-01-01T00:00:00+00:00",
)
DISTRIBUTIONS = {
    "fc.weight_bits": optuna.distributions.CategoricalDistribution((2, 4)),
    "fc.block": optuna.distributions.CategoricalDistribution(("4x8", "8x8")),
    "fold.cycles": optuna.distributions.FloatDistribution(1.0, 1e4, log=True),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "s", "file")
    store.hold()
    store.create("study: s\n", {"study": "s"})
    store.open_trials("s", ["maximize", "minimize"], ["accuracy", "lut"])
    yield store
    store.release()


def test_records_come_back_equal(store: Store) -> None:
    failed = replace(RECORD, id=1, state="failed", error="NaN loss in fc", metrics={"lut": 3.0})
    store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
    store.append(failed, [], DISTRIBUTIONS)
    assert Store(store.folder, "file").records("s") == (RECORD, failed)


def test_optuna_opens_the_journal_with_readable_values_and_constraints(store: Store) -> None:
    store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
    backend = optuna.storages.journal.JournalFileBackend(str(store.journal))
    study = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend))
    (trial,) = study.trials
    assert trial.params == dict(RECORD.knobs)
    assert trial.values == [0.5, 10.0]
    assert trial.system_attrs["constraints"] == [-0.5]


@pytest.mark.parametrize("keep", [1, 17, 200])
def test_a_torn_last_line_is_dropped_and_kept_aside(store: Store, keep: int) -> None:
    store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
    whole = store.journal.read_bytes()
    store.append(replace(RECORD, id=1), [0.5, 10], DISTRIBUTIONS)
    torn = store.journal.read_bytes()[: len(whole) + keep]
    store.release()
    store.journal.write_bytes(torn)
    (store.folder / "journal.log.lock").symlink_to(store.journal)
    again = Store(store.folder, "file")
    again.hold()
    assert again.records("s") == (RECORD,)
    assert again.journal.read_bytes() == whole
    assert (store.folder / "journal.torn").read_bytes() == torn[len(whole) :]
    again.open_trials("s", ["maximize", "minimize"], ["accuracy", "lut"])
    again.append(replace(RECORD, id=2), [0.5, 10], DISTRIBUTIONS)
    assert [r.id for r in Store(store.folder, "file").records("s")] == [0, 2]
    again.release()


def test_a_second_driver_is_refused_by_name_and_free_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    code = (
        "import sys, time; from pathlib import Path; from dse.store import Store;"
        "s = Store(Path(sys.argv[1]), 'file'); s.hold(); print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert Store(folder, "file").is_held()
        with pytest.raises(StudyConflictError, match=rf"^s is being run by process {other.pid} on"):
            Store(folder, "file").hold()
    finally:
        other.kill()
        other.communicate()
    assert not Store(folder, "file").is_held()
    after = Store(folder, "file")
    after.hold()
    after.release()


def test_driver_state_and_finals_come_back(store: Store) -> None:
    state = DriverState({3: ({"fc.weight_bits": 4}, "sampler")}, next_id=4, repeated=2, seconds=1.5)
    store.write_driver_state(state)
    assert store.driver_state() == state
    final = FinalRecord("d", 0.9, 0.8, 360, 5, "a", 1.0)
    store.append_final(final)
    assert store.finals() == {"d": final}


def test_arrays_come_back_without_pickle(store: Store) -> None:
    store.save_arrays("weights/x", {"a": np.arange(3)})
    found = store.load_arrays("weights/x")
    assert found is not None
    assert found["a"].tolist() == [0, 1, 2]
    assert store.load_arrays("weights/y") is None


def test_a_newer_format_is_refused_with_what_to_do(store: Store) -> None:
    path = store.folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(StudyConflictError, match=r"\(format 99\).*Upgrade dse\.$"):
        store.header()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "x"}', "\x00\x01"])
def test_a_damaged_header_is_a_clear_error(store: Store, text: str) -> None:
    (store.folder / "study.json").write_text(text)
    with pytest.raises(UsageError, match="is damaged"):
        store.header()


def test_an_absent_study_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^no study in .*nothing; `dse list`"):
        Store(tmp_path / "nothing", "file").header()


def test_write_atomic_replaces_the_whole_text(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, "long text")
    write_atomic(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text", ["", "garbage", "[]", '{"in_flight": 3}', '{"in_flight": {}, "x": 1}']
)
def test_an_unreadable_driver_state_is_a_fresh_one(store: Store, text: str) -> None:
    (store.folder / "driver.json").write_text(text)
    assert store.driver_state() == DriverState({})


def test_damaged_finals_and_arrays_count_as_absent(store: Store) -> None:
    final = FinalRecord("d", 0.9, 0.8, 360, 5, "a", 1.0)
    store.append_final(final)
    with (store.folder / "finals.jsonl").open("a") as handle:
        handle.write("{}\ngarbage\n[1]\n")
    assert store.finals() == {"d": final}
    store.save_arrays("base", {"a": np.arange(3)})
    whole = (store.folder / "base.npz").read_bytes()
    for damaged in (b"", b"garbage", whole[: len(whole) // 2]):
        (store.folder / "base.npz").write_bytes(damaged)
        assert store.load_arrays("base") is None


def test_a_damaged_journal_line_is_named(store: Store) -> None:
    store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
    lines = store.journal.read_text().splitlines(keepends=True)
    store.journal.write_text("".join([*lines[:-1], "garbage\n", lines[-1]]))
    message = rf"journal\.log is damaged in line {len(lines)}; the other trials are intact"
    with pytest.raises(UsageError, match=message):
        Store(store.folder, "file").records("s")
    with pytest.raises(UsageError, match=message):
        Store(store.folder, "file").open_trials("s", ["maximize", "minimize"], ["accuracy", "lut"])


def test_a_study_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", "file")
    store.hold()
    store.release()
    assert list(tmp_path.iterdir()) == []


def test_another_digit_in_a_record_is_found_and_named(store: Store) -> None:
    store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
    text = store.journal.read_text()
    number = next(i for i, line in enumerate(text.splitlines(), 1) if '"dse"' in line)
    at = text.index('\\"seconds\\":') + len('\\"seconds\\":')
    digit = str((int(text[at]) + 1) % 10)
    store.journal.write_text(text[:at] + digit + text[at + 1 :])
    with pytest.raises(UsageError, match=rf"damaged in line {number}; the other trials are intact"):
        Store(store.folder, "file").records("s")


@pytest.mark.parametrize(
    ("key", "value"),
    [("created", "yesterday"), ("overrides", "x"), ("versions", None), ("base_accuracy", 7)],
)
def test_a_header_with_another_value_is_named(store: Store, key: str, value: object) -> None:
    header = {
        "folder": "/home/me",
        "overrides": ["budget.trials=5"],
        "input": {"shape": [8, 8, 1], "type": {"bits": 4, "signed": False}, "classes": 10},
        "data": "d" * 16,
        "network": "n" * 16,
        "created": "2026-03-01T10:00:00+00:00",
        "versions": {"python": "3.11.9"},
        "base_accuracy": None,
    }
    store.write_header(header)
    assert store.header().items() >= header.items()
    store.write_header(header | {key: value})
    with pytest.raises(
        UsageError, match=rf"study\.json is damaged \(`{key}` is not what dse writes\)"
    ):
        store.header()
