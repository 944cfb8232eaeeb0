"""Trials in real databases: the same records, several studies, many readers, one driver."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from dse.errors import StudyConflictError, UnreachableError
from dse.ir.design import Compression, DesignPoint, Folding, LayerDesign
from dse.ir.record import TrialRecord
from dse.store import Store, lease, trials
from dse.store.databases import optuna_storage, with_driver, with_password

LAYER = LayerDesign(Compression(4, None, "bcr", 0.5, (4, 8)), Folding(2, 4))
RECORD = TrialRecord(
    id=0,
    knobs={"fc.weight_bits": 4, "fold.cycles": 120.5},
    design=DesignPoint((("fc", LAYER),)),
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
    "fold.cycles": optuna.distributions.FloatDistribution(1.0, 1e4, log=True),
}

Opened = Callable[..., Store]


@pytest.fixture
def name() -> str:
    return f"s-{uuid.uuid4().hex[:8]}"  # the servers live for all tests


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open a study for writing in a folder of its own, as another machine would."""
    stores: list[Store] = []

    def open_(url: str, name: str, folder: str = "a") -> Store:
        store = Store(tmp_path / folder / name, url)
        stores.append(store)
        store.hold()
        store.open_trials(name, ["maximize", "minimize"], ["accuracy", "lut"])
        return store

    yield open_
    for store in stores:
        store.release()


def test_records_come_back_equal_and_studies_stay_apart(
    database: str, name: str, opened: Opened, tmp_path: Path
) -> None:
    # longer than MySQL keeps in one attribute
    wide = DesignPoint(tuple((f"layer{i}", LAYER) for i in range(700)))
    failed = replace(RECORD, id=1, state="failed", error="NaN loss", metrics={"lut": 3.0})
    first = opened(database, name)
    second = opened(database, name + "-2")
    for record in (RECORD, failed, replace(RECORD, id=2, design=wide)):
        first.append(record, [0.5, 10], DISTRIBUTIONS)
    second.append(replace(RECORD, id=7), [0.5, 10], DISTRIBUTIONS)
    assert len(json.dumps(wide.to_json())) > 2**16
    reader = Store(tmp_path / "elsewhere", database)
    assert reader.records(name) == (RECORD, failed, replace(RECORD, id=2, design=wide))
    assert [r.id for r in reader.records(name + "-2")] == [7]
    assert reader.records("absent") == ()


def test_readers_see_what_the_writer_writes_while_it_writes(
    database: str, name: str, opened: Opened, tmp_path: Path
) -> None:
    store = opened(database, name)
    seen: list[int] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(len(Store(tmp_path / "r", database).records(name)))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for i in range(15):
            store.append(replace(RECORD, id=i), [0.5, 10], DISTRIBUTIONS)
        ended.set()
    for reader in readers:
        reader.result()
    assert len(store.records(name)) == 15
    assert set(seen) <= set(range(16))


def test_a_second_driver_is_refused_by_name_wherever_its_folder_is(
    database: str, name: str, opened: Opened
) -> None:
    first = opened(database, name)
    with pytest.raises(
        StudyConflictError, match=rf"^{name} is being run by process \d+ on .*heard"
    ):
        opened(database, name, folder="b")
    first.release()
    opened(database, name, folder="c")


def test_a_killed_driver_on_this_machine_is_followed_at_once(
    tmp_path: Path, name: str, opened: Opened
) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    code = (
        "import sys, time; from pathlib import Path; from dse.store import Store;"
        "s = Store(Path(sys.argv[1]), sys.argv[2]); s.hold();"
        "s.open_trials(sys.argv[3], ['maximize'], ['accuracy']); print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "x"), url, name]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StudyConflictError, match=f"process {other.pid} on"):
            opened(url, name)
    finally:
        other.kill()
        other.communicate()
    opened(url, name, folder="b")


def test_a_silent_driver_of_another_machine_is_followed_when_its_lease_has_run_out(
    tmp_path: Path, name: str, opened: Opened
) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    store = opened(url, name)
    store.release()
    study = optuna.load_study(study_name=name, storage=url)
    far: dict[str, Any] = {
        "holder": "process 7 on far-away",
        "host": "far-away",
        "process": 7,
        "token": "x",
    }
    study.set_user_attr(lease.KEY, far | {"time": time.time() - 20})
    with pytest.raises(StudyConflictError, match=r"process 7 on far-away.*free in (39|40) s$"):
        opened(url, name, folder="b")
    study.set_user_attr(lease.KEY, far | {"time": time.time() - 61})
    opened(url, name, folder="c")


def test_a_driver_that_slept_while_another_took_over_writes_no_more(
    tmp_path: Path, name: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.2)
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    store = opened(url, name)
    store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
    study = optuna.load_study(study_name=name, storage=url)
    study.set_user_attr(
        lease.KEY,
        {
            "holder": "process 7 on b",
            "host": "b",
            "process": 7,
            "token": "x",
            "time": time.time() - 3600,  # whatever its clock says
        },
    )
    time.sleep(1.0)
    with pytest.raises(StudyConflictError, match="process 7 on b has taken over"):
        store.append(replace(RECORD, id=1), [0.5, 10], DISTRIBUTIONS)
    store.release()
    assert study.user_attrs[lease.KEY]["token"] == "x", "the lease of the other one stays"


def test_a_time_far_ahead_of_the_clock_holds_a_study_only_while_somebody_renews_it(
    tmp_path: Path, name: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    opened(url, name).release()
    study = optuna.load_study(study_name=name, storage=url)
    far = {"holder": "process 7 on far-away", "host": "far-away", "process": 7, "token": "x"}
    ahead = time.time() + 3600
    study.set_user_attr(lease.KEY, far | {"time": ahead})
    watched: list[float] = []

    def renewed(seconds: float) -> None:
        watched.append(seconds)
        study.set_user_attr(lease.KEY, far | {"time": ahead + 15})

    monkeypatch.setattr(lease, "time", SimpleNamespace(time=time.time, sleep=renewed))
    with pytest.raises(StudyConflictError, match=r"process 7 on far-away"):
        opened(url, name, folder="b")
    assert watched == [2 * lease.BEAT_S]
    monkeypatch.setattr(lease, "time", SimpleNamespace(time=time.time, sleep=watched.append))
    opened(url, name, folder="c")
    assert watched[1:] == [2 * lease.BEAT_S, lease.SETTLE_S]


def test_trials_of_another_study_of_the_same_name_are_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.0)
    url = f"sqlite:///{tmp_path / 'trials.db'}"

    def open_(folder: str, **made_from: object) -> None:
        store = Store(tmp_path / folder, url)
        store.hold()
        try:
            store.open_trials(
                name, ["maximize"], ["accuracy"], {"board": "A", "space": 1} | made_from
            )
            store.create("", {})
        finally:
            store.release()

    open_("a")
    open_("b")
    with pytest.raises(StudyConflictError, match=r"is called '.*its board is not what"):
        open_("c", board="B")
    with pytest.raises(StudyConflictError, match=r"its board, space are not what"):
        open_("c", board="B", space=2)
    with pytest.raises(StudyConflictError, match="its space is not"):
        open_("c", space=2)
    open_("a", space=2)  # its own folder has judged that the space is only wider
    with pytest.raises(StudyConflictError, match="its space is not"):
        open_("c")


@pytest.mark.slow
def test_a_redis_server_that_forgets_is_an_error_not_a_loss(
    redis_server: Any, name: str, opened: Opened
) -> None:
    import redis

    url = redis_server.url[:-1] + "7"  # a database of its own
    server = redis.Redis.from_url(url)
    store = opened(url, name)
    for i in range(3):
        store.append(replace(RECORD, id=i), [0.5, 10], DISTRIBUTIONS)
    reader = Store(store.folder, url)
    middle = int(server.get(":log_number")) - 1  # type: ignore[arg-type]
    kept = server.get(f":log:{middle}")
    server.delete(f":log:{middle}")
    with pytest.raises(UnreachableError, match=r"has lost records.*appendonly"):
        reader.records(name)
    server.set(f":log:{middle}", kept)  # type: ignore[arg-type]
    assert [r.id for r in reader.records(name)] == [0, 1, 2]
    server.flushdb()
    with pytest.raises(UnreachableError, match="has lost records"):
        store.append(replace(RECORD, id=3), [0.5, 10], DISTRIBUTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql", "mysql", "redis_server"])
def test_a_study_goes_on_when_its_server_was_restarted(
    kind: str, request: pytest.FixtureRequest, name: str, opened: Opened
) -> None:
    server = request.getfixturevalue(kind)
    store = opened(server.url, name)
    heard: list[str] = []

    def hear(reason: str) -> None:
        heard.append(reason)
        if len(heard) == 2:
            server.start()

    store.when_waiting(hear)
    store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
    server.stop()
    for i in range(1, 4):
        store.append(replace(RECORD, id=i), [0.5, 10], DISTRIBUTIONS)
    assert len(heard) >= 2
    assert "refused" in heard[1]
    assert [r.id for r in store.records(name)] == [0, 1, 2, 3]
    assert len(Store(store.folder, server.url).records(name)) == 4


@pytest.mark.slow
def test_a_server_that_stays_away_ends_in_one_clear_error(
    postgresql: Any, name: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "PATIENCE_S", 2.0)
    store = opened(postgresql.url, name)
    postgresql.stop()
    try:
        with pytest.raises(UnreachableError, match="cannot be read"):
            store.records(name)
        with pytest.raises(UnreachableError, match=r"cannot be written: .*run the same command"):
            store.append(RECORD, [0.5, 10], DISTRIBUTIONS)
        with pytest.raises(UnreachableError, match="cannot be opened"):
            Store(store.folder, postgresql.url).records(name)
    finally:
        postgresql.start()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(UnreachableError, match=r"storage postgresql://dse@127\.0\.0\.1:9/x cannot"):
        Store(tmp_path, "postgresql://dse@127.0.0.1:9/x").records("s")


def test_studies_may_start_at_once_on_a_new_database(tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def begin(_: int) -> object:
        together.wait()
        return optuna_storage(f"sqlite:///{tmp_path}/new.db", tmp_path / "journal.log")

    with ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(begin, range(3)))
    for storage in opened:
        assert optuna.get_all_study_names(storage) == []  # type: ignore[arg-type]


def test_urls_name_their_driver_and_take_the_password() -> None:
    assert with_driver("postgresql://u@h/d") == "postgresql+psycopg://u@h/d"
    assert with_driver("mysql://u@h/d") == "mysql+pymysql://u@h/d"
    assert with_driver("postgresql+psycopg2://u@h/d") == "postgresql+psycopg2://u@h/d"
    assert with_password("mysql://u@h/d", "p") == "mysql://u:p@h/d"
    assert with_password("mysql://u@h/d", "p@s/s:%") == "mysql://u:p%40s%2Fs%3A%25@h/d"
    assert with_password("mysql://u:q@h/d", "p") == "mysql://u:q@h/d"
