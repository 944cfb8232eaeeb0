"""What is loaded is data: a pickle that somebody put in its place does not run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.store import Store
from dse.store.databases import optuna_storage


class Command:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.file}'",)


class FakeServer:
    """A Redis server without records, with a snapshot of somebody else's."""

    def __init__(self, snapshot: bytes) -> None:
        self.snapshot = snapshot

    def get(self, key: str) -> bytes | None:
        return self.snapshot if key.endswith(":snapshot") else None


def test_weights_of_a_study_are_never_unpickled(tmp_path: Path) -> None:
    file = tmp_path / "ran"
    np.savez(tmp_path / "base.npz", weight=np.array([Command(file)], dtype=object))
    assert Store(tmp_path, "file").load_arrays("base") is None  # as if it were not there
    assert not file.exists()
    with np.load(tmp_path / "base.npz", allow_pickle=True) as arrays:
        arrays["weight"]
    assert file.exists()  # it would have run


def test_the_snapshot_in_redis_is_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = pytest.importorskip("redis")
    file = tmp_path / "ran"
    snapshot = pickle.dumps(Command(file))
    monkeypatch.setattr(redis.Redis, "from_url", lambda url: FakeServer(snapshot))
    storage = optuna_storage("redis://127.0.0.1:9/0", tmp_path / "journal.log")
    assert storage.get_all_studies() == []
    assert not file.exists()
    pickle.loads(snapshot)
    assert file.exists()
